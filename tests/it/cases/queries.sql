SELECT;
--
--

VALUES (1, 'a'), (2, 'b');
-- column1:int4 | column2:text
-- 1 | a
-- 2 | b

SELECT 1 AS a UNION SELECT 1.5 ORDER BY a;
-- a:numeric
-- 1
-- 1.5

SELECT 1 UNION ALL SELECT 1;
-- ?column?:int4
-- 1
-- 1

SELECT x FROM (VALUES (1), (2), (3)) t(x) EXCEPT SELECT 2 ORDER BY 1;
-- x:int4
-- 1
-- 3

SELECT x FROM (VALUES (1), (2), (2)) t(x) INTERSECT ALL VALUES (2), (2), (3);
-- x:int4
-- 2
-- 2

SELECT 'a' UNION SELECT 1;
-- ERROR 22P02 @8 invalid input syntax for type integer: "a"

WITH a AS (SELECT 1 x), b AS (SELECT x + 1 y FROM a) SELECT * FROM a, b;
-- x:int4 | y:int4
-- 1 | 2

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) a(x, y) JOIN (VALUES (1, true), (3, false)) b(x, z) USING (x);
-- x:int4 | y:text | z:bool
-- 1 | a | t

SELECT * FROM (VALUES (1), (2)) a(x) LEFT JOIN (VALUES (1), (3)) b(y) ON x = y ORDER BY x;
-- x:int4 | y:int4
-- 1 | 1
-- 2 | ∅

SELECT * FROM (VALUES (1), (2)) a(x) FULL JOIN (VALUES (1), (3)) b(x) USING (x) ORDER BY x;
-- x:int4
-- 1
-- 2
-- 3

SELECT * FROM (VALUES (1), (2)) a(x) RIGHT JOIN (VALUES (1), (3)) b(y) ON x = y ORDER BY y;
-- x:int4 | y:int4
-- 1 | 1
-- ∅ | 3

SELECT a.x, l.y FROM (VALUES (1), (2)) a(x), LATERAL (SELECT a.x * 10 AS y) l ORDER BY 1;
-- x:int4 | y:int4
-- 1 | 10
-- 2 | 20

SELECT x, (SELECT max(y) FROM (VALUES (1), (2), (3)) b(y) WHERE y < a.x) FROM (VALUES (1), (2), (3)) a(x) ORDER BY 1;
-- x:int4 | max:int4
-- 1 | ∅
-- 2 | 1
-- 3 | 2

SELECT x FROM (VALUES (1), (2), (3)) a(x) WHERE EXISTS (SELECT 1 FROM (VALUES (2)) b(y) WHERE y = x);
-- x:int4
-- 2

SELECT x FROM (VALUES (1), (2), (NULL)) a(x) WHERE x NOT IN (SELECT y FROM (VALUES (2), (NULL)) b(y));
-- x:int4

SELECT (SELECT x FROM (VALUES (1), (2)) t(x));
-- ERROR 21000 @ more than one row returned by a subquery used as an expression

SELECT x, EXISTS (SELECT 1 FROM (VALUES (2)) b(y) WHERE y = x), x IN (VALUES (1)) FROM (VALUES (1), (2)) a(x) ORDER BY 1;
-- x:int4 | exists:bool | ?column?:bool
-- 1 | f | t
-- 2 | t | f

SELECT x, y, count(*), grouping(x, y) FROM (VALUES (1, 'a'), (1, 'b')) t(x, y) GROUP BY ROLLUP (x, y) ORDER BY x NULLS LAST, y NULLS LAST;
-- x:int4 | y:text | count:int8 | grouping:int4
-- 1 | a | 1 | 0
-- 1 | b | 1 | 0
-- 1 | ∅ | 2 | 1
-- ∅ | ∅ | 2 | 3

SELECT x, y, sum(z) FROM (VALUES (1, 'a', 1), (1, 'b', 2), (2, 'a', 3)) t(x, y, z) GROUP BY GROUPING SETS ((x), (y), ()) ORDER BY 1, 2, 3;
-- x:int4 | y:text | sum:int8
-- 1 | ∅ | 3
-- 2 | ∅ | 3
-- ∅ | a | 4
-- ∅ | b | 2
-- ∅ | ∅ | 6

