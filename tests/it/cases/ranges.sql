SELECT int4range(1, 5), int4range(1, 5, '[]'), int4range(1, 1), int4range(1, 1, '[]'), int4range(NULL, 5), int8range(1, NULL, '(]'), numrange(1.50, 2.5, '()'), daterange('2024-01-01', '2024-01-31', '[]');
-- int4range:int4range | int4range:int4range | int4range:int4range | int4range:int4range | int4range:int4range | int8range:int8range | numrange:numrange | daterange:daterange
-- [1,5) | [1,6) | empty | [1,2) | (,5) | [2,) | (1.50,2.5) | [2024-01-01,2024-02-01)

SELECT '[1,3]'::int4range, '(,5)'::int8range, ' empty '::numrange, '[2024-01-01 00:00, 2024-01-02)'::tsrange, '["a",)'::text, '[2024-01-01 00:00+02,)'::tstzrange, '["1.5",2]'::numrange, '[infinity,infinity]'::daterange;
-- int4range:int4range | int8range:int8range | numrange:numrange | tsrange:tsrange | text:text | tstzrange:tstzrange | numrange:numrange | daterange:daterange
-- [1,4) | (,5) | empty | ["2024-01-01 00:00:00","2024-01-02 00:00:00") | ["a",) | ["2023-12-31 22:00:00+00",) | [1.5,2] | [infinity,infinity]

SELECT '[5,1]'::int4range;
-- ERROR 22000 @8 range lower bound must be less than or equal to range upper bound

SELECT '[1,3'::int4range;
-- ERROR 22P02 @8 malformed range literal: "[1,3"
-- DETAIL Unexpected end of input.

SELECT '1,3]'::int4range;
-- ERROR 22P02 @8 malformed range literal: "1,3]"
-- DETAIL Missing left parenthesis or bracket.

SELECT '[1,x)'::int4range;
-- ERROR 22P02 @8 invalid input syntax for type integer: "x"

SELECT '[1,2,3)'::numrange;
-- ERROR 22P02 @8 malformed range literal: "[1,2,3)"
-- DETAIL Too many commas.

SELECT int4range(1, 2, '[[');
-- ERROR 42601 @ invalid range bound flags
-- HINT Valid values are "[]", "[)", "(]", and "()".

SELECT int4range(1, 2147483647, '[]');
-- ERROR 22003 @ integer out of range

SELECT lower(r), upper(r), isempty(r), lower_inc(r), upper_inc(r), lower_inf(r), upper_inf(r) FROM (VALUES ('[1,5)'::int4range), ('(,5]'), ('empty'), (NULL)) v(r);
-- lower:int4 | upper:int4 | isempty:bool | lower_inc:bool | upper_inc:bool | lower_inf:bool | upper_inf:bool
-- 1 | 5 | f | t | f | f | f
-- ∅ | 6 | f | f | f | t | f
-- ∅ | ∅ | t | f | f | f | f
-- ∅ | ∅ | ∅ | ∅ | ∅ | ∅ | ∅

SELECT a && b, a @> b, a <@ b, a << b, a >> b, a &< b, a &> b, a -|- b FROM (VALUES ('[1,5)'::int4range, '[5,8)'::int4range), ('[1,9)', '[2,3)'), ('empty', '[1,2)'), ('[5,8)', '[1,5)')) v(a, b);
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- f | f | f | t | f | t | f | t
-- t | t | f | f | f | f | f | f
-- f | f | t | f | f | f | f | f
-- f | f | f | f | t | f | t | t

SELECT int4range(1, 5) @> 3, 3 <@ int4range(1, 5), numrange(1, 2) @> 2.0, daterange('2024-01-01', NULL) @> date '2030-01-01', tsrange('2024-01-01', '2024-02-01') @> timestamp '2024-01-15';
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | f | t | t

SELECT int4range(1, 5) + int4range(3, 8), int4range(1, 5) * int4range(3, 8), int4range(1, 5) - int4range(3, 8), range_merge(int4range(1, 2), int4range(7, 8)), numrange(1, 2) + numrange(2, 3);
-- ?column?:int4range | ?column?:int4range | ?column?:int4range | range_merge:int4range | ?column?:numrange
-- [1,8) | [3,5) | [1,3) | [1,8) | [1,3)

SELECT int4range(1, 2) + int4range(3, 4);
-- ERROR 22000 @ result of range union would not be contiguous

