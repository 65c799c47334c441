SELECT host(a), abbrev(a), family(a), masklen(a), network(a), netmask(a), hostmask(a), broadcast(a), text(a) FROM (VALUES ('192.168.1.5/24'::inet), ('10.0.0.1'), ('2001:db8::1/64'), ('::1')) v(a);
-- host:text | abbrev:text | family:int4 | masklen:int4 | network:cidr | netmask:inet | hostmask:inet | broadcast:inet | text:text
-- 192.168.1.5 | 192.168.1.5/24 | 4 | 24 | 192.168.1.0/24 | 255.255.255.0 | 0.0.0.255 | 192.168.1.255/24 | 192.168.1.5/24
-- 10.0.0.1 | 10.0.0.1 | 4 | 32 | 10.0.0.1/32 | 255.255.255.255 | 0.0.0.0 | 10.0.0.1 | 10.0.0.1/32
-- 2001:db8::1 | 2001:db8::1/64 | 6 | 64 | 2001:db8::/64 | ffff:ffff:ffff:ffff:: | ::ffff:ffff:ffff:ffff | 2001:db8::ffff:ffff:ffff:ffff/64 | 2001:db8::1/64
-- ::1 | ::1 | 6 | 128 | ::1/128 | ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff | :: | ::1 | ::1/128

SELECT set_masklen('192.168.1.5/24'::inet, 16), set_masklen('192.168.1.0/24'::cidr, 16), '192.168.1.5/24'::inet::cidr, inet_merge('192.168.1.5/24', '192.168.2.5/24'), inet_same_family('1.2.3.4', '::1'), abbrev('10.1.0.0/16'::cidr);
-- set_masklen:inet | set_masklen:cidr | cidr:cidr | inet_merge:cidr | inet_same_family:bool | abbrev:text
-- 192.168.1.5/16 | 192.168.0.0/16 | 192.168.1.0/24 | 192.168.0.0/22 | f | 10.1/16

SELECT set_masklen('1.2.3.4'::inet, 40);
-- ERROR 22023 @ invalid mask length: 40

SELECT '192.168.1.0/24'::inet >> '192.168.1.5'::inet, '192.168.1.5'::inet << '192.168.1.0/24'::inet, '192.168.1.0/24'::inet >>= '192.168.1.0/24'::inet, '192.168.1.0/24'::inet && '192.168.1.80/28'::inet, '10.0.0.0/8'::cidr <<= '10.0.0.0/8'::cidr;
-- ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool | ?column?:bool
-- t | t | t | t | t

SELECT '192.168.1.5'::inet + 10, '192.168.1.5/24'::inet - 6, '192.168.1.5'::inet - '192.168.1.1'::inet, ~ '192.168.1.5'::inet, '192.168.1.5'::inet & '0.0.0.255'::inet, '192.168.1.5'::inet | '0.0.0.255'::inet, '::ffff'::inet + 1;
-- ?column?:inet | ?column?:inet | ?column?:int8 | ?column?:inet | ?column?:inet | ?column?:inet | ?column?:inet
-- 192.168.1.15 | 192.168.0.255/24 | 4 | 63.87.254.250 | 0.0.0.5 | 192.168.1.255 | ::0.1.0.0

SELECT '255.255.255.255'::inet + 1;
-- ERROR 22003 @ result is out of range

SELECT '1.2.3.4'::inet & '::1'::inet;
-- ERROR 22023 @ cannot AND inet values of different sizes

SELECT m, trunc(m), ~m, m & '00:00:00:ff:ff:ff', m::macaddr8, m < '09:00:00:00:00:00' FROM (VALUES ('08:00:2b:01:02:03'::macaddr), ('08002b-010203'), ('0800.2b01.0203')) v(m);
-- m:macaddr | trunc:macaddr | ?column?:macaddr | ?column?:macaddr | m:macaddr8 | ?column?:bool
-- 08:00:2b:01:02:03 | 08:00:2b:00:00:00 | f7:ff:d4:fe:fd:fc | 00:00:00:01:02:03 | 08:00:2b:ff:fe:01:02:03 | t
-- 08:00:2b:01:02:03 | 08:00:2b:00:00:00 | f7:ff:d4:fe:fd:fc | 00:00:00:01:02:03 | 08:00:2b:ff:fe:01:02:03 | t
-- 08:00:2b:01:02:03 | 08:00:2b:00:00:00 | f7:ff:d4:fe:fd:fc | 00:00:00:01:02:03 | 08:00:2b:ff:fe:01:02:03 | t

SELECT '08:00:2b:01:02:03:04:05'::macaddr8, '08002b010203'::macaddr8, macaddr8_set7bit('00:34:56:ab:cd:ef'), trunc('08:00:2b:01:02:03:04:05'::macaddr8), '08:00:2b:ff:fe:01:02:03'::macaddr8::macaddr;
-- macaddr8:macaddr8 | macaddr8:macaddr8 | macaddr8_set7bit:macaddr8 | trunc:macaddr8 | macaddr:macaddr
-- 08:00:2b:01:02:03:04:05 | 08:00:2b:ff:fe:01:02:03 | 02:34:56:ff:fe:ab:cd:ef | 08:00:2b:00:00:00:00:00 | 08:00:2b:01:02:03

SELECT '08:00:2b:01:02'::macaddr;
-- ERROR 22P02 @8 invalid input syntax for type macaddr: "08:00:2b:01:02"

SELECT '08:00:2b:01:02:03:04:05'::macaddr8::macaddr;
-- ERROR 22003 @ macaddr8 data out of range to convert to macaddr
-- HINT Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to macaddr.

SELECT '16/B374D848'::pg_lsn, '16/b374d848'::pg_lsn - '16/0'::pg_lsn, '0/16'::pg_lsn + 16, '0/ff'::pg_lsn < '1/0'::pg_lsn, pg_lsn(23783416);
-- pg_lsn:pg_lsn | ?column?:numeric | ?column?:pg_lsn | ?column?:bool | pg_lsn:pg_lsn
-- 16/B374D848 | 3010779208 | 0/26 | t | 0/16AE7F8

SELECT 'x/1'::pg_lsn;
-- ERROR 22P02 @8 invalid input syntax for type pg_lsn: "x/1"

SELECT l FROM (VALUES ('10/0'::pg_lsn), ('9/FF'), ('0/1')) v(l) ORDER BY l DESC;
-- l:pg_lsn
-- 10/0
-- 9/FF
-- 0/1

SELECT '1,234.565'::money, '-$5'::money, '($7.1)'::money, 1234567::money, 12.345::money, '$3'::money * 2.5, '$10'::money / 3, '$10'::money / '$4'::money, '$1.50'::money::numeric, '$1'::money < '$2'::money, cash_words('$1.23');
-- money:money | money:money | money:money | money:money | money:money | ?column?:money | ?column?:money | ?column?:float8 | numeric:numeric | ?column?:bool | cash_words:text
-- $1,234.57 | -$5.00 | -$7.10 | $1,234,567.00 | $12.35 | $7.50 | $3.33 | 2.5 | 1.50 | t | One dollar and twenty three cents

SELECT '1x'::money;
-- ERROR 22P02 @8 invalid input syntax for type money: "1x"

SELECT '$1'::money / 0;
-- ERROR 22012 @ division by zero

SELECT sum(m), min(m), max(m) FROM (VALUES ('$1.10'::money), ('$2.20'), (NULL)) v(m);
-- sum:money | min:money | max:money
-- $3.30 | $1.10 | $2.20
