CREATE TABLE fk_region (id int PRIMARY KEY, code text UNIQUE);
-- CREATE TABLE

CREATE TABLE fk_shop (id int PRIMARY KEY, region int DEFAULT 1 REFERENCES fk_region ON DELETE SET DEFAULT ON UPDATE CASCADE, code text REFERENCES fk_region (code) ON UPDATE CASCADE ON DELETE SET NULL);
-- CREATE TABLE

CREATE TABLE fk_order (id int PRIMARY KEY, shop int NOT NULL REFERENCES fk_shop ON DELETE CASCADE ON UPDATE CASCADE, twice int GENERATED ALWAYS AS (shop * 2) STORED, CHECK (shop < 1000));
-- CREATE TABLE

CREATE TABLE fk_line (shop_order int REFERENCES fk_order ON DELETE CASCADE, n int, PRIMARY KEY (shop_order, n));
-- CREATE TABLE

CREATE TABLE fk_note (id int, line_order int, line_n int, FOREIGN KEY (line_order, line_n) REFERENCES fk_line ON DELETE SET NULL (line_n) ON UPDATE NO ACTION);
-- CREATE TABLE

INSERT INTO fk_region VALUES (1, 'a'), (2, 'b'), (3, 'c');
-- INSERT 0 3

INSERT INTO fk_shop VALUES (10, 1, 'a'), (20, 2, 'b'), (30, 3, NULL), (40, NULL, 'c');
-- INSERT 0 4

INSERT INTO fk_order VALUES (100, 10), (101, 10), (200, 20), (300, 30);
-- INSERT 0 4

INSERT INTO fk_line SELECT o.id, n FROM fk_order o, generate_series(1, 2) n;
-- INSERT 0 8

INSERT INTO fk_note VALUES (1, 100, 1), (2, 200, 2), (3, NULL, 5);
-- INSERT 0 3

UPDATE fk_region SET id = id + 10, code = code || '!' WHERE id > 1;
-- UPDATE 2

SELECT * FROM fk_shop ORDER BY id;
-- id:int4 | region:int4 | code:text
-- 10 | 1 | a
-- 20 | 12 | b!
-- 30 | 13 | ∅
-- 40 | ∅ | c!

DELETE FROM fk_region WHERE id = 12;
-- DELETE 1

SELECT * FROM fk_shop ORDER BY id;
-- id:int4 | region:int4 | code:text
-- 10 | 1 | a
-- 20 | 1 | ∅
-- 30 | 13 | ∅
-- 40 | ∅ | c!

UPDATE fk_shop SET id = id + 1 WHERE id IN (10, 20);
-- UPDATE 2

SELECT * FROM fk_order ORDER BY id;
-- id:int4 | shop:int4 | twice:int4
-- 100 | 11 | 22
-- 101 | 11 | 22
-- 200 | 21 | 42
-- 300 | 30 | 60

UPDATE fk_shop SET id = 5000 WHERE id = 11;
-- ERROR 23514 @ new row for relation "fk_order" violates check constraint "fk_order_shop_check"
-- DETAIL Failing row contains (100, 5000, 10000).

SELECT * FROM fk_shop ORDER BY id;
-- id:int4 | region:int4 | code:text
-- 11 | 1 | a
-- 21 | 1 | ∅
-- 30 | 13 | ∅
-- 40 | ∅ | c!

DELETE FROM fk_shop WHERE id = 21;
-- DELETE 1

SELECT o.id, l.n FROM fk_order o JOIN fk_line l ON l.shop_order = o.id ORDER BY 1, 2;
-- id:int4 | n:int4
-- 100 | 1
-- 100 | 2
-- 101 | 1
-- 101 | 2
-- 300 | 1
-- 300 | 2

SELECT * FROM fk_note ORDER BY id;
-- id:int4 | line_order:int4 | line_n:int4
-- 1 | 100 | 1
-- 2 | 200 | ∅
-- 3 | ∅ | 5

DELETE FROM fk_line WHERE n = 1 RETURNING shop_order, n;
-- shop_order:int4 | n:int4
-- 100 | 1
-- 101 | 1
-- 300 | 1

