SELECT '$.a[*] ? (@.b > 1 && exists (@.c)) . size()'::jsonpath, 'strict $.**{2 to last}."x y"[0, 2 to last - 1]'::jsonpath, '-(1 + $.a) * 2'::jsonpath, '$ ? (@ like_regex "^a" flag "i" || @ starts with "b")'::jsonpath;
-- jsonpath:jsonpath | jsonpath:jsonpath | jsonpath:jsonpath | jsonpath:jsonpath
-- $."a"[*]?(@."b" > 1 && exists (@."c")).size() | strict $.**{2 to last}."x y"[0,2 to last - 1] | (-(1 + $."a") * 2) | $?(@ like_regex "^a" flag "i" || @ starts with "b")

SELECT '$ ? (@.a == +1.50e1 && !(@.b != null)) . c'::jsonpath, '($.a > 1) is unknown'::jsonpath;
-- jsonpath:jsonpath | jsonpath:jsonpath
-- $?(@."a" == 15.0 && !(@."b" != null))."c" | ($."a" > 1) is unknown

SELECT '$.a['::jsonpath;
-- ERROR 42601 @8 syntax error at end of jsonpath input

SELECT '@ + 1'::jsonpath;
-- ERROR 42601 @8 @ is not allowed in root expressions

SELECT 'last'::jsonpath;
-- ERROR 42601 @8 LAST is allowed only in array subscripts

SELECT ''::jsonpath;
-- ERROR 22P02 @8 invalid input syntax for type jsonpath: ""

SELECT '01'::jsonpath;
-- ERROR 42601 @8 trailing junk after numeric literal at or near "01" of jsonpath input

SELECT jsonb_path_query('{"a": [1, 2, {"b": 3}], "c": "x"}', p::jsonpath) FROM (VALUES ('$.a[*]'), ('$.a[last]'), ('$.a[0 to 1]'), ('$.**'), ('$.*'), ('$.a[*].b'), ('$.a.size()'), ('$.a[*].type()'), ('$.a[0 to 1] + 1'), ('-$.a[0 to 1]')) t(p) WHERE p <> '$.a[0 to 1] + 1';
-- jsonb_path_query:jsonb
-- 1
-- 2
-- {"b": 3}
-- {"b": 3}
-- 1
-- 2
-- {"a": [1, 2, {"b": 3}], "c": "x"}
-- [1, 2, {"b": 3}]
-- 1
-- 2
-- {"b": 3}
-- 3
-- "x"
-- [1, 2, {"b": 3}]
-- "x"
-- 3
-- 3
-- "number"
-- "number"
-- "object"
-- -1
-- -2

SELECT jsonb_path_query('[1, 2]', 'strict $.a');
-- ERROR 2203A @ jsonpath member accessor can only be applied to an object

SELECT jsonb_path_query('[1, 2]', 'strict $[5]');
-- ERROR 22033 @ jsonpath array subscript is out of bounds

SELECT jsonb_path_query('[1, 2]', '$[*] + "a"');
-- ERROR 22038 @ left operand of jsonpath operator + is not a single numeric value

SELECT jsonb_path_query('[1, 2]', '$[*] + 1');
-- ERROR 22038 @ left operand of jsonpath operator + is not a single numeric value

SELECT jsonb_path_query('[1, 2]', 'strict $[5]', silent => true), 1;
-- jsonb_path_query:jsonb | ?column?:int4

SELECT jsonb_path_query_array('[1, 2, 3, "a", null, true]', '$[*] ? (@ >= $min)', '{"min": 2}'), jsonb_path_query_first('[1, 2]', '$[*] ? (@ > 1)'), jsonb_path_exists('{"a": 1}', '$.b'), jsonb_path_match('{"a": 1}', '$.a == 1'), jsonb_path_match('{"a": 1}', '$.a', silent => true);
-- jsonb_path_query_array:jsonb | jsonb_path_query_first:jsonb | jsonb_path_exists:bool | jsonb_path_match:bool | jsonb_path_match:bool
-- [2, 3] | 2 | f | t | ∅

SELECT jsonb_path_match('{"a": 1}', '$.a');
-- ERROR 22038 @ single boolean result is expected

SELECT jsonb_path_query('1', '$x');
-- ERROR 42704 @ could not find jsonpath variable "x"

SELECT jsonb_path_query('1', '$x', '{}');
-- ERROR 42704 @ could not find jsonpath variable "x"

SELECT jsonb_path_query('1', '$', '[]');
-- ERROR 22023 @ "vars" argument is not an object
-- DETAIL Jsonpath parameters should be encoded as key-value pairs of "vars" object.

SELECT '[1, 2]'::jsonb @? '$[*] ? (@ > 1)', '[1, 2]'::jsonb @@ '$[1] > 1', '[1, 2]'::jsonb @@ '$', '{"a": "abc"}'::jsonb @? '$.a ? (@ like_regex "B" flag "i")', '[]'::jsonb @? 'strict $.a';
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | ∅ | t | ∅

SELECT jsonb_path_query('["1.5", 2, "x"]', '$[0 to 1].double()'), jsonb_path_query('[-1.7]', '$[*].abs()'), jsonb_path_query('[-1.2]', '$[*].floor()'), jsonb_path_query('{"a": 1, "b": [2]}', '$.keyvalue()');
-- jsonb_path_query:jsonb | jsonb_path_query:jsonb | jsonb_path_query:jsonb | jsonb_path_query:jsonb
-- 1.5 | 1.7 | -2 | {"id": 0, "key": "a", "value": 1}
-- 2 | ∅ | ∅ | {"id": 0, "key": "b", "value": [2]}

