CREATE TABLE goods (id int PRIMARY KEY, name varchar(10) NOT NULL DEFAULT 'none', price numeric(8,2) CHECK (price > 0), sold timestamptz DEFAULT '2024-01-01 00:00+00', tags text[]);
-- CREATE TABLE

CREATE TABLE goods (id int);
-- ERROR 42P07 @ relation "goods" already exists

CREATE TABLE IF NOT EXISTS goods (id int);
-- CREATE TABLE

CREATE TABLE twice (a int, a text);
-- ERROR 42701 @ column "a" specified more than once

CREATE TABLE wrong (a nosuchtype);
-- ERROR 42704 @23 type "nosuchtype" does not exist

CREATE TABLE two_keys (a int PRIMARY KEY, b int PRIMARY KEY);
-- ERROR 42P16 @49 multiple primary keys for table "two_keys" are not allowed

INSERT INTO goods (id, name, price) VALUES (1, 'one', 1.5), (2, DEFAULT, 2), (3, 'three', NULL);
-- INSERT 0 3

SELECT id, name, price, sold, tags FROM goods ORDER BY id;
-- id:int4 | name:varchar(14) | price:numeric(524294) | sold:timestamptz | tags:_text
-- 1 | one | 1.50 | 2024-01-01 00:00:00+00 | ∅
-- 2 | none | 2.00 | 2024-01-01 00:00:00+00 | ∅
-- 3 | three | ∅ | 2024-01-01 00:00:00+00 | ∅

INSERT INTO goods VALUES (4, 'much too long a name');
-- ERROR 22001 @ value too long for type character varying(10)

INSERT INTO goods VALUES (4, NULL);
-- ERROR 23502 @ null value in column "name" of relation "goods" violates not-null constraint
-- DETAIL Failing row contains (4, null, null, 2024-01-01 00:00:00+00, null).

INSERT INTO goods (id, price) VALUES (4, -1);
-- ERROR 23514 @ new row for relation "goods" violates check constraint "goods_price_check"
-- DETAIL Failing row contains (4, none, -1.00, 2024-01-01 00:00:00+00, null).

INSERT INTO goods (id, price) VALUES (4, 1), (1, 2);
-- ERROR 23505 @ duplicate key value violates unique constraint "goods_pkey"
-- DETAIL Key (id)=(1) already exists.

INSERT INTO goods (id, price) VALUES (4, 1), (4, 2);
-- ERROR 23505 @ duplicate key value violates unique constraint "goods_pkey"
-- DETAIL Key (id)=(4) already exists.

INSERT INTO goods (id, nosuch) VALUES (4, 1);
-- ERROR 42703 @24 column "nosuch" of relation "goods" does not exist

INSERT INTO goods (id, id) VALUES (4, 1);
-- ERROR 42701 @24 column "id" specified more than once

INSERT INTO goods VALUES (4, 'x', 1, now(), '{}', 9);
-- ERROR 42601 @51 INSERT has more expressions than target columns

INSERT INTO goods (id, name) VALUES (4);
-- ERROR 42601 @24 INSERT has more target columns than expressions

INSERT INTO goods (id, name) VALUES ('x', 'y');
-- ERROR 22P02 @38 invalid input syntax for type integer: "x"

INSERT INTO goods (id, name) VALUES (true, 'y');
-- ERROR 42804 @38 column "id" is of type integer but expression is of type boolean
-- HINT You will need to rewrite or cast the expression.

INSERT INTO goods VALUES (4, 'four', 4.005, DEFAULT, '{a,"b c"}') RETURNING *, id + 1 AS next, price * 2;
-- id:int4 | name:varchar(14) | price:numeric(524294) | sold:timestamptz | tags:_text | next:int4 | ?column?:numeric
-- 4 | four | 4.01 | 2024-01-01 00:00:00+00 | {a,"b c"} | 5 | 8.02

UPDATE goods SET price = price + 1, name = upper(name) WHERE id >= 2 RETURNING id, name, price;
-- id:int4 | name:varchar(14) | price:numeric(524294)
-- 2 | NONE | 3.00
-- 3 | THREE | ∅
-- 4 | FOUR | 5.01

