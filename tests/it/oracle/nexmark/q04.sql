SELECT category, avg(final) AS average
FROM (
    SELECT a.category, max(b.price) AS final
    FROM auction AS a JOIN bid AS b ON a.auction_id = b.auction
    WHERE b.made_at BETWEEN a.opened_at AND a.expires_at
    GROUP BY a.auction_id, a.category) AS winning
GROUP BY category