SELECT * FROM fk_note ORDER BY id;
-- id:int4 | line_order:int4 | line_n:int4
-- 1 | 100 | ∅
-- 2 | 200 | ∅
-- 3 | ∅ | 5

DELETE FROM fk_region;
-- ERROR 23503 @ update or delete on table "fk_region" violates foreign key constraint "fk_shop_region_fkey" on table "fk_shop"
-- DETAIL Key (id)=(1) is still referenced from table "fk_shop".

SELECT conname, confupdtype, confdeltype, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text LIKE 'fk%' ORDER BY conname;
-- conname:name | confupdtype:char | confdeltype:char | pg_get_constraintdef:text
-- fk_line_shop_order_fkey | a | c | FOREIGN KEY (shop_order) REFERENCES fk_order(id) ON DELETE CASCADE
-- fk_note_line_order_line_n_fkey | a | n | FOREIGN KEY (line_order, line_n) REFERENCES fk_line(shop_order, n) ON DELETE SET NULL (line_n)
-- fk_order_shop_fkey | c | c | FOREIGN KEY (shop) REFERENCES fk_shop(id) ON UPDATE CASCADE ON DELETE CASCADE
-- fk_shop_code_fkey | c | n | FOREIGN KEY (code) REFERENCES fk_region(code) ON UPDATE CASCADE ON DELETE SET NULL
-- fk_shop_region_fkey | c | d | FOREIGN KEY (region) REFERENCES fk_region(id) ON UPDATE CASCADE ON DELETE SET DEFAULT

SELECT constraint_name, match_option, update_rule, delete_rule FROM information_schema.referential_constraints WHERE constraint_name LIKE 'fk%' ORDER BY 1;
-- constraint_name:name | match_option:varchar | update_rule:varchar | delete_rule:varchar
-- fk_line_shop_order_fkey | NONE | NO ACTION | CASCADE
-- fk_note_line_order_line_n_fkey | NONE | NO ACTION | SET NULL
-- fk_order_shop_fkey | NONE | CASCADE | CASCADE
-- fk_shop_code_fkey | NONE | CASCADE | SET NULL
-- fk_shop_region_fkey | NONE | CASCADE | SET DEFAULT

TRUNCATE fk_shop;
-- ERROR 0A000 @ cannot truncate a table referenced in a foreign key constraint
-- DETAIL Table "fk_order" references "fk_shop".
-- HINT Truncate table "fk_order" at the same time, or use TRUNCATE ... CASCADE.

TRUNCATE fk_shop CASCADE;
-- TRUNCATE TABLE

SELECT (SELECT count(*) FROM fk_shop), (SELECT count(*) FROM fk_order), (SELECT count(*) FROM fk_line), (SELECT count(*) FROM fk_note);
-- count:int8 | count:int8 | count:int8 | count:int8
-- 0 | 0 | 0 | 0

CREATE TABLE fk_tree (id int PRIMARY KEY, up int REFERENCES fk_tree ON DELETE CASCADE ON UPDATE CASCADE);
-- CREATE TABLE

INSERT INTO fk_tree VALUES (1, NULL), (2, 1), (3, 2), (4, 2), (5, 1), (6, 6);
-- INSERT 0 6

UPDATE fk_tree SET id = id + 100;
-- UPDATE 6

SELECT * FROM fk_tree ORDER BY id;
-- id:int4 | up:int4
-- 101 | ∅
-- 102 | 101
-- 103 | 102
-- 104 | 102
-- 105 | 101
-- 106 | 106

WITH gone AS (DELETE FROM fk_tree WHERE id = 102 RETURNING id) SELECT * FROM gone;
-- id:int4
-- 102

SELECT * FROM fk_tree ORDER BY id;
-- id:int4 | up:int4
-- 101 | ∅
-- 105 | 101
-- 106 | 106

DELETE FROM fk_tree WHERE id = 106;
-- DELETE 1

SELECT * FROM fk_tree ORDER BY id;
-- id:int4 | up:int4
-- 101 | ∅
-- 105 | 101