UPDATE goods SET id = 1 WHERE id = 2;
-- ERROR 23505 @ duplicate key value violates unique constraint "goods_pkey"
-- DETAIL Key (id)=(1) already exists.

UPDATE goods SET name = NULL WHERE id = 2;
-- ERROR 23502 @ null value in column "name" of relation "goods" violates not-null constraint
-- DETAIL Failing row contains (2, null, 3.00, 2024-01-01 00:00:00+00, null).

UPDATE goods SET price = 0 WHERE id = 2;
-- ERROR 23514 @ new row for relation "goods" violates check constraint "goods_price_check"
-- DETAIL Failing row contains (2, NONE, 0.00, 2024-01-01 00:00:00+00, null).

UPDATE goods SET nosuch = 0;
-- ERROR 42703 @18 column "nosuch" of relation "goods" does not exist

UPDATE goods SET (name, price) = ('both', 7) WHERE id = 3;
-- UPDATE 1

UPDATE goods SET (name, price) = (SELECT name, price FROM goods WHERE id = 1) WHERE id = 2 RETURNING *;
-- id:int4 | name:varchar(14) | price:numeric(524294) | sold:timestamptz | tags:_text
-- 2 | one | 1.50 | 2024-01-01 00:00:00+00 | ∅

UPDATE goods SET price = DEFAULT, name = DEFAULT WHERE id = 3 RETURNING name, price;
-- name:varchar(14) | price:numeric(524294)
-- none | ∅

UPDATE goods g SET price = v.p FROM (VALUES (1, 10.5), (2, 20)) v(i, p) WHERE g.id = v.i RETURNING g.id, g.price, v.*;
-- id:int4 | price:numeric(524294) | i:int4 | p:numeric
-- 1 | 10.50 | 1 | 10.5
-- 2 | 20.00 | 2 | 20

DELETE FROM goods WHERE id = 4 RETURNING id, tags[2];
-- id:int4 | tags:text
-- 4 | b c

DELETE FROM goods g USING (VALUES (3)) v(i) WHERE g.id = v.i RETURNING g.id, v.i;
-- id:int4 | i:int4
-- 3 | 3

SELECT count(*) FROM goods;
-- count:int8
-- 2

INSERT INTO goods VALUES (1, 'again', 9), (9, 'new', 9) ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = goods.price + excluded.price RETURNING id, name, price;
-- id:int4 | name:varchar(14) | price:numeric(524294)
-- 1 | again | 19.50
-- 9 | new | 9.00

INSERT INTO goods VALUES (1, 'no'), (10, 'yes') ON CONFLICT DO NOTHING RETURNING id;
-- id:int4
-- 10

INSERT INTO goods VALUES (1, 'no') ON CONFLICT (id) DO UPDATE SET name = 'never' WHERE goods.price < 0 RETURNING id;
-- id:int4

