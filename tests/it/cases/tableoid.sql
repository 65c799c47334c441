CREATE TABLE tableoid_one (a int NOT NULL, b text);
-- CREATE TABLE

CREATE TABLE tableoid_two (a int NOT NULL);
-- CREATE TABLE

CREATE TABLE tableoid_bare (a int);
-- CREATE TABLE

INSERT INTO tableoid_one VALUES (1, 'x'), (2, 'y');
-- INSERT 0 2

INSERT INTO tableoid_two VALUES (2);
-- INSERT 0 1

SELECT tableoid::regclass, a FROM tableoid_one ORDER BY a;
-- tableoid:regclass | a:int4
-- tableoid_one | 1
-- tableoid_one | 2

SELECT tableoid::regclass FROM tableoid_one, tableoid_two;
-- ERROR 42702 @8 column reference "tableoid" is ambiguous

SELECT one.a, one.tableoid::regclass, two.tableoid::regclass FROM tableoid_one one LEFT JOIN tableoid_two two USING (a) ORDER BY 1;
-- a:int4 | tableoid:regclass | tableoid:regclass
-- 1 | tableoid_one | ∅
-- 2 | tableoid_one | tableoid_two

SELECT one.a, one.tableoid::regclass, two.tableoid::regclass FROM tableoid_two one RIGHT JOIN tableoid_one two USING (a) ORDER BY two.a;
-- a:int4 | tableoid:regclass | tableoid:regclass
-- ∅ | ∅ | tableoid_one
-- 2 | tableoid_two | tableoid_one

SELECT tableoid FROM (SELECT 1 AS a) s;
-- ERROR 42703 @8 column "tableoid" does not exist

SELECT tableoid::regclass, oid::regclass FROM pg_class WHERE relname = 'tableoid_one';
-- tableoid:regclass | oid:regclass
-- pg_class | tableoid_one

SELECT n.tableoid::regclass, nspname FROM pg_namespace n WHERE nspname = 'public';
-- tableoid:regclass | nspname:name
-- pg_namespace | public

SELECT count(*) FROM tableoid_one WHERE tableoid = 'tableoid_one'::regclass;
-- count:int8
-- 2

CREATE VIEW tableoid_view AS SELECT a FROM tableoid_one;
-- CREATE VIEW

SELECT tableoid FROM tableoid_view;
-- ERROR 42703 @8 column "tableoid" does not exist

SELECT ('abc'::name)[0], ('abc'::name)[2], ('abc'::name)[3] = '', ('abc'::name)[64], ('abc'::name)[-1], ('ä'::name)[0];
-- name:char | name:char | ?column?:bool | name:char | name:char | name:char
-- a | c | t | ∅ | ∅ | \\303

SELECT typname[0] = '_' AS isarray, typname FROM pg_type WHERE typname IN ('int4', '_int4') ORDER BY 2;
-- isarray:bool | typname:name
-- t | _int4
-- f | int4

SELECT * FROM pg_options_to_table('{a=1,b,c=d=e}'::text[]);
-- option_name:text | option_value:text
-- a | 1
-- b | ∅
-- c | d=e

COMMENT ON COLUMN tableoid_one.a IS 'first';
-- COMMENT

CREATE INDEX tableoid_index ON tableoid_one (b);
-- CREATE INDEX

COMMENT ON INDEX tableoid_index IS 'by b';
-- COMMENT

SELECT obj_description(oid, 'pg_class'), obj_description(oid) FROM pg_class WHERE relname = 'tableoid_index';
-- obj_description:text | obj_description:text
-- by b | by b

COMMENT ON INDEX tableoid_index IS NULL;
-- COMMENT

SELECT obj_description(oid, 'pg_class') FROM pg_class WHERE relname = 'tableoid_index';
-- obj_description:text
-- ∅

COMMENT ON INDEX nothing IS 'x';
-- ERROR 42P01 @ relation "nothing" does not exist

ALTER TABLE tableoid_two ADD CONSTRAINT small CHECK (a < 10);
-- ALTER TABLE

COMMENT ON CONSTRAINT small ON tableoid_two IS 'below ten';
-- COMMENT

SELECT obj_description(oid, 'pg_constraint'), obj_description(oid, 'pg_class') FROM pg_constraint WHERE conname = 'small';
-- obj_description:text | obj_description:text
-- below ten | ∅

COMMENT ON CONSTRAINT large ON tableoid_two IS 'x';
-- ERROR 42704 @ constraint "large" for table "tableoid_two" does not exist

SET search_path = '';
-- SET

SELECT pg_get_viewdef('public.tableoid_view'::regclass) LIKE '%FROM public.tableoid_one%';
-- ?column?:bool
-- t

RESET search_path;
-- RESET

DROP VIEW tableoid_view;
-- DROP VIEW

DROP TABLE tableoid_one, tableoid_two, tableoid_bare;
-- DROP TABLE
