SELECT 'a' || 'b', 'a' || 1, 1 || 'a', 'a' || NULL, concat('a', NULL, 1, true), concat_ws(',', 'a', NULL, 'b');
-- ?column?:text | ?column?:text | ?column?:text | ?column?:text | concat:text | concat_ws:text
-- ab | a1 | 1a | ∅ | a1t | a,b

SELECT length('héllo'), char_length('héllo'), octet_length('héllo'), bit_length('abc'), upper('héllo'), lower('ÀB'), initcap('hello wORLD');
-- length:int4 | char_length:int4 | octet_length:int4 | bit_length:int4 | upper:text | lower:text | initcap:text
-- 5 | 5 | 6 | 24 | HÉLLO | àb | Hello World

SELECT substring('hello' FROM 2 FOR 3), substring('hello', 0, 3), substring('hello' FROM '[el]+'), substr('hello', -1, 4), left('hello', -2), right('hello', 2), right('hello', -2);
-- substring:text | substring:text | substring:text | substr:text | left:text | right:text | right:text
-- ell | he | ell | he | hel | lo | llo

SELECT trim('  x '), ltrim('xxay', 'x'), rtrim('ayxx', 'x'), btrim('xyaxy', 'xy'), trim(LEADING 'x' FROM 'xxa'), lpad('7', 3, '0'), rpad('ab', 5, 'xy'), lpad('hello', 2);
-- btrim:text | ltrim:text | rtrim:text | btrim:text | ltrim:text | lpad:text | rpad:text | lpad:text
-- x | ay | ay | a | a | 007 | abxyx | he

SELECT position('lo' IN 'hello'), strpos('hello', 'z'), replace('hello', 'l', 'L'), translate('12345', '143', 'ax'), reverse('abc'), repeat('ab', 3), repeat('a', -1);
-- position:int4 | strpos:int4 | replace:text | translate:text | reverse:text | repeat:text | repeat:text
-- 4 | 0 | heLLo | a2x5 | cba | ababab |

SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), split_part('a,b,c', ',', 9), string_to_array('a,b,,c', ','), string_to_array('a,b,NULL', ',', 'NULL'), array_to_string(ARRAY[1, NULL, 3], '-', '*');
-- split_part:text | split_part:text | split_part:text | string_to_array:_text | string_to_array:_text | array_to_string:text
-- b | c |  | {a,b,"",c} | {a,b,NULL} | 1-*-3

SELECT 'abc' LIKE 'a%', 'abc' LIKE 'A%', 'abc' ILIKE 'A_C', 'a%c' LIKE 'a\%c', 'abc' NOT LIKE '%d', 'abc' SIMILAR TO '(a|b)%', 'a_c' LIKE 'a!_c' ESCAPE '!';
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | t | t | t | t | t

SELECT 'abc' ~ '^a.c$', 'ABC' ~* 'b', 'abc' !~ 'z', regexp_replace('foobarbaz', 'b..', 'X'), regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g'), regexp_match('foobarbequebaz', '(bar)(beque)');
-- ?column?:bool | ?column?:bool | ?column?:bool | regexp_replace:text | regexp_replace:text | regexp_match:_text
-- t | t | t | fooXbaz | fooXarYXazY | {bar,beque}

SELECT regexp_matches('foobarbequebaz', 'ba.', 'g');
-- regexp_matches:_text
-- {bar}
-- {baz}

SELECT regexp_split_to_array('a1b22c', '\d+'), regexp_split_to_table('a b  c', '\s+');
-- regexp_split_to_array:_text | regexp_split_to_table:text
-- {a,b,c} | a
-- {a,b,c} | b
-- {a,b,c} | c

SELECT md5('abc'), encode('abc'::bytea, 'hex'), encode('abc'::bytea, 'base64'), decode('616263', 'hex'), '\x6162'::bytea, 'a\\b'::bytea, sha256('abc');
-- md5:text | encode:text | encode:text | decode:bytea | bytea:bytea | bytea:bytea | sha256:bytea
-- 900150983cd24fb0d6963f7d28e17f72 | 616263 | YWJj | \\x616263 | \\x6162 | \\x615c62 | \\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad

