//! What happened between two snapshots of a table, and look-ups that need no rows: what views ask for.

use super::RowId;
use super::key::{hash_rows, probe_columns, rows_equal};
use super::list::Slot;
use super::snapshot::TableSnapshot;
use crate::types::{PgError, PgResult};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat, take};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

/// What went and what came between two snapshots of a table: each column is read once, for all who want it.
#[derive(Debug)]
pub struct Changes {
    old: TableSnapshot,
    new: TableSnapshot,
    died: Arc<Vec<RowId>>,
    found: OnceLock<Found>,
    columns: Mutex<Vec<Option<Column>>>,
}

#[derive(Debug)]
struct Found {
    /// The rows that went: first those in whose place another came.
    gone: Vec<Slot>,
    replaced_by: Vec<u32>,
    came: usize,
}

#[derive(Debug, Clone)]
struct Column {
    /// Of the rows that went, then of those that came.
    values: ArrayRef,
    /// See [`Changes::differing`].
    differs: Option<BooleanBuffer>,
}

impl Changes {
    /// `died`: rows that died between the two; among them may be such as came after `old`.
    pub fn new(old: TableSnapshot, new: TableSnapshot, died: Arc<Vec<RowId>>) -> Self {
        let columns = Mutex::new(vec![None; new.schema().columns.len()]);
        Self { old, new, died, found: OnceLock::new(), columns }
    }

    /// Are these the changes between these two, with `died` the very list?
    pub fn is_of(&self, old: &TableSnapshot, new: &TableSnapshot, died: &Arc<Vec<RowId>>) -> bool {
        Arc::ptr_eq(&self.died, died) && self.old.same_rows(old) && self.new.same_rows(new)
    }

    pub fn old(&self) -> &TableSnapshot {
        &self.old
    }

    pub fn now(&self) -> &TableSnapshot {
        &self.new
    }

    pub fn is_empty(&self) -> bool {
        self.old.same_rows(&self.new)
    }

    /// How many rows were there before and are no longer.
    pub fn went(&self) -> usize {
        self.found().gone.len()
    }

    /// How many rows are there now and were not.
    pub fn came(&self) -> usize {
        self.found().came
    }

    /// These columns of the rows that went and, behind them, of those that came.
    pub fn columns(&self, wanted: &[usize]) -> PgResult<Vec<ArrayRef>> {
        let mut known = self.columns.lock();
        let mut missing: Vec<usize> = wanted.iter().copied().filter(|column| known[*column].is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            let gone = self.old.gather(&self.found().gone, Some(&missing))?;
            let came = self.new.rows_since(self.old.next_row_id(), Some(&missing))?;
            for (at, column) in missing.into_iter().enumerate() {
                let parts: Vec<&dyn Array> =
                    std::iter::once(&gone).chain(&came).map(|part| part.column(at).as_ref()).collect();
                known[column] = Some(Column { values: concat(&parts)?, differs: None });
            }
        }
        let values = |column: &usize| known[*column].as_ref().map(|known| Arc::clone(&known.values));
        Ok(wanted.iter().filter_map(values).collect())
    }

    /// Which of the rows that came, by number, has the key of the first, second … row that went. Those that went after these
    /// left no row with their key behind, or are of a table without a key.
    pub fn replaced_by(&self) -> &[u32] {
        &self.found().replaced_by
    }

    /// Which of the rows that were replaced differ, by their storage, in some of these columns from what replaced them; `None`:
    /// all do.
    pub fn differing(&self, columns: &[usize]) -> PgResult<Option<BooleanBuffer>> {
        let by = self.replaced_by();
        let mut differs = BooleanBuffer::new_unset(by.len());
        for (column, values) in columns.iter().zip(self.columns(columns)?) {
            let known = self.columns.lock()[*column].as_ref().and_then(|column| column.differs.clone());
            let of_column = match known {
                Some(differs) => differs,
                None => {
                    let differs = self.compare(&values)?;
                    if let Some(column) = &mut self.columns.lock()[*column] {
                        column.differs = Some(differs.clone());
                    }
                    differs
                }
            };
            differs = &differs | &of_column;
            if differs.count_set_bits() == differs.len() {
                return Ok(None);
            }
        }
        Ok(Some(differs))
    }

    /// Where a column of the rows that were replaced differs from that of those in their place.
    fn compare(&self, values: &ArrayRef) -> PgResult<BooleanBuffer> {
        let (by, went) = (self.replaced_by(), self.went());
        let in_order = by.iter().enumerate().all(|(nth, row)| *row as usize == nth);
        let old = values.slice(0, by.len());
        let new = match in_order {
            true => values.slice(went, by.len()),
            false => take(values, &by.iter().map(|row| went as u32 + row).collect::<UInt32Array>(), None)?,
        };
        if old.data_type().is_nested() {
            let differs = |row| old.slice(row, 1).to_data() != new.slice(row, 1).to_data();
            return Ok(BooleanBuffer::collect_bool(by.len(), differs));
        }
        Ok(distinct(&old, &new)?.values().clone())
    }

    fn found(&self) -> &Found {
        self.found.get_or_init(|| self.find())
    }

    fn find(&self) -> Found {
        let old = self.old.state();
        let came = self.new.ids_since(self.old.next_row_id());
        let mut ids: Vec<RowId> = Vec::with_capacity(self.died.len());
        let mut successors: Vec<u32> = Vec::new();
        if let Some(index) = &old.index {
            let links = index.before.load();
            for (number, id) in came.iter().enumerate() {
                if let Some(before) = links.go_back(id.0, old.next_id) {
                    ids.push(RowId(before));
                    successors.push(number as u32);
                }
            }
        }
        let replaced: HashSet<RowId, RandomState> = ids.iter().copied().collect();
        ids.extend(self.died.iter().filter(|id| !replaced.contains(id)));
        let seen = old.visible_each(&ids);
        let replaced_by = seen.iter().map_while(|(nth, _)| successors.get(*nth).copied()).collect();
        Found { gone: seen.into_iter().map(|(_, place)| place).collect(), replaced_by, came: came.len() }
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

    /// The ids of the same rows.
    fn ids_since(&self, from: RowId) -> Vec<RowId> {
        let state = self.state();
        let chunks = state.chunks.iter().rev().take_while(|chunk| chunk.ids.last() >= from.0);
        let mut parts: Vec<_> = chunks.map(|chunk| chunk.live_ids(chunk.ids.rank(from.0), state.epoch)).collect();
        parts.reverse();
        parts.concat()
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