SELECT x, y, count(*) FROM (VALUES (1, 'a')) t(x, y) GROUP BY CUBE (x, y) ORDER BY 1, 2;
-- x:int4 | y:text | count:int8
-- 1 | a | 1
-- 1 | ∅ | 1
-- ∅ | a | 1
-- ∅ | ∅ | 1

SELECT x % 2 AS odd, sum(x) FROM generate_series(1, 5) x GROUP BY odd HAVING count(*) > 1 ORDER BY odd DESC;
-- odd:int4 | sum:int8
-- 1 | 9
-- 0 | 6

SELECT DISTINCT ON (x) x, y FROM (VALUES (1, 2), (1, 1), (2, 5)) t(x, y) ORDER BY x, y;
-- x:int4 | y:int4
-- 1 | 1
-- 2 | 5

SELECT x FROM generate_series(1, 10) x ORDER BY x DESC LIMIT 3 OFFSET 2;
-- x:int4
-- 8
-- 7
-- 6

SELECT x, row_number() OVER w, rank() OVER w, dense_rank() OVER w, percent_rank() OVER w, cume_dist() OVER w, ntile(2) OVER w FROM (VALUES (1), (2), (2), (4)) t(x) WINDOW w AS (ORDER BY x) ORDER BY x, 2;
-- x:int4 | row_number:int8 | rank:int8 | dense_rank:int8 | percent_rank:float8 | cume_dist:float8 | ntile:int4
-- 1 | 1 | 1 | 1 | 0 | 0.25 | 1
-- 2 | 2 | 2 | 2 | 0.3333333333333333 | 0.75 | 1
-- 2 | 3 | 2 | 2 | 0.3333333333333333 | 0.75 | 2
-- 4 | 4 | 4 | 3 | 1 | 1 | 2

SELECT x, lag(x) OVER w, lead(x, 2, 0) OVER w, first_value(x) OVER w, last_value(x) OVER w, nth_value(x, 2) OVER w FROM (VALUES (1), (2), (4)) t(x) WINDOW w AS (ORDER BY x) ORDER BY x;
-- x:int4 | lag:int4 | lead:int4 | first_value:int4 | last_value:int4 | nth_value:int4
-- 1 | ∅ | 4 | 1 | 1 | ∅
-- 2 | 1 | 0 | 1 | 2 | 2
-- 4 | 2 | 0 | 1 | 4 | 2

SELECT x, sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), avg(x) OVER (PARTITION BY x % 2), count(*) OVER () FROM (VALUES (1), (2), (4)) t(x) ORDER BY x;
-- x:int4 | sum:int8 | avg:numeric | count:int8
-- 1 | 1 | 1.00000000000000000000 | 3
-- 2 | 3 | 3.0000000000000000 | 3
-- 4 | 6 | 3.0000000000000000 | 3

SELECT x, sum(x) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING), sum(x) OVER (ORDER BY x GROUPS 1 PRECEDING), sum(x) FILTER (WHERE x > 1) OVER (ORDER BY x) FROM (VALUES (1), (2), (2), (4)) t(x) ORDER BY x;
-- x:int4 | sum:int8 | sum:int8 | sum:int8
-- 1 | 5 | 1 | ∅
-- 2 | 5 | 5 | 4
-- 2 | 5 | 5 | 4
-- 4 | 4 | 8 | 8

SELECT count(*) FROM generate_series(1, 1000) a, generate_series(1, 100) b WHERE a % 7 = b % 7;
-- count:int8
-- 14286

SELECT x AS "X", x + 1, -x, x::text, (x), CASE WHEN x > 1 THEN x END, coalesce(x, 0), upper('a'), ARRAY[x], EXISTS (SELECT 1), (SELECT 2) FROM (VALUES (1)) t(x);
-- X:int4 | ?column?:int4 | ?column?:int4 | x:text | x:int4 | case:int4 | coalesce:int4 | upper:text | array:_int4 | exists:bool | ?column?:int4
-- 1 | 2 | -1 | 1 | 1 | ∅ | 1 | A | {1} | t | 2

SELECT t.* FROM (VALUES (1, 2)) t(a, b);
-- a:int4 | b:int4
-- 1 | 2

