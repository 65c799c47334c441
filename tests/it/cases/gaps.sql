SELECT random() BETWEEN 0 AND 1, setseed(0.5) IS NULL;
-- ?column?:bool | ?column?:bool
-- t | f

CREATE TABLE public.x (a no_such_type);
-- ERROR 42704 @26 type "no_such_type" does not exist

SELECT parse_ident('a."B".c'), to_ascii('abc', 'LATIN1');
-- parse_ident:_text | to_ascii:text
-- {a,B,c} | abc

SELECT unistr('\0041'), normalize('e' || chr(769)) = 'é', string_to_table('a,b', ',');
-- unistr:text | ?column?:bool | string_to_table:text
-- A | t | a
-- A | t | b

SELECT regexp_replace('xyz', '.|...', '');
-- regexp_replace:text
--

SELECT '(1,2)'::point;
-- point:point
-- (1,2)

SELECT 1 AS x, q, count(*) FROM (VALUES (1)) t(q) GROUP BY GROUPING SETS (1, 2);
-- x:int4 | q:int4 | count:int8
-- 1 | ∅ | 1
-- ∅ | 1 | 1

SELECT ts_headline('english', 'fat rats', 'rat');
-- ERROR 42725 @8 function ts_headline(unknown, unknown, unknown) is not unique
-- HINT Could not choose a best candidate function. You might need to add explicit type casts.

SELECT to_tsvector('german', 'Häuser');
-- to_tsvector:tsvector
-- 'haus':1
