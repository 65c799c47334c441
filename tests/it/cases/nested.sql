SELECT ARRAY[1, 2] || 3, 0 || ARRAY[1], ARRAY[1] || ARRAY[2, 3], array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2]), array_remove(ARRAY[1, 2, 1], 1), array_replace(ARRAY[1, 2], 1, 9), array_position(ARRAY['a', 'b'], 'b'), array_positions(ARRAY[1, 2, 1], 1);
-- ?column?:_int4 | ?column?:_int4 | ?column?:_int4 | array_append:_int4 | array_prepend:_int4 | array_cat:_int4 | array_remove:_int4 | array_replace:_int4 | array_position:int4 | array_positions:_int4
-- {1,2,3} | {0,1} | {1,2,3} | {1,2} | {0,1} | {1,2} | {2} | {9,2} | 2 | {1,3}

SELECT ARRAY[1, 2] @> ARRAY[1], ARRAY[1] <@ ARRAY[1, 2], ARRAY[1, 2] && ARRAY[2, 3], ARRAY[1, 2] = ARRAY[1, 2], ARRAY[1, 2] < ARRAY[1, 3], 1 = ANY (ARRAY[1, 2]), 3 > ALL (ARRAY[1, 2]), 'a' = ANY ('{a,b}'), 2 = ANY (ARRAY[1, NULL]);
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t | t | t | t | t | ∅

SELECT unnest(ARRAY[1, 2]), unnest(ARRAY['a', 'b', 'c']);
-- unnest:int4 | unnest:text
-- 1 | a
-- 2 | b
-- ∅ | c

SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) WITH ORDINALITY AS t(x, y, n);
-- x:int4 | y:text | n:int8
-- 1 | a | 1
-- 2 | b | 2
-- ∅ | c | 3

SELECT array_agg(x ORDER BY x), array_agg(x) FILTER (WHERE x > 5) FROM (VALUES (2), (1), (NULL)) t(x);
-- array_agg:_int4 | array_agg:_int4
-- {1,2,NULL} | ∅

SELECT ARRAY(SELECT x FROM (VALUES (3), (1)) t(x) ORDER BY 1), array_to_string(ARRAY(SELECT 1 WHERE false), ',');
-- array:_int4 | array_to_string:text
-- {1,3} |

SELECT ARRAY[1.5, 2], ARRAY[date '2024-01-01'], ARRAY[true, NULL], ARRAY['2024-01-01 00:00+00'::timestamptz], ARRAY['\x00'::bytea], ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid], ARRAY['{"a": 1}'::jsonb], ARRAY[interval '1 day'];
-- array:_numeric | array:_date | array:_bool | array:_timestamptz | array:_bytea | array:_uuid | array:_jsonb | array:_interval
-- {1.5,2} | {2024-01-01} | {t,NULL} | {"2024-01-01 00:00:00+00"} | {"\\\\x00"} | {a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11} | {"{\\"a\\": 1}"} | {"1 day"}

SELECT '{1,2'::int[];
-- ERROR 22P02 @8 malformed array literal: "{1,2"
-- DETAIL Unexpected end of input.

SELECT ARRAY[1, 'a'];
-- ERROR 22P02 @17 invalid input syntax for type integer: "a"

SELECT '{"a": 1, "b": [1, 2, {"c": null}], "a": 2}'::jsonb, '{"a": 1,  "a": 2}'::json, '[]'::jsonb, '"x"'::jsonb, 'null'::jsonb, '1.50'::jsonb, '1e3'::jsonb;
-- jsonb:jsonb | json:json | jsonb:jsonb | jsonb:jsonb | jsonb:jsonb | jsonb:jsonb | jsonb:jsonb
-- {"a": 2, "b": [1, 2, {"c": null}]} | {"a": 1,  "a": 2} | [] | "x" | null | 1.50 | 1000

SELECT '{"a": {"b": [10, 20]}}'::jsonb -> 'a' -> 'b' -> 1, '{"a": "x"}'::jsonb ->> 'a', '{"a": {"b": 1}}'::jsonb #> '{a,b}', '{"a": {"b": 1}}'::jsonb #>> '{a,b}', '[1, 2]'::jsonb -> -1, '{"a": 1}'::jsonb -> 'z', '[1,2]'::jsonb ->> 5;
-- ?column?:jsonb | ?column?:text | ?column?:jsonb | ?column?:text | ?column?:jsonb | ?column?:jsonb | ?column?:text
-- 20 | x | 1 | 1 | 2 | ∅ | ∅

