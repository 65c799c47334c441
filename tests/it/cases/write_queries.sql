CREATE TABLE stock (id int PRIMARY KEY, n int);
-- CREATE TABLE

CREATE TABLE moved (id int, n int, at text DEFAULT 'now');
-- CREATE TABLE

INSERT INTO stock SELECT g, g * 10 FROM generate_series(1, 5) g;
-- INSERT 0 5

WITH gone AS (DELETE FROM stock WHERE id > 3 RETURNING *) INSERT INTO moved (id, n) SELECT id, n FROM gone;
-- INSERT 0 2

SELECT * FROM moved ORDER BY id;
-- id:int4 | n:int4 | at:text
-- 4 | 40 | now
-- 5 | 50 | now

WITH changed AS (UPDATE stock SET n = n + 1 WHERE id < 3 RETURNING id, n AS new_n) SELECT c.id, c.new_n, s.n FROM changed c JOIN stock s USING (id) ORDER BY 1;
-- id:int4 | new_n:int4 | n:int4
-- 1 | 11 | 10
-- 2 | 21 | 20

WITH a AS (INSERT INTO stock VALUES (6, 60) RETURNING id), b AS (INSERT INTO moved SELECT id, 0, 'b' FROM a RETURNING id, at) SELECT * FROM b;
-- id:int4 | at:text
-- 6 | b

WITH doomed(x) AS (SELECT 6) DELETE FROM stock USING doomed WHERE id = x RETURNING id;
-- id:int4
-- 6

WITH x AS (INSERT INTO stock VALUES (1, 1) RETURNING id) SELECT * FROM x;
-- ERROR 23505 @ duplicate key value violates unique constraint "stock_pkey"
-- DETAIL Key (id)=(1) already exists.

SELECT * FROM stock ORDER BY id;
-- id:int4 | n:int4
-- 1 | 11
-- 2 | 21
-- 3 | 30

SELECT * FROM (WITH y AS (DELETE FROM stock RETURNING id) SELECT * FROM y) q;
-- ERROR 0A000 @21 WITH clause containing a data-modifying statement must be at the top level

WITH copies AS (INSERT INTO stock SELECT id + 10, n FROM stock RETURNING id) SELECT id FROM copies ORDER BY id;
-- id:int4
-- 11
-- 12
-- 13

UPDATE stock SET n = (SELECT max(n) FROM stock) WHERE id IN (SELECT id FROM moved) OR id = 1 RETURNING *;
-- id:int4 | n:int4
-- 1 | 30

DELETE FROM stock s WHERE NOT EXISTS (SELECT 1 FROM moved m WHERE m.id = s.id) AND s.id < 12;
-- DELETE 4

SELECT count(*) FROM stock;
-- count:int8
-- 2