INSERT INTO goods VALUES (11, 'a'), (11, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
-- ERROR 21000 @ ON CONFLICT DO UPDATE command cannot affect row a second time
-- HINT Ensure that no rows proposed for insertion within the same command have duplicate constrained values.

INSERT INTO goods VALUES (11, 'a'), (11, 'b') ON CONFLICT (id) DO NOTHING;
-- INSERT 0 1

INSERT INTO goods VALUES (1, 'a') ON CONFLICT (name) DO NOTHING;
-- ERROR 42P10 @ there is no unique or exclusion constraint matching the ON CONFLICT specification

INSERT INTO goods VALUES (1, 'a') ON CONFLICT DO UPDATE SET name = 'x';
-- ERROR 42601 @35 ON CONFLICT DO UPDATE requires inference specification or constraint name
-- HINT For example, ON CONFLICT (column_name).

INSERT INTO goods VALUES (1, 'a') ON CONFLICT ON CONSTRAINT goods_pkey DO UPDATE SET name = 'by name' RETURNING name;
-- name:varchar(14)
-- by name

INSERT INTO goods VALUES (1, 'a') ON CONFLICT ON CONSTRAINT nosuch DO NOTHING;
-- ERROR 42704 @ constraint "nosuch" for table "goods" does not exist

SELECT id, name, price FROM goods ORDER BY id;
-- id:int4 | name:varchar(14) | price:numeric(524294)
-- 1 | by name | 19.50
-- 2 | one | 20.00
-- 9 | new | 9.00
-- 10 | yes | ∅
-- 11 | a | ∅

CREATE TABLE pairs (a int, b text, n int UNIQUE, PRIMARY KEY (a, b));
-- CREATE TABLE

INSERT INTO pairs VALUES (1, 'x', 1), (1, 'y', 2), (2, 'x', NULL), (3, 'x', NULL);
-- INSERT 0 4

INSERT INTO pairs VALUES (1, 'y', 9);
-- ERROR 23505 @ duplicate key value violates unique constraint "pairs_pkey"
-- DETAIL Key (a, b)=(1, y) already exists.

INSERT INTO pairs VALUES (9, 'y', 2);
-- ERROR 23505 @ duplicate key value violates unique constraint "pairs_n_key"
-- DETAIL Key (n)=(2) already exists.

INSERT INTO pairs (a) VALUES (9);
-- ERROR 23502 @ null value in column "b" of relation "pairs" violates not-null constraint
-- DETAIL Failing row contains (9, null, null).

UPDATE pairs SET n = 1 WHERE a = 2;
-- ERROR 23505 @ duplicate key value violates unique constraint "pairs_n_key"
-- DETAIL Key (n)=(1) already exists.

UPDATE pairs SET a = a + 10 WHERE a = 1 RETURNING *;
-- a:int4 | b:text | n:int4
-- 11 | x | 1
-- 11 | y | 2

CREATE TABLE made AS SELECT id, name, price * 2 AS doubled, 1 AS one, 'text' AS t FROM goods WHERE id < 3;
-- SELECT 2

SELECT * FROM made ORDER BY id;
-- id:int4 | name:varchar(14) | doubled:numeric | one:int4 | t:text
-- 1 | by name | 39.00 | 1 | text
-- 2 | one | 40.00 | 1 | text

SELECT * INTO into_made FROM made WHERE id = 1;
-- SELECT 1

SELECT * FROM into_made;
-- id:int4 | name:varchar(14) | doubled:numeric | one:int4 | t:text
-- 1 | by name | 39.00 | 1 | text

CREATE TABLE empty_made AS SELECT * FROM made WITH NO DATA;
-- CREATE TABLE AS

SELECT count(*) FROM empty_made;
-- count:int8
-- 0

INSERT INTO empty_made SELECT * FROM made;
-- INSERT 0 2

MERGE INTO empty_made m USING (VALUES (1, 'merged'), (2, 'gone'), (7, 'fresh')) s(id, name) ON m.id = s.id WHEN MATCHED AND s.id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET name = s.name, one = m.one + 1 WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name);
-- MERGE 3

SELECT * FROM empty_made ORDER BY id;
-- id:int4 | name:varchar(14) | doubled:numeric | one:int4 | t:text
-- 1 | merged | 39.00 | 2 | text
-- 7 | fresh | ∅ | ∅ | ∅

MERGE INTO empty_made m USING (VALUES (1), (1)) s(id) ON m.id = s.id WHEN MATCHED THEN UPDATE SET one = 0;
-- ERROR 21000 @ MERGE command cannot affect row a second time
-- HINT Ensure that not more than one source row matches any one target row.

MERGE INTO empty_made m USING (VALUES (1)) s(id) ON m.id = s.id WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT DEFAULT VALUES;
-- MERGE 0

TRUNCATE empty_made;
-- TRUNCATE TABLE

SELECT count(*) FROM empty_made;
-- count:int8
-- 0

DROP TABLE empty_made, into_made;
-- DROP TABLE

SELECT * FROM into_made;
-- ERROR 42P01 @15 relation "into_made" does not exist

DROP TABLE into_made;
-- ERROR 42P01 @ table "into_made" does not exist

DROP TABLE IF EXISTS into_made;
-- DROP TABLE

CREATE TABLE counted (id serial PRIMARY KEY, big bigserial, at int GENERATED ALWAYS AS IDENTITY, by_default int GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 5), v text);
-- CREATE TABLE