SELECT a.*, b.x FROM (VALUES (1)) a(x) CROSS JOIN (VALUES (2)) b(x);
-- x:int4 | x:int4
-- 1 | 2

SELECT x FROM (VALUES (1)) a(x), (VALUES (2)) b(x);
-- ERROR 42702 @8 column reference "x" is ambiguous

SELECT nope FROM (VALUES (1)) t(x);
-- ERROR 42703 @8 column "nope" does not exist

SELECT t.nope FROM (VALUES (1)) t(x);
-- ERROR 42703 @8 column t.nope does not exist

SELECT u.x FROM (VALUES (1)) t(x);
-- ERROR 42P01 @8 missing FROM-clause entry for table "u"

SELECT x FROM (VALUES (1)) t(x) WHERE count(*) > 1;
-- ERROR 42803 @39 aggregate functions are not allowed in WHERE

SELECT sum(count(*)) FROM (VALUES (1)) t(x);
-- ERROR 42803 @12 aggregate function calls cannot be nested

SELECT x FROM (VALUES (1)) t(x) ORDER BY 2;
-- ERROR 42P10 @42 ORDER BY position 2 is not in select list

SELECT x FROM (VALUES (1)) t(x) GROUP BY 3;
-- ERROR 42P10 @42 GROUP BY position 3 is not in select list

SELECT * FROM no_such_table;
-- ERROR 42P01 @15 relation "no_such_table" does not exist

SELECT * FROM no_schema.no_table;
-- ERROR 42P01 @15 relation "no_schema.no_table" does not exist

SELECT * FROM;
-- ERROR 42601 @14 syntax error at or near ";"

SELECT 1 FROM (VALUES (1)) t(x) WHERE x = 'a';
-- ERROR 22P02 @43 invalid input syntax for type integer: "a"

SELECT 1 WHERE 1;
-- ERROR 42804 @16 argument of WHERE must be type boolean, not type integer

SELECT CASE WHEN 1 THEN 2 END;
-- ERROR 42804 @18 argument of CASE/WHEN must be type boolean, not type integer

SELECT 1 LIMIT -1;
-- ERROR 2201W @ LIMIT must not be negative

SELECT 1 OFFSET -1;
-- ERROR 2201X @ OFFSET must not be negative

SELECT 1 LIMIT 'a';
-- ERROR 22P02 @16 invalid input syntax for type bigint: "a"

SELECT (SELECT 1, 2);
-- ERROR 42601 @8 subquery must return only one column

SELECT 1 IN (SELECT 1, 2);
-- ERROR 42601 @10 subquery has too many columns

VALUES (1), (1, 2);
-- ERROR 42601 @14 VALUES lists must all be the same length

SELECT 'unterminated;
-- ERROR 42601 @8 unterminated quoted string at or near "'unterminated;"

SELECT "unterminated;
-- ERROR 42601 @8 unterminated quoted identifier at or near ""unterminated;"

SELECT 1 +;
-- ERROR 42601 @11 syntax error at or near ";"

SELEC 1;
-- ERROR 42601 @1 syntax error at or near "SELEC"

SELECT 1 AS a, 2 AS a ORDER BY a;
-- ERROR 42702 @32 ORDER BY "a" is ambiguous

SELECT coalesce(1, 'a');
-- ERROR 22P02 @20 invalid input syntax for type integer: "a"

SELECT coalesce(1, true);
-- ERROR 42804 @20 COALESCE types integer and boolean cannot be matched

SELECT 1 = true;
-- ERROR 42883 @10 operator does not exist: integer = boolean
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT NOT 1;
-- ERROR 42804 @12 argument of NOT must be type boolean, not type integer

SELECT sum('a');
-- ERROR 42725 @8 function sum(unknown) is not unique
-- HINT Could not choose a best candidate function. You might need to add explicit type casts.

SELECT sum('a'::text);
-- ERROR 42883 @8 function sum(text) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT max(1, 2);
-- ERROR 42883 @8 function max(integer, integer) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT upper('a', 'b');
-- ERROR 42883 @8 function upper(unknown, unknown) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT row_number();
-- ERROR 42809 @8 window function row_number requires an OVER clause

SELECT x, row_number() OVER (ORDER BY x) FROM (VALUES (1)) t(x) WHERE row_number() OVER () = 1;
-- ERROR 42P20 @71 window functions are not allowed in WHERE

