SELECT seller, auction_id,
       avg(final) OVER (PARTITION BY seller ORDER BY expires_at, auction_id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS average
FROM (
    SELECT DISTINCT ON (a.auction_id) a.auction_id, a.seller, a.expires_at, b.price AS final
    FROM auction AS a JOIN bid AS b ON a.auction_id = b.auction
    WHERE b.made_at BETWEEN a.opened_at AND a.expires_at
    ORDER BY a.auction_id, b.price DESC, b.made_at, b.bid_id) AS winning
