-- joins
SELECT c.name, o.id FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT c.name, o.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id ORDER BY c.id, o.id
SELECT c.name, o.id FROM customers c RIGHT JOIN orders o ON o.customer_id = c.id ORDER BY o.id
SELECT c.name, o.id FROM customers c FULL JOIN orders o ON o.customer_id = c.id ORDER BY c.id, o.id
SELECT count(*) FROM customers CROSS JOIN orders
SELECT count(*) FROM customers, orders
SELECT * FROM (SELECT 1 AS a, 2 AS b) x JOIN (SELECT 1 AS a, 3 AS c) y USING (a)
SELECT * FROM (SELECT 1 AS a, 2 AS b) x NATURAL JOIN (SELECT 1 AS a, 3 AS c) y
SELECT a, b, c FROM (SELECT 1 AS a, 2 AS b) x FULL JOIN (SELECT 2 AS a, 3 AS c) y USING (a) ORDER BY a
SELECT x.a, y.a FROM (SELECT 1 AS a) x LEFT JOIN (SELECT 1::bigint AS a) y USING (a)
SELECT a FROM customers a JOIN customers a ON true
-- aggregates
SELECT count(*), count(segment), sum(credit), min(name), max(born) FROM customers
SELECT segment, count(*) FROM customers GROUP BY segment ORDER BY segment
SELECT segment AS s, count(*) AS n FROM customers GROUP BY s HAVING count(*) > 1
SELECT segment, count(*) FROM customers GROUP BY 1 ORDER BY 2 DESC, 1
SELECT name FROM customers GROUP BY segment
SELECT id, name FROM customers GROUP BY id ORDER BY id
SELECT sum(count(*)) FROM customers
SELECT name FROM customers WHERE count(*) > 1
SELECT count(DISTINCT segment), count(DISTINCT amount) FROM customers, orders
SELECT count(*) FILTER (WHERE segment = 'gold') FROM customers
SELECT string_agg(name, ',' ORDER BY id DESC) FROM customers
SELECT array_agg(id ORDER BY id) FROM customers
SELECT avg(quantity), sum(quantity), sum(amount), avg(amount) FROM orders
SELECT segment, sum(credit), grouping(segment) FROM customers GROUP BY ROLLUP (segment) ORDER BY 3, 1
SELECT segment, name IS NULL, count(*), grouping(segment, name) FROM customers GROUP BY GROUPING SETS ((segment), (name), ()) ORDER BY 4, 1, 2
SELECT amount, count(*) FROM orders GROUP BY amount ORDER BY amount
SELECT k, count(*) FROM flags GROUP BY k ORDER BY k
SELECT ratio + 0, count(*) FROM flags GROUP BY 1 ORDER BY 1
SELECT 1 FROM customers HAVING count(*) > 100
SELECT max(amount) - min(amount) FROM orders
-- subqueries
SELECT (SELECT max(id) FROM orders)
SELECT (SELECT id FROM orders)
SELECT (SELECT id FROM orders WHERE false)
SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY 1
SELECT name FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY 1
SELECT name, EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY id
SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders) ORDER BY 1
SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders) ORDER BY 1
SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL) ORDER BY 1
SELECT name, id IN (SELECT customer_id FROM orders) FROM customers ORDER BY id
SELECT id, customer_id NOT IN (SELECT id FROM customers) FROM orders ORDER BY id
SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY id
SELECT name, (SELECT sum(amount) FROM orders o WHERE o.customer_id = c.id) AS total FROM customers c ORDER BY id
SELECT name, (SELECT o.id FROM orders o WHERE o.customer_id = c.id) FROM customers c WHERE c.id > 1 ORDER BY id
SELECT name, (SELECT o.id FROM orders o WHERE o.customer_id = c.id) FROM customers c
SELECT name, (SELECT o.id FROM orders o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1) FROM customers c ORDER BY c.id
SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id < c.id) FROM customers c ORDER BY id
SELECT name FROM customers c WHERE credit > (SELECT avg(x.credit) FROM customers x WHERE x.segment = c.segment) ORDER BY 1
SELECT name, ARRAY(SELECT o.id FROM orders o WHERE o.customer_id = c.id ORDER BY o.id) FROM customers c ORDER BY id
SELECT name FROM customers WHERE id > ALL (SELECT customer_id FROM orders WHERE customer_id < 3) ORDER BY 1
SELECT name FROM customers WHERE id = ANY (SELECT customer_id FROM orders) ORDER BY 1
SELECT c.name, x.id FROM customers c, LATERAL (SELECT o.id FROM orders o WHERE o.customer_id = c.id ORDER BY o.id LIMIT 1) x ORDER BY 1
SELECT c.name, x.n FROM customers c LEFT JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.id) x ON true ORDER BY 1
SELECT c.name, x.y FROM customers c CROSS JOIN LATERAL (SELECT c.id * 2 AS y) x ORDER BY 1
SELECT name FROM customers c WHERE (SELECT count(*) FROM orders o WHERE o.customer_id = c.id AND EXISTS (SELECT 1 FROM flags f WHERE f.k = 'x' AND c.id = 1)) > 0
SELECT (SELECT 1, 2)
SELECT 1 IN (SELECT 1, 2)
SELECT c.id FROM customers c, (SELECT c.id) x
-- set-returning
SELECT * FROM generate_series(1, 3)
SELECT n FROM generate_series(1, 5, 2) AS n
SELECT * FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u (v, i)
SELECT o.id, t FROM orders o, unnest(o.tags) t ORDER BY 1, 2
SELECT o.id, t, i FROM orders o LEFT JOIN LATERAL unnest(o.tags) WITH ORDINALITY AS u (t, i) ON true ORDER BY 1, 3
SELECT id, unnest(tags) FROM orders ORDER BY 1, 2
SELECT (information_schema._pg_expandarray(tags)).n, id FROM orders ORDER BY 2, 1
SELECT (r.pair).x, (r.pair).n FROM (SELECT information_schema._pg_expandarray(ARRAY['a', 'b']) AS pair) r WHERE (r.pair).n > 1
SELECT generate_series(1, 2), 'x'
-- set operations
SELECT 1 UNION SELECT 2 UNION SELECT 1 ORDER BY 1
SELECT 1 UNION ALL SELECT 1.5
SELECT 'a' UNION SELECT NULL ORDER BY 1
SELECT 1 AS a UNION SELECT 'x'
SELECT '1' UNION SELECT 2 ORDER BY 1
SELECT count(*) FROM (SELECT amount FROM orders INTERSECT SELECT 5.100) x
SELECT amount FROM orders EXCEPT SELECT 5.100 ORDER BY 1
SELECT k FROM flags INTERSECT ALL SELECT 'x'
SELECT k FROM flags EXCEPT ALL SELECT 'x' ORDER BY 1
SELECT 1, 2 UNION SELECT 1
SELECT id FROM customers UNION SELECT id FROM orders ORDER BY name
-- with
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b
WITH a (q) AS (SELECT id FROM customers) SELECT count(*) FROM a x JOIN a y ON x.q = y.q
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n), count(*) FROM r
WITH RECURSIVE r (n) AS (VALUES (1) UNION SELECT n % 3 + 1 FROM r) SELECT n FROM r ORDER BY n
-- windows
SELECT id, row_number() OVER (ORDER BY id DESC) FROM customers ORDER BY id
SELECT id, rank() OVER (PARTITION BY segment ORDER BY credit) FROM customers ORDER BY id
SELECT id, sum(quantity) OVER (ORDER BY id) FROM orders ORDER BY id
SELECT id, sum(quantity) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders ORDER BY id
SELECT id, sum(quantity) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM orders ORDER BY id
SELECT id, lag(name) OVER w, lead(name, 1, 'none') OVER w, first_value(name) OVER w FROM customers WINDOW w AS (ORDER BY id) ORDER BY id
SELECT id, count(*) OVER () FROM customers ORDER BY id
SELECT segment, sum(sum(credit)) OVER (ORDER BY segment) FROM customers GROUP BY segment ORDER BY segment
SELECT id FROM customers WHERE row_number() OVER () = 1
SELECT row_number() FROM customers
-- the catalogs' shapes
SELECT c.name, CASE WHEN c.segment = 'gold' THEN (SELECT max(o.id) FROM orders o WHERE o.customer_id = c.id) ELSE 0 END FROM customers c ORDER BY 1
SELECT name FROM customers c WHERE id IN (SELECT customer_id FROM orders o WHERE o.quantity < c.id + 2) ORDER BY 1
SELECT name FROM customers c WHERE id NOT IN (SELECT o.quantity FROM orders o WHERE o.customer_id = c.id) ORDER BY 1
SELECT c.name, (SELECT string_agg(t, ',' ORDER BY t) FROM (SELECT o.tags[1] AS t FROM orders o WHERE o.customer_id = c.id) x) FROM customers c ORDER BY 1
SELECT c.id, (SELECT count(*) FROM (SELECT 1 FROM orders o WHERE o.customer_id = c.id UNION ALL SELECT 2 FROM flags f WHERE f.ratio > c.id) u) FROM customers c ORDER BY 1
SELECT o.id FROM orders o WHERE 'b' = ANY (o.tags) ORDER BY 1
SELECT o.id, 'b' = ANY (o.tags), 'b' <> ALL (o.tags) FROM orders o ORDER BY 1
SELECT id FROM orders WHERE id IN (10, 12, NULL) OR id NOT IN (10, 11, 12, 13, 14) ORDER BY 1
SELECT name FROM customers ORDER BY (SELECT count(*) FROM orders o WHERE o.customer_id = customers.id) DESC, name
SELECT segment, (SELECT count(*) FROM orders) FROM customers GROUP BY segment ORDER BY 1
SELECT segment, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c GROUP BY segment
SELECT x.n, y.m FROM (VALUES (1), (2)) x (n) LEFT JOIN (VALUES (2, 'b')) y (k, m) ON x.n = y.k AND y.m = 'b' ORDER BY 1
SELECT count(*) FROM orders WHERE tags IS NOT NULL AND (quantity > 1 OR amount < 1)
SELECT DISTINCT segment IS NULL AS missing, count(*) OVER (PARTITION BY segment) FROM customers ORDER BY 1, 2
SELECT id, ntile(2) OVER (ORDER BY id), percent_rank() OVER (ORDER BY id), dense_rank() OVER (ORDER BY segment) FROM customers ORDER BY id
SELECT name FROM customers LIMIT 0
SELECT name FROM customers ORDER BY id LIMIT NULL OFFSET 3
SELECT name FROM customers LIMIT -1
SELECT max(id) FROM customers WHERE false
SELECT 'x' AS a FROM customers GROUP BY a
SELECT (SELECT c.name) || '!' FROM customers c ORDER BY 1 LIMIT 1
-- one subquery in two places
SELECT id FROM customers c WHERE (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) BETWEEN 1 AND 2 ORDER BY 1
SELECT id, nullif((SELECT count(*) FROM orders o WHERE o.customer_id = c.id), 2) FROM customers c ORDER BY 1
SELECT (SELECT max(id) FROM orders) IN (13, 14), greatest((SELECT min(id) FROM orders), 3) BETWEEN 1 AND 10
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY (SELECT max(o.quantity) FROM orders o WHERE o.customer_id = c.id)) FROM customers c
-- grouping sets over values that may be equal and differ, and the same one twice
SELECT amount, quantity, count(*) FROM orders WHERE id < 14 GROUP BY ROLLUP (amount, quantity) ORDER BY 1 NULLS FIRST, 2 NULLS FIRST, 3
SELECT amount IS NULL AS missing, grouping(amount), count(*) FROM orders GROUP BY GROUPING SETS ((amount), ()) ORDER BY 2, 1, 3
SELECT segment, count(*), grouping(segment) FROM customers GROUP BY GROUPING SETS ((segment), (segment), (), ()) ORDER BY 3, 1, 2
SELECT segment, count(*) FROM customers GROUP BY ROLLUP (segment, segment) ORDER BY 1, 2
SELECT count(*) FROM customers GROUP BY GROUPING SETS ((), ())