CREATE TABLE fk_strict (id int PRIMARY KEY);
-- CREATE TABLE

CREATE TABLE fk_kept (id int REFERENCES fk_strict ON DELETE RESTRICT ON UPDATE RESTRICT);
-- CREATE TABLE

INSERT INTO fk_strict VALUES (1), (2);
-- INSERT 0 2

INSERT INTO fk_kept VALUES (1);
-- INSERT 0 1

DELETE FROM fk_strict WHERE id = 1;
-- ERROR 23503 @ update or delete on table "fk_strict" violates foreign key constraint "fk_kept_id_fkey" on table "fk_kept"
-- DETAIL Key (id)=(1) is still referenced from table "fk_kept".

UPDATE fk_strict SET id = 9 WHERE id = 1;
-- ERROR 23503 @ update or delete on table "fk_strict" violates foreign key constraint "fk_kept_id_fkey" on table "fk_kept"
-- DETAIL Key (id)=(1) is still referenced from table "fk_kept".

UPDATE fk_strict SET id = 9 WHERE id = 2;
-- UPDATE 1

MERGE INTO fk_strict s USING (VALUES (1), (9)) v(id) ON s.id = v.id WHEN MATCHED AND v.id = 9 THEN DELETE WHEN MATCHED THEN UPDATE SET id = s.id;
-- MERGE 2

SELECT * FROM fk_strict ORDER BY id;
-- id:int4
-- 1

CREATE TABLE fk_null (id int PRIMARY KEY, ref int NOT NULL REFERENCES fk_strict ON DELETE SET NULL);
-- CREATE TABLE

INSERT INTO fk_null VALUES (1, 1);
-- INSERT 0 1

DELETE FROM fk_kept;
-- DELETE 1

DELETE FROM fk_strict;
-- ERROR 23502 @ null value in column "ref" of relation "fk_null" violates not-null constraint
-- DETAIL Failing row contains (1, null).

DROP TABLE fk_null;
-- DROP TABLE

CREATE TABLE fk_bad (a int REFERENCES fk_strict ON DELETE SET NULL (b), b int);
-- ERROR 42P10 @ column "b" referenced in ON DELETE SET action must be part of foreign key

CREATE TABLE fk_generated (a int GENERATED ALWAYS AS (1) STORED REFERENCES fk_strict ON DELETE SET NULL);
-- ERROR 42601 @ invalid ON DELETE action for foreign key constraint containing generated column

CREATE TABLE fk_full (a int, b int, UNIQUE (a, b));
-- CREATE TABLE

CREATE TABLE fk_part (a int, b int, FOREIGN KEY (a, b) REFERENCES fk_full (a, b) MATCH FULL);
-- CREATE TABLE

INSERT INTO fk_part VALUES (NULL, NULL);
-- INSERT 0 1

INSERT INTO fk_part VALUES (1, NULL);
-- ERROR 23503 @ insert or update on table "fk_part" violates foreign key constraint "fk_part_a_b_fkey"
-- DETAIL MATCH FULL does not allow mixing of null and nonnull key values.

INSERT INTO fk_full VALUES (1, 1);
-- INSERT 0 1

INSERT INTO fk_part VALUES (1, 1);
-- INSERT 0 1

DELETE FROM fk_full;
-- ERROR 23503 @ update or delete on table "fk_full" violates foreign key constraint "fk_part_a_b_fkey" on table "fk_part"
-- DETAIL Key (a, b)=(1, 1) is still referenced from table "fk_part".

ALTER TABLE fk_kept ADD COLUMN note int;
-- ALTER TABLE

INSERT INTO fk_kept VALUES (1, 77);
-- INSERT 0 1

ALTER TABLE fk_kept ADD FOREIGN KEY (note) REFERENCES fk_strict;
-- ERROR 23503 @ insert or update on table "fk_kept" violates foreign key constraint "fk_kept_note_fkey"
-- DETAIL Key (note)=(77) is not present in table "fk_strict".

CREATE TABLE fk_later (id int PRIMARY KEY, ref int REFERENCES fk_strict DEFERRABLE INITIALLY DEFERRED, other int CONSTRAINT fk_now REFERENCES fk_strict DEFERRABLE);
-- CREATE TABLE