SELECT ascii('a'), chr(8364), to_hex(255), quote_literal('it''s'), quote_ident('a b'), quote_ident('select'), quote_nullable(NULL), format('%s %I %L %%', 'a', 'b c', 'd''e');
-- ascii:int4 | chr:text | to_hex:text | quote_literal:text | quote_ident:text | quote_ident:text | quote_nullable:text | format:text
-- 97 | € | ff | 'it''s' | "a b" | "select" | NULL | a "b c" 'd''e' %

SELECT format('%2$s %1$s', 'a', 'b'), format('%-5s|%5s|', 'a', 'b');
-- format:text | format:text
-- b a | a    |    b|

SELECT 'a'::char(3), 'a'::char(3) || 'b', length('a  '::char(5)), 'a '::char(2) = 'a'::char(5), 'abc'::varchar(2), 'abc'::char(2), 'a'::"char";
-- bpchar:bpchar(7) | ?column?:text | length:int4 | ?column?:bool | varchar:varchar(6) | bpchar:bpchar(6) | char:char
-- a   | ab | 1 | t | ab | ab | a

SELECT 'abc' < 'abd', 'a' < 'B', 'Z' < 'a', 'é' > 'z', '' < 'a';
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | t | t | t

SELECT x FROM (VALUES ('b'), ('A'), ('a'), ('B'), (NULL), ('é')) t(x) ORDER BY x COLLATE "C";
-- x:text
-- A
-- B
-- a
-- b
-- é
-- ∅

SELECT x FROM (VALUES ('b'), ('a'), (NULL)) t(x) ORDER BY x DESC;
-- x:text
-- ∅
-- b
-- a

SELECT x FROM (VALUES ('b'), ('a'), (NULL)) t(x) ORDER BY x NULLS FIRST;
-- x:text
-- ∅
-- a
-- b

SELECT string_agg(x, ',' ORDER BY x), string_agg(x, '' ORDER BY x DESC) FROM (VALUES ('b'), ('a'), (NULL)) t(x);
-- string_agg:text | string_agg:text
-- a,b | ba

SELECT E'a\nb\t\x41\u00e9', U&'\0041', $$it's$$, $x$a$$b$x$, 'a' 
'b';
-- ?column?:text | ?column?:text | ?column?:text | ?column?:text | ?column?:text
-- a\nb	Aé | A | it's | a$$b | ab

SELECT starts_with('hello', 'he'), 'hello' ^@ 'he', overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4), strpos('é€x', 'x');
-- starts_with:bool | ?column?:bool | overlay:text | strpos:int4
-- t | t | Thomas | 3

SELECT CASE WHEN 'a' = 'b' THEN 1 ELSE 2.5 END, CASE 'x' WHEN 'x' THEN 'yes' END, CASE 1 WHEN 2 THEN 'no' END;
-- case:numeric | case:text | case:text
-- 2.5 | yes | ∅

SELECT 'a' AS "Weird Name", 'b' AS select_, 1 AS "x""y", 'c';
-- Weird Name:text | select_:text | x"y:int4 | ?column?:text
-- a | b | 1 | c

SELECT 'x'::name, 'pg_class'::regclass, 'int4'::regtype, 23::oid::regtype, 'upper'::text, 1259::regclass;
-- name:name | regclass:regclass | regtype:regtype | regtype:regtype | text:text | regclass:regclass
-- x | pg_class | integer | integer | upper | pg_class

SELECT 'no_such_table'::regclass;
-- ERROR 42P01 @8 relation "no_such_table" does not exist

SELECT 'no_such_type'::regtype;
-- ERROR 42704 @8 type "no_such_type" does not exist

