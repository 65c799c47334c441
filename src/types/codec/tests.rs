use super::*;
use crate::types::oid::{self, Oid};
use proptest::prelude::*;

fn ty(name: &str) -> PgType {
    type_from_sql_name(name).unwrap_or_else(|| panic!("no type {name}"))
}

fn shown(ty: PgType, text: &str, settings: &TextSettings) -> PgResult<String> {
    let mut builder = ColumnBuilder::with_settings(ty, *settings);
    builder.push_text(text)?;
    let array = builder.finish()?;
    assert_eq!(array.data_type(), &ty.storage(), "{text}");
    Ok(text_of(ty, array.data_type(), array.as_ref(), 0, settings)?.expect("not NULL"))
}

/// Binary out, binary in, text out.
fn through_binary(ty: PgType, text: &str) -> PgResult<String> {
    let settings = TextSettings::default();
    let mut builder = ColumnBuilder::new(ty);
    builder.push_text(text)?;
    let array = builder.finish()?;
    let encoder = ColumnEncoder::new(ty, array.data_type(), Format::Binary, &settings)?;
    let mut out = Vec::new();
    encoder.column(array.as_ref())?.write(0, &mut out);
    assert_eq!(out.len() as i32 - 4, i32::from_be_bytes([out[0], out[1], out[2], out[3]]));
    builder.push_binary(&out[4..])?;
    let array = builder.finish()?;
    Ok(text_of(ty, array.data_type(), array.as_ref(), 0, &settings)?.expect("not NULL"))
}

