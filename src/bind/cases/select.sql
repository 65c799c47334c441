-- names and types of expressions
SELECT 1, 2147483648, 1.5, 'x', NULL, true
SELECT 1 AS a, 1 + 1, -1, 2147483647 + 1
SELECT 9223372036854775807 + 1
SELECT 1::bigint + 1, 1::smallint, '12'::int, 'x'::text, text 'abc'
SELECT lower('AB'), upper(name) FROM customers ORDER BY id
SELECT CASE WHEN true THEN 1 ELSE 2.5 END, CASE 1 WHEN 1 THEN 'a' END, coalesce(NULL, 1), nullif(1, 1), greatest(1, 2), least(3, 2)
SELECT 1 = 1, 1 <> 2, 'a' < 'b', true AND NULL, NULL OR true, NOT true
SELECT 1 IN (1, 2), 3 NOT IN (1, 2), NULL IN (1), 1 IN (2, NULL)
SELECT 5 BETWEEN 1 AND 10, 5 NOT BETWEEN 1 AND 10, 5 BETWEEN SYMMETRIC 10 AND 1
SELECT 'abc' LIKE 'a%', 'abc' ILIKE 'A%', 'abc' NOT LIKE 'x%', 'abc' SIMILAR TO 'a.c', 'abc' ~ '^a'
SELECT NULL IS NULL, 1 IS NOT NULL, true IS TRUE, NULL::boolean IS UNKNOWN, 1 IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM 1
SELECT 1 = ANY (ARRAY[1, 2]), 1 = ALL (ARRAY[1, 1]), 3 <> ALL ('{1,2}'::int[]), 2 = ANY ('{1,NULL}'), 1 < ANY (ARRAY[0, NULL]::int[])
SELECT ARRAY[1, 2], ARRAY['a', 'b'], ARRAY[1, 2.5], ARRAY[]::int[], (ARRAY[1, 2])[2], (ARRAY[1, 2])[3]
SELECT (1, 2) = (1, 2), (1, 2) < (1, 3), (1, NULL) = (1, 2), (1, NULL) IS NULL, (1, 2) IS NOT NULL
SELECT DATE '2024-01-31', TIMESTAMP '2024-01-31 10:00', INTERVAL '1 day', '2024-01-01'::date + 1
SELECT extract(year FROM DATE '2024-05-06'), date_trunc('month', TIMESTAMP '2024-05-06 07:08:09')
SELECT substring('hello' FROM 2 FOR 3), position('l' IN 'hello'), trim('  x '), 'a' || 'b', 'a' || 1
SELECT length('héllo'), round(1.25, 1), abs(-5), 7 / 2, 7 % 4, 7.0 / 2
SELECT '1' + 1, 1 + '2', '3' || 4
SELECT id FROM customers WHERE nothing = 1
SELECT customers.nothing FROM customers
SELECT c.nme FROM customers c
SELECT x.id FROM customers
SELECT customers.id FROM customers c
SELECT * FROM missing
SELECT * FROM nowhere.missing
SELECT nosuch(1, 'a')
SELECT 1 + true
SELECT - 'a'::text
SELECT lower(1)
SELECT 1 WHERE 1
SELECT id FROM customers JOIN orders ON customers.id = orders.id
SELECT id, id FROM customers, orders
SELECT CASE WHEN true THEN 1 ELSE 'x' END
SELECT CASE WHEN true THEN 1 ELSE true END
SELECT '2024-13-01'::date
SELECT 'x'::int
SELECT 1::nosuch
SELECT 1::date
SELECT 'a'::varchar(2), 'abc'::varchar(2), 'a'::char(3), 1.255::numeric(5,2)
SELECT 0.1 + 0.2, 1e2, 1.50 * 2
SELECT * FROM customers ORDER BY id
SELECT c.*, 1 FROM customers c WHERE c.id = 1
SELECT id AS x, name FROM customers ORDER BY x DESC LIMIT 2
SELECT id, name FROM customers ORDER BY 2 DESC, 1
SELECT id FROM customers ORDER BY 3
SELECT name FROM customers ORDER BY credit NULLS FIRST, id
SELECT name FROM customers ORDER BY credit DESC, id
SELECT name FROM customers ORDER BY lower(name) DESC OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY
SELECT DISTINCT segment FROM customers ORDER BY segment
SELECT DISTINCT segment FROM customers ORDER BY id
SELECT DISTINCT ON (segment) segment, name FROM customers ORDER BY segment, id DESC
SELECT DISTINCT amount FROM orders ORDER BY amount
VALUES (1, 'a'), (2, 'b')
VALUES (1), (2.5)
VALUES (1, 2), (3)
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v (n, t) ORDER BY n
