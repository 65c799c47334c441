//! The decoder against events of real connectors, events made wrong on purpose, and noise.
//!
//! `tests/fixtures/debezium/*.jsonl` are captures of Debezium 3.6.3 and 3.0.7 (SQL Server: made by the connector's own
//! classes); each has an `.expected` beside it: the rows that it must give, as a person reads them.
//! `UPDATE_EXPECTED=1 cargo test --lib debezium::` writes them anew: review the difference.
//!
//! The noise tests run a few hundred cases; `PROPTEST_CASES=1000000 cargo test --lib debezium::tests::noise` runs long.

mod forms;
mod noise;
mod samples;

use super::*;
use crate::change::{Delivery, StreamId};
use crate::types::numeric::Numeric;
use crate::types::{jsonb, oid};
use arrow::array::{Array, AsArray, BinaryArray, FixedSizeBinaryArray, LargeBinaryArray, ListArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::fmt::Write;

pub const INGESTED: i64 = 1_700_000_000_000_000;

/// A record that owns its bytes.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Owned {
    pub fn new(key: &str, value: &str) -> Self {
        let bytes = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        Self { key: bytes(key), value: bytes(value), headers: Vec::new() }
    }
}

pub fn route() -> Route {
    Route {
        source: "src".into(),
        stream: StreamId("src/srv.t/0".into()),
        topic: "srv.t".into(),
        partition: 0,
        bronze: Some("bronze.t".into()),
        silver: Some("silver.t".into()),
        source_db_in_key: false,
        soft_delete: false,
        append_only: false,
        declared: Vec::new(),
        declared_key: Vec::new(),
        strict_columns: false,
        kind: StreamKind::Table,
    }
}

pub fn decoder(route: Route) -> Decoder {
    Decoder::new(Arc::new(route), Arc::new(Schemas::new()))
}

pub fn decode_from(decoder: &mut Decoder, first: i64, records: &[Owned]) -> Delivery {
    let headers: Vec<Vec<_>> =
        records.iter().map(|r| r.headers.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect()).collect();
    let borrowed: Vec<Record<'_>> = records
        .iter()
        .zip(&headers)
        .zip(first..)
        .map(|((r, headers), position)| Record {
            position: Position(position),
            timestamp_ms: Some(1_700_000_000_000 + position),
            key: r.key.as_deref(),
            value: r.value.as_deref(),
            headers,
        })
        .collect();
    decoder.decode(&borrowed, INGESTED)
}

pub fn decode(decoder: &mut Decoder, records: &[Owned]) -> Delivery {
    decode_from(decoder, 0, records)
}

/// One value as a person reads it.
pub fn show(array: &dyn Array, row: usize, ty: PgType) -> String {
    if array.is_null(row) {
        return "NULL".into();
    }
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    if let Some(list) = array.as_any().downcast_ref::<ListArray>() {
        let element = PgType { oid: oid::array_element(ty.oid).unwrap_or(oid::TEXT), typmod: ty.typmod };
        let elements = list.value(row);
        let shown: Vec<String> = (0..elements.len()).map(|n| show(&elements, n, element)).collect();
        return format!("{{{}}}", shown.join(","));
    }
    if ty.oid == oid::NUMERIC
        && let Some(bytes) = array.as_any().downcast_ref::<BinaryArray>()
    {
        let numeric = Numeric::from_sortable(bytes.value(row)).expect("a sortable numeric");
        return text(&|out| numeric.write_text(out));
    }
    if let Some(bytes) = array.as_any().downcast_ref::<LargeBinaryArray>() {
        return text(&|out| jsonb::write_text(bytes.value(row), out));
    }
    if let Some(bytes) = array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
        let bytes = bytes.value(row);
        let int = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let long = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        return match ty.oid {
            oid::INTERVAL => format!("{} mons {} days {} us", int(0), int(4), long(8)),
            oid::TIMETZ => format!("{} us, {} s west", long(0), int(8)),
            _ => hex(bytes),
        };
    }
    if let Some(bytes) = array.as_binary_opt::<i32>() {
        return format!("\\x{}", hex(bytes.value(row)));
    }
    match (ty.oid, infinite(array, row)) {
        (oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ, Some(infinite)) => return infinite.into(),
        (oid::TIME, _) => {
            let us = array.as_primitive::<arrow::datatypes::Time64MicrosecondType>().value(row);
            let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
            let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            return format!("{hour:02}:{minute:02}:{second:02}.{fraction:06}");
        }
        _ => (),
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).expect("a printable array");
    formatter.value(row).to_string()
}

fn infinite(array: &dyn Array, row: usize) -> Option<&'static str> {
    use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
    let (value, min, max) = match array.as_primitive_opt::<Date32Type>() {
        Some(days) => (days.value(row) as i64, i32::MIN as i64, i32::MAX as i64),
        None => (array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row), i64::MIN, i64::MAX),
    };
    (value == max).then_some("infinity").or((value == min).then_some("-infinity"))
}

/// `column=value` of one row of silver, NULLs and unchanged values told apart.
pub fn row_of(changes: &crate::change::TableChanges, row: usize) -> Vec<(String, String)> {
    let columns = changes.schema.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let unchanged = changes.unchanged.iter().any(|(c, bits)| *c == at && bits.value(row));
            let value = if unchanged { "<unchanged>".into() } else { show(changes.rows.column(at), row, column.ty) };
            (column.name.clone(), value)
        })
        .collect()
}

/// The value of a column in a row of silver.
pub fn value_of(changes: &crate::change::TableChanges, row: usize, column: &str) -> String {
    row_of(changes, row).into_iter().find(|(name, _)| name == column).map_or("<no column>".into(), |(_, value)| value)
}

/// All of a delivery, for people.
pub fn describe(delivery: &Delivery) -> String {
    let mut out = String::new();
    for changes in &delivery.changes {
        let columns: Vec<String> = changes
            .schema
            .columns
            .iter()
            .enumerate()
            .map(|(at, c)| {
                let key = if changes.schema.key.contains(&at) { " key" } else { "" };
                let not_null = if c.nullable { "" } else { " not null" };
                format!("{} {}{not_null}{key}", c.name, super::rows::type_name(c.ty))
            })
            .collect();
        let _ = writeln!(out, "columns of {}:\n    {}", changes.table, columns.join("\n    "));
        for (row, (op, event)) in changes.ops.iter().zip(&changes.events).enumerate() {
            let _ = writeln!(out, "record {event}: {op:?}");
            for (name, value) in row_of(changes, row) {
                if !matches!(name.as_str(), "_op" | "_ingested_at") && value != "NULL" {
                    let _ = writeln!(out, "    {name} = {value}");
                }
            }
        }
    }
    for mark in &delivery.marks {
        let _ = writeln!(out, "mark by record {}: {:x} {:?}", mark.event, mark.id.0, mark.end);
    }
    let ids: Vec<String> = delivery.transactions.iter().map(|t| format!("{:x}", t.0)).collect();
    if let Some(kind) = delivery.transaction_kind {
        let _ = writeln!(out, "transactions ({kind:?}): {}", ids.join(" "));
    }
    for dead in &delivery.dead {
        let _ = writeln!(out, "dead letter, record {}: {}: {}", dead.event, dead.reason, dead.message);
    }
    let _ = writeln!(out, "newest source time: {:?}", delivery.newest_source_ts);
    out
}