SELECT 1::no_such_type;
-- ERROR 42704 @11 type "no_such_type" does not exist

SELECT CAST('a' AS date);
-- ERROR 22007 @13 invalid input syntax for type date: "a"

SELECT true::date;
-- ERROR 42846 @12 cannot cast type boolean to date

SELECT '{}'::jsonb::date;
-- ERROR 42846 @19 cannot cast type jsonb to date

SELECT generate_series(1, 2) FROM (VALUES (1)) t(x) WHERE generate_series(1, 2) = 1;
-- ERROR 0A000 @59 set-returning functions are not allowed in WHERE

SELECT unnest(1);
-- ERROR 42883 @8 function unnest(integer) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT * FROM generate_series(1, 'a');
-- ERROR 22P02 @34 invalid input syntax for type integer: "a"

SELECT * FROM upper('a');
-- upper:text
-- A

SELECT * FROM (VALUES (1)) t(a, b);
-- ERROR 42P10 @ table "t" has 1 columns available but 2 columns specified

SELECT a FROM (SELECT 1 AS a, 2 AS a) t;
-- ERROR 42702 @8 column reference "a" is ambiguous

WITH a AS (SELECT 1) SELECT * FROM b;
-- ERROR 42P01 @36 relation "b" does not exist

WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1;
-- ERROR 42712 @23 WITH query name "a" specified more than once

WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 'a' FROM t) SELECT * FROM t;
-- ERROR 22P02 @48 invalid input syntax for type integer: "a"

SELECT * FROM (VALUES (1)) a(x) JOIN (VALUES (1)) b(y) USING (x);
-- ERROR 42703 @ column "x" specified in USING clause does not exist in right table

SELECT * FROM (VALUES (1)) a(x) JOIN (VALUES (1)) a(x) ON true;
-- ERROR 42712 @ table name "a" specified more than once

SELECT 'a' COLLATE "nope";
-- ERROR 42704 @12 collation "nope" for encoding "UTF8" does not exist

SELECT ARRAY[1, 2][1, 2];
-- ERROR 42601 @19 syntax error at or near "["

SELECT interval 'x';
-- ERROR 22007 @17 invalid input syntax for type interval: "x"

SELECT now() + 1;
-- ERROR 42883 @14 operator does not exist: timestamp with time zone + integer
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT -'a'::text;
-- ERROR 42883 @8 operator does not exist: - text
-- HINT No operator matches the given name and argument type. You might need to add an explicit type cast.

SELECT 1 <> ALL (ARRAY['a']);
-- ERROR 42883 @10 operator does not exist: integer <> text
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT 1 = ANY (1);
-- ERROR 42809 @10 op ANY/ALL (array) requires array on right side

SELECT pg_typeof(CASE WHEN true THEN 1 ELSE 2.0 END), pg_typeof(coalesce(NULL, 'a')), pg_typeof(ARRAY[1, 2.0]), pg_typeof((SELECT 1)), pg_typeof(now() - now()), pg_typeof(current_date - 1), pg_typeof(current_user), pg_typeof('{}'::jsonb -> 'a');
-- pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype
-- numeric | text | numeric[] | integer | interval | date | name | jsonb

SELECT current_setting('server_version_num')::int / 10000, current_setting('nope.x', true), current_setting('standard_conforming_strings');
-- ?column?:int4 | current_setting:text | current_setting:text
-- 15 | ∅ | on

SELECT current_setting('nope');
-- ERROR 42704 @ unrecognized configuration parameter "nope"

SHOW nope;
-- ERROR 42704 @ unrecognized configuration parameter "nope"

SET nope = 1;
-- ERROR 42704 @ unrecognized configuration parameter "nope"

SET work_mem = 'x';
-- ERROR 22023 @ invalid value for parameter "work_mem": "x"

SHOW server_encoding;
-- server_encoding:text
-- UTF8

SHOW DateStyle;
-- DateStyle:text
-- ISO, MDY

SHOW standard_conforming_strings;
-- standard_conforming_strings:text
-- on

DROP TABLE no_such;
-- ERROR 42P01 @ table "no_such" does not exist

DROP VIEW no_such;
-- ERROR 42P01 @ view "no_such" does not exist

