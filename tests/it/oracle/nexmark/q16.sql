SELECT channel, to_char(made_at, 'YYYY-MM-DD') AS day, max(to_char(made_at, 'HH24:MI')) AS minute,
       count(*) AS bids,
       count(*) FILTER (WHERE price < 100) AS low,
       count(*) FILTER (WHERE price >= 100 AND price < 500) AS middle,
       count(*) FILTER (WHERE price >= 500) AS high,
       count(DISTINCT bidder) AS bidders,
       count(DISTINCT bidder) FILTER (WHERE price >= 500) AS high_bidders,
       count(DISTINCT auction) AS auctions,
       count(DISTINCT auction) FILTER (WHERE price >= 500) AS high_auctions
FROM bid
GROUP BY channel, to_char(made_at, 'YYYY-MM-DD')
