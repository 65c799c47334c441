"""A table with one column for each PostgreSQL type that sluice claims, with ordinary and extreme values.

The rows are written twice, once before the connector starts and once after: Debezium reads its snapshot over JDBC and the log with
pgoutput, and the two paths build their values differently.
"""

# Name, type, type declared for messages without schema block, an ordinary value, an extreme one.
# Not here: bit varying (Debezium loses its length), money (comes as a number), NaN as a numeric (the connector fails), trailing zeros of a numeric without a scale (Debezium cuts them).
COLUMNS = [
    ("a_bool", "boolean", None, "true", "false"),
    ("a_int2", "smallint", None, "-32768", "32767"),
    ("a_int4", "integer", None, "-2147483648", "2147483647"),
    ("a_int8", "bigint", None, "-9223372036854775808", "9223372036854775807"),
    ("a_float4", "real", None, "3.4028235e38", "'-Infinity'"),
    ("a_float8", "double precision", None, "0.1::float8 + 0.2::float8", "'NaN'"),
    ("a_numeric", "numeric(12,2)", None, "-9999999999.99", "0.01"),
    ("a_long_numeric", "numeric(38,10)", None, "1234567890123456789012345678.0123456789", "-0.0000000001"),
    ("a_free_numeric", "numeric", None, "123456789012345678901234567890.12345678901234567891", "-0.00001"),
    ("a_text", "text", None, r"E'tab\t, quote '' and \\ back, 東京, 🚀'", "''"),
    ("a_varchar", "varchar(20)", None, "'varying'", "'  blanks  '"),
    ("a_char", "char(6)", None, "'abc'", "'é'"),
    ("a_bytea", "bytea", None, r"'\x00ff10abcdef'", r"'\x'"),
    ("a_date", "date", None, "'2026-02-28'", "'0001-01-01'"),
    ("a_time", "time", None, "'23:59:59.999999'", "'00:00:00'"),
    ("a_timetz", "timetz", None, "'10:11:12.131415+02'", "'00:00:00-11:30'"),
    ("a_timestamp", "timestamp", None, "'2026-02-28 23:59:59.999999'", "'1969-12-31 23:59:59.5'"),
    ("a_timestamp3", "timestamp(3)", None, "'2026-02-28 23:59:59.999'", "'0001-01-01 00:00:00'"),
    ("a_timestamptz", "timestamptz", None, "'2026-03-29 01:30:00.000001+01'", "'0001-01-01 00:00:00+00'"),
    ("an_endless_date", "date", None, "'infinity'", "'-infinity'"),
    ("an_endless_timestamp", "timestamp", None, "'infinity'", "'-infinity'"),
    ("an_endless_timestamptz", "timestamptz", None, "'infinity'", "'-infinity'"),
    ("an_interval", "interval", None, "'1 year 2 mons 3 days 04:05:06.789'", "'-1 mons +2 days -00:00:00.000001'"),
    ("a_uuid", "uuid", None, "'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    ("a_json", "json", None, """'{"b": 1,  "a": [1, 2.50], "b": null}'""", "'null'"),
    ("a_jsonb", "jsonb", None, """'{"b": 1, "a": [1, 2.50, "x"], "long": 12345678901234567890.5}'""", "'[]'"),
    ("an_xml", "xml", None, "'<a b=\"1\">é</a>'", "'text'"),
    ("a_bit", "bit(12)", None, "B'000000000101'", "B'111111111111'"),
    ("a_point", "point", "point", "'(1.5,-2)'", "'(0,1e-10)'"),
    ("an_enum", "mood", "text", "'happy'", "'sad'"),
    ("an_inet", "inet", "text", "'192.168.0.1/24'", "'::1'"),
    ("a_cidr", "cidr", "text", "'10.0.0.0/8'", "'2001:db8::/32'"),
    ("a_macaddr", "macaddr", "text", "'08:00:2b:01:02:03'", "'ff:ff:ff:ff:ff:ff'"),
    ("a_range", "int4range", "text", "'[1,10)'", "'empty'"),
    ("a_domain", "positive", "integer", "7", "1"),
    ("an_int_array", "integer[]", None, "'{1,NULL,-3}'", "'{}'"),
    ("a_bigint_array", "bigint[]", None, "'{9223372036854775807}'", "NULL"),
    ("a_text_array", "text[]", None, r"""ARRAY['a', NULL, 'with "quote"', 'comma, {brace}', '']""", "'{}'"),
    ("a_bool_array", "boolean[]", None, "'{t,f,NULL}'", "'{t}'"),
    ("a_float_array", "double precision[]", None, "'{1.5,-0.25}'", "'{1e300}'"),
    ("a_numeric_array", "numeric(10,2)[]", None, "'{1.10,-2.00}'", "'{0.01}'"),
    ("a_date_array", "date[]", None, "'{2026-02-28,1969-07-20}'", "'{}'"),
    ("a_uuid_array", "uuid[]", None, "'{00000000-0000-0000-0000-000000000001}'", "'{}'"),
]

# What sluice's column is compared with, instead of the source's, because Debezium changes it: a time with a zone comes in UTC.
IN_SOURCE = {"a_timetz": "a_timetz AT TIME ZONE 'UTC'"}
# Debezium's schema has one name for json and jsonb.
IN_SOURCE_BY_SCHEMA = {**IN_SOURCE, "a_json": "a_json::jsonb"}

CREATE = (
    "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);\n"
    "CREATE TABLE wide (id int PRIMARY KEY, " + ", ".join(f"{name} {type}" for name, type, *_ in COLUMNS) + ")"
)


def rows(first):
    """Statements that insert an ordinary row, an extreme one and one of NULLs."""
    ordinary = ", ".join(column[3] for column in COLUMNS)
    extreme = ", ".join(column[4] for column in COLUMNS)
    return (f"INSERT INTO wide VALUES ({first}, {ordinary}); INSERT INTO wide VALUES ({first + 1}, {extreme});"
            f"INSERT INTO wide (id) VALUES ({first + 2})")


DECLARED = [f"{name} {declared or type}" for name, type, declared, *_ in COLUMNS]