DROP SCHEMA no_such;
-- ERROR 3F000 @ schema "no_such" does not exist

CREATE SCHEMA pg_x;
-- ERROR 42939 @ unacceptable schema name "pg_x"
-- DETAIL The prefix "pg_" is reserved for system schemas.

CREATE VIEW v AS SELECT nope;
-- ERROR 42703 @25 column "nope" does not exist

PREPARE p AS SELECT $1::int + 1;
-- PREPARE

EXECUTE nope;
-- ERROR 26000 @ prepared statement "nope" does not exist

FETCH 1 FROM nope;
-- ERROR 34000 @ cursor "nope" does not exist

ROLLBACK TO SAVEPOINT nope;
-- ERROR 25P01 @ ROLLBACK TO SAVEPOINT can only be used in transaction blocks

SELECT (timestamp '2024-01-01', timestamp '2024-02-01') OVERLAPS (timestamp '2024-01-15', timestamp '2024-03-01'), date '2024-01-01' < timestamp '2024-01-01 00:00:01', timestamptz '2024-01-01 00:00+00' = timestamp '2024-01-01', date '2024-01-01' BETWEEN '2023-12-31' AND '2024-01-02';
-- overlaps:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t

SELECT d, sum(v) OVER (ORDER BY d RANGE BETWEEN interval '1 day' PRECEDING AND CURRENT ROW) FROM (VALUES (date '2024-01-01', 1), ('2024-01-02', 2), ('2024-01-05', 4)) t(d, v) ORDER BY d;
-- d:date | sum:int8
-- 2024-01-01 | 1
-- 2024-01-02 | 3
-- 2024-01-05 | 4

SELECT (1).x;
-- ERROR 42809 @9 column notation .x applied to type integer, which is not a composite type

SELECT ('a').x;
-- ERROR 42809 @9 column notation .x applied to type unknown, which is not a composite type

SELECT t.n, (WITH RECURSIVE r(d, k) AS (SELECT t.n, 0 UNION ALL SELECT d * 2, k + 1 FROM r WHERE d * 2 < 20) SELECT max(d) FROM r) AS top FROM (VALUES (1), (3), (7), (NULL)) t(n) ORDER BY t.n;
-- n:int4 | top:int4
-- 1 | 16
-- 3 | 12
-- 7 | 14
-- ∅ | ∅

SELECT t.n, (WITH RECURSIVE r(a) AS (SELECT 1 UNION SELECT r.a + t.n FROM r WHERE r.a < 5) SELECT count(*) FROM r) FROM generate_series(1, 3) t(n) ORDER BY 1;
-- n:int4 | count:int8
-- 1 | 5
-- 2 | 3
-- 3 | 3

