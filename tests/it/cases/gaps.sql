SELECT ARRAY[1, 2, 3], ARRAY['a', NULL, 'b c', 'NULL', '', 'd"e', 'f\g'], '{1,2,NULL}'::int[], ARRAY[]::text[], ARRAY[[1, 2], [3, 4]], '{{a,b},{c,d}}'::text[];
-- array:_int4 | array:_text | int4:_int4 | array:_text | array:_int4 | text:_text
-- {1,2,3} | {a,NULL,"b c","NULL","","d\\"e","f\\\\g"} | {1,2,NULL} | {} | {{1,2},{3,4}} | {{a,b},{c,d}}

SELECT (ARRAY[1, 2, 3])[1], (ARRAY[1, 2, 3])[2:3], (ARRAY[1, 2, 3])[9], ('{5,6}'::int[])[2], (ARRAY[[1, 2], [3, 4]])[2][1];
-- array:int4 | array:_int4 | array:int4 | int4:int4 | array:int4
-- 1 | {2,3} | ∅ | 6 | 3

SELECT array_length(ARRAY[1, 2], 1), cardinality(ARRAY[[1, 2], [3, 4]]), array_upper(ARRAY[1, 2], 1), array_lower(ARRAY[1, 2], 1), array_ndims(ARRAY[[1]]), array_dims(ARRAY[1, 2]), array_length(ARRAY[]::int[], 1);
-- array_length:int4 | cardinality:int4 | array_upper:int4 | array_lower:int4 | array_ndims:int4 | array_dims:text | array_length:int4
-- 2 | 4 | 2 | 1 | 2 | [1:2] | ∅

SELECT row_to_json(ROW(1, 'a')), to_json(ARRAY[1, 2]), array_to_json(ARRAY[[1, 2], [3, 4]]), to_jsonb(ARRAY['a', NULL]);
-- row_to_json:json | to_json:json | array_to_json:json | to_jsonb:jsonb
-- {"f1":1,"f2":"a"} | [1,2] | [[1,2],[3,4]] | ["a", null]

SELECT int4range(1, 5), '[1,3]'::int4range, daterange('2024-01-01', '2024-02-01') @> date '2024-01-15', numrange(1.5, 2.5) && numrange(2, 3), lower(int4range(1, 5));
-- int4range:int4range | int4range:int4range | ?column?:bool | ?column?:bool | lower:int4
-- [1,5) | [1,4) | t | t | 1

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

SELECT 'abc' ~ '(?=b)';
-- ?column?:bool
-- t

SELECT regexp_match('aa', '(a)\1');
-- regexp_match:_text
-- {a}

SELECT jsonb_path_query('"2024-01-01"', '$.datetime()');
-- jsonb_path_query:jsonb
-- "2024-01-01"

SELECT '(1,2)'::point;
-- point:point
-- (1,2)

SELECT '1.5'::money;
-- money:money
-- $1.50

SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM (VALUES (1), (2)) t(x);
-- sum:int8
-- 2
-- 1

SELECT 1 AS x, q, count(*) FROM (VALUES (1)) t(q) GROUP BY GROUPING SETS (1, 2);
-- x:int4 | q:int4 | count:int8
-- 1 | ∅ | 1
-- ∅ | 1 | 1

SELECT a < b FROM (VALUES (1, 2)) a(x, y), (VALUES (1, 3)) b(x, y);
-- ?column?:bool
-- t
