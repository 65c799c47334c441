SELECT p.person_id, p.name, p.minute
FROM (SELECT person_id, name, date_trunc('minute', joined_at) AS minute FROM person) AS p
JOIN (SELECT DISTINCT seller, date_trunc('minute', opened_at) AS minute FROM auction) AS a
  ON p.person_id = a.seller AND p.minute = a.minute