INSERT INTO counted (v) VALUES ('a'), ('b') RETURNING *;
-- id:int4 | big:int8 | at:int4 | by_default:int4 | v:text
-- 1 | 1 | 1 | 10 | a
-- 2 | 2 | 2 | 15 | b

INSERT INTO counted (at, v) VALUES (5, 'c');
-- ERROR 428C9 @ cannot insert a non-DEFAULT value into column "at"
-- DETAIL Column "at" is an identity column defined as GENERATED ALWAYS.
-- HINT Use OVERRIDING SYSTEM VALUE to override.

INSERT INTO counted (at, v) OVERRIDING SYSTEM VALUE VALUES (5, 'c') RETURNING *;
-- id:int4 | big:int8 | at:int4 | by_default:int4 | v:text
-- 3 | 3 | 5 | 20 | c

INSERT INTO counted (by_default, v) VALUES (1, 'd') RETURNING *;
-- id:int4 | big:int8 | at:int4 | by_default:int4 | v:text
-- 4 | 4 | 3 | 1 | d

INSERT INTO counted DEFAULT VALUES RETURNING id, v;
-- id:int4 | v:text
-- 5 | ∅

SELECT currval('counted_id_seq'), lastval(), nextval('counted_id_seq'), setval('counted_id_seq', 100), nextval('counted_id_seq');
-- currval:int8 | lastval:int8 | nextval:int8 | setval:int8 | nextval:int8
-- 5 | 25 | 6 | 100 | 101

INSERT INTO counted (v) SELECT g::text FROM generate_series(1, 3) g RETURNING id, v;
-- id:int4 | v:text
-- 102 | 1
-- 103 | 2
-- 104 | 3

SELECT pg_get_serial_sequence('counted', 'id');
-- pg_get_serial_sequence:text
-- public.counted_id_seq

CREATE SEQUENCE steps INCREMENT BY -2 MAXVALUE 10 MINVALUE 5 START 9;
-- CREATE SEQUENCE

SELECT nextval('steps'), nextval('steps'), nextval('steps');
-- nextval:int8 | nextval:int8 | nextval:int8
-- 9 | 7 | 5

SELECT nextval('steps');
-- nextval:int8
-- ERROR 2200H @ nextval: reached minimum value of sequence "steps" (5)

ALTER SEQUENCE steps RESTART WITH 6;
-- ALTER SEQUENCE

SELECT nextval('steps');
-- nextval:int8
-- 6

DROP SEQUENCE steps;
-- DROP SEQUENCE

SELECT nextval('steps');
-- ERROR 42P01 @16 relation "steps" does not exist

CREATE TABLE computed (a int, b int DEFAULT 2, c int GENERATED ALWAYS AS (a * b) STORED, CHECK (c < 100));
-- CREATE TABLE

INSERT INTO computed (a) VALUES (3), (4) RETURNING *;
-- a:int4 | b:int4 | c:int4
-- 3 | 2 | 6
-- 4 | 2 | 8

INSERT INTO computed (a, c) VALUES (1, 1);
-- ERROR 428C9 @ cannot insert a non-DEFAULT value into column "c"
-- DETAIL Column "c" is a generated column.

UPDATE computed SET b = 10 WHERE a = 3 RETURNING *;
-- a:int4 | b:int4 | c:int4
-- 3 | 10 | 30

UPDATE computed SET c = 1;
-- ERROR 428C9 @ column "c" can only be updated to DEFAULT
-- DETAIL Column "c" is a generated column.

INSERT INTO computed VALUES (60);
-- ERROR 23514 @ new row for relation "computed" violates check constraint "computed_c_check"
-- DETAIL Failing row contains (60, 2, 120).

ALTER TABLE computed ADD COLUMN d text NOT NULL DEFAULT 'd';
-- ALTER TABLE

SELECT * FROM computed ORDER BY a;
-- a:int4 | b:int4 | c:int4 | d:text
-- 3 | 10 | 30 | d
-- 4 | 2 | 8 | d

ALTER TABLE computed ADD COLUMN e int NOT NULL;
-- ERROR 23502 @ column "e" of relation "computed" contains null values

ALTER TABLE computed ADD COLUMN d int;
-- ERROR 42701 @ column "d" of relation "computed" already exists

