//! What the engine says of itself, as of a tick: `sluice.tables`, `sluice.views`, `sluice.streams`, the metrics.

use crate::change::{Position, StreamId, Tick};
use crate::lake::ColdCache;
use crate::types::{Oid, PgError};
use std::sync::Arc;

/// One stream as of a tick.
#[derive(Debug, Clone)]
pub struct StreamState {
    pub source: Arc<str>,
    pub stream: StreamId,
    /// Up to here the stream is visible in the tick's snapshot.
    pub position: Position,
    /// Up to here it is durable; `None` before the first flush.
    pub checkpoint: Option<Position>,
    pub events: u64,
    pub bytes: u64,
    pub dead_letters: u64,
    /// Newest time at which the source says that a visible change was made, µs since 1970.
    pub newest_source_us: Option<i64>,
    /// When the stream's newest visible records became visible, µs since 1970.
    pub applied_us: i64,
}

/// One table as of a tick.
#[derive(Debug, Clone)]
pub struct TableState {
    pub oid: Oid,
    /// Its folder in the lake, `schema.table` of its beginning.
    pub folder: Arc<str>,
    pub rows: u64,
    /// Bytes in memory: data, key index and tombstones; of a bronze table its unflushed tail.
    pub bytes: u64,
    pub unflushed_rows: u64,
    /// The newest tick that is durable for this table.
    pub durable_tick: Tick,
    /// Version of its Delta table; `None` before the first flush.
    pub delta_version: Option<i64>,
    pub changed_tick: Tick,
    /// What the bytes are for.
    pub memory: Arc<[MemoryPart]>,
    /// Rows that are in the lake alone but for their keys, and about how many bytes more they would take in memory.
    pub evicted_rows: u64,
    pub evicted_bytes: u64,
}

/// A part of a relation's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryPart {
    pub purpose: MemoryPurpose,
    pub rows: u64,
    pub bytes: u64,
}

/// What memory is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryPurpose {
    /// Rows, and what says which of them are dead.
    Rows,
    /// Appended rows that no flush has written yet.
    Tail,
    /// The index on the key, or in a gold view on whole rows.
    Key,
    /// An index on these columns, counted from 0.
    Index(Vec<usize>),
}

/// How a gold view is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewPhase {
    Live,
    /// Its first rows are being computed.
    Hydrating,
    /// The view's query fails over the present rows; ingestion and other views go on.
    Error(Box<PgError>),
    /// It was given up, rows and all, when the process had reached its memory limit. It is filled again when there is room.
    OutOfMemory(String),
}

/// One gold view as of a tick.
#[derive(Debug, Clone)]
pub struct ViewState {
    pub oid: Oid,
    pub phase: ViewPhase,
    pub rows: u64,
    /// The tick in which its rows last changed.
    pub changed_tick: Tick,
    /// Runs of its maintenance since start, and the time they took.
    pub runs: u64,
    pub total_us: u64,
    pub last_us: u64,
    /// How it is maintained, a line for each operator.
    pub plan: Arc<[String]>,
    /// Why it, or a part of it, is recomputed.
    pub reason: Option<String>,
    /// All of it is recomputed.
    pub recomputed: bool,
    /// Bytes of its operators' own state.
    pub bytes: u64,
    /// While it is hydrating: rows of its inputs that have been read, and that there are.
    pub progress: Option<(u64, u64)>,
}

/// Durability of the whole database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LakeState {
    pub manifest: u64,
    pub durable_tick: Tick,
    /// When the newest durable tick's flush ended, µs since 1970.
    pub flushed_us: i64,
    pub flushes: u64,
    pub last_flush_us: u64,
    /// Why the last flush failed, where it did; flushes are tried again until one succeeds.
    pub error: Option<String>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub streams: Vec<StreamState>,
    pub tables: Vec<TableState>,
    pub views: Vec<ViewState>,
    pub lake: LakeState,
    /// Of rows that are in the lake alone, what was read last.
    pub cold_cache: ColdCache,
    /// Bytes that the process had allocated when the tick was published.
    pub used_bytes: u64,
    /// Source transactions that were shown before they were whole (see `engine::align`).
    pub torn_transactions: u64,
    pub dead_letters: u64,
    pub events: u64,
}
