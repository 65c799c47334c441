SELECT 1 + 1, 7 / 2, -7 / 2, 7 % 3, -7 % 3, 2 ^ 10, |/ 25.0, @ -5;
-- ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:float8 | ?column?:float8 | ?column?:int4
-- 2 | 3 | -3 | 1 | -1 | 1024 | 5 | 5

SELECT 7.0 / 2, 1.0 / 3, 10 / 3.0, 2.5 * 2.5, 1.10 + 2.2, 5.5 - 5.5, -0.0;
-- ?column?:numeric | ?column?:numeric | ?column?:numeric | ?column?:numeric | ?column?:numeric | ?column?:numeric | ?column?:numeric
-- 3.5000000000000000 | 0.33333333333333333333 | 3.3333333333333333 | 6.25 | 3.30 | 0.0 | 0.0

SELECT 2147483647 + 1;
-- ERROR 22003 @ integer out of range

SELECT 9223372036854775807 + 1;
-- ERROR 22003 @ bigint out of range

SELECT 32767::smallint + 1::smallint;
-- ERROR 22003 @ smallint out of range

SELECT 1 / 0;
-- ERROR 22012 @ division by zero

SELECT 1.0 / 0;
-- ERROR 22012 @ division by zero

SELECT 1e0 / 0;
-- ERROR 22012 @ division by zero

SELECT 0.1 + 0.2, 0.1::float8 + 0.2::float8, 0.1::real + 0.2::real;
-- ?column?:numeric | ?column?:float8 | ?column?:float4
-- 0.3 | 0.30000000000000004 | 0.3

SELECT 1.5::int, 2.5::int, -1.5::int, -2.5::int, 2.5::float8::int, 3.5::float8::int, 1e10::int8;
-- int4:int4 | int4:int4 | ?column?:int4 | ?column?:int4 | int4:int4 | int4:int4 | int8:int8
-- 2 | 3 | -2 | -3 | 2 | 4 | 10000000000

SELECT round(2.5), round(-2.5), round(2.5::float8), round(1234.567, 2), round(1234.567, -2), trunc(-1.789, 1), trunc(1.9);
-- round:numeric | round:numeric | round:float8 | round:numeric | round:numeric | trunc:numeric | trunc:numeric
-- 3 | -3 | 2 | 1234.57 | 1200 | -1.7 | 1

SELECT ceil(1.2), floor(-1.2), ceiling(1.2::float8), sign(-3), abs(-2.50), mod(10, 3), mod(-10.5, 3), div(7, 2);
-- ceil:numeric | floor:numeric | ceiling:float8 | sign:float8 | abs:numeric | mod:int4 | mod:numeric | div:numeric
-- 2 | -2 | 2 | -1 | 2.50 | 1 | -1.5 | 3

SELECT 'NaN'::numeric, 'NaN'::float8, 'Infinity'::float8, '-Infinity'::numeric, 'NaN'::numeric = 'NaN'::numeric, 'NaN'::float8 > 1e308;
-- numeric:numeric | float8:float8 | float8:float8 | numeric:numeric | ?column?:bool | ?column?:bool
-- NaN | NaN | Infinity | -Infinity | t | t

SELECT 1e15::float8, 1e16::float8, 1e-4::float8, 1e-5::float8, 123456789.123456789::float8, 1.1::real, 16777217::real, 1e20::real;
-- float8:float8 | float8:float8 | float8:float8 | float8:float8 | float8:float8 | float4:float4 | float4:float4 | float4:float4
-- 1e+15 | 1e+16 | 0.0001 | 1e-05 | 123456789.12345679 | 1.1 | 1.6777216e+07 | 1e+20

SELECT 123.456::numeric(6,2), 99999.999::numeric(7,2), 0.00001::numeric(5,5);
-- ERROR 22003 @ numeric field overflow
-- DETAIL A field with precision 7, scale 2 must round to an absolute value less than 10^5.

SELECT 12345.6::numeric(5,2);
-- ERROR 22003 @ numeric field overflow
-- DETAIL A field with precision 5, scale 2 must round to an absolute value less than 10^3.

SELECT greatest(1, 2.5, 3), least(1, NULL, 3), coalesce(NULL, 1), nullif(1, 1), nullif(2, 1);
-- greatest:numeric | least:int4 | coalesce:int4 | nullif:int4 | nullif:int4
-- 3 | 1 | 1 | ∅ | 2

SELECT sum(x), avg(x), min(x), max(x), count(x), count(*) FROM (VALUES (1), (2), (NULL), (4)) t(x);
-- sum:int8 | avg:numeric | min:int4 | max:int4 | count:int8 | count:int8
-- 7 | 2.3333333333333333 | 1 | 4 | 3 | 4

SELECT sum(x), avg(x), stddev(x), variance(x), stddev_pop(x), var_pop(x) FROM (VALUES (1.5), (2.25), (4)) t(x);
-- sum:numeric | avg:numeric | stddev:numeric | variance:numeric | stddev_pop:numeric | var_pop:numeric
-- 7.75 | 2.5833333333333333 | 1.2829003598617210 | 1.6458333333333333 | 1.04748375749804455964 | 1.09722222222222222222

SELECT sum(x), avg(x), stddev(x), variance(x) FROM (VALUES (1.5::float8), (2.25), (4)) t(x);
-- sum:float8 | avg:float8 | stddev:float8 | variance:float8
-- 7.75 | 2.5833333333333335 | 1.282900359861721 | 1.6458333333333333

