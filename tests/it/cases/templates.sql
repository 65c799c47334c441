SELECT to_char(v, '99.99'), to_char(v, 'FM99.99'), to_char(v, '00.00'), to_char(v, 'S99.9'), to_char(v, '99.9S'), to_char(v, '99.9PR'), to_char(v, 'MI99.9'), to_char(v, 'SG99.9') FROM (VALUES (0::numeric), (-4.2), (12.345), (123.4), (0.01)) t(v);
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--    .00 | 0. |  00.00 |   +.0 |   .0+ |    .0  |    .0 | +  .0
--  -4.20 | -4.2 | -04.20 |  -4.2 |  4.2- |  <4.2> | - 4.2 | - 4.2
--  12.35 | 12.35 |  12.35 | +12.3 | 12.3+ |  12.3  |  12.3 | +12.3
--  ##.## | ##.## |  ##.## | +##.# | ##.#+ |  ##.#  |  ##.# | +##.#
--    .01 | .01 |  00.01 |   +.0 |   .0+ |    .0  |    .0 | +  .0

SELECT to_char(v, '9,999,999'), to_char(v, '9G999D99'), to_char(v, '0999999'), to_char(v, '9999th'), to_char(v, 'L999'), to_char(v, '999V99') FROM (VALUES (1), (1234), (-485), (1234567)) t(v);
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--          1 |      1.00 |  0000001 |     1st |     1 |    100
--      1,234 |  1,234.00 |  0001234 |  1234th |   ### |  #####
--       -485 |   -485.00 | -0000485 |  -485 |  -485 | -48500
--  1,234,567 |  #,###.## |  1234567 |  #### |   ### |  #####

SELECT to_char(1e10::float8, '9.99EEEE'), to_char(123456.789::numeric, '9.999EEEE'), to_char(0.00012::numeric, '9.9EEEE'), to_char(-5::int, '9EEEE'), to_char('NaN'::numeric, '99.9'), to_char('Infinity'::float8, '999.9');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--  1.00e+10 |  1.235e+05 |  1.2e-04 | -5e+00 |  ##.# |  ###.#

SELECT to_char(12, 'RN'), to_char(1999, 'FMRN'), to_char(4000, 'RN'), to_char(3, 'FMrn'), to_char(12.5, '"a"99"b\"c"'), to_char(7, '');
-- to_char:text | to_char:text | to_char:text | to_char:text | to_char:text | to_char:text
--             XII | MCMXCIX | ############### | iii | a 13b"c |

SELECT to_char(1, '9EEEE9');
-- ERROR 42601 @ "EEEE" must be the last pattern used

SELECT to_char(1, 'S9S');
-- ERROR 42601 @ cannot use "S" twice

SELECT to_char(1, '9.9.9');
-- ERROR 42601 @ multiple decimal points

SELECT to_char(1.5::float4, '9.99999999'), to_char(3.14159265358979::float8, '9.99999999999999999'), to_char(1e15::float8, '9999999999999999.99');
-- to_char:text | to_char:text | to_char:text
--  1.50000 |  3.14159265358979 |  1000000000000000

SELECT to_number('-34,338,492', '99G999G999'), to_number('0.00001-', '9.999999S'), to_number('<564646.654564>', '999999.999999PR'), to_number('5.01-', 'FM9.999999MI'), to_number('$1,234.56', 'L9,999.99'), to_number('12.4', '9V9');
-- to_number:numeric | to_number:numeric | to_number:numeric | to_number:numeric | to_number:numeric | to_number:numeric
-- -34338492 | -0.00001 | -564646.654564 | -5.01 | 1234.56 | 1.2000000000000000

SELECT to_number('abc', '99');
-- ERROR 22P02 @ invalid input syntax for type numeric: " "

SELECT to_number('1', '9RN');
-- ERROR 0A000 @ "RN" not supported for input

SELECT to_date('3 4 21 01', 'W MM CC YY'), to_date('2458872', 'J'), to_date('2005-01-01', 'IYYY-IW-ID') IS NULL;
-- to_date:date | to_date:date | ?column?:bool
-- 2001-04-15 | 2020-01-23 | f

SELECT to_date('1 jan 2001', 'DD Mon YYYY'), to_date('  2011  12 18', 'YYYY MM DD'), to_date('2011-12-18', 'FXYYYY-MM-DD'), to_date('44-02-01 BC', 'YYYY-MM-DD BC'), to_date('95', 'YY'), to_date('21', 'YY'), to_date('2,024-02', 'Y,YYY-MM');
-- to_date:date | to_date:date | to_date:date | to_date:date | to_date:date | to_date:date | to_date:date
-- 2001-01-01 | 2011-12-18 | 2011-12-18 | 0044-02-01 BC | 1995-01-01 | 2021-01-01 | 2024-02-01

SELECT to_timestamp('2011-12-18 11:38 PM', 'YYYY-MM-DD HH12:MI PM'), to_timestamp('2011-12-18 11:38 +05:20', 'YYYY-MM-DD HH12:MI TZH:TZM'), to_timestamp('2018-11-02 12:34:56.123456', 'YYYY-MM-DD HH24:MI:SS.FF3'), to_timestamp('97/Feb/16', 'YYMonDD') IS NULL;
-- ERROR 22007 @ invalid value "/Feb/16" for "Mon"
-- DETAIL The given value did not match any of the allowed values for this field.

SELECT to_timestamp('15 "text between quote marks" 98 54 45', E'HH24 "\\"text between quote marks\\"" YY MI SS');
-- to_timestamp:timestamptz
-- 1998-01-01 15:54:45+00

SELECT to_timestamp('19971', 'YYYYMMDD');
-- ERROR 22007 @ source string too short for "MM" formatting field
-- DETAIL Field requires 2 characters, but only 1 remain.
-- HINT If your source string is not fixed-width, try using the "FM" modifier.

SELECT to_timestamp('19971)24', 'YYYYMMDD');
-- ERROR 22007 @ invalid value "1)" for "MM"
-- DETAIL Field requires 2 characters, but only 1 could be parsed.
-- HINT If your source string is not fixed-width, try using the "FM" modifier.

SELECT to_timestamp('Friday 1-January-1999', 'DY DD MON YYYY');
-- ERROR 22007 @ invalid value "da" for "DD"
-- DETAIL Value must be an integer.

SELECT to_timestamp('1997-11-Jan-16', 'YYYY-MM-Mon-DD');
-- ERROR 22007 @ conflicting values for "Mon" field in formatting string
-- DETAIL This value contradicts a previous setting for the same field type.

SELECT to_timestamp('2016-13-01', 'YYYY-MM-DD');
-- ERROR 22008 @ date/time field value out of range: "2016-13-01"

SELECT to_timestamp('15:00', 'HH12:MI');
-- ERROR 22007 @ hour "15" is invalid for the 12-hour clock
-- HINT Use the 24-hour clock, or give an hour between 1 and 12.

SELECT to_date('2005527', 'YYYYIWID');
-- ERROR 22007 @ invalid combination of date conventions
-- HINT Do not mix Gregorian and ISO week date conventions in a formatting template.

SELECT to_char(interval '1 year 2 months 3 days 4 hours 5 minutes 6.789 seconds', 'YYYY MM DD HH24:MI:SS.MS'), to_char(interval '-26 hours', 'HH24:MI:SS HH12 PM');
-- to_char:text | to_char:text
-- 0001 02 03 04:05:06.789 | -26:00:00 -02 AM

SELECT to_char(interval '1 day', 'Month');
-- ERROR 22007 @ invalid format specification for an interval value
-- HINT Intervals are not tied to specific calendar dates.

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
