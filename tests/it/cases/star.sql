CREATE TEMPORARY TABLE dates (d_datekey int PRIMARY KEY, d_year int, d_yearmonthnum int, d_yearmonth text, d_weeknuminyear int);
-- CREATE TABLE

INSERT INTO dates SELECT to_char(d, 'YYYYMMDD')::int, extract(year FROM d)::int, to_char(d, 'YYYYMM')::int, to_char(d, 'MonYYYY'), extract(week FROM d)::int FROM generate_series(timestamp '1992-01-01', '1998-12-31', '5 days') d;
-- INSERT 0 512

CREATE TEMPORARY TABLE customers (c_custkey int PRIMARY KEY, c_name text, c_city text, c_nation text, c_region text);
-- CREATE TABLE

INSERT INTO customers SELECT i, 'Customer ' || i, (ARRAY['UNITED KI1', 'UNITED KI5', 'UNITED ST3', 'CHINA    4', 'PERU     0'])[i % 5 + 1], (ARRAY['UNITED KINGDOM', 'UNITED KINGDOM', 'UNITED STATES', 'CHINA', 'PERU'])[i % 5 + 1], (ARRAY['EUROPE', 'EUROPE', 'AMERICA', 'ASIA', 'AMERICA'])[i % 5 + 1] FROM generate_series(1, 60) i;
-- INSERT 0 60

CREATE TEMPORARY TABLE suppliers (s_suppkey int PRIMARY KEY, s_name text, s_city text, s_nation text, s_region text);
-- CREATE TABLE

INSERT INTO suppliers SELECT i, 'Supplier ' || i, (ARRAY['UNITED KI1', 'UNITED ST3', 'UNITED KI5', 'JAPAN    4', 'INDIA    0'])[i % 5 + 1], (ARRAY['UNITED KINGDOM', 'UNITED STATES', 'UNITED KINGDOM', 'JAPAN', 'INDIA'])[i % 5 + 1], (ARRAY['EUROPE', 'AMERICA', 'EUROPE', 'ASIA', 'ASIA'])[i % 5 + 1] FROM generate_series(1, 40) i;
-- INSERT 0 40

CREATE TEMPORARY TABLE parts (p_partkey int PRIMARY KEY, p_mfgr text, p_category text, p_brand1 text);
-- CREATE TABLE

INSERT INTO parts SELECT i, 'MFGR#' || i % 3 + 1, 'MFGR#' || i % 3 + 1 || i % 4 + 1, 'MFGR#' || i % 3 + 1 || i % 4 + 1 || i % 40 + 1 FROM generate_series(1, 200) i;
-- INSERT 0 200

CREATE TEMPORARY TABLE lineorders (lo_orderkey int, lo_custkey int, lo_partkey int, lo_suppkey int, lo_orderdate int, lo_quantity int, lo_extendedprice int, lo_discount int, lo_revenue int, lo_supplycost int);
-- CREATE TABLE

INSERT INTO lineorders SELECT i, (i * 7 + i / 13) % 60 + 1, (i * 13 + i / 7) % 200 + 1, (i * 11 + i / 17) % 40 + 1, d_datekey, i % 50 + 1, i * 37 % 9000 + 100, i % 11, i * 29 % 8000 + 50, i * 17 % 900 + 10 FROM generate_series(1, 3000) i JOIN (SELECT d_datekey, row_number() OVER (ORDER BY d_datekey) AS n FROM dates) d ON d.n = (i * 19 + i / 23) % 511 + 1;
-- INSERT 0 3000

SELECT sum(lo_extendedprice * lo_discount) AS revenue FROM lineorders, dates WHERE lo_orderdate = d_datekey AND d_year = 1993 AND lo_discount BETWEEN 1 AND 3 AND lo_quantity < 25;
-- revenue:int8
-- 693513

SELECT sum(lo_extendedprice * lo_discount) AS revenue FROM lineorders, dates WHERE lo_orderdate = d_datekey AND d_yearmonthnum = 199401 AND lo_discount BETWEEN 4 AND 6 AND lo_quantity BETWEEN 26 AND 35;
-- revenue:int8
-- ∅