SELECT sum(x::bigint), avg(x::bigint), sum(x::smallint), sum(x::real), avg(x::real) FROM (VALUES (1), (2), (4)) t(x);
-- sum:numeric | avg:numeric | sum:int8 | sum:float4 | avg:float8
-- 7 | 2.3333333333333333 | 7 | 7 | 2.3333333333333335

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x) FROM (VALUES (1), (2), (2), (10)) t(x);
-- percentile_cont:float8 | percentile_disc:int4 | mode:int4
-- 2 | 2 | 2

SELECT bit_and(x), bit_or(x), bool_and(x > 0), bool_or(x > 3), every(x > 1) FROM (VALUES (1), (3), (7)) t(x);
-- bit_and:int4 | bit_or:int4 | bool_and:bool | bool_or:bool | every:bool
-- 1 | 7 | t | t | f

SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 4;
-- ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:int4 | ?column?:int4
-- 1 | 7 | 6 | -6 | 16 | 16

SELECT width_bucket(5.35, 0.024, 10.06, 5), factorial(10), gcd(12, 18), lcm(4, 6), scale(1.200), min_scale(1.200), trim_scale(1.200);
-- width_bucket:int4 | factorial:numeric | gcd:int4 | lcm:int4 | scale:int4 | min_scale:int4 | trim_scale:numeric
-- 3 | 3628800 | 6 | 12 | 3 | 1 | 1.2

SELECT degrees(pi()), radians(180.0), sin(1), cos(1), tan(1), atan2(1, 2), asin(1), acos(0);
-- degrees:float8 | radians:float8 | sin:float8 | cos:float8 | tan:float8 | atan2:float8 | asin:float8 | acos:float8
-- 180 | 3.141592653589793 | 0.8414709848078965 | 0.5403023058681398 | 1.5574077246549023 | 0.4636476090008061 | 1.5707963267948966 | 1.5707963267948966

SELECT -(-5), +3, - 2 ^ 2, 2 ^ 3 ^ 2, 1 - 1 - 1, 10 % 4 * 2;
-- ?column?:int4 | ?column?:int4 | ?column?:float8 | ?column?:float8 | ?column?:int4 | ?column?:int4
-- 5 | 3 | 4 | 64 | -1 | 4

SELECT 'abc'::int;
-- ERROR 22P02 @8 invalid input syntax for type integer: "abc"

SELECT ''::int;
-- ERROR 22P02 @8 invalid input syntax for type integer: ""

SELECT '99999999999'::int;
-- ERROR 22003 @8 value "99999999999" is out of range for type integer

SELECT 3000000000::int;
-- ERROR 22003 @ integer out of range

SELECT ' 42 '::int, '1e3'::float8, '1_000';
-- int4:int4 | float8:float8 | ?column?:text
-- 42 | 1000 | 1_000

SELECT sqrt(-1);
-- ERROR 2201F @ cannot take square root of a negative number

SELECT ln(0);
-- ERROR 2201E @ cannot take logarithm of zero

SELECT 1 = 1.0, 1 < 1.5, 1::bigint = 1::smallint, 1.10 = 1.1, 0.1::real = 0.1;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t | f

SELECT x, count(*) FROM (VALUES (1.0), (1.00), (2)) t(x) GROUP BY x ORDER BY x;
-- x:numeric | count:int8
-- 1.0 | 2
-- 2 | 1

SELECT DISTINCT x FROM (VALUES (1.0), (1.00), (2)) t(x) ORDER BY 1;
-- x:numeric
-- 1.0
-- 2

SELECT generate_series(1, 5, 2), generate_series(1, 2);
-- generate_series:int4 | generate_series:int4
-- 1 | 1
-- 3 | 2
-- 5 | ∅

SELECT * FROM generate_series(0.5, 2.5, 0.5) g;
-- g:numeric
-- 0.5
-- 1.0
-- 1.5
-- 2.0
-- 2.5

SELECT * FROM generate_series(3, 1, -1) WITH ORDINALITY AS t(a, b);
-- a:int4 | b:int8
-- 3 | 1
-- 2 | 2
-- 1 | 3

SELECT x::text, x::varchar(3), x::char(5) FROM (VALUES (12345)) t(x);
-- x:text | x:varchar(7) | x:bpchar(9)
-- 12345 | 123 | 12345

SELECT 1::bool, 0::bool, true::int, 't'::bool, 'off'::bool, 'yes'::bool;
-- bool:bool | bool:bool | int4:int4 | bool:bool | bool:bool | bool:bool
-- t | f | 1 | t | f | t

SELECT 2::bigint::bool;
-- ERROR 42846 @17 cannot cast type bigint to boolean

SELECT numeric '1e-20', numeric '123456789012345678901234567890.123456789' * 2, 1e100::numeric / 3;
-- numeric:numeric | ?column?:numeric | ?column?:numeric
-- 0.00000000000000000001 | 246913578024691357802469135780.246913578 | 3333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333333

SELECT avg(x) FROM generate_series(1, 10) x;
-- avg:numeric
-- 5.5000000000000000

SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) t(x);
-- sum:numeric
-- 9223372036854775808

SELECT sum(x) FILTER (WHERE x > 1), count(DISTINCT x), array_agg(x ORDER BY x DESC) FROM (VALUES (1), (2), (2)) t(x);
-- sum:int8 | count:int8 | array_agg:_int4
-- 4 | 2 | {2,2,1}

SELECT int4 '5' * 1.5, 5 / 2::float8, 5::numeric / 2, pg_typeof(5 / 2::real), pg_typeof(1 + 1.0), pg_typeof(2 ^ 2), pg_typeof(sum(1)), pg_typeof(avg(1));
-- ?column?:numeric | ?column?:float8 | ?column?:numeric | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype | pg_typeof:regtype
-- 7.5 | 2.5 | 2.5000000000000000 | double precision | numeric | double precision | bigint | numeric
