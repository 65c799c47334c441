//! Single events, written by hand: what each form, fault and option does.

use super::*;
use crate::change::{Op, TransactionId, TransactionKind};

/// An event of SQL Server's connector.
fn event(op: &str, after: &str) -> String {
    format!(
        r#"{{"before":null,"after":{after},"source":{{"connector":"sqlserver","ts_ms":1709212455000,"snapshot":"false","db":"d1","change_lsn":"00000027:00000ac0:0007","commit_lsn":"00000027:00000ac0:0009","event_serial_no":1}},"op":"{op}","ts_ms":1}}"#
    )
}

fn with_types(columns: &[(&str, PgType)]) -> Route {
    let declared = columns.iter().map(|(name, ty)| Column::new(*name, *ty, true)).collect();
    Route { declared, ..route() }
}

/// The value that a JSON value becomes in a column of a declared type, or the reason of its dead letter.
fn read(ty: PgType, json: &str) -> String {
    let mut decoder = decoder(with_types(&[("id", PgType::new(oid::INT4)), ("v", ty)]));
    let delivery =
        decode(&mut decoder, &[Owned::new(r#"{"id":1}"#, &event("c", &format!(r#"{{"id":1,"v":{json}}}"#)))]);
    match delivery.changes.first() {
        Some(changes) => value_of(changes, 0, "v"),
        None => delivery.dead[0].reason.to_string(),
    }
}

fn plain(oid: crate::types::Oid) -> PgType {
    PgType::new(oid)
}

#[test]
fn declared_types_take_every_form() {
    let precise = |oid, typmod| PgType { oid, typmod };
    let cases = [
        (PgType::numeric(18, 4), r#""AbabS6Yw804=""#, "12345678901234.5678"),
        (PgType::numeric(18, 4), "12345678901234.5678", "12345678901234.5678"),
        (PgType::numeric(18, 4), r#""12345678901234.5678""#, "12345678901234.5678"),
        (PgType::numeric(18, 4), r#"{"scale":4,"value":"B1vNFQ=="}"#, "12345.6789"),
        (PgType::numeric(18, 2), r#""1234""#, "-26588.24"),
        (PgType::numeric(18, 2), "1.005", "bad-value"),
        (PgType::numeric(4, 2), "100", "bad-value"),
        (PgType::numeric(10, 2), r#""""#, "0.00"),
        (plain(oid::NUMERIC), r#"{"scale":30,"value":"/w=="}"#, "-0.000000000000000000000000000001"),
        (plain(oid::NUMERIC), r#"{"scale":-3,"value":"Ag=="}"#, "2000"),
        (plain(oid::NUMERIC), r#"{"scale":2000000000,"value":"Ag=="}"#, "bad-value"),
        (plain(oid::NUMERIC), r#""NaN""#, "NaN"),
        (
            plain(oid::NUMERIC),
            "123456789012345678901234567890123456789012345678901.5",
            "123456789012345678901234567890123456789012345678901.5",
        ),
        (plain(oid::NUMERIC), "1e999999999", "bad-value"),
        (plain(oid::INT8), "-9223372036854775808", "-9223372036854775808"),
        (plain(oid::INT8), "9223372036854775808", "bad-value"),
        (plain(oid::INT2), "32768", "bad-value"),
        (plain(oid::INT4), r#""17""#, "17"),
        (plain(oid::FLOAT8), r#""-Infinity""#, "-inf"),
        (plain(oid::FLOAT8), "1e400", "bad-value"),
        (plain(oid::BOOL), "1", "true"),
        (plain(oid::DATE), "-735160", "-0043-03-15"),
        (plain(oid::DATE), "-2147472692", "infinity"),
        (plain(oid::DATE), "-622191234", "infinity"),
        (plain(oid::DATE), "-2147472691", "-infinity"),
        (plain(oid::DATE), "-625821272", "-infinity"),
        (plain(oid::POINT), r#"{"x":0.0,"y":1.0E-10}"#, "(0,1e-10)"),
        (plain(oid::DATE), r#""2024-02-29Z""#, "2024-02-29"),
        (plain(oid::DATE), r#""2023-02-29""#, "bad-value"),
        (plain(oid::TIME), "86400000", "24:00:00.000000"),
        (plain(oid::TIME), "47655123456700", "13:14:15.123456"),
        (precise(oid::TIME, 6), "86399999999", "23:59:59.999999"),
        (plain(oid::TIME), r#""23:59:59.999999Z""#, "23:59:59.999999"),
        (plain(oid::TIME), "-1", "bad-value"),
        (plain(oid::TIMETZ), r#""04:50:30.123456+05:30""#, "17430123456 us, -19800 s west"),
        (precise(oid::TIMESTAMP, 3), "1709212455123", "2024-02-29T13:14:15.123"),
        (precise(oid::TIMESTAMP, 6), "1709212455123456", "2024-02-29T13:14:15.123456"),
        (precise(oid::TIMESTAMP, 6), "1709212455123456700", "2024-02-29T13:14:15.123456"),
        (plain(oid::TIMESTAMP), "1709212455123456", "2024-02-29T13:14:15.123456"),
        (plain(oid::TIMESTAMP), r#""2024-02-29T13:14:15.1234567""#, "2024-02-29T13:14:15.123456"),
        (plain(oid::TIMESTAMPTZ), r#""2024-02-29T13:14:15.1234567+05:30""#, "2024-02-29T07:44:15.123456Z"),
        (plain(oid::TIMESTAMPTZ), r#""2024-02-29 13:14:15-08""#, "2024-02-29T21:14:15Z"),
        (plain(oid::TIMESTAMPTZ), r#""infinity""#, "infinity"),
        (plain(oid::TIMESTAMPTZ), r#""yesterday""#, "bad-value"),
        (plain(oid::INTERVAL), r#""P1Y2M3DT4H5M6.789S""#, "14 mons 3 days 14706789000 us"),
        (plain(oid::INTERVAL), "-3020399000000", "0 mons 0 days -3020399000000 us"),
        (plain(oid::UUID), r#""6F9619FF-8B86-D011-B42D-00C04FC964FF""#, "6f9619ff8b86d011b42d00c04fc964ff"),
        (plain(oid::UUID), r#""6F9619FF""#, "bad-value"),
        (plain(oid::BYTEA), r#""3q2-7wA=""#, "\\xdeadbeef00"),
        (plain(oid::BYTEA), r#""deadbeef00""#, "\\xdeadbeef00"),
        (plain(oid::BYTEA), r#""!""#, "bad-value"),
        (plain(oid::JSONB), r#""{\"a\": 1,  \"b\": [1,2]}""#, r#"{"a": 1, "b": [1, 2]}"#),
        (plain(oid::JSONB), r#"{"a":1}"#, r#"{"a": 1}"#),
        (plain(oid::JSONB), r#""{""#, "bad-value"),
        (precise(oid::BIT, 10), r#""AQI=""#, "1000000001"),
        (precise(oid::BIT, 5), r#""Fg==""#, "10110"),
        (plain(oid::POINT), r#"{"x":1.5,"y":-2.25,"wkb":"AQ==","srid":null}"#, "(1.5,-2.25)"),
        (precise(oid::VARCHAR, 7), r#""abc""#, "abc"),
        (precise(oid::VARCHAR, 7), r#""abcd""#, "bad-value"),
        (precise(oid::BPCHAR, 9), r#""ab""#, "ab   "),
        (plain(oid::TEXT), r#""a\u0000b""#, "bad-value"),
        (plain(oid::TEXT), r#""\ud83d\ude00\n""#, "😀\n"),
        (plain(oid::TEXT), "12.50", "12.50"),
        (oid::array_of(oid::INT4).map(plain).expect("int4[]"), "[1,null,3]", "{1,NULL,3}"),
        (oid::array_of(oid::INT4).map(plain).expect("int4[]"), r#"[1,"x"]"#, "bad-value"),
        (oid::array_of(oid::TEXT).map(plain).expect("text[]"), r#""x,z""#, "{x,z}"),
        (plain(oid::TEXT), r#""__debezium_unavailable_value""#, "<unchanged>"),
        (plain(oid::BYTEA), r#""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#, "<unchanged>"),
    ];
    for (ty, json, expected) in cases {
        assert_eq!(read(ty, json), expected, "{} from {json}", super::super::rows::type_name(ty));
    }
}

#[test]
fn untyped_columns_are_inferred_and_widened() {
    let rows = [
        r#"{"id":1,"n":null,"f":true,"j":{"a":1}}"#,
        r#"{"id":2,"n":5,"f":true,"j":[]}"#,
        r#"{"id":3,"n":1.5,"f":"yes","j":"s"}"#,
        r#"{"id":4,"n":99999999999999999999,"f":false,"j":null}"#,
    ];
    let records: Vec<Owned> =
        rows.iter().enumerate().map(|(n, r)| Owned::new(&format!(r#"{{"id":{}}}"#, n + 1), &event("c", r))).collect();
    let delivery = decode(&mut decoder(route()), &records);
    assert!(delivery.dead.is_empty(), "{:?}", delivery.dead);
    let last = delivery.changes.last().expect("rows");
    let types: Vec<_> = last.schema.columns.iter().map(|c| (c.name.as_str(), c.ty.oid)).collect();
    assert_eq!(types[..4], [("id", oid::INT8), ("f", oid::TEXT), ("j", oid::JSONB), ("n", oid::NUMERIC)]);
    assert_eq!(last.schema.key, [0]);
    assert_eq!((value_of(last, 0, "n"), value_of(last, 0, "j")), ("1.5".into(), "\"s\"".into()));
    assert_eq!((value_of(last, 1, "n"), value_of(last, 1, "f")), ("99999999999999999999".into(), "false".into()));
    let events: Vec<u32> = delivery.changes.iter().flat_map(|c| c.events.clone()).collect();
    assert_eq!(events, [0, 1, 2, 3]);
}

#[test]
fn a_bad_record_stops_nobody_and_says_why() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let records = [
        Owned::new(r#"{"id":1}"#, &event("c", r#"{"id":1,"v":7}"#)),
        Owned::new(r#"{"id":2}"#, "hello"),
        Owned::new(r#"{"id":2}"#, &deep),
        Owned::new(r#"{"id":2}"#, "[1]"),
        Owned::new(r#"{"id":2}"#, &event("x", r#"{"id":2}"#)),
        Owned::new(r#"{"id":2}"#, &event("c", "null")),
        Owned::new(r#"{"id":2}"#, &event("c", r#"{"id":2,"v":"seven"}"#)),
        Owned::new(r#"{"other":2}"#, &event("d", "null")),
        Owned::new(r#"{"id":2}"#, &event("c", r#"{"id":2,"new":1}"#)),
        Owned::new(r#"{"id":2}"#, &event("c", r#"{"id":2,"v":1,"v":2}"#)),
        Owned::new(r#"{"id":3}"#, &event("u", r#"{"id":3,"v":8}"#)),
    ];
    let mut route = with_types(&[("id", plain(oid::INT4)), ("v", plain(oid::INT4))]);
    route.strict_columns = true;
    let delivery = decode(&mut decoder(route), &records);
    let reasons: Vec<(u32, &str)> = delivery.dead.iter().map(|d| (d.event, d.reason)).collect();
    let expected = [
        (1, "not-json"),
        (2, "too-deep"),
        (3, "bad-envelope"),
        (4, "bad-envelope"),
        (5, "bad-envelope"),
        (6, "bad-value"),
        (7, "missing-key"),
        (8, "unknown-column"),
        (9, "bad-envelope"),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(delivery.dead[5].message, "column \"v\" of type integer cannot hold \"seven\"");
    assert_eq!(delivery.changes.len(), 1);
    let changes = &delivery.changes[0];
    assert_eq!(changes.events, [0, 10]);
    assert_eq!((value_of(changes, 0, "v"), value_of(changes, 1, "v")), ("7".into(), "8".into()));
    assert_eq!(delivery.bronze[0].rows.num_rows(), records.len());
    assert_eq!(delivery.bronze[0].rows.column(8).null_count(), records.len() - 2, "raw bytes of what is not JSON");
    assert_eq!(delivery.next, Position(11));
}

#[test]
fn a_key_change_is_a_delete_and_a_create_and_its_tombstone_says_nothing() {
    let records = [
        Owned::new(r#"{"id":1}"#, &event("c", r#"{"id":1,"v":7}"#)),
        Owned::new(r#"{"id":1}"#, &event("d", "null")),
        Owned::new(r#"{"id":1}"#, ""),
        Owned::new(r#"{"id":2}"#, &event("c", r#"{"id":2,"v":7}"#)),
        // Its delete was compacted away.
        Owned::new(r#"{"id":2}"#, ""),
    ];
    let delivery = decode(&mut decoder(Route { soft_delete: true, ..route() }), &records);
    assert!(delivery.dead.is_empty(), "{:?}", delivery.dead);
    let changes = &delivery.changes[0];
    assert_eq!(changes.ops, [Op::Create, Op::Delete, Op::Create, Op::Delete]);
    assert_eq!(changes.events, [0, 1, 3, 4]);
    assert_eq!((value_of(changes, 1, "id"), value_of(changes, 1, "v")), ("1".into(), "NULL".into()));
    assert_eq!((value_of(changes, 0, "_deleted"), value_of(changes, 1, "_deleted")), ("false".into(), "true".into()));
    assert_eq!(delivery.transaction_kind, Some(TransactionKind::CommitLsn));
    let commit = TransactionId(0x0027_0000_0ac0_0009);
    assert_eq!(delivery.transactions, [commit, commit, commit, commit, TransactionId(0)]);
}

#[test]
fn records_without_a_key_are_appended() {
    let records = [
        Owned::new("", &event("c", r#"{"a":1}"#)),
        Owned::new("", &event("d", "null")),
        Owned::new("", &event("c", r#"{"a":2}"#)),
    ];
    let delivery = decode(&mut decoder(route()), &records);
    let changes = &delivery.changes[0];
    assert!(delivery.dead.is_empty() && changes.schema.key.is_empty());
    assert_eq!(changes.rows.num_rows(), 3);
}

#[test]
fn the_source_database_can_be_part_of_the_key() {
    let route = Route { source_db_in_key: true, ..route() };
    let delivery = decode(&mut decoder(route), &[Owned::new(r#"{"id":1}"#, &event("c", r#"{"id":1}"#))]);
    let changes = &delivery.changes[0];
    assert_eq!(changes.schema.key, [0, 1]);
    assert_eq!(value_of(changes, 0, "_source_db"), "d1");
    assert_eq!(value_of(changes, 0, "_lsn"), "00000027:00000ac0:0009/00000027:00000ac0:0007/0000000001");
}

#[test]
fn a_repeated_schema_block_is_recognised_and_a_changed_one_seen() {
    let schema = |extra: &str| {
        format!(
            r#"{{"type":"struct","fields":[{{"type":"struct","fields":[{{"type":"int32","optional":false,"field":"id"}}{extra}],"optional":true,"field":"after"}},{{"type":"string","optional":false,"field":"op"}}]}}"#
        )
    };
    let wrapped = |schema: &str, payload: &str| format!(r#"{{"schema":{schema},"payload":{payload}}}"#);
    let key = r#"{"id":1}"#;
    let more = r#",{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"d"}"#;
    let records = [
        Owned::new(key, &wrapped(&schema(""), &event("c", r#"{"id":1}"#))),
        Owned::new(key, &wrapped(&schema(""), &event("u", r#"{"id":1}"#))),
        Owned::new(key, &wrapped(&schema(more), &event("u", r#"{"id":1,"d":"tmn9Lg=="}"#))),
        Owned::new(key, &wrapped(&schema(""), &event("u", r#"{"id":1}"#))),
        // The schema's bytes are known, what follows them is wrong.
        Owned::new(key, &format!("{}x", wrapped(&schema(""), &event("u", r#"{"id":1}"#)))),
        Owned::new(key, &format!(r#"{{"payload":{}}}"#, event("u", r#"{"id":1,"d":"tmn9Lg=="}"#))),
    ];
    let delivery = decode(&mut decoder(route()), &records);
    let shapes: Vec<(usize, usize)> =
        delivery.changes.iter().map(|c| (c.schema.columns.len() - 4, c.rows.num_rows())).collect();
    assert_eq!(shapes, [(1, 2), (2, 1), (1, 1), (2, 1)]);
    assert_eq!(value_of(&delivery.changes[1], 0, "d"), "-12345678.90");
    assert_eq!(value_of(&delivery.changes[3], 0, "d"), "-12345678.90", "types of a block outlive it");
    assert_eq!(delivery.dead.len(), 1);
    assert_eq!((delivery.dead[0].event, delivery.dead[0].reason), (4, "not-json"));
    let payload = delivery.bronze[0].rows.column(5).as_string::<i32>().value(0).to_string();
    assert_eq!(payload, event("c", r#"{"id":1}"#), "bronze keeps the payload, not the block");
}

#[test]
fn types_of_the_table_are_taken_from_the_engine() {
    let schemas = Arc::new(Schemas::new());
    let table = TableSchema::new(
        vec![Column::new("id", plain(oid::INT8), false), Column::new("d", PgType::numeric(10, 2), true)],
        vec![0],
    );
    let mut decoder = Decoder::new(Arc::new(route()), Arc::clone(&schemas));
    schemas.set("silver.t".into(), Arc::new(table));
    let delivery = decode(&mut decoder, &[Owned::new(r#"{"id":1}"#, &event("c", r#"{"id":1,"d":"tmn9Lg=="}"#))]);
    assert_eq!(value_of(&delivery.changes[0], 0, "d"), "-12345678.90");
    assert_eq!(delivery.changes[0].schema.key, [0]);
}

#[test]
fn headers_and_keys_are_kept_as_json() {
    let mut record = Owned::new("****", r#"{"a":"\u0000"}"#);
    record.headers = vec![("h".into(), Some(b"\"q\"".to_vec())), ("n".into(), None), ("b".into(), Some(vec![0xff]))];
    let delivery = decode(&mut decoder(Route { silver: None, ..route() }), &[record, Owned::new("", "")]);
    let rows = &delivery.bronze[0].rows;
    let text = |column: usize, row| rows.column(column).as_string::<i32>().value(row).to_string();
    assert_eq!(text(4, 0), r#""****""#);
    assert_eq!(
        text(6, 0),
        r#"[{"key":"h","value":"\"q\""},{"key":"n","value":null},{"key":"b","value":{"base64":"/w=="}}]"#
    );
    assert!(rows.column(5).is_null(0), "jsonb has no zero characters");
    assert_eq!(rows.column(8).as_binary::<i32>().value(0), br#"{"a":"\u0000"}"#);
    assert!(rows.column(5).is_null(1) && rows.column(8).is_null(1) && rows.column(6).is_null(1));
}

#[test]
fn a_message_of_twenty_megabytes_is_read() {
    let long = "x".repeat(20 << 20);
    let record = Owned::new(r#"{"id":1}"#, &event("c", &format!(r#"{{"id":1,"t":"{long}"}}"#)));
    let delivery = decode(&mut decoder(route()), &[record]);
    assert!(delivery.dead.is_empty());
    assert_eq!(value_of(&delivery.changes[0], 0, "t").len(), long.len());
}
