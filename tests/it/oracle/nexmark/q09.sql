SELECT auction_id, item, seller, bidder, price, made_at
FROM (
    SELECT a.*, b.bidder, b.price, b.made_at,
           row_number() OVER (PARTITION BY a.auction_id ORDER BY b.price DESC, b.made_at, b.bid_id) AS place
    FROM auction AS a JOIN bid AS b ON a.auction_id = b.auction
    WHERE b.made_at BETWEEN a.opened_at AND a.expires_at) AS ranked
WHERE place <= 1
