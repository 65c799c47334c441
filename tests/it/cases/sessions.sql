LOCK TABLE pg_class;
-- ERROR 25P01 @ LOCK TABLE can only be used in transaction blocks

CREATE TABLE public.keyed (id int PRIMARY KEY, big bigint UNIQUE, name text, code varchar(8));
-- CREATE TABLE

CREATE MATERIALIZED VIEW public.keyed_count AS SELECT count(*) AS n FROM public.keyed;
-- CREATE MATERIALIZED VIEW

BEGIN;
-- BEGIN

LOCK TABLE public.keyed, pg_catalog.pg_class IN ACCESS SHARE MODE NOWAIT;
-- LOCK TABLE

LOCK public.keyed IN ROW EXCLUSIVE MODE;
-- LOCK TABLE

SAVEPOINT before;
-- SAVEPOINT

LOCK TABLE public.keyed_count IN ACCESS SHARE MODE;
-- ERROR 42809 @ "keyed_count" is not a table or view

ROLLBACK TO before;
-- ROLLBACK

LOCK TABLE public.none IN ACCESS SHARE MODE;
-- ERROR 42P01 @ relation "public.none" does not exist

ROLLBACK TO before;
-- ROLLBACK

LOCK TABLE public.keyed IN SHARE MODE;
-- ERROR 0A000 @ LOCK TABLE in a mode that keeps others from writing is not supported
-- HINT A transaction reads one snapshot; rows that others changed meanwhile make its COMMIT fail with 40001, to be tried again.

ROLLBACK;
-- ROLLBACK

INSERT INTO public.keyed SELECT g, g * 10, 'it''s ' || g, 'c' || g FROM generate_series(1, 9) g;
-- INSERT 0 9

SELECT id, name FROM public.keyed WHERE id = 1;
-- id:int4 | name:text
-- 1 | it's 1

SELECT id, name FROM public.keyed WHERE id = 2;
-- id:int4 | name:text
-- 2 | it's 2

SELECT id, name FROM public.keyed WHERE id = 77;
-- id:int4 | name:text

SELECT id, name FROM public.keyed WHERE id = 3 AND id = 4;
-- id:int4 | name:text

SELECT id, name FROM public.keyed WHERE id = 4 AND id = 4;
-- id:int4 | name:text
-- 4 | it's 4

SELECT id, name FROM public.keyed WHERE id = '5';
-- id:int4 | name:text
-- 5 | it's 5

SELECT id, name FROM public.keyed WHERE id = '6';
-- id:int4 | name:text
-- 6 | it's 6

SELECT id, name FROM public.keyed WHERE id = 'six';
-- ERROR 22P02 @46 invalid input syntax for type integer: "six"

BEGIN;
-- BEGIN

UPDATE public.keyed SET name = 'new' WHERE id = 3;
-- UPDATE 1

SELECT id, name FROM public.keyed WHERE id = 3;
-- id:int4 | name:text
-- 3 | new

ROLLBACK;
-- ROLLBACK

SELECT id, name FROM public.keyed WHERE id = 3;
-- id:int4 | name:text
-- 3 | it's 3

DROP MATERIALIZED VIEW public.keyed_count;
-- DROP MATERIALIZED VIEW

ALTER TABLE public.keyed RENAME COLUMN name TO title;
-- ALTER TABLE

SELECT id, name FROM public.keyed WHERE id = 7;
-- ERROR 42703 @12 column "name" does not exist

SELECT id, title FROM public.keyed WHERE id = 7;
-- id:int4 | title:text
-- 7 | it's 7

SELECT relhastriggers FROM pg_class WHERE relname = 'keyed';
-- relhastriggers:bool
-- f

CREATE TABLE public.keyed_child (id int PRIMARY KEY, keyed int REFERENCES public.keyed (id));
-- CREATE TABLE

SELECT relname, relhastriggers FROM pg_class WHERE relname IN ('keyed', 'keyed_child') ORDER BY 1;
-- relname:name | relhastriggers:bool
-- keyed | t
-- keyed_child | t

DROP TABLE public.keyed_child;
-- DROP TABLE

SELECT relhastriggers FROM pg_class WHERE relname = 'keyed';
-- relhastriggers:bool
-- f

SELECT pg_sleep(0.01), pg_sleep(-1), pg_sleep('NaN'), pg_sleep(NULL) IS NULL AS nothing;
-- pg_sleep:void | pg_sleep:void | pg_sleep:void | nothing:bool
--  |  |  | t

SELECT pg_sleep_for('5 milliseconds') IS NULL AS slept, pg_sleep_until(now()) IS NULL AS late;
-- slept:bool | late:bool
-- f | f

SELECT 'lower(text)'::regprocedure, 'pg_catalog.lower(text)'::regprocedure::oid = 'lower(text)'::regprocedure AS same;
-- regprocedure:regprocedure | same:bool
-- lower(text) | t

SELECT 'lower(date)'::regprocedure;
-- ERROR 42883 @8 function "lower(date)" does not exist

SELECT format_type(30, NULL), format_type(22, NULL), format_type(1028, NULL);
-- format_type:text | format_type:text | format_type:text
-- oidvector | int2vector | oid[]

SELECT pg_tablespace_size('pg_global'), pg_tablespace_size('pg_default') >= 0 AS more;
-- pg_tablespace_size:int8 | more:bool
-- 0 | t

DROP TABLE public.keyed;
-- DROP TABLE