#[test]
fn values_are_shown_as_postgresql_does_in_both_formats() {
    for (name, input, expected) in [
        ("bool", " YES ", "t"),
        ("bool", "of", "f"),
        ("int4", " -12 ", "-12"),
        ("int8", "9223372036854775807", "9223372036854775807"),
        ("float8", "1e15", "1e+15"),
        ("float8", "999999999999999", "999999999999999"),
        ("float8", "1e-5", "1e-05"),
        ("float8", "0.0001", "0.0001"),
        ("float8", "123456789012345680", "1.2345678901234568e+17"),
        ("float8", "-0", "-0"),
        ("float8", "inf", "Infinity"),
        ("float8", "1e300", "1e+300"),
        ("float4", "1e5", "100000"),
        ("float4", "1e6", "1e+06"),
        ("float4", "1.5e-7", "1.5e-07"),
        ("float8", "0.1", "0.1"),
        ("float8", "1234.5", "1234.5"),
        ("float8", "0", "0"),
        ("text", "a b", "a b"),
        ("bytea", "\\xDEAD", "\\xdead"),
        ("bytea", "a\\\\\\001", "\\x615c01"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "infinity", "infinity"),
        ("time", "04:05:06.7", "04:05:06.7"),
        ("timetz", "04:05:06-08", "04:05:06-08"),
        ("timestamp", "2000-01-01 00:00:00.5", "2000-01-01 00:00:00.5"),
        ("timestamptz", "2024-07-01 12:00+02", "2024-07-01 10:00:00+00"),
        ("numeric", "1.10", "1.10"),
        ("numeric", "-12345678.000001", "-12345678.000001"),
        ("numeric", "nan", "NaN"),
        ("jsonb", "{\"b\":1,\"a\":[1.0]}", "{\"a\": [1.0], \"b\": 1}"),
        ("json", "{ }", "{ }"),
        ("uuid", "{A0EEBC99-9C0B4EF8-BB6D6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("interval", "1 mon -1 day", "1 mon -1 days"),
        ("oid", "4294967295", "4294967295"),
        ("\"char\"", "ab", "a"),
        ("text[]", "{a,\"b c\",NULL,\"null\",\"\"}", "{a,\"b c\",NULL,\"null\",\"\"}"),
        ("int[]", "{ 1 , 2}", "{1,2}"),
        ("int[]", "{}", "{}"),
        ("text[]", "{\"a,b\",\"{}\",\"\\\\\",\"\\\"\"}", "{\"a,b\",\"{}\",\"\\\\\",\"\\\"\"}"),
        ("int2vector", "1 2 3", "1 2 3"),
        ("timestamp[]", "{2020-01-01}", "{\"2020-01-01 00:00:00\"}"),
    ] {
        assert_eq!(shown(ty(name), input, &TextSettings::default()).as_deref(), Ok(expected), "{name} {input}");
        assert_eq!(through_binary(ty(name), input).as_deref(), Ok(expected), "{name} {input} through binary");
    }
}

#[test]
fn bad_input_is_refused_in_postgresql_s_words() {
    for (name, input, message) in [
        ("int4", "1.5", "invalid input syntax for type integer: \"1.5\""),
        ("int4", "99999999999", "value \"99999999999\" is out of range for type integer"),
        ("int2", "99999", "value \"99999\" is out of range for type smallint"),
        ("int8", "99999999999999999999", "value \"99999999999999999999\" is out of range for type bigint"),
        ("bool", "x", "invalid input syntax for type boolean: \"x\""),
        ("float8", "1e400", "\"1e400\" is out of range for type double precision"),
        ("float8", "x", "invalid input syntax for type double precision: \"x\""),
        ("uuid", "zz", "invalid input syntax for type uuid: \"zz\""),
        ("bytea", "\\xzz", "invalid hexadecimal digit: \"z\""),
        ("int[]", "{1,2", "malformed array literal: \"{1,2\""),
        ("int[]", "1", "malformed array literal: \"1\""),
        ("oid", "abc", "invalid input syntax for type oid: \"abc\""),
        ("numeric", "x", "invalid input syntax for type numeric: \"x\""),
        ("json", "{", "invalid input syntax for type json"),
    ] {
        let error = parse_text(ty(name), input, &TextSettings::default()).expect_err(input);
        assert_eq!(error.message, message);
    }
}

#[test]
fn a_typmod_fits_the_value() {
    let settings = TextSettings::default();
    let with =
        |oid: Oid, typmod: i32, text: &str| shown(PgType { oid, typmod }, text, &settings).map_err(|e| e.message);
    assert_eq!(with(oid::BPCHAR, 7, "x"), Ok("x  ".into()));
    assert_eq!(with(oid::VARCHAR, 6, "ab   "), Ok("ab".into()));
    assert_eq!(with(oid::VARCHAR, 6, "abc"), Err("value too long for type character varying(2)".into()));
    let money = PgType::numeric(5, 2);
    assert_eq!(shown(money, "1.005", &settings).as_deref(), Ok("1.01"));
    assert_eq!(through_binary(money, "-999.99").as_deref(), Ok("-999.99"));
    assert_eq!(shown(money, "1000", &settings).expect_err("too wide").message, "numeric field overflow");
}

#[test]
fn types_have_postgresql_s_names() {
    for (oid, typmod, name) in [
        (oid::VARCHAR, 24, "character varying(20)"),
        (oid::NUMERIC, ((12 << 16) | 2) + 4, "numeric(12,2)"),
        (oid::TIMESTAMPTZ, 3, "timestamp(3) with time zone"),
        (oid::INTERVAL, (4 << 16) | 65535, "interval year"),
        (oid::BPCHAR, -1, "bpchar"),
        (oid::CHAR, -1, "\"char\""),
        (oid::BPCHAR, 5, "character(1)"),
        (oid::BIT, 5, "bit(5)"),
        (oid::INTERVAL, (32767 << 16) | 3, "interval(3)"),
        (Oid(1015), 14, "character varying(10)[]"),
        (oid::TIME, 2, "time(2) without time zone"),
        (oid::BIT, -1, "\"bit\""),
        (Oid(1007), -1, "integer[]"),
    ] {
        assert_eq!(format_type(PgType { oid, typmod }), name);
    }
    for (name, oid) in [
        ("int", oid::INT4),
        ("_int4", Oid(1007)),
        ("Double  Precision", oid::FLOAT8),
        ("pg_catalog.text", oid::TEXT),
        ("timestamp with time zone", oid::TIMESTAMPTZ),
        ("text[]", Oid(1009)),
        ("char", oid::BPCHAR),
        ("\"char\"", oid::CHAR),
    ] {
        assert_eq!(type_from_sql_name(name).map(|t| t.oid), Some(oid), "{name}");
    }
}

proptest! {
    #[test]
    fn floats_read_back_the_same(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let mut out = Vec::new();
        write_f64(value, 1, &mut |part| out.extend_from_slice(part));
        let back = parse_f64(std::str::from_utf8(&out).expect("ASCII")).expect("readable");
        prop_assert!(back == value || back.is_nan() && value.is_nan());
    }

    #[test]
    fn text_arrays_read_back_the_same(items in prop::collection::vec("[ -~]{0,6}", 0..5)) {
        let quoted: Vec<String> = items.iter().map(|i| format!("\"{}\"", i.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        let once = shown(ty("text[]"), &format!("{{{}}}", quoted.join(",")), &TextSettings::default()).expect("array");
        prop_assert_eq!(shown(ty("text[]"), &once, &TextSettings::default()).expect("again"), once);
    }

    #[test]
    fn outside_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[ -~]{0,20}") {
        for name in ["numeric", "jsonb", "int[]", "text[]", "interval", "timetz", "uuid", "date", "timestamp", "bytea", "text", "bool"] {
            let _ = parse_binary(ty(name), &bytes);
            let _ = parse_text(ty(name), &text, &TextSettings::default());
        }
    }
}
