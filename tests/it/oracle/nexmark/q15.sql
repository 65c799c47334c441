SELECT date_trunc('hour', made_at) AS hour,
       count(*) AS bids,
       count(*) FILTER (WHERE price < 100) AS low,
       count(*) FILTER (WHERE price >= 100 AND price < 500) AS middle,
       count(DISTINCT bidder) AS bidders,
       count(DISTINCT bidder) FILTER (WHERE price < 100) AS low_bidders,
       count(DISTINCT auction) AS auctions
FROM bid
GROUP BY date_trunc('hour', made_at)