ALTER TABLE computed ADD COLUMN IF NOT EXISTS d int;
-- ALTER TABLE

ALTER TABLE computed DROP COLUMN d;
-- ALTER TABLE

ALTER TABLE computed DROP COLUMN nosuch;
-- ERROR 42703 @ column "nosuch" of relation "computed" does not exist

ALTER TABLE computed DROP COLUMN IF EXISTS nosuch;
-- ALTER TABLE

ALTER TABLE computed RENAME COLUMN a TO alpha;
-- ALTER TABLE

SELECT alpha, b, c FROM computed ORDER BY alpha;
-- alpha:int4 | b:int4 | c:int4
-- 3 | 10 | 30
-- 4 | 2 | 8

INSERT INTO computed (alpha) VALUES (5) RETURNING *;
-- alpha:int4 | b:int4 | c:int4
-- 5 | 2 | 10

ALTER TABLE computed ALTER COLUMN b TYPE bigint;
-- ERROR 0A000 @ cannot alter type of a column used by a generated column
-- DETAIL Column "b" is used by generated column "c".

ALTER TABLE computed ALTER COLUMN b DROP DEFAULT;
-- ALTER TABLE

INSERT INTO computed (alpha) VALUES (6) RETURNING *;
-- alpha:int4 | b:int4 | c:int4
-- 6 | ∅ | ∅

ALTER TABLE computed ALTER COLUMN b SET NOT NULL;
-- ERROR 23502 @ column "b" of relation "computed" contains null values

DELETE FROM computed WHERE b IS NULL;
-- DELETE 1

ALTER TABLE computed ALTER COLUMN b SET NOT NULL;
-- ALTER TABLE

INSERT INTO computed (alpha) VALUES (7);
-- ERROR 23502 @ null value in column "b" of relation "computed" violates not-null constraint
-- DETAIL Failing row contains (7, null, null).

ALTER TABLE computed ADD CONSTRAINT positive CHECK (alpha > 3);
-- ERROR 23514 @ check constraint "positive" of relation "computed" is violated by some row

DELETE FROM computed WHERE alpha = 3;
-- DELETE 1

ALTER TABLE computed ADD CONSTRAINT positive CHECK (alpha > 3);
-- ALTER TABLE

INSERT INTO computed VALUES (2, 2);
-- ERROR 23514 @ new row for relation "computed" violates check constraint "positive"
-- DETAIL Failing row contains (2, 2, 4).

ALTER TABLE computed DROP CONSTRAINT positive;
-- ALTER TABLE

ALTER TABLE computed DROP CONSTRAINT positive;
-- ERROR 42704 @ constraint "positive" of relation "computed" does not exist

ALTER TABLE computed ADD PRIMARY KEY (alpha);
-- ALTER TABLE

INSERT INTO computed VALUES (4, 4);
-- ERROR 23505 @ duplicate key value violates unique constraint "computed_pkey"
-- DETAIL Key (alpha)=(4) already exists.

ALTER TABLE computed ADD UNIQUE (b);
-- ERROR 23505 @ could not create unique index "computed_b_key"
-- DETAIL Key (b)=(2) is duplicated.

CREATE TABLE numbers (n int);
-- CREATE TABLE

INSERT INTO numbers VALUES (1), (1);
-- INSERT 0 2

ALTER TABLE numbers ADD PRIMARY KEY (n);
-- ERROR 23505 @ could not create unique index "numbers_pkey"
-- DETAIL Key (n)=(1) is duplicated.

ALTER TABLE numbers ALTER COLUMN n TYPE text USING 'n' || n;
-- ALTER TABLE

SELECT * FROM numbers;
-- n:text
-- n1
-- n1

ALTER TABLE numbers ALTER COLUMN n TYPE int;
-- ERROR 42804 @ column "n" cannot be cast automatically to type integer
-- HINT You might need to specify "USING n::integer".

ALTER TABLE numbers RENAME TO words;
-- ALTER TABLE

SELECT * FROM numbers;
-- ERROR 42P01 @15 relation "numbers" does not exist

SELECT count(*) FROM words;
-- count:int8
-- 2

CREATE TABLE parent (id int PRIMARY KEY, name text);
-- CREATE TABLE

CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, CHECK (id > 0));
-- CREATE TABLE

INSERT INTO parent VALUES (1, 'p'), (2, 'q');
-- INSERT 0 2

INSERT INTO child VALUES (1, 1), (2, NULL);
-- INSERT 0 2

INSERT INTO child VALUES (3, 9);
-- ERROR 23503 @ insert or update on table "child" violates foreign key constraint "child_parent_fkey"
-- DETAIL Key (parent)=(9) is not present in table "parent".

UPDATE child SET parent = 9 WHERE id = 1;
-- ERROR 23503 @ insert or update on table "child" violates foreign key constraint "child_parent_fkey"
-- DETAIL Key (parent)=(9) is not present in table "parent".

DELETE FROM parent WHERE id = 1;
-- ERROR 23503 @ update or delete on table "parent" violates foreign key constraint "child_parent_fkey" on table "child"
-- DETAIL Key (id)=(1) is still referenced from table "child".

UPDATE parent SET id = 5 WHERE id = 1;
-- ERROR 23503 @ update or delete on table "parent" violates foreign key constraint "child_parent_fkey" on table "child"
-- DETAIL Key (id)=(1) is still referenced from table "child".

DELETE FROM parent WHERE id = 2;
-- DELETE 1

TRUNCATE parent;
-- ERROR 0A000 @ cannot truncate a table referenced in a foreign key constraint
-- DETAIL Table "child" references "parent".
-- HINT Truncate table "child" at the same time, or use TRUNCATE ... CASCADE.

DROP TABLE parent;
-- ERROR 2BP01 @ cannot drop table parent because other objects depend on it
-- DETAIL constraint child_parent_fkey on table child depends on table parent
-- HINT Use DROP ... CASCADE to drop the dependent objects too.

DROP TABLE parent CASCADE;
-- DROP TABLE

DELETE FROM child;
-- DELETE 2

CREATE TEMP TABLE mine (a int) ON COMMIT DROP;
-- CREATE TABLE

SELECT * FROM mine;
-- ERROR 42P01 @15 relation "mine" does not exist

CREATE TEMP TABLE mine AS SELECT 1 AS a;
-- SELECT 1

INSERT INTO mine VALUES (2);
-- INSERT 0 1

SELECT sum(a) FROM mine;
-- sum:int8
-- 3

SELECT sum(a) FROM pg_temp.mine;
-- sum:int8
-- 3

DROP TABLE mine;
-- DROP TABLE

BEGIN;
-- BEGIN

INSERT INTO goods (id) VALUES (50);
-- INSERT 0 1

SAVEPOINT one;
-- SAVEPOINT

DELETE FROM goods;
-- DELETE 6

SELECT count(*) FROM goods;
-- count:int8
-- 0

ROLLBACK TO one;
-- ROLLBACK

SELECT count(*) FROM goods;
-- count:int8
-- 6

ROLLBACK;
-- ROLLBACK

SELECT count(*) FROM goods;
-- count:int8
-- 5

BEGIN;
-- BEGIN

CREATE TABLE new_goods AS SELECT * FROM goods WHERE id = 1;
-- SELECT 1

ALTER TABLE goods RENAME TO old_goods;
-- ALTER TABLE

ALTER TABLE new_goods RENAME TO goods;
-- ALTER TABLE

DROP TABLE old_goods;
-- DROP TABLE

COMMIT;
-- COMMIT

SELECT id, name FROM goods;
-- id:int4 | name:varchar(14)
-- 1 | by name

CREATE VIEW over_goods AS SELECT goods.id, name FROM goods;
-- CREATE VIEW

ALTER TABLE goods RENAME TO wares;
-- ALTER TABLE

SELECT * FROM over_goods;
-- id:int4 | name:varchar(14)
-- 1 | by name

ALTER TABLE wares DROP COLUMN price;
-- ALTER TABLE

DROP TABLE wares;
-- ERROR 2BP01 @ cannot drop table wares because other objects depend on it
-- DETAIL view over_goods depends on table wares
-- HINT Use DROP ... CASCADE to drop the dependent objects too.

DROP TABLE wares CASCADE;
-- DROP TABLE
