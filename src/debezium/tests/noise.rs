//! Whatever arrives: no panic, one bronze row for each record, silver rows in the order of their records.

use super::samples::{names, sample, sample_route};
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The records of all samples, with the sample and topic that they are from; the largest topics cut short.
static RECORDS: LazyLock<Vec<(String, String, Vec<Owned>)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for name in names() {
        for (topic, mut records) in sample(&name) {
            records.truncate(12);
            all.push((name.clone(), topic, records));
        }
    }
    all
});

fn check(decoder: &mut Decoder, records: &[Owned]) {
    let delivery = decode(decoder, records);
    let kept: usize = delivery.bronze.iter().map(|b| b.rows.num_rows()).sum();
    assert_eq!(kept, records.len(), "one bronze row for each record");
    for bronze in &delivery.bronze {
        assert_eq!(bronze.rows.schema(), *bronze_schema().arrow());
        assert_eq!(bronze.rows.num_rows(), bronze.events.len());
        let payloads = bronze.rows.column(5).as_string::<i32>();
        let raw = bronze.rows.column(8).as_binary::<i32>();
        for (row, event) in bronze.events.iter().enumerate() {
            let value = &records[*event as usize].value;
            assert_eq!(payloads.is_null(row) && raw.is_null(row), value.is_none(), "only tombstones have neither");
            if payloads.is_valid(row) {
                jsonb::from_text(payloads.value(row).as_bytes()).expect("a payload that jsonb can hold");
            }
        }
    }
    let mut last = None;
    for changes in &delivery.changes {
        let rows = changes.rows.num_rows();
        assert!(rows > 0);
        assert_eq!((changes.ops.len(), changes.events.len()), (rows, rows));
        assert!(changes.unchanged.iter().all(|(_, bits)| bits.len() == rows));
        for event in &changes.events {
            assert!(last < Some(*event), "rows in the order of records");
            last = Some(*event);
        }
        for row in 0..rows {
            row_of(changes, row);
        }
    }
    let dead: Vec<u32> = delivery.dead.iter().map(|d| d.event).collect();
    let applied = delivery.changes.iter().flat_map(|c| &c.events);
    assert!(applied.into_iter().all(|event| !dead.contains(event)), "a dead letter is not applied");
}

/// A change to the bytes of a message.
#[derive(Debug, Clone)]
enum Harm {
    Truncate(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, &'static str),
    Double(prop::sample::Index, prop::sample::Index),
}

fn harm() -> impl Strategy<Value = Harm> {
    let pieces = prop::sample::select(vec![
        "null",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "\\u0000",
        "\\ud800",
        "1e99999",
        "-",
        "9999999999999999999999",
        "\u{e9}",
        "\"__debezium_unavailable_value\"",
        "{\"scale\":2000000000,\"value\":\"fw==\"}",
        "\"AA==\"",
        "1.5",
        "\\",
    ]);
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Harm::Truncate),
        (index(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        (index(), 1usize..40).prop_map(|(at, count)| Harm::Remove(at, count)),
        (index(), pieces).prop_map(|(at, piece)| Harm::Insert(at, piece)),
        (index(), index()).prop_map(|(a, b)| Harm::Double(a, b)),
    ]
}

fn do_harm(bytes: &mut Vec<u8>, harm: &Harm) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match harm {
        Harm::Truncate(at) => bytes.truncate(at.index(len)),
        Harm::Set(at, byte) => bytes[at.index(len)] = *byte,
        Harm::Remove(at, count) => {
            let at = at.index(len);
            bytes.drain(at..(at + count).min(len));
        }
        Harm::Insert(at, piece) => {
            let at = at.index(len);
            bytes.splice(at..at, piece.bytes());
        }
        Harm::Double(a, b) => {
            let (a, b) = (a.index(len), b.index(len));
            let piece = bytes[a.min(b)..a.max(b)].to_vec();
            bytes.splice(b..b, piece);
        }
    }
}

/// Few cases, so that the inner ring stays fast; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(48),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn harmed_samples_never_stop_the_stream(
        which in any::<prop::sample::Index>(),
        harms in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), harm()), 1..6),
        declared in any::<bool>(),
        soft_delete in any::<bool>(),
    ) {
        let (name, topic, records) = which.get(&RECORDS);
        let mut records = records.clone();
        for (at, key, harm) in &harms {
            let at = at.index(records.len());
            let record = &mut records[at];
            if let Some(bytes) = if *key { &mut record.key } else { &mut record.value } {
                do_harm(bytes, harm);
            }
        }
        let mut route = sample_route(name, topic);
        route.soft_delete = soft_delete;
        if !declared {
            route.declared.clear();
        }
        check(&mut decoder(route), &records);
    }

    #[test]
    fn random_bytes_never_stop_the_stream(
        records in prop::collection::vec(
            (prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), prop::option::of(prop::collection::vec(any::<u8>(), 0..200))),
            0..5,
        ),
    ) {
        let owned = |(key, value)| Owned { key, value, ..Owned::default() };
        check(&mut decoder(route()), &records.into_iter().map(owned).collect::<Vec<_>>());
    }

    #[test]
    fn random_json_is_read_as_json(
        text in "[\\[\\]{}:,\"\\\\a-f0-9eE.+-]{0,24}|\\{\"a\":[0-9eE.+-]{1,9}\\}|\\[\"[a-z\\\\u0-9\"]{0,12}\"\\]",
    ) {
        let mut scan = super::super::scan::Scan::new(&text, 0);
        let ours = scan.value(0).and_then(|_| scan.end()).is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        // Neither looks at pairs of surrogates.
        prop_assert_eq!(ours, theirs.is_ok(), "{}", text);
    }

    #[test]
    fn a_batch_cut_anywhere_gives_the_same_rows(which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let (name, topic, records) = which.get(&RECORDS);
        let cut = cut.index(records.len());
        let all = |deliveries: &[Delivery]| -> Vec<Vec<(String, String)>> {
            let changes = deliveries.iter().flat_map(|d| &d.changes);
            changes.flat_map(|c| (0..c.rows.num_rows()).map(|row| row_of(c, row))).collect()
        };
        let whole = decode(&mut decoder(sample_route(name, topic)), records);
        let mut parted = decoder(sample_route(name, topic));
        let first = decode_from(&mut parted, 0, &records[..cut]);
        let second = decode_from(&mut parted, cut as i64, &records[cut..]);
        prop_assert_eq!(all(&[first, second]), all(&[whole]));
    }
}
