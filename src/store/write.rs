//! Writing by row id: what a transaction does to the rows that it has seen.

use super::RowId;
use super::key::{KeyColumn, hash_row, hash_rows, key_columns, parts_of, probe_columns, rows_equal};
use super::snapshot::TableSnapshot;
use super::table::{Dying, Rows, Table};
use super::{RowOp, TableDelta};
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch};
use hashbrown::HashTable;
use std::sync::Arc;

impl Table {
    /// Ends the rows `dead` and adds `rows`, in this order. The caller has seen to it that keys stay unique.
    ///
    /// An internal error, and no change, where one of `dead` does not live.
    pub fn write(&mut self, dead: &[RowId], rows: &RecordBatch) -> PgResult<TableDelta> {
        let mut died: Vec<Dying> = Vec::with_capacity(dead.len());
        for id in dead {
            let slot = self.chunks.locate(id.0).filter(|slot| self.chunks.chunk(*slot).is_alive(slot.row as usize));
            let slot = slot.ok_or_else(|| PgError::internal(format!("row {} to delete is not there", id.0)))?;
            let hash = hash_row(self.chunks.chunk(slot).keys.iter(), slot.row as usize);
            died.push(Dying { hash, id: id.0, slot });
        }
        let retracted = self.retracted(&died)?;
        let dead = self.bury(&died)?;
        if let Rows::Keyed(index) = &self.rows {
            let gone: Vec<(u64, u64)> = died.iter().map(|dying| (dying.hash, dying.id)).collect();
            self.let_go(&Arc::clone(index), &gone);
        }
        let added = match rows.num_rows() {
            0 => TableDelta {
                inserted: self.no_rows(),
                inserted_ids: self.next_id..self.next_id,
                retracted: retracted.clone(),
                dead: Vec::new(),
            },
            _ if self.schema.key.is_empty() => self.append(rows)?,
            count => self.apply(rows, &vec![RowOp::Upsert; count], &[])?,
        };
        Ok(TableDelta { retracted, dead, ..added })
    }
}

impl Table {
    /// Makes the indexes that another table has, for as many users, over the columns of the same names.
    pub fn adopt_indexes(&mut self, other: &Table) -> PgResult<()> {
        for index in &other.secondaries {
            let name = |part: &super::key::KeyPart| &other.schema.columns[part.column].name;
            let columns: Option<Vec<usize>> = index.parts.iter().map(|p| self.schema.index_of(name(p))).collect();
            for _ in 0..index.users() {
                if let Some(columns) = &columns {
                    self.ensure_index(columns)?;
                }
            }
        }
        Ok(())
    }
}

impl TableSnapshot {
    /// [`TableSnapshot::chunk`], and the ids of its rows.
    pub fn chunk_with_ids(&self, i: usize, projection: Option<&[usize]>) -> PgResult<(RecordBatch, Vec<RowId>)> {
        let state = self.state();
        let chunk = state.chunks.get(i).ok_or_else(|| PgError::internal(format!("no chunk {i}")))?;
        Ok((chunk.live_rows(0, state.epoch, projection)?, chunk.live_ids(0, state.epoch)))
    }

    /// The columns of each secondary index.
    pub fn indexes(&self) -> impl Iterator<Item = Vec<usize>> {
        self.state().secondaries.iter().map(|index| index.parts.iter().map(|part| part.column).collect())
    }

    /// Does this snapshot see the row?
    pub fn is_alive(&self, id: RowId) -> bool {
        self.state().visible(id.0).is_some()
    }

    /// The rows with these ids, in this order; all of them must be alive.
    pub fn rows_by_id(&self, ids: &[RowId], projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let state = self.state();
        let slots: Vec<_> = state.visible_each(ids).into_iter().map(|(_, slot)| slot).collect();
        if slots.len() < ids.len() {
            return Err(PgError::internal("a row is not there any more"));
        }
        self.gather(&slots, projection)
    }

    /// The rows whose `columns` equal one of `keys` (of the columns' types): the number of the key and the row's id. A
    /// NULL equals nothing. By the key's index or a secondary one; where there is none, by a pass over the table.
    pub fn find_ids(&self, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<(u32, RowId)>> {
        let state = self.state();
        let parts = parts_of(columns, &state.schema);
        let probes = probe_columns(keys, &parts, &state.schema)?;
        let count = keys[0].len();
        let hashes = hash_rows(&probes, count);
        let is_null = |row: usize| keys.iter().any(|k| k.is_null(row));
        let mut found: Vec<(u32, RowId)> = Vec::new();
        if columns == state.schema.key
            && let Some(index) = &state.index
        {
            state.find_each(index, &hashes, &probes, |row, id, _| {
                if !is_null(row) {
                    found.push((row as u32, RowId(id)));
                }
            });
            return Ok(found);
        }
        if let Some(index) =
            state.secondaries.iter().find(|i| i.parts.iter().map(|p| p.column).eq(columns.iter().copied()))
        {
            state.matches(index, &probes, &hashes, |row, id, _| {
                if !is_null(row) {
                    found.push((row as u32, RowId(id)));
                }
            });
            return Ok(found);
        }
        let mut wanted: HashTable<u32> = HashTable::with_capacity(count);
        for row in (0..count).filter(|row| !is_null(*row)) {
            wanted.insert_unique(hashes[row], row as u32, |row| hashes[*row as usize]);
        }
        for i in 0..self.chunks() {
            let (rows, ids) = self.chunk_with_ids(i, Some(columns))?;
            let theirs = rows.columns().iter().zip(&parts).map(|(values, part)| KeyColumn::new(values, part.equality));
            let theirs = theirs.collect::<PgResult<Vec<_>>>()?;
            for (at, hash) in hash_rows(&theirs, rows.num_rows()).into_iter().enumerate() {
                for row in wanted.iter_hash(hash) {
                    if rows_equal(&probes, *row as usize, &theirs, at) {
                        found.push((*row, ids[at]));
                    }
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// For each row the first one before it that is equal in `columns`, NULLs being equal to nothing.
pub fn earlier_twins(
    schema: &crate::types::TableSchema,
    columns: &[usize],
    rows: &RecordBatch,
) -> PgResult<Vec<Option<usize>>> {
    let keys = key_columns(rows.columns(), &parts_of(columns, schema))?;
    let hashes = hash_rows(&keys, rows.num_rows());
    let mut seen: HashTable<usize> = HashTable::with_capacity(rows.num_rows());
    let mut twins = vec![None; rows.num_rows()];
    for row in 0..rows.num_rows() {
        if columns.iter().any(|c| rows.column(*c).is_null(row)) {
            continue;
        }
        match seen.find(hashes[row], |other| rows_equal(&keys, *other, &keys, row)) {
            Some(first) => twins[row] = Some(*first),
            None => {
                seen.insert_unique(hashes[row], row, |row| hashes[*row]);
            }
        }
    }
    Ok(twins)
}
