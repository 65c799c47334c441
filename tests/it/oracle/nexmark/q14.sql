SELECT auction, bidder, 0.908 * price AS price,
       CASE WHEN extract(hour FROM made_at) BETWEEN 8 AND 18 THEN 'day'
            WHEN extract(hour FROM made_at) <= 6 OR extract(hour FROM made_at) >= 20 THEN 'night'
            ELSE 'other' END AS part_of_day,
       made_at, extra, length(extra) - length(replace(extra, 'c', '')) AS c_count
FROM bid
WHERE 0.908 * price > 100 AND 0.908 * price < 500
