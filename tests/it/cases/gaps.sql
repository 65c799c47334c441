SELECT to_char(timestamp '2024-02-29 15:04:05.678', 'YYYY-MM-DD HH24:MI:SS.MS'), to_char(date '2024-02-29', 'Day, DD Month YYYY'), to_char(timestamp '2024-02-29 15:04:05', 'FMDay, FMDDth FMMonth HH12:MI AM'), to_char(interval '15h 2m', 'HH24:MI'), to_char(date '2024-02-29', 'IYYY-IW Q J D DDD');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
-- 2024-02-29 15:04:05.678 | Thursday , 29 February  2024 | Thursday, 29th February 03:04 PM | 15:02 | 2024-09 1 2460370 5 060

SELECT to_date('29 Feb 2024', 'DD Mon YYYY'), to_date('20240229', 'YYYYMMDD'), to_date('2024-060', 'YYYY-DDD'), to_timestamp('2024-02-29 15:04:05', 'YYYY-MM-DD HH24:MI:SS'), to_timestamp(1709217296.789);
-- to_date:date | to_date:date | to_date:date | to_timestamp:timestamptz | to_timestamp:timestamptz
-- 2024-02-29 | 2024-02-29 | 2024-02-29 | 2024-02-29 15:04:05+00 | 2024-02-29 14:34:56.789+00

SELECT to_timestamp('05 Dec 2000 3:04 PM', 'DD Mon YYYY HH:MI PM'), to_date('February 3, 24', 'FMMonth DD, YY'), to_date('2024/02/29', 'YYYY-MM-DD'), to_timestamp('12:34:56.789', 'HH24:MI:SS.MS');
-- to_timestamp:timestamptz | to_date:date | to_date:date | to_timestamp:timestamptz
-- 2000-12-05 15:04:00+00 | 2024-02-03 | 2024-02-29 | 0001-01-01 12:34:56.789+00 BC

SELECT to_date('2024-02-30', 'YYYY-MM-DD');
-- ERROR 22008 @ date/time field value out of range: "2024-02-30"

SELECT to_date('abc', 'YYYY');
-- ERROR 22007 @ invalid value "abc" for "YYYY"
-- DETAIL Value must be an integer.

SELECT now() = current_timestamp, now() = transaction_timestamp(), clock_timestamp() >= now(), current_date = now()::date, localtimestamp IS NOT NULL, pg_typeof(localtime), pg_typeof(current_time);
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | pg_typeof:regtype | pg_typeof:regtype
-- t | t | t | t | t | time without time zone | time with time zone

SELECT (timestamp '2024-01-01', timestamp '2024-02-01') OVERLAPS (timestamp '2024-01-15', timestamp '2024-03-01'), date '2024-01-01' < timestamp '2024-01-01 00:00:01', timestamptz '2024-01-01 00:00+00' = timestamp '2024-01-01', date '2024-01-01' BETWEEN '2023-12-31' AND '2024-01-02';
-- overlaps:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t

