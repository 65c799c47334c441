SELECT ROW(1, 'a b', NULL, '', 'q"x', 'p\q', true, 1.50), ROW(), ROW(ROW(1, 'a'), 2);
-- row:record | row:record | row:record
-- (1,"a b",,"","q""x","p\\\\q",t,1.50) | () | ("(1,a)",2)

SELECT (ROW(1, 'x'::text)).f2, (ROW(1, 'x'::text)).*, ROW(t.*, 3), t FROM (VALUES (1, 'a')) t(x, y);
-- f2:text | f1:int4 | f2:text | row:record | t:record
-- x | 1 | x | (1,a,3) | (1,a)

SELECT (t).z FROM (VALUES (1, 'a')) t(x, y);
-- ERROR 42703 @9 column t.z does not exist

SELECT (1).*;
-- ERROR 42809 @ type integer is not composite

SELECT t IS NULL, t IS NOT NULL FROM (VALUES (1, 'a'), (NULL, 'b'), (NULL, NULL)) t(x, y);
-- ?column?:bool | ?column?:bool
-- f | t
-- f | f
-- t | f

SELECT a = b, a <> b FROM (VALUES (1, NULL::int)) a(x, y), (VALUES (1, NULL::int)) b(x, y);
-- ?column?:bool | ?column?:bool
-- t | f

SELECT count(DISTINCT (a, b)), count(DISTINCT t) FROM (VALUES (1, 2), (1, 2), (2, NULL)) t(a, b);
-- count:int8 | count:int8
-- 2 | 2

SELECT row_to_json(t), row_to_json(t, true), to_jsonb(t), json_build_object('r', t) FROM (VALUES (1, 'a', NULL, ARRAY[1, 2], date '2024-01-01', 1.50)) t(x, "Y z", n, l, d, v);
-- row_to_json:json | row_to_json:json | to_jsonb:jsonb | json_build_object:json
-- {"x":1,"Y z":"a","n":null,"l":[1,2],"d":"2024-01-01","v":1.50} | {"x":1,\n "Y z":"a",\n "n":null,\n "l":[1,2],\n "d":"2024-01-01",\n "v":1.50} | {"d": "2024-01-01", "l": [1, 2], "n": null, "v": 1.50, "x": 1, "Y z": "a"} | {"r" : {"x":1,"Y z":"a","n":null,"l":[1,2],"d":"2024-01-01","v":1.50}}

SELECT json_agg(t), jsonb_agg(t ORDER BY x DESC), json_object_agg(x, t) FROM (VALUES (1, 'a'), (2, NULL)) t(x, y);
-- json_agg:json | jsonb_agg:jsonb | json_object_agg:json
-- [{"x":1,"y":"a"}, \n {"x":2,"y":null}] | [{"x": 2, "y": null}, {"x": 1, "y": "a"}] | { "1" : {"x":1,"y":"a"}, "2" : {"x":2,"y":null} }

SELECT row_to_json(q) FROM (SELECT 1 AS id, (SELECT json_agg(i) FROM (VALUES (1), (2)) i(n)) AS items) q;
-- row_to_json:json
-- {"id":1,"items":[{"n":1}, \n {"n":2}]}

SELECT ARRAY(SELECT t FROM (VALUES (1, 'a'), (2, 'b c')) t(x, y));
-- array:_record
-- {"(1,a)","(2,\\"b c\\")"}

SELECT json_each('{"a": 1, "b": [2]}'), jsonb_each_text('{"a": null}');
-- json_each:record | jsonb_each_text:record
-- (a,1) | (a,)
-- (b,[2]) | ∅

SELECT * FROM json_to_record('{"a": 1, "b": [1, [2]], "c": {"d": "e"}, "f": "2024-01-02"}') AS t(a int, b jsonb, c json, f date, g text);
-- a:int4 | b:jsonb | c:json | f:date | g:text
-- 1 | [1, [2]] | {"d": "e"} | 2024-01-02 | ∅

SELECT * FROM jsonb_to_recordset('[{"a": "1", "b": ["x", null, "y z"]}, {"b": "{p,q}"}, {}]') AS t(a bigint, b text[]);
-- a:int8 | b:_text
-- 1 | {x,NULL,"y z"}
-- ∅ | {p,q}
-- ∅ | ∅

SELECT * FROM json_to_record('[1]') AS t(a int);
-- ERROR 22023 @ cannot call populate_composite on an array

SELECT * FROM json_to_record('{"a": "x"}') AS t(a int);
-- ERROR 22P02 @ invalid input syntax for type integer: "x"