SELECT int4range(1, 9) - int4range(3, 4);
-- ERROR 22000 @ result of range difference would not be contiguous

SELECT r FROM (VALUES ('[2,3)'::int4range), ('(,1)'), ('empty'), ('[2,)'), ('[2,9)'), ('(,)')) v(r) ORDER BY r;
-- r:int4range
-- empty
-- (,1)
-- (,)
-- [2,3)
-- [2,9)
-- [2,)

SELECT r, count(*) FROM (VALUES ('[1.0,2)'::numrange), ('[1.00,2.0)'), ('[1,3)')) v(r) GROUP BY r ORDER BY r;
-- r:numrange | count:int8
-- [1.0,2) | 2
-- [1,3) | 1

SELECT numrange(1.0, 2) = numrange(1, 2.00), int4range(1, 5) < int4range(1, 6), int4range(1, 5) <> int4range(1, 5), 'empty'::int4range < '(,)'::int4range;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | f | t

SELECT '{[1,3),[2,5),[9,10)}'::int4multirange, '{}'::datemultirange, int4multirange(), int4multirange(int4range(1, 2), int4range(2, 4)), multirange(int4range(1, 3)), int4range(1, 3)::int4multirange;
-- int4multirange:int4multirange | datemultirange:datemultirange | int4multirange:int4multirange | int4multirange:int4multirange | multirange:int4multirange | int4range:int4multirange
-- {[1,5),[9,10)} | {} | {} | {[1,4)} | {[1,3)} | {[1,3)}

SELECT '{[1,3}'::int4multirange;
-- ERROR 22P02 @8 malformed multirange literal: "{[1,3}"
-- DETAIL Unexpected end of input.

SELECT '{[1,3),}'::int4multirange;
-- ERROR 22P02 @8 malformed multirange literal: "{[1,3),}"
-- DETAIL Expected range start.

SELECT m + '{[4,6)}', m * '{[2,9)}', m - '{[2,4)}', m && int4range(3, 4), m @> 1, m @> int4range(1, 2), m << int4range(20, 30), lower(m), upper(m), isempty(m), range_merge(m) FROM (VALUES ('{[1,3),[5,7)}'::int4multirange)) v(m);
-- ?column?:int4multirange | ?column?:int4multirange | ?column?:int4multirange | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | lower:int4 | upper:int4 | isempty:bool | range_merge:int4range
-- {[1,3),[4,7)} | {[2,3),[5,7)} | {[1,2),[5,7)} | f | t | t | t | 1 | 7 | f | [1,7)

SELECT unnest('{[1,3),[5,7)}'::int4multirange);
-- unnest:int4range
-- [1,3)
-- [5,7)

SELECT range_agg(r), range_intersect_agg(r) FROM (VALUES ('[1,5)'::int4range), ('[3,9)'), (NULL)) v(r);
-- range_agg:int4multirange | range_intersect_agg:int4range
-- {[1,9)} | [3,5)

SELECT k, range_agg(r ORDER BY r) FROM (VALUES (1, '[1,2)'::int4range), (1, '[2,3)'), (2, '[7,8)')) v(k, r) GROUP BY k ORDER BY k;
-- k:int4 | range_agg:int4multirange
-- 1 | {[1,3)}
-- 2 | {[7,8)}

SELECT ARRAY['[1,2)'::int4range, 'empty'], '{"[1,2)","(,3]"}'::int4range[], array_agg(r) FROM (VALUES ('[1,2)'::numrange)) v(r);
-- array:_int4range | int4range:_int4range | array_agg:_numrange
-- {"[1,2)",empty} | {"[1,2)","(,4)"} | {"[1,2)"}

SELECT pg_typeof(lower(tstzrange(now(), NULL))), pg_typeof(int4range(1, 2) + int4range(1, 2)), pg_typeof(range_agg(r)) FROM (VALUES ('[2024-01-01,2024-01-02)'::daterange)) v(r);
-- pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype
-- timestamp with time zone | int4range | datemultirange

SELECT int4range(1, 2) @> 'x'::text;
-- ERROR 42883 @24 operator does not exist: int4range @> text
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT '[1,5)'::int4range::text, '["2024-01-01 00:00:00",)'::text::tsrange, to_json('[1,2)'::int4range);
-- text:text | tsrange:tsrange | to_json:json
-- [1,5) | ["2024-01-01 00:00:00",) | "[1,2)"
