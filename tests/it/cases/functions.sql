SELECT exp(1::numeric), exp(-10.5), exp(0.0), ln(2::numeric), ln(0.5), ln(1.0000001), log(2.0, 10), log(1000::numeric), power(2::numeric, 0.5), power(1.05, 10.25), power(10.0, -20), 0.1 ^ 2.5, (-8) ^ 3.0, lcm(12.0, 18);
-- exp:numeric | exp:numeric | exp:numeric | ln:numeric | ln:numeric | ln:numeric | log:numeric | log:numeric | power:numeric | power:numeric | power:numeric | ?column?:numeric | ?column?:numeric | lcm:numeric
-- 2.7182818284590452 | 0.00002753644934974716 | 1.0000000000000000 | 0.6931471805599453 | -0.6931471805599453 | 0.00000009999999500000033 | 3.3219280948873623 | 3.0000000000000000 | 1.4142135623730950 | 1.6488848034974566 | 0.0000000000000000 | 0.003162277660168379 | -512.0000000000000000 | 36.0

SELECT ln(0::numeric);
-- ERROR 2201E @ cannot take logarithm of zero

SELECT ln(-1::numeric);
-- ERROR 2201E @ cannot take logarithm of a negative number

SELECT power(-1::numeric, 0.5);
-- ERROR 2201F @ a negative number raised to a non-integer power yields a complex result

SELECT power(0::numeric, -1);
-- ERROR 2201F @ zero raised to a negative power is undefined

SELECT exp(7000::numeric);
-- ERROR 22003 @ value overflows numeric format

SELECT power('NaN'::numeric, 0), power(1::numeric, 'NaN'), power('-Infinity'::numeric, 3), power(0.5::numeric, 'Infinity'), exp('-Infinity'::numeric), ln('Infinity'::numeric);
-- power:numeric | power:numeric | power:numeric | power:numeric | exp:numeric | ln:numeric
-- 1 | 1 | -Infinity | 0 | 0 | Infinity

SELECT corr(y, x), covar_pop(y, x), covar_samp(y, x), regr_slope(y, x), regr_intercept(y, x), regr_r2(y, x), regr_count(y, x), regr_sxx(y, x), regr_avgy(y, x) FROM (VALUES (1::float8, 2::float8), (2, 4.5), (3, 5), (NULL, 1)) t(x, y);
-- corr:float8 | covar_pop:float8 | covar_samp:float8 | regr_slope:float8 | regr_intercept:float8 | regr_r2:float8 | regr_count:int8 | regr_sxx:float8 | regr_avgy:float8
-- 0.9332565252573828 | 1 | 1.5 | 1.5 | 0.8333333333333334 | 0.870967741935484 | 3 | 2 | 3.8333333333333335

SELECT regexp_instr('abcabc', 'b', 1, 2), regexp_instr('abcabc', '(b)(c)', 1, 1, 1, '', 2), regexp_substr('abcABC', 'b.', 1, 2, 'i'), regexp_substr('abc', '(a)(b)', 1, 1, '', 2), regexp_replace('aaa', 'A', 'x', 1, 2, 'i'), regexp_instr('x', 'y');
-- regexp_instr:int4 | regexp_instr:int4 | regexp_substr:text | regexp_substr:text | regexp_replace:text | regexp_instr:int4
-- 5 | 4 | BC | b | axa | 0

SELECT regexp_instr('abc', 'b', 0);
-- ERROR 22023 @ invalid value for parameter "start": 0

SELECT regexp_substr('abc', 'b', 1, 1, 'g');
-- ERROR 22023 @ regexp_substr() does not support the "global" option

SELECT regexp_replace('jan feb mar', '(jan|mar)', '<\1>', 'g'), substring('x12y', '[0-9]+'), regexp_match('foo=bar', '(foo|baz)=(.*)');
-- regexp_replace:text | substring:text | regexp_match:_text
-- <jan> feb <mar> | 12 | {foo,bar}