SELECT jsonb_path_query('["x"]', '$[*].double()');
-- ERROR 22036 @ string argument of jsonpath item method .double() is not a valid representation of a double precision number

SELECT jsonb_typeof('[1]'), jsonb_typeof('null'), json_typeof('{}'), jsonb_array_length('[1, 2]'), jsonb_pretty('{"a": [1, 2]}'), jsonb_strip_nulls('{"a": null, "b": 1}'), jsonb_extract_path('{"a": {"b": 1}}', 'a', 'b'), jsonb_extract_path_text('{"a": "x"}', 'a');
-- jsonb_typeof:text | jsonb_typeof:text | json_typeof:text | jsonb_array_length:int4 | jsonb_pretty:text | jsonb_strip_nulls:jsonb | jsonb_extract_path:jsonb | jsonb_extract_path_text:text
-- array | null | object | 2 | {\n    "a": [\n        1,\n        2\n    ]\n} | {"b": 1} | 1 | x

SELECT jsonb_path_query('{"a": [1, 2, 3]}', '$.a[*] ? (@ > 1)');
-- jsonb_path_query:jsonb
-- 2
-- 3

SELECT jsonb_path_exists('{"a": 1}', '$.a'), jsonb_path_query_first('{"a": [1, 2]}', '$.a[1]'), '{"a": 1}'::jsonb @? '$.a', '{"a": 1}'::jsonb @@ '$.a == 1';
-- jsonb_path_exists:bool | jsonb_path_query_first:jsonb | ?column?:bool | ?column?:bool
-- t | 2 | t | t

SELECT jsonb_path_query('"10-03-2017 12:34 +05:20"', '$.datetime("dd-mm-yyyy HH24:MI TZH:TZM")'), jsonb_path_query('"2017-03-10 12:34:56.7-02"', '$.datetime()'), jsonb_path_query('"12:34:00"', '$.datetime().type()');
-- jsonb_path_query:jsonb | jsonb_path_query:jsonb | jsonb_path_query:jsonb
-- "2017-03-10T12:34:00+05:20" | "2017-03-10T12:34:56.7-02:00" | "time without time zone"

SELECT jsonb_path_query('"bogus"', '$.datetime()');
-- ERROR 22031 @ datetime format is not recognized: "bogus"
-- HINT Use a datetime template argument to specify the input data format.

SELECT jsonb_path_query('"12:34"', '$.datetime("aaa")');
-- ERROR 22007 @ invalid datetime format separator: "a"

SELECT jsonb_path_query('"10-03-2017 12:34"', '$.datetime("dd-mm-yyyy")');
-- ERROR 22007 @ trailing characters remain in input string after datetime format

SELECT jsonb_path_query('[]', 'strict $.datetime()');
-- ERROR 22031 @ jsonpath item method .datetime() can only be applied to a string

SELECT jsonb_path_query_array('["2017-03-10", "2017-03-11", "2017-03-10T00:00:00", "2017-03-10 00:00:01", "12:00:00", 1]', '$[*].datetime() ? (@ == "2017-03-10".datetime())', '{}', true);
-- jsonb_path_query_array:jsonb
-- ["2017-03-10", "2017-03-10T00:00:00"]

SELECT jsonb_path_query_array('["2017-03-10", "2017-03-09", "2017-03-10T00:00:01"]', '$[*].datetime() ? (@ >= "2017-03-10".datetime())');
-- jsonb_path_query_array:jsonb
-- ["2017-03-10", "2017-03-10T00:00:01"]

SELECT jsonb_path_exists('"2017-03-10"', '$.datetime() ? (@ < "2017-03-10 00:00:00+1".datetime())');
-- ERROR 0A000 @ cannot convert value from date to timestamptz without time zone usage
-- HINT Use *_tz() function for time zone support.

SELECT jsonb_path_exists_tz('"2017-03-10"', '$.datetime() ? (@ < "2017-03-10 00:00:00-1".datetime())'), jsonb_path_query_tz('["12:00:00", "12:00:00+02"]', '$[*].datetime() ? (@ > "11:00:00+00".datetime())');
-- jsonb_path_exists_tz:bool | jsonb_path_query_tz:jsonb
-- t | "12:00:00"

SELECT jsonb '["1", 2, 0, 3]' @? '-$[*]', jsonb '["1"]' @? '-$[*]', jsonb '["1"]' @? 'strict -$[*]';
-- ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | ∅

SELECT jsonb_set_lax('{"a": 1, "b": 2}', '{b}', NULL), jsonb_set_lax('{"a": 1, "b": 2}', '{b}', NULL, true, 'delete_key'), jsonb_set_lax('{"a": 1, "b": 2}', '{b}', NULL, null_value_treatment => 'return_target'), jsonb_set_lax('{"a": 1}', '{b}', '3');
-- jsonb_set_lax:jsonb | jsonb_set_lax:jsonb | jsonb_set_lax:jsonb | jsonb_set_lax:jsonb
-- {"a": 1, "b": null} | {"a": 1} | {"a": 1, "b": 2} | {"a": 1, "b": 3}

SELECT jsonb_set_lax('{"a": 1}', '{a}', NULL, true, 'raise_exception');
-- ERROR 22004 @ JSON value must not be null
-- DETAIL Exception was raised because null_value_treatment is "raise_exception".
-- HINT To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.

SELECT jsonb_set_lax('{"a": 1}', '{a}', NULL, true, 'whatever');
-- ERROR 22023 @ null_value_treatment must be "delete_key", "return_target", "use_json_null", or "raise_exception"