SELECT upper(1);
-- ERROR 42883 @8 function upper(integer) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT no_such_function(1, 'a');
-- ERROR 42883 @8 function no_such_function(integer, unknown) does not exist
-- HINT No function matches the given name and argument types. You might need to add explicit type casts.

SELECT 'a' + 1;
-- ERROR 22P02 @8 invalid input syntax for type integer: "a"

SELECT 'a'::text + 1;
-- ERROR 42883 @18 operator does not exist: text + integer
-- HINT No operator matches the given name and argument types. You might need to add explicit type casts.

SELECT 'abc'::uuid;
-- ERROR 22P02 @8 invalid input syntax for type uuid: "abc"

SELECT 'a0eebc999c0b4ef8bb6d6bb9bd380a11'::uuid, '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, gen_random_uuid() IS NOT NULL;
-- uuid:uuid | ?column?:bool | ?column?:bool
-- a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 | t | t

SELECT 'true'::bool AND NULL, NULL OR true, NOT NULL::bool, NULL = NULL, NULL IS NULL, 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- ∅ | t | ∅ | ∅ | t | t | t

SELECT 'maybe'::bool;
-- ERROR 22P02 @8 invalid input syntax for type boolean: "maybe"

SELECT 1 BETWEEN 0 AND 2, 1 NOT BETWEEN SYMMETRIC 2 AND 0, 1 IN (1, NULL), 2 IN (1, NULL), 2 NOT IN (1, NULL), true IS TRUE, NULL IS UNKNOWN;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | f | t | ∅ | ∅ | t | t

SELECT '10.1.2.3'::inet, '192.168.0.0/16'::cidr;
-- inet:inet | cidr:cidr
-- 10.1.2.3 | 192.168.0.0/16

SELECT 'abc'::bytea || '\x00'::bytea, length('\x0001'::bytea), get_byte('\x0102'::bytea, 1), substring('\x010203'::bytea FROM 2);
-- ?column?:bytea | length:int4 | get_byte:int4 | substring:bytea
-- \\x61626300 | 2 | 2 | \\x0203

SELECT convert_from('\xc3a9', 'UTF8'), convert_to('é', 'UTF8');
-- convert_from:text | convert_to:bytea
-- é | \\xc3a9

SELECT substring('hello' FROM -5 FOR 2), substring('hello' FROM 2 FOR -1);
-- ERROR 22011 @ negative substring length not allowed

SELECT B'10101'::bit(3), '101'::bit(4), 'x1f'::varbit, B'101'::varbit(2), '1'::bit, 'b01'::varbit(5), X'a';
-- bit:bit(3) | bit:bit(4) | varbit:varbit | varbit:varbit(2) | bit:bit(1) | varbit:varbit(5) | ?column?:bit
-- 101 | 1010 | 00011111 | 10 | 1 | 01 | 1010

SELECT '10x'::bit(3);
-- ERROR 22P02 @8 "x" is not a valid binary digit

SELECT 'xg'::varbit;
-- ERROR 22P02 @8 "g" is not a valid hexadecimal digit

SELECT B'1' = B'1', B'01' < B'1', B'1' || B'0', B'10' < B'100', B'101' > B'1001';
-- ?column?:bool | ?column?:bool | ?column?:varbit | ?column?:bool | ?column?:bool
-- t | t | 10 | t | t

SELECT B'1100' & B'1010', B'1100' | B'1010', B'1100' # B'1010', ~ B'1100', B'1100' << 1, B'1100' >> 2, B'1100' << -1;
-- ?column?:bit | ?column?:bit | ?column?:bit | ?column?:bit | ?column?:bit | ?column?:bit | ?column?:bit
-- 1000 | 1110 | 0110 | 0011 | 1000 | 0011 | 0110

SELECT B'1' & B'10';
-- ERROR 22026 @ cannot AND bit strings of different sizes

