//! Floor 1: the hot store: the tables of the tick loop and their immutable snapshots.
//!
//! **Promises.** One writer changes a [`Table`]; [`Table::publish`] gives a [`TableSnapshot`] that keeps answering
//! scans and key look-ups as of its tick for as long as somebody holds it, on any thread, while the writer goes on. A
//! call that returns an error has changed nothing.
//!
//! **The caller brings** batches in the table's Arrow schema, and calls [`Table::maintain`] between ticks: without it
//! the answers stay right, but chunks stay small and dead versions stay in memory. NOT NULL is *not* checked here: a
//! row that violates it is a dead letter or a statement's error, and both are decided above.
//!
//! ```text
//!   apply ──► [chunk][chunk][chunk]…[small][tiny]   rows in ascending RowId order, immutable Arrow
//!                │ deaths: which rows live, and the rows that died with the epochs that ended them, in order
//!                ▼
//!   key index: hash ──► RowId of the newest version ──► of those before it, while snapshots see them
//!   secondary indexes: other columns' hash ──► all RowIds, in posting lists; views ask for them and share them
//! ```
//!
//! **Versions instead of copied bitmaps.** Each publish is an epoch. A row that dies is written down, in place and
//! atomically, with the epoch from which it is gone; a snapshot of epoch *e* sees the rows that did not die up to *e*. A
//! tick of 1,000 deaths spread over a table of 10M rows so writes 8 kB, where copy-on-write bitmaps copy every bitmap
//! (1.2 MB); publishing costs no more for it. Compaction drops what is dead for the writer: older snapshots hold their
//! own list of chunks.
//!
//! **Rows outside of memory.** A chunk is resident, or cold: its rows lie in a file ([`ColdRows`]), and what stays is which rows there are
//! (ids, deaths), the columns by which they are found, and bounds. [`Table::evict`] makes chunks cold; every answer stays the
//! same, and costs a read.
//!
//! **Costs.** Publish: one copy of the list of pages (32 chunks each). Upsert: one probe, one key comparison in the
//! columns, one death, the place of the old version in the index, one link back to it. Batches do each step for many
//! rows at once, so that they wait for memory together ([`prefetch`]): what counts is how many places of memory, anywhere, a row
//! touches. Memory besides the Arrow data: 15–21 bytes a key, below 2 bytes a row in chunks with dead rows, below one for ids in
//! compacted chunks; 16 for each change while a snapshot from before it is held. In a secondary index about 25 bytes a row where
//! few share a value, 8 to 16 where many do.

mod accounts;
mod beside;
mod changes;
mod chunk;
mod cold;
mod deaths;
mod filter;
mod hash;
mod ids;
mod index;
mod key;
mod list;
mod maintain;
mod postings;
mod predecessors;
mod prefetch;
mod secondary;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod write;

use arrow::array::RecordBatch;
use std::ops::Range;

pub use crate::change::{ColdGroup, ColdPieces, ColdRows, IdRun, RowId};

pub use accounts::IndexMemory;
pub use beside::BuiltIndex;
pub use changes::Changes;
pub use hash::MOST_ROWS;
pub use snapshot::TableSnapshot;
pub use table::Table;
pub use write::earlier_twins;

/// What a row of a change batch does to the row of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowOp {
    /// Insert the row, or replace the one with its key.
    Upsert,
    /// As `Upsert`, but where no value is stored that is to stay, the row's own is taken: a soft delete.
    Retire,
    /// Remove the row with this key, if there is one. Only the key columns are looked at.
    Delete,
}

/// What one call changed: a Z-set delta (`inserted` at weight 1, `retracted` at weight -1) and the ids behind it.
#[derive(Debug, Clone)]
pub struct TableDelta {
    pub inserted: RecordBatch,
    /// The ids of `inserted`, row for row.
    pub inserted_ids: Range<u64>,
    /// The content of `dead`, row for row; without rows where [`Table::set_retractions`] turned it off.
    pub retracted: RecordBatch,
    pub dead: Vec<RowId>,
}

/// Bytes that a table holds, without those that only older snapshots still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableMemory {
    pub data: usize,
    pub index: usize,
    /// Who died and when, and the row ids of compacted chunks.
    pub tombstones: usize,
}

impl TableMemory {
    pub fn total(&self) -> usize {
        self.data + self.index + self.tombstones
    }
}