SELECT '{"a": 1, "b": 2}'::jsonb @> '{"a": 1}', '{"a": 1}'::jsonb <@ '{"a": 1, "b": 2}', '{"a": 1}'::jsonb ? 'a', '{"a": 1}'::jsonb ?| ARRAY['b', 'a'], '{"a": 1}'::jsonb ?& ARRAY['b', 'a'], '{"a": 1}'::jsonb || '{"b": 2}', '{"a": 1, "b": 2}'::jsonb - 'a', '[1, 2, 3]'::jsonb - 1, '{"a": {"b": 1}}'::jsonb #- '{a,b}';
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:jsonb | ?column?:jsonb | ?column?:jsonb | ?column?:jsonb
-- t | t | t | t | f | {"a": 1, "b": 2} | {"b": 2} | [1, 3] | {"a": {}}

SELECT jsonb_build_object('a', 1, 'b', ARRAY[1, 2], 'c', NULL, 'd', date '2024-01-01'), jsonb_build_array(1, 'a', NULL, true, 1.50), to_jsonb('x'::text), to_jsonb(1.5), to_jsonb(timestamptz '2024-01-01 00:00+00'), json_build_object('a', 1, 'b', 'x'), json_build_array(1, 2);
-- jsonb_build_object:jsonb | jsonb_build_array:jsonb | to_jsonb:jsonb | to_jsonb:jsonb | to_jsonb:jsonb | json_build_object:json | json_build_array:json
-- {"a": 1, "b": [1, 2], "c": null, "d": "2024-01-01"} | [1, "a", null, true, 1.50] | "x" | 1.5 | "2024-01-01T00:00:00+00:00" | {"a" : 1, "b" : "x"} | [1, 2]

SELECT jsonb_agg(x ORDER BY x), json_agg(x ORDER BY x), jsonb_object_agg(x, x * 2 ORDER BY x), json_object_agg(x, x ORDER BY x) FROM (VALUES (1), (2)) t(x);
-- jsonb_agg:jsonb | json_agg:json | jsonb_object_agg:jsonb | json_object_agg:json
-- [1, 2] | [1, 2] | {"1": 2, "2": 4} | { "1" : 1, "2" : 2 }

SELECT key, value FROM jsonb_each('{"a": 1, "b": "x"}');
-- key:text | value:jsonb
-- a | 1
-- b | "x"

SELECT * FROM jsonb_each_text('{"a": 1, "b": null}');
-- key:text | value:text
-- a | 1
-- b | ∅

SELECT * FROM jsonb_array_elements('[1, {"a": 2}]');
-- value:jsonb
-- 1
-- {"a": 2}

SELECT * FROM jsonb_array_elements_text('["a", 1, null]') WITH ORDINALITY;
-- value:text | ordinality:int8
-- a | 1
-- 1 | 2
-- ∅ | 3

SELECT jsonb_object_keys('{"b": 1, "a": 2}');
-- jsonb_object_keys:text
-- a
-- b

SELECT jsonb_set('{"a": 1}', '{b}', '2'), jsonb_insert('[1, 2]', '{1}', '9'), jsonb_set('{"a": [1]}', '{a,0}', '"x"');
-- jsonb_set:jsonb | jsonb_insert:jsonb | jsonb_set:jsonb
-- {"a": 1, "b": 2} | [1, 9, 2] | {"a": ["x"]}

SELECT ('{"a": 1}'::jsonb -> 'a')::int + 1, ('{"a": "5"}'::jsonb ->> 'a')::numeric, '5'::jsonb::int, 'true'::jsonb::bool, '"x"'::jsonb = '"x"', '1.0'::jsonb = '1'::jsonb;
-- ?column?:int4 | numeric:numeric | int4:int4 | bool:bool | ?column?:bool | ?column?:bool
-- 2 | 5 | 5 | t | t | t

SELECT '{a: 1}'::jsonb;
-- ERROR 22P02 @8 invalid input syntax for type json
-- DETAIL Token "a" is invalid.

SELECT '"x"'::jsonb::int;
-- ERROR 22023 @ cannot cast jsonb string to type integer

SELECT x, count(*) FROM (VALUES ('{"a": 1}'::jsonb), ('{"a":1}'), ('{"a": 1.0}')) t(x) GROUP BY x;
-- x:jsonb | count:int8
-- {"a": 1} | 3

SELECT x FROM (VALUES ('{"b": 1}'::jsonb), ('1'), ('"a"'), ('[1]'), ('null'), ('true')) t(x) ORDER BY x;
-- x:jsonb
-- null
-- "a"
-- 1
-- true
-- [1]
-- {"b": 1}

SELECT trim_array(ARRAY[1, 2, 3], 1), array_fill(7, ARRAY[2]), generate_subscripts(ARRAY[5, 6], 1), array_to_string('{1,2}'::int[], ',');
-- trim_array:_int4 | array_fill:_int4 | generate_subscripts:int4 | array_to_string:text
-- {1,2} | {7,7} | 1 | 1,2
-- {1,2} | {7,7} | 2 | 1,2
