use super::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/debezium")
}

fn bytes(value: &serde_json::Value) -> Option<Vec<u8>> {
    value.as_str().map(|s| s.as_bytes().to_vec())
}

/// The records of a sample, by topic.
pub fn sample(name: &str) -> BTreeMap<String, Vec<Owned>> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.jsonl"))).expect("a sample");
    let mut topics = BTreeMap::<String, Vec<Owned>>::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let topic = line["topic"].as_str().expect("a topic").to_string();
        let headers = line["headers"].as_array().into_iter().flatten();
        let headers =
            headers.map(|h| (h["key"].as_str().expect("a header's key").into(), bytes(&h["value"]))).collect();
        let record = Owned { key: bytes(&line["key"]), value: bytes(&line["value"]), headers };
        topics.entry(topic).or_default().push(record);
    }
    topics
}

pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("the fixtures");
    let names = files.filter_map(|f| f.ok()?.file_name().to_str()?.strip_suffix(".jsonl").map(String::from));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The types of a topic's columns as the samples with schema blocks give them: what a person would declare.
fn declared(connector: &str, topic: &str) -> Vec<Column> {
    let with_schemas = match connector {
        "sqlserver" => "sqlserver-json-schemas-alltypes-default-dbz3.6.3-classes",
        _ => "postgresql-json-schemas-default-dbz3.6.3",
    };
    let Some(records) = sample(with_schemas).remove(topic) else { return Vec::new() };
    let delivery = decode(&mut decoder(route()), &records);
    let columns = delivery.changes.first().map_or(Vec::new(), |c| c.schema.columns.clone());
    columns.into_iter().filter(|c| !super::super::rows::is_meta(&c.name)).collect()
}

pub fn sample_route(name: &str, topic: &str) -> Route {
    let connector = name.split('-').next().expect("a name");
    let kind = guess_kind(topic, Some("srv"));
    let mut declared = match name.contains("-noschema-") && kind == StreamKind::Table {
        true => declared(connector, topic),
        false => Vec::new(),
    };
    for column in &mut declared {
        match column.name.as_str() {
            // The schema block has no precision for money.
            "c_money" if connector == "postgresql" => column.ty = PgType::numeric(19, 2),
            // decimal.handling.mode=double makes 1e38 of its largest value, which numeric(38,0) does not hold.
            "c_num_38_0" if name.contains("decdouble") => column.ty = PgType::new(oid::FLOAT8),
            _ => (),
        }
    }
    if name.contains("timeconnect") {
        // Milliseconds under time.precision.mode=connect: the declaration has to say so.
        let times = declared.iter_mut().filter(|c| matches!(c.ty.oid, oid::TIME | oid::TIMESTAMP));
        times.for_each(|c| c.ty.typmod = 3);
    }
    Route { topic: topic.into(), declared, kind, ..route() }
}

fn decoded(name: &str) -> String {
    let mut out = String::new();
    for (topic, records) in sample(name) {
        let mut decoder = decoder(sample_route(name, &topic));
        let delivery = decode(&mut decoder, &records);
        let kept: usize = delivery.bronze.iter().map(|b| b.rows.num_rows()).sum();
        assert_eq!(kept, records.len(), "{name} {topic}: bronze keeps each record");
        let _ = writeln!(out, "== {topic}\n{}", describe(&delivery));
    }
    out
}

#[test]
fn samples_of_real_connectors_give_the_expected_rows() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let names = names();
    assert!(names.len() >= 20, "the fixtures are there");
    for name in names {
        let path = folder().join(format!("{name}.expected"));
        let got = decoded(&name);
        if update {
            std::fs::write(&path, got).expect("a writable fixture");
            continue;
        }
        let expected = std::fs::read_to_string(&path).expect("an expectation beside each sample");
        for (n, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
            assert_eq!(got, expected, "{name}, line {}", n + 1);
        }
        assert_eq!(got.lines().count(), expected.lines().count(), "{name}: number of lines");
    }
}

/// Data columns of all rows of a topic.
fn rows(name: &str, topic: &str) -> Vec<Vec<(String, String)>> {
    let records = sample(name).remove(topic).expect("the topic");
    let delivery = decode(&mut decoder(sample_route(name, topic)), &records);
    assert!(delivery.dead.is_empty(), "{name}: {:?}", delivery.dead);
    let all = delivery.changes.iter().flat_map(|c| (0..c.rows.num_rows()).map(|row| row_of(c, row)));
    all.map(|row| row.into_iter().filter(|(name, _)| !super::super::rows::is_meta(name)).collect()).collect()
}

#[test]
fn sql_server_rows_are_the_same_with_and_without_schema_block() {
    let topic = "server1.dbo.all_types";
    let with = rows("sqlserver-json-schemas-alltypes-default-dbz3.6.3-classes", topic);
    assert_eq!(rows("sqlserver-json-noschema-alltypes-default-dbz3.6.3-classes", topic), with);
    // Other encodings of the same rows: whatever is not lost at the source must come out the same.
    let lossy = |name: &str, lost: &[&str]| {
        for (got, expected) in rows(name, topic).iter().zip(&with) {
            for (got, expected) in got.iter().zip(expected).filter(|(g, _)| !lost.contains(&g.0.as_str())) {
                assert_eq!(got, expected, "{name}");
            }
        }
    };
    lossy("sqlserver-json-noschema-alltypes-timeadaptivemicro-dbz3.6.3-classes", &[]);
    // connect: milliseconds only.
    lossy(
        "sqlserver-json-noschema-alltypes-decstring-timeconnect-binhex-dbz3.6.3-classes",
        &["c_time6", "c_time7", "c_datetime2_6", "c_datetime2_7"],
    );
    // double: 15 to 17 digits of a decimal.
    lossy(
        "sqlserver-json-noschema-alltypes-decdouble-timeisostring-binbase64-dbz3.6.3-classes",
        &["c_dec_18_4", "c_num_38_10", "c_money"],
    );
}