SELECT sum(lo_extendedprice * lo_discount) AS revenue FROM lineorders, dates WHERE lo_orderdate = d_datekey AND d_weeknuminyear = 6 AND d_year = 1994 AND lo_discount BETWEEN 5 AND 7 AND lo_quantity BETWEEN 26 AND 35;
-- revenue:int8
-- ∅

SELECT sum(lo_revenue), d_year, p_brand1 FROM lineorders, dates, parts, suppliers WHERE lo_orderdate = d_datekey AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey AND p_category = 'MFGR#12' AND s_region = 'AMERICA' GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1;
-- sum:int8 | d_year:int4 | p_brand1:text
-- 3852 | 1992 | MFGR#1210
-- 5758 | 1992 | MFGR#1222
-- 4599 | 1992 | MFGR#1234
-- 5411 | 1992 | MFGR#1238
-- 6371 | 1992 | MFGR#126
-- 13500 | 1993 | MFGR#1210
-- 10038 | 1993 | MFGR#1222
-- 7722 | 1993 | MFGR#1226
-- 4267 | 1993 | MFGR#1230
-- 2344 | 1993 | MFGR#126
-- 7428 | 1994 | MFGR#1222
-- 7668 | 1994 | MFGR#1226
-- 9047 | 1994 | MFGR#1230
-- 4849 | 1994 | MFGR#1234
-- 5919 | 1994 | MFGR#1238
-- 14689 | 1995 | MFGR#1210
-- 8156 | 1995 | MFGR#1214
-- 484 | 1995 | MFGR#1218
-- 1993 | 1995 | MFGR#122
-- 3645 | 1996 | MFGR#1210
-- 6976 | 1996 | MFGR#1214
-- 4457 | 1996 | MFGR#1218
-- 5070 | 1996 | MFGR#122
-- 6057 | 1996 | MFGR#1230
-- 16377 | 1996 | MFGR#1234
-- 2154 | 1997 | MFGR#1218
-- 11456 | 1997 | MFGR#122
-- 1541 | 1997 | MFGR#1234
-- 13776 | 1997 | MFGR#126
-- 10708 | 1998 | MFGR#1218
-- 13028 | 1998 | MFGR#1222

SELECT sum(lo_revenue), d_year, p_brand1 FROM lineorders, dates, parts, suppliers WHERE lo_orderdate = d_datekey AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey AND p_brand1 BETWEEN 'MFGR#2220' AND 'MFGR#2228' AND s_region = 'ASIA' GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1;
-- sum:int8 | d_year:int4 | p_brand1:text
-- 16003 | 1992 | MFGR#2222
-- 9282 | 1992 | MFGR#2226
-- 13186 | 1993 | MFGR#2222
-- 7539 | 1993 | MFGR#2226
-- 14683 | 1994 | MFGR#2222
-- 7242 | 1994 | MFGR#2226
-- 19529 | 1995 | MFGR#2222
-- 21849 | 1995 | MFGR#2226
-- 11671 | 1997 | MFGR#2226
-- 2639 | 1998 | MFGR#2226

SELECT sum(lo_revenue), d_year, p_brand1 FROM lineorders, dates, parts, suppliers WHERE lo_orderdate = d_datekey AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey AND p_brand1 = 'MFGR#2218' AND s_region = 'EUROPE' GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1;
-- sum:int8 | d_year:int4 | p_brand1:text
-- 6615 | 1992 | MFGR#2218
-- 10824 | 1993 | MFGR#2218
-- 9351 | 1998 | MFGR#2218

