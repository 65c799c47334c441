SELECT auction, bidder, price, place
FROM (
    SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, bid_id) AS place FROM bid) AS b
WHERE place <= 3
