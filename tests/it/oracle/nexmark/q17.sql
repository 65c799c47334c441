SELECT auction, date_trunc('minute', made_at) AS minute,
       count(*) AS bids, min(price) AS least, max(price) AS most, avg(price) AS average, sum(price) AS total
FROM bid
GROUP BY auction, date_trunc('minute', made_at)