SELECT * FROM json_to_record('{}');
-- ERROR 42601 @15 a column definition list is required for functions returning "record"

SELECT * FROM generate_series(1, 2) AS t(a int);
-- ERROR 42601 @42 a column definition list is only allowed for functions returning "record"

SELECT j -> 'a', j ->> 'a', j #> '{b,1}', j #>> '{b,1,c}', j -> 'b' -> -1, j -> 'zz', json_array_length(j -> 'b'), json_typeof(j -> 'a') FROM (VALUES ('{"a" :  1.0 , "b": [ 10, {"c" : "x\u0041y"} ], "a": "last" }'::json)) t(j);
-- ?column?:json | ?column?:text | ?column?:json | ?column?:text | ?column?:json | ?column?:json | json_array_length:int4 | json_typeof:text
-- "last" | last | {"c" : "x\\u0041y"} | xAy | {"c" : "x\\u0041y"} | ∅ | 2 | string

SELECT json_strip_nulls('{"a": null, "b" : [ null, {"c": null } ], "d": 1.0 }'), json_object('{a,1,b,NULL}'), jsonb_object('{a,b}', '{1,2}');
-- json_strip_nulls:json | json_object:json | jsonb_object:jsonb
-- {"b":[null,{}],"d":1.0} | {"a" : "1", "b" : null} | {"a": "1", "b": "2"}

SELECT * FROM json_each('{"a" : 1, "b": [ 2 ] , "a": null}');
-- key:text | value:json
-- a | 1
-- b | [ 2 ]
-- a | null

SELECT value FROM json_array_elements_text('[1, "a", null, {"b":1}]');
-- value:text
-- 1
-- a
-- ∅
-- {"b":1}

SELECT json_object_keys('{"b": 1, "a": 2}');
-- json_object_keys:text
-- b
-- a

SELECT json_array_elements('{"a": 1}');
-- ERROR 22023 @ cannot call json_array_elements on a non-array

SELECT json_object('{a,1,b}');
-- ERROR 2202E @ array must have even number of elements

SELECT json_build_object(VARIADIC ARRAY['a', 'b']), concat(VARIADIC ARRAY['x', 'y']), format('%s-%s', VARIADIC ARRAY[1, 2]);
-- json_build_object:json | concat:text | format:text
-- {"a" : "b"} | xy | 1-2

SELECT * FROM json_to_recordset('{}') AS t(a int);
-- ERROR 22023 @ cannot call json_to_recordset on an object

SELECT * FROM json_to_recordset('[1]') AS t(a int);
-- ERROR 22023 @ argument of json_to_recordset must be an array of objects

SELECT * FROM jsonb_to_record('1') AS t(a int);
-- ERROR 22023 @ cannot call populate_composite on a scalar

SELECT * FROM jsonb_to_record(NULL) AS t(a int);
-- a:int4
-- ∅

SELECT '{"a": {"b": [10, 20]}}'::json -> 'a' -> 'b' -> 1, '{"a": "x"}'::json ->> 'a', '{"a": {"b": 1}}'::json #> '{a,b}', '{"a": {"b": 1}}'::json #>> '{a,b}', '[1, 2]'::json -> -1, '{"a": null}'::json ->> 'a';
-- ?column?:json | ?column?:text | ?column?:json | ?column?:text | ?column?:json | ?column?:text
-- 20 | x | 1 | 1 | 2 | ∅

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

SELECT percentile_cont(ARRAY[0.25, 0.5]) WITHIN GROUP (ORDER BY x::float8) FROM (VALUES (1), (2), (3), (10)) t(x);
-- percentile_cont:_float8
-- {1.75,2.5}

SELECT x FROM (VALUES (1), (2), (2), (3)) t(x) ORDER BY x FETCH FIRST 2 ROWS WITH TIES;
-- x:int4
-- 1
-- 2
-- 2

SELECT array[row(1, 'a'), row(2, 'b')], row(1, 1.1) = ANY (array[row(7, 7.7), row(1, 1.1)]), array[row(1, 1.1), row(2, 2.22)];
-- array:_record | ?column?:bool | array:_record
-- {"(1,a)","(2,b)"} | t | {"(1,1.1)","(2,2.22)"}

SELECT * FROM json_populate_record(NULL::record, '{"x": 776}') AS (x int, y int);
-- x:int4 | y:int4
-- 776 | ∅

SELECT * FROM jsonb_populate_recordset(row(1, 'd'::text), '[{"a": 5}, {"b": "x"}, {}]') AS t(a int, b text);
-- a:int4 | b:text
-- 1 | d
-- 1 | d
-- 1 | d
