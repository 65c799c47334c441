SELECT date '2024-02-29', '2024-02-29'::date + 1, '2024-03-01'::date - '2024-02-01'::date, '2024-01-31'::date + interval '1 month', date '2024-01-01' - 7;
-- date:date | ?column?:date | ?column?:int4 | ?column?:timestamp | ?column?:date
-- 2024-02-29 | 2024-03-01 | 29 | 2024-02-29 00:00:00 | 2023-12-25

SELECT timestamp '2024-02-29 12:34:56.789', timestamptz '2024-02-29 12:34:56.789+02', time '12:34:56.7', timetz '12:34:56+02', interval '1 year 2 months 3 days 04:05:06.7';
-- timestamp:timestamp | timestamptz:timestamptz | time:time | timetz:timetz | interval:interval
-- 2024-02-29 12:34:56.789 | 2024-02-29 10:34:56.789+00 | 12:34:56.7 | 12:34:56+02 | 1 year 2 mons 3 days 04:05:06.7

SELECT timestamp '2024-03-31 10:00' - timestamp '2024-01-01 12:30', age(timestamp '2024-03-31', timestamp '2023-01-15'), age(date '2001-04-10', date '1957-06-13');
-- ?column?:interval | age:interval | age:interval
-- 89 days 21:30:00 | 1 year 2 mons 16 days | 43 years 9 mons 27 days

SELECT extract(year FROM timestamp '2024-02-29 12:34:56.789'), extract(epoch FROM timestamptz '2024-02-29 12:34:56.789+00'), extract(dow FROM date '2024-02-29'), extract(isodow FROM date '2024-03-03'), extract(week FROM date '2024-12-30'), extract(second FROM time '12:34:56.789');
-- extract:numeric | extract:numeric | extract:numeric | extract:numeric | extract:numeric | extract:numeric
-- 2024 | 1709210096.789000 | 4 | 7 | 1 | 56.789000

SELECT date_part('hour', timestamp '2024-02-29 12:34:56'), date_part('epoch', interval '1 day 2 hours'), extract(day FROM interval '40 days 5 hours'), extract(quarter FROM date '2024-05-01'), extract(doy FROM date '2024-12-31');
-- date_part:float8 | date_part:float8 | extract:numeric | extract:numeric | extract:numeric
-- 12 | 93600 | 40 | 2 | 366

SELECT date_trunc('month', timestamp '2024-02-29 12:34:56'), date_trunc('week', date '2024-02-29'), date_trunc('day', timestamptz '2024-02-29 12:34:56+00'), date_trunc('hour', interval '1 day 5:45'), date_trunc('quarter', timestamp '2024-05-15'), date_trunc('day', timestamptz '2024-02-29 23:34:56+00', 'Europe/Berlin');
-- date_trunc:timestamp | date_trunc:timestamptz | date_trunc:timestamptz | date_trunc:interval | date_trunc:timestamp | date_trunc:timestamptz
-- 2024-02-01 00:00:00 | 2024-02-26 00:00:00+00 | 2024-02-29 00:00:00+00 | 1 day 05:00:00 | 2024-04-01 00:00:00 | 2024-02-29 23:00:00+00

SELECT timestamp '2024-02-29 12:00' AT TIME ZONE 'America/New_York', timestamptz '2024-02-29 12:00+00' AT TIME ZONE 'Asia/Tokyo', timezone('UTC', timestamp '2024-02-29 12:00'), timestamptz '2024-07-01 12:00+00' AT TIME ZONE 'Europe/Berlin';
-- timezone:timestamptz | timezone:timestamp | timezone:timestamptz | timezone:timestamp
-- 2024-02-29 17:00:00+00 | 2024-02-29 21:00:00 | 2024-02-29 12:00:00+00 | 2024-07-01 14:00:00

SELECT interval '1 month' + interval '30 days', interval '1 day' * 2.5, interval '1 hour' / 3, interval '1 month' = interval '30 days', -interval '1 day 2 hours', justify_days(interval '35 days'), justify_hours(interval '27 hours'), justify_interval(interval '1 mon -1 hour');
-- ?column?:interval | ?column?:interval | ?column?:interval | ?column?:bool | ?column?:interval | justify_days:interval | justify_hours:interval | justify_interval:interval
-- 1 mon 30 days | 2 days 12:00:00 | 00:20:00 | t | -1 days -02:00:00 | 1 mon 5 days | 1 day 03:00:00 | 29 days 23:00:00

