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

SELECT ARRAY[[1, 2], [3, 4]], '{{a,b},{c,d}}'::text[], '[2:3]={1,2}'::int[], '[0:1][-1:0]={{1,2},{3,NULL}}'::int[], '{}'::int[], '{ { 1 , 2 } , {3,4} }'::numeric[];
-- array:_int4 | text:_text | int4:_int4 | int4:_int4 | int4:_int4 | numeric:_numeric
-- {{1,2},{3,4}} | {{a,b},{c,d}} | [2:3]={1,2} | [0:1][-1:0]={{1,2},{3,NULL}} | {} | {{1,2},{3,4}}

SELECT ARRAY[ARRAY[1, 2], '{3,4}'], ARRAY[ARRAY[]::int[], ARRAY[]::int[]], ARRAY[[['a']], [['b']]], ARRAY[[1, 2], [3, 4]]::text[], ARRAY[]::int[][];
-- array:_int4 | array:_int4 | array:_text | array:_text | array:_int4
-- {{1,2},{3,4}} | {} | {{{a}},{{b}}} | {{1,2},{3,4}} | {}

SELECT ARRAY[[1, 2], [3]];
-- ERROR 2202E @ multidimensional arrays must have array expressions with matching dimensions

SELECT ARRAY[[1, 2], NULL::int[]];
-- ERROR 42601 @22 syntax error at or near "NULL"

SELECT '{{1,2},{3}}'::int[];
-- ERROR 22P02 @8 malformed array literal: "{{1,2},{3}}"
-- DETAIL Multidimensional arrays must have sub-arrays with matching dimensions.

SELECT '{1,{2}}'::int[];
-- ERROR 22P02 @8 malformed array literal: "{1,{2}}"
-- DETAIL Unexpected "{" character.

SELECT '{{1},2}'::int[];
-- ERROR 22P02 @8 malformed array literal: "{{1},2}"
-- DETAIL Unexpected array element.

SELECT '{1,2'::int[];
-- ERROR 22P02 @8 malformed array literal: "{1,2"
-- DETAIL Unexpected end of input.

SELECT '{1,2}x'::int[];
-- ERROR 22P02 @8 malformed array literal: "{1,2}x"
-- DETAIL Junk after closing right brace.

SELECT '[1:2]={1}'::int[];
-- ERROR 22P02 @8 malformed array literal: "[1:2]={1}"
-- DETAIL Specified array dimensions do not match array contents.

SELECT '[2:1]={}'::int[];
-- ERROR 2202E @8 upper bound cannot be less than lower bound

SELECT '[1:0]'::int[];
-- ERROR 2202E @8 upper bound cannot be less than lower bound

SELECT 'a'::int[];
-- ERROR 22P02 @8 malformed array literal: "a"
-- DETAIL Array value must start with "{" or dimension information.

SELECT '{"a" b}'::text[];
-- ERROR 22P02 @8 malformed array literal: "{"a" b}"
-- DETAIL Unexpected array element.

SELECT '{{{{{{{1}}}}}}}'::int[];
-- ERROR 54000 @8 number of array dimensions (7) exceeds the maximum allowed (6)