SELECT conname, condeferrable, condeferred, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'fk_later'::regclass ORDER BY 1;
-- conname:name | condeferrable:bool | condeferred:bool | pg_get_constraintdef:text
-- fk_later_pkey | f | f | PRIMARY KEY (id)
-- fk_later_ref_fkey | t | t | FOREIGN KEY (ref) REFERENCES fk_strict(id) DEFERRABLE INITIALLY DEFERRED
-- fk_now | t | f | FOREIGN KEY (other) REFERENCES fk_strict(id) DEFERRABLE

BEGIN;
-- BEGIN

INSERT INTO fk_later VALUES (1, 50);
-- INSERT 0 1

INSERT INTO fk_strict VALUES (50);
-- INSERT 0 1

COMMIT;
-- COMMIT

INSERT INTO fk_later VALUES (2, 60);
-- ERROR 23503 @ insert or update on table "fk_later" violates foreign key constraint "fk_later_ref_fkey"
-- DETAIL Key (ref)=(60) is not present in table "fk_strict".

INSERT INTO fk_later VALUES (2, NULL, 60);
-- ERROR 23503 @ insert or update on table "fk_later" violates foreign key constraint "fk_now"
-- DETAIL Key (other)=(60) is not present in table "fk_strict".

BEGIN;
-- BEGIN

SET CONSTRAINTS fk_now DEFERRED;
-- SET CONSTRAINTS

INSERT INTO fk_later VALUES (2, NULL, 60);
-- INSERT 0 1

SET CONSTRAINTS ALL IMMEDIATE;
-- ERROR 23503 @ insert or update on table "fk_later" violates foreign key constraint "fk_now"
-- DETAIL Key (other)=(60) is not present in table "fk_strict".

ROLLBACK;
-- ROLLBACK

BEGIN;
-- BEGIN

DELETE FROM fk_strict WHERE id = 50;
-- DELETE 1

COMMIT;
-- ERROR 23503 @ update or delete on table "fk_strict" violates foreign key constraint "fk_later_ref_fkey" on table "fk_later"
-- DETAIL Key (id)=(50) is still referenced from table "fk_later".

SELECT id FROM fk_strict ORDER BY id;
-- id:int4
-- 1
-- 50

BEGIN;
-- BEGIN

SET CONSTRAINTS fk_later_ref_fkey IMMEDIATE;
-- SET CONSTRAINTS

INSERT INTO fk_later VALUES (3, 70);
-- ERROR 23503 @ insert or update on table "fk_later" violates foreign key constraint "fk_later_ref_fkey"
-- DETAIL Key (ref)=(70) is not present in table "fk_strict".

ROLLBACK;
-- ROLLBACK

BEGIN;
-- BEGIN

SET CONSTRAINTS nosuch DEFERRED;
-- ERROR 42704 @ constraint "nosuch" does not exist

ROLLBACK;
-- ROLLBACK

BEGIN;
-- BEGIN

SET CONSTRAINTS fk_kept_id_fkey DEFERRED;
-- ERROR 42809 @ constraint "fk_kept_id_fkey" is not deferrable

ROLLBACK;
-- ROLLBACK

SELECT * FROM fk_later ORDER BY id;
-- id:int4 | ref:int4 | other:int4
-- 1 | 50 | ∅

DROP TABLE fk_strict;
-- ERROR 2BP01 @ cannot drop table fk_strict because other objects depend on it
-- DETAIL constraint fk_kept_id_fkey on table fk_kept depends on table fk_strict\nconstraint fk_later_ref_fkey on table fk_later depends on table fk_strict\nconstraint fk_now on table fk_later depends on table fk_strict
-- HINT Use DROP ... CASCADE to drop the dependent objects too.

DROP TABLE fk_strict CASCADE;
-- DROP TABLE

SELECT conname FROM pg_constraint WHERE conrelid IN ('fk_later'::regclass, 'fk_kept'::regclass) ORDER BY 1;
-- conname:name
-- fk_later_pkey