SELECT interval '1.5 days', interval 'P1Y2M3DT4H5M6S', interval '3 4:05:06', interval '1-2', interval '90 minutes', interval '-1 day ago', interval '1 week', interval '2' YEAR, interval '1:30' HOUR TO MINUTE, interval '1.123456789 s';
-- interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval(327679) | interval:interval(201392127) | interval:interval
-- 1 day 12:00:00 | 1 year 2 mons 3 days 04:05:06 | 3 days 04:05:06 | 1 year 2 mons | 01:30:00 | 1 day | 7 days | 2 years | 01:30:00 | 00:00:01.123457

SELECT '2024-02-29'::date::timestamp, '2024-02-29 23:59:59'::timestamp::date, '2024-02-29 12:34:56'::timestamp::time, timestamp '2024-02-29 12:34:56.789'::timestamp(0), '2024-02-29'::date::timestamptz, time '12:00' + interval '13 hours', time '12:00' - time '10:30', date '2024-02-29' + time '10:00';
-- timestamp:timestamp | date:date | time:time | timestamp:timestamp(0) | timestamptz:timestamptz | ?column?:time | ?column?:interval | ?column?:timestamp
-- 2024-02-29 00:00:00 | 2024-02-29 | 12:34:56 | 2024-02-29 12:34:57 | 2024-02-29 00:00:00+00 | 01:00:00 | 01:30:00 | 2024-02-29 10:00:00

SELECT 'infinity'::timestamp, '-infinity'::date, 'epoch'::timestamp, 'infinity'::timestamptz > now(), isfinite(date 'infinity'), date '0044-03-15 BC', timestamp '10000-01-01';
-- timestamp:timestamp | date:date | timestamp:timestamp | ?column?:bool | isfinite:bool | date:date | timestamp:timestamp
-- infinity | -infinity | 1970-01-01 00:00:00 | t | f | 0044-03-15 BC | 10000-01-01 00:00:00

SELECT '2024-02-30'::date;
-- ERROR 22008 @8 date/time field value out of range: "2024-02-30"

SELECT 'yesterday x'::timestamp;
-- ERROR 22007 @8 invalid input syntax for type timestamp: "yesterday x"

SELECT '25:00'::time;
-- ERROR 22008 @8 date/time field value out of range: "25:00"

SELECT extract(foo FROM now());
-- ERROR 22023 @ unit "foo" not recognized for type timestamp with time zone

SELECT date_trunc('foo', now());
-- ERROR 22023 @ unit "foo" not recognized for type timestamp with time zone

SELECT now() AT TIME ZONE 'Nowhere/Land';
-- ERROR 22023 @ time zone "Nowhere/Land" not recognized

SELECT 'Feb 29 2024'::date, '2/29/2024'::date, '20240229'::date, '2024-02-29T12:34:56Z'::timestamptz, '2024-02-29 12:34:56 America/New_York'::timestamptz, 'January 8, 1999'::date, '2024.060'::date;
-- date:date | date:date | date:date | timestamptz:timestamptz | timestamptz:timestamptz | date:date | date:date
-- 2024-02-29 | 2024-02-29 | 2024-02-29 | 2024-02-29 12:34:56+00 | 2024-02-29 17:34:56+00 | 1999-01-08 | 2024-02-29

SELECT * FROM generate_series(timestamp '2024-02-28', timestamp '2024-03-02', interval '1 day') g;
-- g:timestamp
-- 2024-02-28 00:00:00
-- 2024-02-29 00:00:00
-- 2024-03-01 00:00:00
-- 2024-03-02 00:00:00

SELECT * FROM generate_series(date '2024-01-31', date '2024-04-30', interval '1 month') g;
-- g:timestamptz
-- 2024-01-31 00:00:00+00
-- 2024-02-29 00:00:00+00
-- 2024-03-29 00:00:00+00
-- 2024-04-29 00:00:00+00

SELECT sum(x), avg(x), min(x), max(x) FROM (VALUES (interval '1 day'), ('2 hours'), ('1 month')) t(x);
-- sum:interval | avg:interval | min:interval | max:interval
-- 1 mon 1 day 02:00:00 | 10 days 08:40:00 | 02:00:00 | 1 mon

SELECT min(x), max(x), count(DISTINCT x) FROM (VALUES (date '2024-01-01'), ('2024-01-02'), (NULL)) t(x);
-- min:date | max:date | count:int8
-- 2024-01-01 | 2024-01-02 | 2

