SELECT a.auction_id, a.item, split_part(a.item, '/', 1) AS kind, p.name AS seller, count(b.bid_id) AS bids
FROM auction AS a
LEFT JOIN bid AS b ON b.auction = a.auction_id
LEFT JOIN person AS p ON p.person_id = a.seller
GROUP BY a.auction_id, a.item, p.name
