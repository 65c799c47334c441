SELECT b.auction, b.bidder, b.price, b.made_at
FROM bid AS b
JOIN (
    SELECT date_trunc('minute', made_at) AS minute, max(price) AS price
    FROM bid
    GROUP BY date_trunc('minute', made_at)) AS best
  ON b.price = best.price AND b.made_at >= best.minute AND b.made_at < best.minute + interval '1 minute'
