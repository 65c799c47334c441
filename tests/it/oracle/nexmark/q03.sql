SELECT p.name, p.city, p.state, a.auction_id
FROM auction AS a JOIN person AS p ON a.seller = p.person_id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')
