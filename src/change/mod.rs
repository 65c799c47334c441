//! Floor 0: changes on their way from a source to the tick loop.
//!
//! A source reads records from one stream, in order, decodes them (`debezium`) and hands over a [`Delivery`]: what
//! bronze keeps of each record, what each record does to a silver table, what could not be read, and up to where the
//! stream has been read. The engine applies deliveries in ticks. This room knows no formats and no brokers.

mod cold;
mod schemas;

use crate::types::TableSchema;
use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use std::fmt;
use std::sync::Arc;

pub use cold::{ColdGroup, ColdPieces, ColdRows, IdRun};
pub use schemas::Schemas;

/// One atomic step of the whole database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Tick(pub u64);

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How far a stream has been read: the position of the *next* record (Kafka offset, line number from 0, demo sequence).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A row version of a table; ascending in order of arrival, never reused while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowId(pub u64);

/// The name of a stream, unique in the process and stable over restarts: `<source>/<topic>/<partition>`,
/// `<source>/<file>`. It is the application id of the `txn` actions in the lake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub Arc<str>);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a change does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `r`: a row of a snapshot.
    Snapshot,
    /// `c`
    Create,
    /// `u`
    Update,
    /// `d`
    Delete,
    /// `t`: all rows of the table are gone. The row of a truncate in [`TableChanges::rows`] is all NULL but for the
    /// metadata columns.
    Truncate,
}

/// Which source transaction a record belongs to. 0: none, visible at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TransactionId(pub u128);

/// How [`TransactionId`]s of a delivery are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionKind {
    /// SQL Server commit LSNs (10 bytes, big-endian, as a number): ordered over all streams of the source; one is
    /// complete when every stream has gone past it.
    CommitLsn,
    /// Ids of Debezium's transaction metadata (hashed): complete when the END record's count has arrived.
    Metadata,
}

/// A BEGIN or END record of a Debezium transaction topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionMark {
    pub id: TransactionId,
    /// Index of the record in the delivery.
    pub event: u32,
    /// `None`: BEGIN. `Some(counts)`: END, with the number of events in each data collection (`schema.table`, with the
    /// database before it where the connector has several).
    pub end: Option<Vec<(Arc<str>, u64)>>,
}

/// One change of a row's key at the source. Debezium sends it as a delete of the old key and a create of the new one; both
/// halves have the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoveId(pub u128);

/// One half of a key change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveHalf {
    /// The delete: the row leaves its old key.
    Leaves,
    /// The create: the row arrives under its new key. `whole`: with all of its values; else some are those of the row that
    /// left.
    Arrives { whole: bool },
}

/// A record that is half of a key change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMove {
    /// Index of the record in the delivery.
    pub event: u32,
    pub id: MoveId,
    pub half: MoveHalf,
}

/// The changes of one silver table in a delivery, in stream order.
#[derive(Debug, Clone)]
pub struct TableChanges {
    /// `schema.table` of the silver table, resolved by the routing of the source.
    pub table: Arc<str>,
    /// The columns of `rows`: names, types and key as the decoder understood them. The engine adds columns that the
    /// table lacks and widens types; equal schemas share one `Arc`.
    pub schema: Arc<TableSchema>,
    /// One row for each change: the row after it; of a delete the key columns and metadata only.
    pub rows: RecordBatch,
    pub ops: Vec<Op>,
    /// For each row the index of its record in the delivery, ascending.
    pub events: Vec<u32>,
    /// For a column index: where set, the source did not send the value (an unavailable TOAST value) and the stored
    /// one stays.
    pub unchanged: Vec<(usize, BooleanBuffer)>,
}

/// What bronze keeps of the records: columns as `debezium::bronze_schema()`.
#[derive(Debug, Clone)]
pub struct BronzeRows {
    /// `schema.table` of the bronze table.
    pub table: Arc<str>,
    /// One row for each record, in order; `events[i]` is the index of the record of row *i*.
    pub rows: RecordBatch,
    pub events: Vec<u32>,
}

/// A record that could not be applied. It is in bronze as it came; this says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub event: u32,
    pub position: Position,
    /// The silver table that it was for, where that is known.
    pub table: Option<Arc<str>>,
    /// Short kebab-case class: `not-json`, `bad-envelope`, `bad-value`, `missing-key`, `unknown-column`, `too-large`…
    pub reason: &'static str,
    /// What was wrong, where in the record, with the offending value cut to a readable length.
    pub message: String,
}

/// A schema block as a record brought it, of which bronze keeps the payload only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaBlock {
    /// The first record of the stream that had it.
    pub event: u32,
    /// `key` or `value`.
    pub part: &'static str,
    /// JSON.
    pub schema: String,
}

/// A batch of records of one stream, decoded.
#[derive(Debug)]
pub struct Delivery {
    pub source: Arc<str>,
    pub stream: StreamId,
    /// Position of record *i*; strictly ascending (Kafka offsets may have gaps). Its length is the number of records.
    pub positions: Vec<Position>,
    /// Where reading goes on after this delivery.
    pub next: Position,
    pub bronze: Vec<BronzeRows>,
    pub changes: Vec<TableChanges>,
    pub dead: Vec<DeadLetter>,
    /// Schema blocks that the stream's decoder had not seen before.
    pub blocks: Vec<SchemaBlock>,
    /// One for each record, or empty where the stream knows no transactions.
    pub transactions: Vec<TransactionId>,
    pub transaction_kind: Option<TransactionKind>,
    pub marks: Vec<TransactionMark>,
    /// The records that are halves of key changes, ascending.
    pub moves: Vec<KeyMove>,
    /// Newest time at which the source says that a change was made, µs since 1970.
    pub newest_source_ts: Option<i64>,
    /// Bytes of keys and payloads, for accounting and back-pressure.
    pub bytes: usize,
}

impl Delivery {
    /// The key change that a record is half of.
    pub fn key_move(&self, event: u32) -> Option<&KeyMove> {
        let at = self.moves.binary_search_by_key(&event, |m| m.event).ok()?;
        self.moves.get(at)
    }
}