SELECT c_nation, s_nation, d_year, sum(lo_revenue) AS revenue FROM customers, lineorders, suppliers, dates WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND c_region = 'ASIA' AND s_region = 'ASIA' AND d_year BETWEEN 1992 AND 1997 GROUP BY c_nation, s_nation, d_year ORDER BY d_year ASC, revenue DESC;
-- c_nation:text | s_nation:text | d_year:int4 | revenue:int8
-- CHINA | INDIA | 1992 | 64420
-- CHINA | JAPAN | 1992 | 44082
-- CHINA | INDIA | 1993 | 77493
-- CHINA | JAPAN | 1993 | 77437
-- CHINA | JAPAN | 1994 | 66385
-- CHINA | INDIA | 1994 | 50689
-- CHINA | INDIA | 1995 | 78458
-- CHINA | JAPAN | 1995 | 73564
-- CHINA | JAPAN | 1996 | 69002
-- CHINA | INDIA | 1996 | 51531
-- CHINA | INDIA | 1997 | 67283
-- CHINA | JAPAN | 1997 | 49591

SELECT c_city, s_city, d_year, sum(lo_revenue) AS revenue FROM customers, lineorders, suppliers, dates WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND c_nation = 'UNITED STATES' AND s_nation = 'UNITED STATES' AND d_year BETWEEN 1992 AND 1997 GROUP BY c_city, s_city, d_year ORDER BY d_year ASC, revenue DESC;
-- c_city:text | s_city:text | d_year:int4 | revenue:int8
-- UNITED ST3 | UNITED ST3 | 1992 | 95460
-- UNITED ST3 | UNITED ST3 | 1993 | 57614
-- UNITED ST3 | UNITED ST3 | 1994 | 69554
-- UNITED ST3 | UNITED ST3 | 1995 | 73878
-- UNITED ST3 | UNITED ST3 | 1996 | 73039
-- UNITED ST3 | UNITED ST3 | 1997 | 68773

SELECT c_city, s_city, d_year, sum(lo_revenue) AS revenue FROM customers, lineorders, suppliers, dates WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND (c_city = 'UNITED KI1' OR c_city = 'UNITED KI5') AND (s_city = 'UNITED KI1' OR s_city = 'UNITED KI5') AND d_year BETWEEN 1992 AND 1997 GROUP BY c_city, s_city, d_year ORDER BY d_year ASC, revenue DESC;
-- c_city:text | s_city:text | d_year:int4 | revenue:int8
-- UNITED KI5 | UNITED KI5 | 1992 | 72564
-- UNITED KI1 | UNITED KI1 | 1992 | 72228
-- UNITED KI1 | UNITED KI5 | 1992 | 53310
-- UNITED KI5 | UNITED KI1 | 1992 | 50837
-- UNITED KI1 | UNITED KI1 | 1993 | 73580
-- UNITED KI1 | UNITED KI5 | 1993 | 71922
-- UNITED KI5 | UNITED KI1 | 1993 | 71897
-- UNITED KI5 | UNITED KI5 | 1993 | 58970
-- UNITED KI1 | UNITED KI1 | 1994 | 82620
-- UNITED KI5 | UNITED KI5 | 1994 | 71347
-- UNITED KI5 | UNITED KI1 | 1994 | 41669
-- UNITED KI1 | UNITED KI5 | 1994 | 40359
-- UNITED KI1 | UNITED KI5 | 1995 | 90046
-- UNITED KI5 | UNITED KI5 | 1995 | 81477
-- UNITED KI5 | UNITED KI1 | 1995 | 71285
-- UNITED KI1 | UNITED KI1 | 1995 | 43983
-- UNITED KI1 | UNITED KI1 | 1996 | 94717
-- UNITED KI5 | UNITED KI1 | 1996 | 66297
-- UNITED KI1 | UNITED KI5 | 1996 | 63725
-- UNITED KI5 | UNITED KI5 | 1996 | 58376
-- UNITED KI5 | UNITED KI5 | 1997 | 81805
-- UNITED KI1 | UNITED KI5 | 1997 | 78369
-- UNITED KI5 | UNITED KI1 | 1997 | 61808
-- UNITED KI1 | UNITED KI1 | 1997 | 52953

SELECT c_city, s_city, d_year, sum(lo_revenue) AS revenue FROM customers, lineorders, suppliers, dates WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_orderdate = d_datekey AND (c_city = 'UNITED KI1' OR c_city = 'UNITED KI5') AND (s_city = 'UNITED KI1' OR s_city = 'UNITED KI5') AND d_yearmonth = 'Dec1997' GROUP BY c_city, s_city, d_year ORDER BY d_year ASC, revenue DESC;
-- c_city:text | s_city:text | d_year:int4 | revenue:int8
-- UNITED KI1 | UNITED KI5 | 1997 | 8024
-- UNITED KI5 | UNITED KI5 | 1997 | 4665
-- UNITED KI5 | UNITED KI1 | 1997 | 3976