SELECT date '2024-02-29' - interval '1 year', timestamp '2024-01-31 10:00' + interval '1 month 1 day', timestamptz '2024-03-30 12:00+00' + interval '1 day', date '2024-01-01' + 366, now() - now();
-- ?column?:timestamp | ?column?:timestamp | ?column?:timestamptz | ?column?:date | ?column?:interval
-- 2023-02-28 00:00:00 | 2024-03-01 10:00:00 | 2024-03-31 12:00:00+00 | 2025-01-01 | 00:00:00

SELECT extract(epoch FROM timestamp '2024-01-01'), extract(epoch FROM date '2024-01-01'), extract(timezone FROM timestamptz '2024-01-01+00'), extract(timezone_hour FROM timestamptz '2024-01-01+00');
-- extract:numeric | extract:numeric | extract:numeric | extract:numeric
-- 1704067200.000000 | 1704067200 | 0 | 0

SELECT '2024-01-01'::timestamp - interval '00:00:00.000001', timestamp '1969-12-31 23:59:59.999999', timestamptz '0001-01-01 00:00:00+00', time '24:00', '23:59:60'::time;
-- ?column?:timestamp | timestamp:timestamp | timestamptz:timestamptz | time:time | time:time
-- 2023-12-31 23:59:59.999999 | 1969-12-31 23:59:59.999999 | 0001-01-01 00:00:00+00 | 24:00:00 | 24:00:00

SELECT timestamp '2024-02-29 12:34:56.789'::text, date '2024-02-29'::text, interval '1 day 01:00'::text, timestamptz '2024-02-29 12:34:56+00'::text, true::text;
-- text:text | text:text | text:text | text:text | text:text
-- 2024-02-29 12:34:56.789 | 2024-02-29 | 1 day 01:00:00 | 2024-02-29 12:34:56+00 | true

SELECT date '2024-02-29' = '2024-02-29', '2024-02-29' < date '2024-03-01', date '2024-01-01' + '1 day'::interval;
-- ?column?:bool | ?column?:bool | ?column?:timestamp
-- t | t | 2024-01-02 00:00:00

SELECT date '2024-01-01' + date '2024-01-01';
-- ERROR 42883 @26 operator does not exist: date + date
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT timestamp 'now' IS NOT NULL, date 'today' = current_date, date 'tomorrow' - date 'yesterday';
-- ?column?:bool | ?column?:bool | ?column?:int4
-- t | t | 2

SELECT interval '1 2' DAY TO HOUR, interval '1 2:30', interval '@ 1 hour @ 42 minutes', interval '2 months - 5 seconds', interval '1 week 2 days', interval '1 second 2 ms', interval '-1 day 2', interval '1 decade 2 years';
-- interval:interval(67698687) | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval
-- 1 day 02:00:00 | 1 day 02:30:00 | 01:42:00 | 2 mons -00:00:05 | 9 days | 00:00:01.002 | -1 days +00:00:02 | 12 years

SELECT interval '1 day 1 day';
-- ERROR 22007 @17 invalid input syntax for type interval: "1 day 1 day"

SELECT interval '1.5 seconds 3 ms';
-- ERROR 22007 @17 invalid input syntax for type interval: "1.5 seconds 3 ms"

SELECT interval '1:20:05 5 microseconds';
-- ERROR 22007 @17 invalid input syntax for type interval: "1:20:05 5 microseconds"

SELECT interval '1 2' DAY TO MINUTE;
-- ERROR 22007 @17 invalid input syntax for type interval: "1 2"

SELECT now() = current_timestamp, now() = transaction_timestamp(), clock_timestamp() >= now(), current_date = now()::date, localtimestamp IS NOT NULL, pg_typeof(localtime), pg_typeof(current_time);
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | pg_typeof:regtype | pg_typeof:regtype
-- t | t | t | t | t | time without time zone | time with time zone

SELECT timestamptz '2024-07-01 12:34:56+02'::timetz, timetz '10:00+02'::time;
-- timetz:timetz | time:time
-- 10:34:56+00 | 10:00:00

SELECT '205000-07-10 17:32:01 Europe/Helsinki'::timestamptz, '205000-01-10 17:32:01 Europe/Helsinki'::timestamptz, '2101-07-01 12:00 America/New_York'::timestamptz, '2300-03-31 12:00 Europe/Berlin'::timestamptz, '2088-12-31 23:59:59 America/Los_Angeles'::timestamptz;
-- timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz
-- 205000-07-10 14:32:01+00 | 205000-01-10 15:32:01+00 | 2101-07-01 16:00:00+00 | 2300-03-31 10:00:00+00 | 2089-01-01 07:59:59+00

