WITH gaps AS (
    SELECT bid_id, bidder, made_at,
           made_at - lag(made_at) OVER (PARTITION BY bidder ORDER BY made_at, bid_id) > interval '10 seconds' AS opens
    FROM bid),
sessions AS (
    SELECT bidder, made_at,
           count(*) FILTER (WHERE opens) OVER (PARTITION BY bidder ORDER BY made_at, bid_id ROWS UNBOUNDED PRECEDING) AS session
    FROM gaps)
SELECT bidder, session, count(*) AS bids, min(made_at) AS started_at, max(made_at) + interval '10 seconds' AS ended_at
FROM sessions
GROUP BY bidder, session