SELECT parse_ident('"Some""Name".b.C'), parse_ident('a.b[1]', false), encode(sha224('abc'), 'hex'), encode(sha256('abc'), 'hex'), encode(sha384('abc'), 'hex'), encode(sha512('abc'), 'hex');
-- parse_ident:_text | parse_ident:_text | encode:text | encode:text | encode:text | encode:text
-- {"Some\\"Name",b,c} | {a,b} | 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7 | ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad | cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7 | ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f

SELECT parse_ident('a..b');
-- ERROR 22023 @ string is not a valid identifier: "a..b"
-- DETAIL No valid identifier before ".".

SELECT parse_ident('1a');
-- ERROR 22023 @ string is not a valid identifier: "1a"

SELECT btrim('\x00010200'::bytea, '\x00'::bytea), ltrim('\x0001'::bytea, '\x00'::bytea), rtrim('\x0100'::bytea, '\x00'::bytea);
-- btrim:bytea | ltrim:bytea | rtrim:bytea
-- \\x0102 | \\x01 | \\x01

SELECT (date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-01-15', interval '1 month'), (time '10:00', time '11:00') OVERLAPS (time '11:00', time '12:00'), (timestamp '2024-01-01', NULL) OVERLAPS (timestamp '2024-01-01', timestamp '2024-01-02'), (timestamptz '2024-01-02', timestamptz '2024-01-01') OVERLAPS (timestamptz '2024-01-01 12:00', timestamptz '2024-01-03');
-- overlaps:bool | overlaps:bool | overlaps:bool | overlaps:bool
-- t | f | ∅ | t

SELECT extract(hour FROM timetz '10:20:30+02'), extract(epoch FROM timetz '10:20:30+02'), extract(timezone FROM timetz '10:20:30-03:30'), timetz '10:00+00' + interval '15 hours', timetz '10:00+02' AT TIME ZONE interval '-1 hour', date '2024-01-01' + timetz '10:00+02', make_timestamptz(2024, 7, 1, 10, 0, 0, 'Europe/Berlin');
-- extract:numeric | extract:numeric | extract:numeric | ?column?:timetz | timezone:timetz | ?column?:timestamptz | make_timestamptz:timestamptz
-- 10 | 30030.000000 | -12600 | 01:00:00+00 | 07:00:00-01 | 2024-01-01 08:00:00+00 | 2024-07-01 08:00:00+00

SELECT extract(day FROM timetz '10:20:30+02');
-- ERROR 0A000 @ unit "day" not supported for type time with time zone

SELECT justify_days(interval '2147483647 months 30 days');
-- ERROR 22008 @ interval out of range

SELECT date_bin('200000000 days', timestamp '2024-02-01', timestamp '2024-01-01');
-- ERROR 22008 @ interval out of range

SELECT (ARRAY[1, 2, 3, 4])[2:3], (ARRAY[1, 2, 3])[:2], (ARRAY[1, 2, 3])[2:], (ARRAY[1, 2, 3])[5:6], (ARRAY[1, 2])[NULL:1], (ARRAY[1, 2, 3])[-1:1];
-- array:_int4 | array:_int4 | array:_int4 | array:_int4 | array:_int4 | array:_int4
-- {2,3} | {1,2} | {2,3} | {} | ∅ | {1}

SELECT percentile_cont(ARRAY[0, 0.25, 1]) WITHIN GROUP (ORDER BY x), percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY x) FROM (VALUES (1::float8), (2), (3), (10)) t(x);
-- percentile_cont:_float8 | percentile_disc:_float8
-- {1,1.75,10} | {2,10}

SELECT x, y FROM (VALUES (1, 'a'), (2, 'b'), (2, 'c'), (3, 'd'), (3, 'e')) t(x, y) ORDER BY x OFFSET 1 FETCH FIRST 3 ROWS WITH TIES;
-- x:int4 | y:text
-- 2 | b
-- 2 | c
-- 3 | d
-- 3 | e

SELECT x FROM (VALUES (1)) t(x) FETCH FIRST 1 ROW WITH TIES;
-- ERROR 42601 @ WITH TIES cannot be specified without ORDER BY clause

SELECT a, b, count(*) FROM (VALUES (1, 1), (1, 2), (2, 1)) t(a, b) GROUP BY GROUPING SETS ((a), (a), ROLLUP (a), (b)) ORDER BY 1, 2;
-- a:int4 | b:int4 | count:int8
-- 1 | ∅ | 2
-- 1 | ∅ | 2
-- 1 | ∅ | 2
-- 2 | ∅ | 1
-- 2 | ∅ | 1
-- 2 | ∅ | 1
-- ∅ | 1 | 2
-- ∅ | 2 | 1
-- ∅ | ∅ | 3

SELECT d, sum(v) OVER (ORDER BY d RANGE BETWEEN interval '1 month' PRECEDING AND interval '1 day' FOLLOWING) FROM (VALUES (date '2024-01-31', 1), ('2024-02-29', 2), ('2024-03-01', 4), ('2024-03-31', 8)) t(d, v) ORDER BY d;
-- d:date | sum:int8
-- 2024-01-31 | 1
-- 2024-02-29 | 7
-- 2024-03-01 | 6
-- 2024-03-31 | 14

SELECT t, count(*) OVER (ORDER BY t DESC RANGE BETWEEN interval '90 minutes' PRECEDING AND CURRENT ROW) FROM (VALUES (timestamp '2024-01-01 10:00'), ('2024-01-01 11:00'), ('2024-01-01 12:30')) t(t) ORDER BY t;
-- t:timestamp | count:int8
-- 2024-01-01 10:00:00 | 2
-- 2024-01-01 11:00:00 | 2
-- 2024-01-01 12:30:00 | 1

SELECT x, variance(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM (VALUES (1), (2), (4), (8)) t(x) ORDER BY x;
-- x:int4 | variance:numeric
-- 1 | 0.50000000000000000000
-- 2 | 2.3333333333333333
-- 4 | 9.3333333333333333
-- 8 | 8.0000000000000000

SELECT x FROM (VALUES (1), (2)) t(x) ORDER BY x FOR UPDATE;
-- x:int4
-- 1
-- 2

SELECT count(*) FROM (VALUES (1)) t(x) GROUP BY x FOR UPDATE;
-- ERROR 0A000 @ FOR UPDATE is not allowed with GROUP BY clause

SELECT make_interval(secs => 1.5, days => 2), jsonb_path_exists('[1]', '$[*]', silent => true);
-- make_interval:interval | jsonb_path_exists:bool
-- 2 days 00:00:01.5 | t

SELECT power(2, 0.5), power(2.0, 10), sqrt(2), sqrt(2.0), exp(1.0), ln(10), log(100), log(2.0, 64.0);
-- power:numeric | power:numeric | sqrt:float8 | sqrt:numeric | exp:numeric | ln:float8 | log:float8 | log:numeric
-- 1.4142135623730950 | 1024.0000000000000000 | 1.4142135623730951 | 1.414213562373095 | 2.7182818284590452 | 2.302585092994046 | 2 | 6.0000000000000000

SELECT corr(x, y), covar_pop(x, y), covar_samp(x, y), regr_slope(y, x), regr_intercept(y, x), regr_count(y, x), regr_r2(y, x) FROM (VALUES (1.0::float8, 2.0::float8), (2, 4.5), (3, 5)) t(x, y);
-- corr:float8 | covar_pop:float8 | covar_samp:float8 | regr_slope:float8 | regr_intercept:float8 | regr_count:int8 | regr_r2:float8
-- 0.9332565252573828 | 1 | 1.5 | 1.5 | 0.8333333333333334 | 3 | 0.870967741935484

SELECT regexp_count('abcabc', 'b'), regexp_instr('abcabc', 'c', 4), regexp_substr('abcabc', 'b.'), regexp_like('ABC', 'b', 'i');
-- regexp_count:int4 | regexp_instr:int4 | regexp_substr:text | regexp_like:bool
-- 2 | 6 | bc | t