SELECT ARRAY[1, 2, 3], ARRAY['a', NULL, 'b c', 'NULL', '', 'd"e', 'f\g'], '{1,2,NULL}'::int[], ARRAY[]::text[], ARRAY[[1, 2], [3, 4]], '{{a,b},{c,d}}'::text[];
-- array:_int4 | array:_text | int4:_int4 | array:_text | array:_int4 | text:_text
-- {1,2,3} | {a,NULL,"b c","NULL","","d\\"e","f\\\\g"} | {1,2,NULL} | {} | {{1,2},{3,4}} | {{a,b},{c,d}}

SELECT (ARRAY[1, 2, 3])[1], (ARRAY[1, 2, 3])[2:3], (ARRAY[1, 2, 3])[9], ('{5,6}'::int[])[2], (ARRAY[[1, 2], [3, 4]])[2][1];
-- array:int4 | array:_int4 | array:int4 | int4:int4 | array:int4
-- 1 | {2,3} | ∅ | 6 | 3

SELECT array_length(ARRAY[1, 2], 1), cardinality(ARRAY[[1, 2], [3, 4]]), array_upper(ARRAY[1, 2], 1), array_lower(ARRAY[1, 2], 1), array_ndims(ARRAY[[1]]), array_dims(ARRAY[1, 2]), array_length(ARRAY[]::int[], 1);
-- array_length:int4 | cardinality:int4 | array_upper:int4 | array_lower:int4 | array_ndims:int4 | array_dims:text | array_length:int4
-- 2 | 4 | 2 | 1 | 2 | [1:2] | ∅

SELECT '{"a": {"b": [10, 20]}}'::json -> 'a' -> 'b' -> 1, '{"a": "x"}'::json ->> 'a', '{"a": {"b": 1}}'::json #> '{a,b}', '{"a": {"b": 1}}'::json #>> '{a,b}', '[1, 2]'::json -> -1, '{"a": null}'::json ->> 'a';
-- ?column?:json | ?column?:text | ?column?:json | ?column?:text | ?column?:json | ?column?:text
-- 20 | x | 1 | 1 | 2 | ∅

SELECT jsonb_typeof('[1]'), jsonb_typeof('null'), json_typeof('{}'), jsonb_array_length('[1, 2]'), jsonb_pretty('{"a": [1, 2]}'), jsonb_strip_nulls('{"a": null, "b": 1}'), jsonb_extract_path('{"a": {"b": 1}}', 'a', 'b'), jsonb_extract_path_text('{"a": "x"}', 'a');
-- jsonb_typeof:text | jsonb_typeof:text | json_typeof:text | jsonb_array_length:int4 | jsonb_pretty:text | jsonb_strip_nulls:jsonb | jsonb_extract_path:jsonb | jsonb_extract_path_text:text
-- array | null | object | 2 | {\n    "a": [\n        1,\n        2\n    ]\n} | {"b": 1} | 1 | x

SELECT row_to_json(t) FROM (VALUES (1, 'a', NULL), (2, 'b', date '2024-01-01')) t(x, y, z);
-- row_to_json:json
-- {"x":1,"y":"a","z":null}
-- {"x":2,"y":"b","z":"2024-01-01"}

SELECT to_jsonb(t), to_json(t) FROM (VALUES (1, 'a')) t(x, y);
-- to_jsonb:jsonb | to_json:json
-- {"x": 1, "y": "a"} | {"x":1,"y":"a"}

SELECT json_agg(t) FROM (VALUES (1, 'a'), (2, 'b')) t(x, y);
-- json_agg:json
-- [{"x":1,"y":"a"}, \n {"x":2,"y":"b"}]

SELECT row_to_json(ROW(1, 'a')), to_json(ARRAY[1, 2]), array_to_json(ARRAY[[1, 2], [3, 4]]), to_jsonb(ARRAY['a', NULL]);
-- row_to_json:json | to_json:json | array_to_json:json | to_jsonb:jsonb
-- {"f1":1,"f2":"a"} | [1,2] | [[1,2],[3,4]] | ["a", null]

SELECT jsonb_path_query('{"a": [1, 2, 3]}', '$.a[*] ? (@ > 1)');
-- jsonb_path_query:jsonb
-- 2
-- 3

SELECT jsonb_path_exists('{"a": 1}', '$.a'), jsonb_path_query_first('{"a": [1, 2]}', '$.a[1]'), '{"a": 1}'::jsonb @? '$.a', '{"a": 1}'::jsonb @@ '$.a == 1';
-- jsonb_path_exists:bool | jsonb_path_query_first:jsonb | ?column?:bool | ?column?:bool
-- t | 2 | t | t

SELECT ROW(1, 'a', NULL), (1, 2) = (1, 2), (1, 2) < (1, 3), ROW(1, NULL) IS NULL, ROW(NULL, NULL) IS NULL, (1, 'x') IN ((1, 'x'), (2, 'y'));
-- row:record | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- (1,a,) | t | t | f | t | t

SELECT (x).f1, (x).f2 FROM (SELECT ROW(1, 'a'::text) AS x) t;
-- f1:int4 | f2:text
-- 1 | a

SELECT t, (t).x, (t).* FROM (VALUES (1, 'a b')) t(x, y);
-- t:record | x:int4 | x:int4 | y:text
-- (1,"a b") | 1 | 1 | a b

SELECT * FROM json_to_recordset('[{"a": 1, "b": "x"}, {"a": 2}]') AS t(a int, b text);
-- a:int4 | b:text
-- 1 | x
-- 2 | ∅

SELECT * FROM jsonb_to_record('{"a": 1, "b": [1, 2]}') AS t(a int, b int[], c text);
-- a:int4 | b:_int4 | c:text
-- 1 | {1,2} | ∅

SELECT int4range(1, 5), '[1,3]'::int4range, daterange('2024-01-01', '2024-02-01') @> date '2024-01-15', numrange(1.5, 2.5) && numrange(2, 3), lower(int4range(1, 5));
-- int4range:int4range | int4range:int4range | ?column?:bool | ?column?:bool | lower:int4
-- [1,5) | [1,4) | t | t | 1

SELECT power(2, 0.5), power(2.0, 10), sqrt(2), sqrt(2.0), exp(1.0), ln(10), log(100), log(2.0, 64.0), cbrt(27);
-- power:numeric | power:numeric | sqrt:float8 | sqrt:numeric | exp:numeric | ln:float8 | log:float8 | log:numeric | cbrt:float8
-- 1.4142135623730950 | 1024.0000000000000000 | 1.4142135623730951 | 1.414213562373095 | 2.7182818284590452 | 2.302585092994046 | 2 | 6.0000000000000000 | 3.0000000000000004

SELECT corr(x, y), covar_pop(x, y), covar_samp(x, y), regr_slope(y, x), regr_intercept(y, x), regr_count(y, x), regr_r2(y, x) FROM (VALUES (1.0::float8, 2.0::float8), (2, 4.5), (3, 5)) t(x, y);
-- corr:float8 | covar_pop:float8 | covar_samp:float8 | regr_slope:float8 | regr_intercept:float8 | regr_count:int8 | regr_r2:float8
-- 0.9332565252573828 | 1 | 1.5 | 1.5 | 0.8333333333333334 | 3 | 0.870967741935484

SELECT percentile_cont(ARRAY[0.25, 0.5]) WITHIN GROUP (ORDER BY x::float8) FROM (VALUES (1), (2), (3), (10)) t(x);
-- percentile_cont:_float8
-- {1.75,2.5}

SELECT to_char(1234.5, '9999.99'), to_char(1234.5, 'FM9,999.00'), to_char(-12, 'S999'), to_char(0.5, '0.00'), to_char(12, '00000');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--  1234.50 | 1,234.50 |  -12 |  0.50 |  00012

SELECT to_char(1234567.891, '9G999G999D99'), to_char(485, '999th'), to_char(12, 'RN'), to_char(-5.2, '999.9PR'), to_char(5, 'MI9'), to_char(148.5, '$999.99'), to_char(12345, 'FM99');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--  1,234,567.89 |  485th |             XII |   <5.2> |  5 | $ 148.50 | ##

SELECT to_char(1234.5::float8, 'FM999999.000'), to_char(42::bigint, '9999'), to_char(3.14159::real, '9.99'), to_char(0, 'FM9.99'), to_char(0.1, '9.99'), to_char(12.3, 'L99.9');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
-- 1234.500 |    42 |  3.14 | 0. |   .10 |   12.3

SELECT to_number('12,454.8-', '99G999D9S'), to_number('1,234.56', '9,999.99'), to_number('-34.5', 'S99.9');
-- to_number:numeric | to_number:numeric | to_number:numeric
-- -12454.8 | 1234.56 | -34.5

SELECT random() BETWEEN 0 AND 1, setseed(0.5) IS NULL;
-- ?column?:bool | ?column?:bool
-- t | f

SELECT x FROM (VALUES (1), (2), (2), (3)) t(x) ORDER BY x FETCH FIRST 2 ROWS WITH TIES;
-- x:int4
-- 1
-- 2
-- 2

SELECT d, sum(v) OVER (ORDER BY d RANGE BETWEEN interval '1 day' PRECEDING AND CURRENT ROW) FROM (VALUES (date '2024-01-01', 1), ('2024-01-02', 2), ('2024-01-05', 4)) t(d, v) ORDER BY d;
-- d:date | sum:int8
-- 2024-01-01 | 1
-- 2024-01-02 | 3
-- 2024-01-05 | 4

SELECT (1).x;
-- ERROR 42809 @9 column notation .x applied to type integer, which is not a composite type

SELECT ('a').x;
-- ERROR 42809 @9 column notation .x applied to type unknown, which is not a composite type

CREATE TABLE public.x (a no_such_type);
-- ERROR 42704 @26 type "no_such_type" does not exist

SELECT regexp_count('abcabc', 'b'), regexp_instr('abcabc', 'c', 4), regexp_substr('abcabc', 'b.'), regexp_like('ABC', 'b', 'i');
-- regexp_count:int4 | regexp_instr:int4 | regexp_substr:text | regexp_like:bool
-- 2 | 6 | bc | t

SELECT parse_ident('a."B".c'), to_ascii('abc', 'LATIN1');
-- parse_ident:_text | to_ascii:text
-- {a,B,c} | abc

SELECT unistr('\0041'), normalize('e' || chr(769)) = 'é', string_to_table('a,b', ',');
-- unistr:text | ?column?:bool | string_to_table:text
-- A | t | a
-- A | t | b
