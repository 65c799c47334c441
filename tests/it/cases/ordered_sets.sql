SELECT rank(3) WITHIN GROUP (ORDER BY x), dense_rank(3) WITHIN GROUP (ORDER BY x), percent_rank(3) WITHIN GROUP (ORDER BY x), cume_dist(3) WITHIN GROUP (ORDER BY x) FROM (VALUES (1), (1), (3), (3), (4)) v(x);
-- rank:int8 | dense_rank:int8 | percent_rank:float8 | cume_dist:float8
-- 3 | 2 | 0.4 | 0.8333333333333334

SELECT rank('b', 2) WITHIN GROUP (ORDER BY t DESC, n NULLS FIRST), dense_rank('b', 2) WITHIN GROUP (ORDER BY t DESC, n NULLS FIRST) FROM (VALUES ('a', 1), ('b', NULL), ('b', 5), ('c', 0)) v(t, n);
-- rank:int8 | dense_rank:int8
-- 3 | 3

SELECT g, rank(2.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (1, 1), (1, 2), (1, 3), (2, 9)) v(g, x) GROUP BY g ORDER BY g;
-- g:int4 | rank:int8
-- 1 | 3
-- 2 | 1

SELECT rank(1) WITHIN GROUP (ORDER BY x), percent_rank(1) WITHIN GROUP (ORDER BY x), cume_dist(1) WITHIN GROUP (ORDER BY x) FROM (SELECT 1 WHERE false) v(x);
-- rank:int8 | percent_rank:float8 | cume_dist:float8
-- 1 | 0 | 1

SELECT rank(3) WITHIN GROUP (ORDER BY x) FILTER (WHERE x > 1) FROM generate_series(1, 5) x;
-- rank:int8
-- 2

SELECT rank(1, 2) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 5) x;
-- ERROR 42883 @8 function rank(integer, integer, integer) does not exist
-- HINT To use the hypothetical-set aggregate rank, the number of hypothetical direct arguments (here 2) must match the number of ordering columns (here 1).

SELECT sum() WITHIN GROUP (ORDER BY x) FROM generate_series(1, 5) x;
-- ERROR 42809 @8 sum is not an ordered-set aggregate, so it cannot have WITHIN GROUP

SELECT percentile_cont(0.5, x) FROM generate_series(1, 5) x;
-- ERROR 42809 @8 WITHIN GROUP is required for ordered-set aggregate percentile_cont

SELECT 'abc' ~ '(?=b)', regexp_match('ab', 'a(?=b)b*'), regexp_match('a', 'a(?!b)b*'), regexp_match('abb', '(?<=a)b*'), regexp_match('b', '(?<!a)b'), regexp_match('aa', '(a)\1');
-- ?column?:bool | regexp_match:_text | regexp_match:_text | regexp_match:_text | regexp_match:_text | regexp_match:_text
-- t | {ab} | {a} | {bb} | {b} | {a}

SELECT 'bbbbb' ~ '^([bc])\1*$', 'bbc' ~ '^([bc])\1*$', 'abc abc abc' ~ '^(\w+)( \1)+$', 'abc abd abc' ~ '^(\w+)( \1)+$', 'aBAb' ~* '^(ab)\1$', regexp_replace('the the cat', '(\w+) \1', '<\1>'), regexp_split_to_array('a1b22c', '\d(?!\d)');
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | regexp_replace:text | regexp_split_to_array:_text
-- t | f | t | f | t | <the> cat | {a,b2,c}

SELECT 'a' ~ '(a)\2';
-- ERROR 2201B @ invalid regular expression: invalid backreference number

SELECT pg_typeof('x'), pg_typeof(NULL), pg_typeof('x'::text), power(float8 '-inf', 3);
-- pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | power:float8
-- unknown | unknown | text | -Infinity

SELECT case when x > 1 then generate_series(1, 3) else 0 end FROM generate_series(1, 2) x;
-- ERROR 0A000 @29 set-returning functions are not allowed in CASE
-- HINT You might be able to move the set-returning function into a LATERAL FROM item.

SELECT coalesce(generate_series(1, 3), 0);
-- ERROR 0A000 @17 set-returning functions are not allowed in COALESCE
-- HINT You might be able to move the set-returning function into a LATERAL FROM item.

WITH RECURSIVE y(a) AS (VALUES (1), (2)), x(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM y LEFT JOIN x ON x.n = y.a WHERE n < 10) SELECT * FROM x;
-- ERROR 42P19 @103 recursive reference to query "x" must not appear within an outer join

SELECT power(float8 '-inf', 3.5);
-- ERROR 2201F @ a negative number raised to a non-integer power yields a complex result

SELECT make_timestamptz(1973, 7, 15, 8, 15, 55.33, '2');
-- ERROR 22023 @ invalid input syntax for type numeric time zone: "2"
-- HINT Numeric time zones must have "-" or "+" as first character.

SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, '+16');
-- ERROR 22023 @ numeric time zone "+16" out of range
