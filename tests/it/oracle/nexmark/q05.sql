WITH counted AS (
    SELECT auction, date_trunc('minute', made_at) AS minute, count(*) AS bids
    FROM bid
    GROUP BY auction, date_trunc('minute', made_at))
SELECT c.minute, c.auction, c.bids
FROM counted AS c
JOIN (SELECT minute, max(bids) AS most FROM counted GROUP BY minute) AS m ON m.minute = c.minute
WHERE c.bids >= m.most