SELECT substring(B'10110' FROM 2 FOR 3), substring(B'10110' FROM 4), length(B'101'), octet_length(B'101010101'), bit_length(B'101'), position(B'11' IN B'0110'), overlay(B'0000' PLACING B'11' FROM 2), bit_count(B'1011'), get_bit(B'10', 1), set_bit(B'00', 1, 1);
-- substring:bit | substring:bit | length:int4 | octet_length:int4 | bit_length:int4 | position:int4 | overlay:bit | bit_count:int8 | get_bit:int4 | set_bit:bit
-- 011 | 10 | 3 | 2 | 3 | 2 | 0110 | 3 | 0 | 01

SELECT get_bit(B'10', 2);
-- ERROR 2202E @ bit index 2 out of valid range (0..1)

SELECT 44::bit(10), 44::bit(3), (-44)::bit(12), 5::bigint::bit(4), B'1110'::int, B'11111111111111111111111111111111'::int, B'1110'::bit(4)::bigint;
-- bit:bit(10) | bit:bit(3) | bit:bit(12) | bit:bit(4) | int4:int4 | int4:int4 | int8:int8
-- 0000101100 | 100 | 111111010100 | 0101 | 14 | -1 | 14

SELECT width_bucket(5, ARRAY[1, 3, 5, 10]), width_bucket(0.5, ARRAY[1, 2.5]), width_bucket('m'::text, ARRAY['a', 'n']), width_bucket(NULL, ARRAY[1]);
-- width_bucket:int4 | width_bucket:int4 | width_bucket:int4 | width_bucket:int4
-- 3 | 0 | 1 | ∅

SELECT width_bucket(5, ARRAY[1, NULL]);
-- ERROR 22004 @ thresholds array must not contain NULLs

SELECT acosh(1), atanh(0), asind(-0.5), acosd(-0.5), float8send(1.5), float4send(-1);
-- acosh:float8 | atanh:float8 | asind:float8 | acosd:float8 | float8send:bytea | float4send:bytea
-- 0 | 0 | -30 | 120 | \\x3ff8000000000000 | \\xbf800000

SELECT '10.0.0.0/8'::inet < '9.1.2.3/8'::inet, max(i), min(i) FROM (VALUES ('10.1.2.3'::inet), ('9.1.2.3/8'), ('::1')) t(i);
-- ?column?:bool | max:inet | min:inet
-- f | ::1 | 9.1.2.3/8

SELECT pg_size_pretty(-1000000000000), (VALUES (1)), '\101'::text::"char";
-- pg_size_pretty:text | column1:int4 | char:char
-- -931 GB | 1 | A

SELECT substring('abcdefg' SIMILAR 'a#"(b_d)#"%' ESCAPE '#'), substring('abcdefg' FROM 'a#"%#"g' FOR '#'), substring('abcdefg' SIMILAR 'a|b#"%#"g' ESCAPE '#'), substring('abcdefg' SIMILAR 'a%g' ESCAPE '#'), substring('abcdefg' SIMILAR 'a#"%g' ESCAPE '#'), substring('abcdefg' SIMILAR '#"(b_d)#"%' ESCAPE '#');
-- substring:text | substring:text | substring:text | substring:text | substring:text | substring:text
-- bcd | bcdef | bcdef | abcdefg | bcdefg | ∅

SELECT substring('abcdefg' SIMILAR 'a*#"%#"g*#"x' ESCAPE '#');
-- ERROR 2200C @ SQL regular expression may not contain more than two escape-double-quote separators

SELECT concat(VARIADIC '{1,2}'::int[]), num_nulls(1, NULL, 3), num_nonnulls(VARIADIC '{1,NULL}'::int[]), jsonb_build_array(VARIADIC '{{1,4},{2,5}}'::int[]);
-- concat:text | num_nulls:int4 | num_nonnulls:int4 | jsonb_build_array:jsonb
-- 12 | 1 | 1 | [1, 4, 2, 5]

SELECT 'a' || true, (1 = 2) || 'b', quote_literal(true), quote_nullable(false), concat('a', true);
-- ?column?:text | ?column?:text | quote_literal:text | quote_nullable:text | concat:text
-- atrue | falseb | 'true' | 'false' | at
