//! What happened between two snapshots of a table, and look-ups that need no rows: what views ask for.

use super::RowId;
use super::key::{hash_rows, probe_columns, rows_equal};
use super::list::Slot;
use super::snapshot::TableSnapshot;
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch};
use std::sync::{Arc, OnceLock};

/// The rows that went since a snapshot: found once, then read in whatever columns each reader wants.
#[derive(Debug)]
pub struct Gone {
    since: TableSnapshot,
    ids: Arc<Vec<RowId>>,
    places: OnceLock<Vec<Slot>>,
}

impl Gone {
    /// `ids`: rows that died after `since`; among them may be such as came after it.
    pub fn new(since: TableSnapshot, ids: Arc<Vec<RowId>>) -> Self {
        Self { since, ids, places: OnceLock::new() }
    }

    /// Are these the rows `ids`, the very list, since `since`?
    pub fn is_of(&self, since: &TableSnapshot, ids: &Arc<Vec<RowId>>) -> bool {
        Arc::ptr_eq(&self.ids, ids) && self.since.same_rows(since)
    }

    /// Those that lived at the snapshot.
    pub fn rows(&self, projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        self.since.gather(self.places.get_or_init(|| self.since.state().visible_each(&self.ids)), projection)
    }
}

impl TableSnapshot {
    /// The rows that live here with ids from `from` on: with an older snapshot's [`TableSnapshot::next_row_id`], what
    /// came since it and is still there.
    pub fn rows_since(&self, from: RowId, projection: Option<&[usize]>) -> PgResult<Vec<RecordBatch>> {
        let state = self.state();
        let mut parts = Vec::new();
        for chunk in state.chunks.iter().rev().take_while(|chunk| chunk.ids.last() >= from.0) {
            let rows = chunk.live_rows(chunk.ids.rank(from.0), state.epoch, projection)?;
            if rows.num_rows() > 0 {
                parts.push(rows);
            }
        }
        parts.reverse();
        Ok(parts)
    }

    /// For each key whether a row has it: in `columns`, or in the key of the table where they are its key.
    /// NULL equals NULL here. An internal error where there is no index over these columns.
    pub fn contains(&self, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        let state = self.state();
        let secondary = state.secondaries.iter().find(|index| index.is_over(columns));
        let count = keys.first().map_or(0, |column| column.len());
        if keys.iter().any(|column| column.len() != count) {
            return Err(PgError::internal("key columns of a look-up differ in length"));
        }
        let parts = match (secondary, &state.index) {
            (Some(index), _) => &index.parts,
            (None, Some(_)) if columns == state.schema.key => &state.parts,
            _ => return Err(PgError::internal("look-up in columns without an index")),
        };
        let probes = probe_columns(keys, parts, &state.schema)?;
        let hashes = hash_rows(&probes, count);
        let mut found = vec![false; count];
        match (secondary, &state.index) {
            (Some(index), _) => {
                for (number, hash) in hashes.into_iter().enumerate() {
                    let seen = |id: u64| {
                        state.visible(id).is_some_and(|slot| {
                            let columns = state.chunks.chunk(slot).indexed(&index.parts);
                            rows_equal(&probes, number, columns, slot.row as usize)
                        })
                    };
                    found[number] = !index.postings.find(hash, 1, seen).is_empty();
                }
            }
            (None, Some(index)) => state.find_each(index, &hashes, &probes, |number, _, _| found[number] = true),
            (None, None) => {}
        }
        Ok(found)
    }
}
