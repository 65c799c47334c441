SELECT auction, bidder, price, made_at
FROM (
    SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY made_at DESC, bid_id DESC) AS place FROM bid) AS b
WHERE place <= 1