SELECT i, sum(i) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW), count(*) OVER (ORDER BY i / 2 RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP), array_agg(i) OVER (ORDER BY i / 2 GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM generate_series(1, 6) i;
-- i:int4 | sum:int8 | count:int8 | array_agg:_int4
-- 1 | 2 | 5 | {1}
-- 2 | 4 | 4 | {1,2}
-- 3 | 6 | 4 | {1,3}
-- 4 | 8 | 4 | {2,3,4}
-- 5 | 10 | 4 | {2,3,5}
-- 6 | 5 | 5 | {4,5,6}

SELECT i, first_value(i) OVER w, last_value(i) OVER w, nth_value(i, 2) OVER w FROM generate_series(1, 5) i WINDOW w AS (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW);
-- i:int4 | first_value:int4 | last_value:int4 | nth_value:int4
-- 1 | 2 | 5 | 3
-- 2 | 1 | 5 | 3
-- 3 | 1 | 5 | 2
-- 4 | 1 | 5 | 2
-- 5 | 1 | 4 | 2

SELECT g, i, sum(i) FILTER (WHERE i > 1) OVER (PARTITION BY g ORDER BY i ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), max(i) OVER (PARTITION BY g ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP), row_number() OVER (PARTITION BY g ORDER BY i ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) FROM (VALUES ('a', 1), ('a', 2), ('b', 3), ('b', 4), ('b', NULL)) t(g, i) ORDER BY g, i;
-- g:text | i:int4 | sum:int8 | max:int4 | row_number:int8
-- a | 1 | ∅ | ∅ | 1
-- a | 2 | ∅ | ∅ | 2
-- b | 3 | ∅ | ∅ | 1
-- b | 4 | 3 | ∅ | 2
-- b | ∅ | 7 | ∅ | 3

SELECT a < b, a <= b, a > b, a >= b FROM (VALUES (1, 2), (1, NULL), (NULL, NULL), (2, 0)) a(x, y), (VALUES (1, 2), (1, 3)) b(x, y) ORDER BY a.x, a.y, b.y;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- f | t | f | t
-- t | t | f | f
-- f | f | t | t
-- f | f | t | t
-- f | f | t | t
-- f | f | t | t
-- f | f | t | t
-- f | f | t | t

SELECT count(*) FROM pg_catalog.pg_type TABLESAMPLE system (0);
-- count:int8
-- 0

SELECT regexp_replace('abc', 'b*', 'X', 'g'), regexp_count('abc', 'b*'), regexp_split_to_array('abc', 'b*'), regexp_substr('abc', 'b*', 1, 3), regexp_instr('abc', 'b*', 1, 3), regexp_replace('abc', '^b', 'X', 2, 0), regexp_substr('abc', '^b', 2), regexp_count('abc', '^b', 2), regexp_replace('hello', 'l*$', '-', 'g');
-- regexp_replace:text | regexp_count:int4 | regexp_split_to_array:_text | regexp_substr:text | regexp_instr:int4 | regexp_replace:text | regexp_substr:text | regexp_count:int4 | regexp_replace:text
-- XaXXcX | 4 | {a,c} |  | 3 | abc | ∅ | 0 | hello-

SELECT regexp_matches('1' || chr(10) || '2', '.?$', 'mg');
-- regexp_matches:_text
-- {1}
-- {""}
-- {2}
-- {""}

SELECT array_agg(x), string_agg(x::text, ',') FROM (SELECT x FROM generate_series(1, 5) x ORDER BY x DESC) s;
-- array_agg:_int4 | string_agg:text
-- {5,4,3,2,1} | 5,4,3,2,1

SELECT g, array_agg(y) FROM (SELECT x % 2 AS g, x * 10 AS y FROM generate_series(1, 6) x ORDER BY x DESC) s WHERE y <> 40 GROUP BY g ORDER BY g;
-- g:int4 | array_agg:_int4
-- 0 | {60,20}
-- 1 | {50,30,10}

SELECT g, ARRAY(SELECT x * g FROM (SELECT x FROM generate_series(1, 3) x ORDER BY -x) s) FROM generate_series(1, 2) g ORDER BY g;
-- g:int4 | array:_int4
-- 1 | {3,2,1}
-- 2 | {6,4,2}

SELECT jsonb_agg(z) FROM (SELECT x + 1 AS z FROM (VALUES (3, 'b'), (1, 'c'), (2, 'a')) t(x, k) ORDER BY k LIMIT 2) s;
-- jsonb_agg:jsonb
-- [3, 4]

SELECT 3 * ANY (ARRAY[1]);
-- ERROR 42809 @10 op ANY/ALL (array) requires operator to yield boolean

SELECT count(*) OVER (PARTITION BY x) FROM (VALUES (0.0::float8), ('-0'::float8), (1.0)) t(x) ORDER BY 1;
-- count:int8
-- 1
-- 2
-- 2

SELECT count(*) FROM (SELECT FROM generate_series(1, 5) INTERSECT ALL SELECT FROM generate_series(1, 3)) x;
-- count:int8
-- 3

SELECT count(*) FROM (SELECT FROM generate_series(1, 5) EXCEPT ALL SELECT FROM generate_series(1, 3)) x;
-- count:int8
-- 2

SELECT count(*) FROM (SELECT FROM generate_series(1, 5) EXCEPT SELECT FROM generate_series(1, 3)) x;
-- count:int8
-- 0

SELECT n, cume_dist() OVER (PARTITION BY n ORDER BY n), count(*) FILTER (WHERE n = '0'::numeric) OVER (PARTITION BY n) FROM (SELECT round(stddev(i), 6) AS n FROM generate_series(1, 0) AS g(i)) AS t;
-- n:numeric | cume_dist:float8 | count:int8
-- ∅ | 1 | 0