SELECT d_year, c_nation, sum(lo_revenue - lo_supplycost) AS profit FROM dates, customers, suppliers, parts, lineorders WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey AND lo_orderdate = d_datekey AND c_region = 'AMERICA' AND s_region = 'AMERICA' AND (p_mfgr = 'MFGR#1' OR p_mfgr = 'MFGR#2') GROUP BY d_year, c_nation ORDER BY d_year, c_nation;
-- d_year:int4 | c_nation:text | profit:int8
-- 1992 | PERU | 47544
-- 1992 | UNITED STATES | 44500
-- 1993 | PERU | 35908
-- 1993 | UNITED STATES | 31916
-- 1994 | PERU | 38744
-- 1994 | UNITED STATES | 44136
-- 1995 | PERU | 24920
-- 1995 | UNITED STATES | 49540
-- 1996 | PERU | 70528
-- 1996 | UNITED STATES | 32352
-- 1997 | PERU | 28144
-- 1997 | UNITED STATES | 33536
-- 1998 | PERU | 25700
-- 1998 | UNITED STATES | 30376

SELECT d_year, s_nation, p_category, sum(lo_revenue - lo_supplycost) AS profit FROM dates, customers, suppliers, parts, lineorders WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey AND lo_orderdate = d_datekey AND c_region = 'AMERICA' AND s_region = 'AMERICA' AND (d_year = 1997 OR d_year = 1998) AND (p_mfgr = 'MFGR#1' OR p_mfgr = 'MFGR#2') GROUP BY d_year, s_nation, p_category ORDER BY d_year, s_nation, p_category;
-- d_year:int4 | s_nation:text | p_category:text | profit:int8
-- 1997 | UNITED STATES | MFGR#11 | 3584
-- 1997 | UNITED STATES | MFGR#13 | 13548
-- 1997 | UNITED STATES | MFGR#14 | 7916
-- 1997 | UNITED STATES | MFGR#21 | 6428
-- 1997 | UNITED STATES | MFGR#22 | 21752
-- 1997 | UNITED STATES | MFGR#23 | 4256
-- 1997 | UNITED STATES | MFGR#24 | 4196
-- 1998 | UNITED STATES | MFGR#11 | 3944
-- 1998 | UNITED STATES | MFGR#12 | 1316
-- 1998 | UNITED STATES | MFGR#13 | 11336
-- 1998 | UNITED STATES | MFGR#14 | 13336
-- 1998 | UNITED STATES | MFGR#21 | 18180
-- 1998 | UNITED STATES | MFGR#24 | 7964

SELECT d_year, s_city, p_brand1, sum(lo_revenue - lo_supplycost) AS profit FROM dates, customers, suppliers, parts, lineorders WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND lo_partkey = p_partkey AND lo_orderdate = d_datekey AND c_region = 'AMERICA' AND s_nation = 'UNITED STATES' AND (d_year = 1997 OR d_year = 1998) AND p_category = 'MFGR#14' GROUP BY d_year, s_city, p_brand1 ORDER BY d_year, s_city, p_brand1;
-- d_year:int4 | s_city:text | p_brand1:text | profit:int8
-- 1997 | UNITED ST3 | MFGR#1416 | 1580
-- 1997 | UNITED ST3 | MFGR#1436 | 6164
-- 1997 | UNITED ST3 | MFGR#1440 | 172
-- 1998 | UNITED ST3 | MFGR#1412 | 56
-- 1998 | UNITED ST3 | MFGR#1416 | 10004
-- 1998 | UNITED ST3 | MFGR#1428 | 604
-- 1998 | UNITED ST3 | MFGR#1440 | 2672

DROP TABLE dates, customers, suppliers, parts, lineorders;
-- DROP TABLE