SELECT '{a\,b, "c\"d" , "" ,null,"null", nu\ll , e f }'::text[];
-- text:_text
-- {"a,b","c\\"d","",NULL,"null","null","e f"}

SELECT (ARRAY[[1, 2], [3, 4]])[2][1], (ARRAY[[1, 2], [3, 4]])[1], (ARRAY[[1, 2], [3, 4]])[3][1], (ARRAY[1, 2])[1][1], ('[0:2]={5,6,7}'::int[])[0], ('[0:2]={5,6,7}'::int[])[3], (ARRAY[[1, 2], [3, 4]])[NULL][1];
-- array:int4 | array:int4 | array:int4 | array:int4 | int4:int4 | int4:int4 | array:int4
-- 3 | ∅ | ∅ | ∅ | 5 | ∅ | ∅

SELECT (ARRAY[[1, 2, 3], [4, 5, 6]])[1:2][2:3], (ARRAY[[1, 2, 3], [4, 5, 6]])[2:2], (ARRAY[[1, 2, 3], [4, 5, 6]])[:][2], (ARRAY[1, 2, 3])[2:], (ARRAY[1, 2, 3])[:2], (ARRAY[1, 2, 3])[3:1], ('[0:2]={5,6,7}'::int[])[1:2], ('[0:2]={5,6,7}'::int[])[:1], (ARRAY[1, 2])[1:2][1:1], (ARRAY[1, 2])[NULL:1];
-- array:_int4 | array:_int4 | array:_int4 | array:_int4 | array:_int4 | array:_int4 | int4:_int4 | int4:_int4 | array:_int4 | array:_int4
-- {{2,3},{5,6}} | {{4,5,6}} | {{1,2},{4,5}} | {2,3} | {1,2} | {} | {6,7} | {5,6} | {} | ∅

SELECT a, array_ndims(a), array_dims(a), array_length(a, 1), array_length(a, 2), array_lower(a, 1), array_upper(a, 1), array_upper(a, 2), cardinality(a) FROM (VALUES ('{}'::int[]), ('{1,2}'), ('[5:6]={1,2}'), ('{{1,2,3},{4,5,6}}'), (NULL)) t(a);
-- a:_int4 | array_ndims:int4 | array_dims:text | array_length:int4 | array_length:int4 | array_lower:int4 | array_upper:int4 | array_upper:int4 | cardinality:int4
-- {} | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | 0
-- {1,2} | 1 | [1:2] | 2 | ∅ | 1 | 2 | ∅ | 2
-- [5:6]={1,2} | 1 | [5:6] | 2 | ∅ | 5 | 6 | ∅ | 2
-- {{1,2,3},{4,5,6}} | 2 | [1:2][1:3] | 2 | 3 | 1 | 2 | 3 | 6
-- ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅

SELECT array_length(ARRAY[1], 0), array_length(ARRAY[1], -1), array_length(ARRAY[[1], [2]], 3);
-- array_length:int4 | array_length:int4 | array_length:int4
-- ∅ | ∅ | ∅

SELECT array_append('[0:1]={1,2}'::int[], 3), array_prepend(0, '[0:1]={1,2}'::int[]), array_append('{}'::int[], 1), 0 || ARRAY[1], ARRAY[1] || 2, ARRAY[[1, 2]] || ARRAY[3, 4], ARRAY[1, 2] || ARRAY[[3, 4]], ARRAY[[1, 2]] || ARRAY[[3, 4]], array_cat('{}'::int[], ARRAY[[1]]), NULL::int[] || ARRAY[[1]];
-- array_append:_int4 | array_prepend:_int4 | array_append:_int4 | ?column?:_int4 | ?column?:_int4 | ?column?:_int4 | ?column?:_int4 | ?column?:_int4 | array_cat:_int4 | ?column?:_int4
-- [0:2]={1,2,3} | [0:2]={0,1,2} | {1} | {0,1} | {1,2} | {{1,2},{3,4}} | {{1,2},{3,4}} | {{1,2},{3,4}} | {{1}} | {{1}}

SELECT array_append(ARRAY[[1]], 2);
-- ERROR 22000 @ argument must be empty or one-dimensional array

SELECT ARRAY[[1, 2]] || ARRAY[3];
-- ERROR 2202E @ cannot concatenate incompatible arrays
-- DETAIL Arrays with differing dimensions are not compatible for concatenation.

SELECT ARRAY[[[1]]] || ARRAY[1];
-- ERROR 2202E @ cannot concatenate incompatible arrays
-- DETAIL Arrays of 3 and 1 dimensions are not compatible for concatenation.

SELECT ARRAY[[1, 2]] || ARRAY[[3]];
-- ERROR 2202E @ cannot concatenate incompatible arrays
-- DETAIL Arrays with differing element dimensions are not compatible for concatenation.

SELECT array_fill(7, ARRAY[2, 2]), array_fill(7, ARRAY[2], ARRAY[0]), array_fill('a'::text, ARRAY[]::int[]), array_fill(NULL::int, ARRAY[2]), array_fill(1, ARRAY[0, 3]);
-- array_fill:_int4 | array_fill:_int4 | array_fill:_text | array_fill:_int4 | array_fill:_int4
-- {{7,7},{7,7}} | [0:1]={7,7} | {} | {NULL,NULL} | {}

SELECT array_fill(1, ARRAY[2], ARRAY[1, 2]);
-- ERROR 2202E @ wrong number of array subscripts
-- DETAIL Low bound array has different size than dimensions array.

SELECT array_fill(1, NULL::int[]);
-- ERROR 22004 @ dimension array or low bound array cannot be null

SELECT array_position(ARRAY[[1]], 1);
-- ERROR 0A000 @ searching for elements in multidimensional arrays is not supported

SELECT array_position('[3:5]={1,2,1}'::int[], 1), array_position('[3:5]={1,2,1}'::int[], 1, 4), array_positions('[3:5]={1,2,1}'::int[], 1), array_remove('[3:5]={1,2,1}'::int[], 2), array_replace(ARRAY[[1, 2], [1, 3]], 1, 9), trim_array(ARRAY[[1, 2], [3, 4], [5, 6]], 1), trim_array('[0:2]={1,2,3}'::int[], 2);
-- array_position:int4 | array_position:int4 | array_positions:_int4 | array_remove:_int4 | array_replace:_int4 | trim_array:_int4 | trim_array:_int4
-- 3 | 5 | {3,5} | [3:4]={1,1} | {{9,2},{9,3}} | {{1,2},{3,4}} | {1}

SELECT array_remove(ARRAY[[1]], 1);
-- ERROR 0A000 @ removing elements from multidimensional arrays is not supported

SELECT array_to_string(ARRAY[[1, NULL], [3, 4]], ',', '*'), array_to_json(ARRAY[[1, 2], [3, 4]]), array_to_json(ARRAY[[1, 2], [3, 4]], true), to_jsonb(ARRAY[[['a'], ['b']]]), json_build_array(ARRAY[[1], [2]]), to_json('[0:1]={1,2}'::int[]);
-- array_to_string:text | array_to_json:json | array_to_json:json | to_jsonb:jsonb | json_build_array:json | to_json:json
-- 1,*,3,4 | [[1,2],[3,4]] | [[1,2],\n [3,4]] | [[["a"], ["b"]]] | [[[1],[2]]] | [1,2]

SELECT unnest(ARRAY[[1, 2], [3, 4]]);
-- unnest:int4
-- 1
-- 2
-- 3
-- 4

SELECT * FROM unnest(ARRAY[[1, 2], [3, 4]], ARRAY['a', 'b']) WITH ORDINALITY t(a, b, n);
-- a:int4 | b:text | n:int8
-- 1 | a | 1
-- 2 | b | 2
-- 3 | ∅ | 3
-- 4 | ∅ | 4

SELECT generate_subscripts('[0:2][5:6]={{1,2},{3,4},{5,6}}'::int[], 2), generate_subscripts(ARRAY[[1], [2]], 1);
-- generate_subscripts:int4 | generate_subscripts:int4
-- 5 | 1
-- 6 | 2

SELECT ARRAY[[1, 2]] = ARRAY[[1, 2]], ARRAY[[1, 2]] = ARRAY[1, 2], ARRAY[1, 2] < ARRAY[[1, 2]], ARRAY[[1, 3]] > ARRAY[1, 2, 9], '[0:1]={1,2}'::int[] = '{1,2}', '[0:1]={1,2}'::int[] < '{1,2}', ARRAY[[1.0]] = ARRAY[[1.00]], ARRAY[[1, NULL]] > ARRAY[[1, 5]];
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | t | t | f | t | t | t

SELECT ARRAY[[1, 2], [3, 4]] @> ARRAY[4, 1], ARRAY[1] <@ ARRAY[[1, 2]], ARRAY[[1, 2]] && ARRAY[2], 3 = ANY (ARRAY[[1, 2], [3, 4]]), 3 > ALL (ARRAY[[1, 2], [0, 2]]), 2 = ANY ('[5:6]={1,2}'::int[]);
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t | t | t

SELECT a, count(*) FROM (VALUES (ARRAY[[1, 2]]), (ARRAY[1, 2]), (ARRAY[[1, 2]]), ('[0:1]={1,2}')) t(a) GROUP BY a ORDER BY a;
-- a:_int4 | count:int8
-- [0:1]={1,2} | 1
-- {1,2} | 1
-- {{1,2}} | 2

SELECT DISTINCT a FROM (VALUES (ARRAY[[2]]), (ARRAY[[1]]), (ARRAY[[2]])) t(a) ORDER BY a DESC;
-- a:_int4
-- {{2}}
-- {{1}}

SELECT array_agg(a), max(a), min(a) FROM (VALUES (ARRAY[1, 2]), (ARRAY[3, 4])) t(a);
-- array_agg:_int4 | max:_int4 | min:_int4
-- {{1,2},{3,4}} | {3,4} | {1,2}

SELECT array_agg(a) FROM (VALUES (ARRAY[[1, 2]]), (ARRAY[[3, 4]])) t(a);
-- array_agg:_int4
-- {{{1,2}},{{3,4}}}

SELECT array_agg(a) FROM (VALUES (ARRAY[1]), (ARRAY[1, 2])) t(a);
-- ERROR 2202E @ cannot accumulate arrays of different dimensionality

SELECT array_agg(a) FROM (VALUES (ARRAY[]::int[])) t(a);
-- ERROR 2202E @ cannot accumulate empty arrays

SELECT array_agg(a) FROM (VALUES (NULL::int[])) t(a);
-- ERROR 22004 @ cannot accumulate null arrays

SELECT ARRAY(SELECT ARRAY[i, i * 2] FROM generate_series(1, 2) i), ARRAY(SELECT ARRAY[i] FROM generate_series(1, 0) i);
-- array:_int4 | array:_int4
-- {{1,2},{2,4}} | {}

SELECT CASE WHEN i = 1 THEN ARRAY[1] ELSE ARRAY[[1, 2]] END, COALESCE(NULL, ARRAY[[i]], ARRAY[9]) FROM generate_series(1, 2) i;
-- array:_int4 | coalesce:_int4
-- {1} | {{1}}
-- {{1,2}} | {{2}}

SELECT t::int[] FROM (VALUES ('{1}'), ('{{1,2}}'), ('[0:0]={7}')) v(t);
-- t:_int4
-- {1}
-- {{1,2}}
-- [0:0]={7}

SELECT ARRAY[[1.5, 2.5]]::int[], '{{1,2}}'::int[]::text[], '{{1,2}}'::int[]::text, '{{abcd,e}}'::varchar(2)[], '{abcd,e}'::text[]::varchar(2)[];
-- array:_int4 | text:_text | text:text | varchar:_varchar(6) | varchar:_varchar(6)
-- {{2,3}} | {{1,2}} | {{1,2}} | {{ab,e}} | {ab,e}

SELECT (ARRAY[ROW(1, 'a')])[1], ARRAY['{"a": 1}'::jsonb, '[1]'] [2], ('{{"(1,2)"}}'::text[])[1][1];
-- ERROR 42601 @65 syntax error at or near "["

SELECT x[1][2], y[2] FROM (SELECT ARRAY[[1, 2]] x, string_to_array('a,b', ',') y) t;
-- x:int4 | y:text
-- 2 | b

CREATE TEMPORARY TABLE boxes (id int, a int[], b text[][], c numeric(6, 2)[]);
-- CREATE TABLE

INSERT INTO boxes VALUES (1, '{{1,2},{3,4}}', '{a,b}', '{1.005,2}'), (2, '[0:1]={5,6}', '{{x,y},{z,NULL}}', NULL), (3, '{}', NULL, '{{1},{2}}'), (4, NULL, '{}', '{}');
-- INSERT 0 4

SELECT * FROM boxes ORDER BY id;
-- id:int4 | a:_int4 | b:_text | c:_numeric(393222)
-- 1 | {{1,2},{3,4}} | {a,b} | {1.01,2.00}
-- 2 | [0:1]={5,6} | {{x,y},{z,NULL}} | ∅
-- 3 | {} | ∅ | {{1.00},{2.00}}
-- 4 | ∅ | {} | {}

SELECT id, a[1][2], a[0], array_dims(a), array_ndims(b), c[1], c[2:2] FROM boxes ORDER BY id;
-- id:int4 | a:int4 | a:int4 | array_dims:text | array_ndims:int4 | c:numeric(393222) | c:_numeric(393222)
-- 1 | 2 | ∅ | [1:2][1:2] | 1 | 1.01 | {2.00}
-- 2 | ∅ | 5 | [0:1] | 2 | ∅ | ∅
-- 3 | ∅ | ∅ | ∅ | ∅ | ∅ | {{2.00}}
-- 4 | ∅ | ∅ | ∅ | ∅ | ∅ | {}

UPDATE boxes SET a = a || ARRAY[9, 9] WHERE id = 1 RETURNING a;
-- a:_int4
-- {{1,2},{3,4},{9,9}}

INSERT INTO boxes SELECT id + 10, a, b, c FROM boxes WHERE id < 3 ORDER BY id RETURNING id, a, b;
-- id:int4 | a:_int4 | b:_text
-- 11 | {{1,2},{3,4},{9,9}} | {a,b}
-- 12 | [0:1]={5,6} | {{x,y},{z,NULL}}

SELECT count(*), count(DISTINCT a) FROM boxes;
-- count:int8 | count:int8
-- 6 | 3

SELECT b.id, c.id FROM boxes b JOIN boxes c ON b.a = c.a AND b.id < c.id ORDER BY 1;
-- id:int4 | id:int4
-- 1 | 11
-- 2 | 12

SELECT id FROM boxes ORDER BY a NULLS FIRST, id;
-- id:int4
-- 4
-- 3
-- 1
-- 11
-- 2
-- 12

SELECT id, e FROM boxes, unnest(b) e ORDER BY id, e;
-- id:int4 | e:text
-- 1 | a
-- 1 | b
-- 2 | x
-- 2 | y
-- 2 | z
-- 2 | ∅
-- 11 | a
-- 11 | b
-- 12 | x
-- 12 | y
-- 12 | z
-- 12 | ∅

DELETE FROM boxes WHERE a = '[0:1]={5,6}' RETURNING id;
-- id:int4
-- 2
-- 12

CREATE TEMPORARY TABLE copied AS SELECT id, a, ARRAY[ARRAY[id], ARRAY[id + 1]] AS d FROM boxes;
-- SELECT 4

SELECT * FROM copied ORDER BY id;
-- id:int4 | a:_int4 | d:_int4
-- 1 | {{1,2},{3,4},{9,9}} | {{1},{2}}
-- 3 | {} | {{3},{4}}
-- 4 | ∅ | {{4},{5}}
-- 11 | {{1,2},{3,4},{9,9}} | {{11},{12}}

ALTER TABLE copied ALTER COLUMN a TYPE text[] USING a::text[];
-- ALTER TABLE

SELECT a, pg_typeof(a) FROM copied ORDER BY id;
-- a:_text | pg_typeof:regtype
-- {{1,2},{3,4},{9,9}} | text[]
-- {} | text[]
-- ∅ | text[]
-- {{1,2},{3,4},{9,9}} | text[]

ALTER TABLE copied ADD COLUMN z int[] DEFAULT '{{1},{2}}';
-- ALTER TABLE

SELECT z FROM copied LIMIT 1;
-- z:_int4
-- {{1},{2}}

DROP TABLE boxes, copied;
-- DROP TABLE