SELECT date 'J2451187', date '1999 01 08', date '08 Jan 99', date 'January 8, 1999', date '19990108', date '1999.008', date '99 Jan 08';
-- ERROR 22007 @125 invalid input syntax for type date: "99 Jan 08"

SELECT timestamptz 'Y2001M12D27H04M05S06.789+08', timestamptz 'J2452271T040506.789-08', timestamptz 'J2452271.5+08', timestamptz '20011227 040506 +08', timestamptz 'Wed Jul 11 10:51:14 America/New_York 2001', timestamptz 'Dec 27 2001 04:05:06.789 MST';
-- timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz | timestamptz:timestamptz
-- 2001-12-26 20:05:06.789+00 | 2001-12-27 12:05:06.789+00 | 2001-12-27 04:00:00+00 | 2001-12-26 20:05:06+00 | 2001-07-11 14:51:14+00 | 2001-12-27 11:05:06.789+00

SELECT time 'T040506.789', time '040506', time '04:05 PM', timetz '04:05:06 America/New_York';
-- ERROR 22007 @67 invalid input syntax for type time with time zone: "04:05:06 America/New_York"

SELECT timetz '2003-04-12 04:05:06 America/New_York', timetz 'T040506.789 -08', time 'allballs';
-- timetz:timetz | timetz:timetz | time:time
-- 04:05:06-04 | 04:05:06.789-08 | 00:00:00

SELECT timestamp '2014-10-26 00:59:59' AT TIME ZONE 'MSK', timestamp '2011-03-27 00:00:00' AT TIME ZONE 'MSK', timestamptz '2014-10-26 00:00:00 MSK', timestamp '2020-07-01' AT TIME ZONE 'CEST';
-- timezone:timestamptz | timezone:timestamptz | timestamptz:timestamptz | timezone:timestamptz
-- 2014-10-25 20:59:59+00 | 2011-03-26 21:00:00+00 | 2014-10-25 20:00:00+00 | 2020-06-30 22:00:00+00

SELECT date '13/14/1999';
-- ERROR 22008 @13 date/time field value out of range: "13/14/1999"
-- HINT Perhaps you need a different "datestyle" setting.

SELECT date '1999-02-30';
-- ERROR 22008 @13 date/time field value out of range: "1999-02-30"

SELECT timestamptz '2001-01-01 00:00:00+17';
-- ERROR 22009 @20 time zone displacement out of range: "2001-01-01 00:00:00+17"

SELECT timestamptz '2001-01-01 Nehwon/Lankhmar';
-- ERROR 22023 @20 time zone "nehwon/lankhmar" not recognized

SELECT timestamp 'Jan 8 1999 04:05:06 AD PM';
-- timestamp:timestamp
-- 1999-01-08 16:05:06

SELECT timestamptz '294246-12-31 23:59:59 UTC', timestamp '4714-11-24 00:00:00 BC', date '5874897-12-31', timestamp 'infinity', date '-infinity', timestamp 'epoch';
-- timestamptz:timestamptz | timestamp:timestamp | date:date | timestamp:timestamp | date:date | timestamp:timestamp
-- 294246-12-31 23:59:59+00 | 4714-11-24 00:00:00 BC | 5874897-12-31 | infinity | -infinity | 1970-01-01 00:00:00

SELECT timestamptz '294277-01-01 00:00:00 UTC';
-- ERROR 22008 @20 timestamp out of range: "294277-01-01 00:00:00 UTC"

SELECT extract(julian FROM date '2020-08-11'), extract(julian FROM timestamp '2020-08-11 18:00'), extract(julian FROM date 'infinity');
-- extract:numeric | extract:numeric | extract:numeric
-- 2459073 | 2459073.75000000000000000000 | Infinity

SELECT interval 'P00021015T103020', interval 'P0002-10-15T10:30:20', interval 'P0002', interval 'PT10:30', interval 'P10.5e4Y', interval '4 millenniums 5 centuries', interval '-9223372036854775808 microseconds';
-- interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval | interval:interval
-- 2 years 10 mons 15 days 10:30:20 | 2 years 10 mons 15 days 10:30:20 | 2 years | 10:30:00 | 105000 years | 4500 years | -2562047788:00:54.775808

SELECT interval '9223372036854775808 microsecond';
-- ERROR 22015 @17 interval field value out of range: "9223372036854775808 microsecond"

SELECT interval 'P1-2147483647-2147483647';
-- ERROR 22008 @17 interval out of range

SELECT interval 'P1Y2X';
-- ERROR 22007 @17 invalid input syntax for type interval: "P1Y2X"
