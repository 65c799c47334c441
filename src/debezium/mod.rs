//! Floor 1: Debezium's JSON events → [`Delivery`](crate::change::Delivery).
//!
//! A [`Decoder`] reads one stream, in order. For each record it gives exactly one bronze row, and of a table's record
//! also the change of a silver row, a dead letter, or nothing (a tombstone behind its delete, a heartbeat, a logical
//! message). It carries no state but what it has learnt of the stream's shape: schema blocks, inferred columns, how
//! decimals are written. A record that cannot be read never stops the next one, and no bytes make it panic.
//!
//! ```text
//! bytes ─ scan ─► cells ─ event ─► op, position, transaction ─► delivery
//!          │        └──── rows ──► Arrow builders of the silver table
//!          └─ bronze ───────────► Arrow builders of the bronze table
//! ```
//!
//! # Where types come from
//!
//! The encoding of a value comes from the message's schema block, where it has one. The column's type is, in this
//! order: the declared one; the schema block's; what the silver table has now; inferred from the first value that is
//! not NULL. An inferred column is `bool`, `int8`, `float8`, `text` or `jsonb` and widens where a later value asks for it
//! (`int8` → `numeric`, anything → `text`); a column of which only NULLs were seen does not exist yet. Declared types
//! never widen: a value that does not fit is a dead letter.
//!
//! Without a schema block a column of known type takes every JSON form that Debezium has for it:
//!
//! | type | forms |
//! |---|---|
//! | numeric | number literal (its digits, never through f64), decimal text, `{"scale","value"}`, base64 of the unscaled integer (needs a declared scale) |
//! | date | days since 1970, ISO text with or without `Z` |
//! | timestamp, timestamptz | ISO text with any offset, `infinity`, or an integer: see `values::Unit` |
//! | time | ISO text, or an integer: see `values::Unit` |
//! | interval | ISO 8601 duration, integer µs |
//! | bytea | base64, base64 for URLs, hex, PostgreSQL's `\\x`: see below |
//! | json, jsonb | JSON text in a string, or JSON |
//!
//! The two ways to write a decimal as a string can be mistaken for each other only where the text has nothing but digits
//! and a length divisible by four: then the stream's other decimals decide, then the declared scale (Debezium's decimal text
//! always shows it: `12.00`).
//!
//! Likewise base64 and lower-case hex of bytes: text that could be both is read as the stream's other values are, before
//! there are any as hex from eight digits on.
//!
//! # What bronze keeps
//!
//! Key, payload and headers as JSON text. Of a message with a schema block bronze keeps the payload part: the block repeats
//! in every message, and a query reads `payload` the same way with and without it. Each distinct block of a stream is kept
//! once, with the position of its first record (`Delivery::blocks`). A payload that is not JSON, or that
//! jsonb could not hold (`\\u0000`, lone surrogates, exponents of five digits), is kept byte for byte in `payload_raw`; a key like
//! that becomes a JSON string, or `{"base64": …}` where it is no text.
//!
//! # What a silver row is
//!
//! The source's columns in its order, `_source_db` before them where the route asks for it, then `_op`, `_source_ts`,
//! `_lsn`, `_ingested_at` and perhaps `_deleted`. Rows are identified by the message key alone (or the declared key
//! columns of `after` where the message has none): `before` may hold invented values and is never read. Debezium always
//! sends all columns of a table, so a column that an event does not have is gone at the source: its new value is NULL. A
//! column whose value the source did not send (unavailable TOAST value) is marked in `TableChanges::unchanged`.

mod bronze;
mod decoder;
mod event;
mod form;
mod rows;
mod scan;
mod sink;
mod values;

#[cfg(test)]
mod tests;

use crate::change::{Position, StreamId};
use crate::types::{Column, PgType, TableSchema, oid};
use std::sync::{Arc, LazyLock};

pub use crate::change::Schemas;
pub use decoder::Decoder;

/// One record of a stream, as the source has it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub position: Position,
    /// When the broker or producer says that the record was made.
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// What the records of a stream are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Changes of rows.
    Table,
    /// BEGIN and END of transactions: `<prefix>.transaction`.
    TransactionTopic,
    /// `__debezium-heartbeat.<prefix>`
    Heartbeat,
    /// DDL of the source: `<prefix>`.
    SchemaChanges,
}

/// What a topic carries by Debezium's default names. `prefix` is the connector's `topic.prefix`, where it is known.
pub fn guess_kind(topic: &str, prefix: Option<&str>) -> StreamKind {
    if topic.starts_with("__debezium-heartbeat") {
        return StreamKind::Heartbeat;
    }
    match prefix {
        Some(prefix) if topic == prefix => StreamKind::SchemaChanges,
        Some(prefix) if topic.strip_prefix(prefix) == Some(".transaction") => StreamKind::TransactionTopic,
        None if topic.ends_with(".transaction") && topic.matches('.').count() == 1 => StreamKind::TransactionTopic,
        _ => StreamKind::Table,
    }
}

/// How the records of one stream are used.
#[derive(Debug, Clone)]
pub struct Route {
    pub source: Arc<str>,
    pub stream: StreamId,
    pub topic: Arc<str>,
    pub partition: i32,
    /// `schema.table` of the bronze table; `None`: records are not kept.
    pub bronze: Option<Arc<str>>,
    /// `schema.table` of the silver table; `None`: no typed table.
    pub silver: Option<Arc<str>>,
    /// Adds the text column `_source_db` (`source.db`) as the first column, and first in the key.
    pub source_db_in_key: bool,
    /// Deletes keep their row, with `_deleted` = true.
    pub soft_delete: bool,
    /// No key: every change is a row more. Also where the first record of a table has no key and none is declared.
    pub append_only: bool,
    /// Columns declared for the silver table; their types are binding.
    pub declared: Vec<Column>,
    /// Names of the key columns; empty: the fields of the message key.
    pub declared_key: Vec<String>,
    /// A column that is not declared is a dead letter `unknown-column`, not a new column.
    pub strict_columns: bool,
    pub kind: StreamKind,
}

/// The columns of every bronze table. `key`, `payload` and `headers` hold JSON *text* here (type json); what a client sees
/// as jsonb is made when a query reads it.
pub fn bronze_schema() -> Arc<TableSchema> {
    static SCHEMA: LazyLock<Arc<TableSchema>> = LazyLock::new(|| {
        let column = |name: &str, oid, nullable| Column::new(name, PgType::new(oid), nullable);
        let columns = vec![
            column("topic", oid::TEXT, false),
            column("partition", oid::INT4, false),
            column("offset", oid::INT8, false),
            column("timestamp", oid::TIMESTAMPTZ, true),
            column("key", oid::JSON, true),
            column("payload", oid::JSON, true),
            column("headers", oid::JSON, true),
            column("ingested_at", oid::TIMESTAMPTZ, false),
            column("payload_raw", oid::BYTEA, true),
        ];
        Arc::new(TableSchema::new(columns, Vec::new()))
    });
    Arc::clone(&SCHEMA)
}
