//! Secondary indexes: the rows with given values in columns that are not the key.
//!
//! Views ask for them ([`Table::ensure_index`]) and share them: one index for each set of columns, however many ask. A
//! snapshot answers from the indexes that the table had when it was published.

use super::RowId;
use super::chunk::Chunk;
use super::deaths::NOW;
use super::hash::Place;
use super::key::{KeyColumn, KeyPart, hash_row, hash_rows, parts_of, probe_columns, rows_equal};
use super::list::{Candidate, ChunkList, Slot};
use super::postings::PostingIndex;
use super::prefetch::BLOCK;
use super::snapshot::{Sight, State, TableSnapshot};
use super::table::{Dying, Table};
use crate::types::{PgError, PgResult, TableSchema};
use arrow::array::{ArrayRef, RecordBatch};
use std::sync::Arc;

/// An index over some columns, with what is needed to compare them.
#[derive(Debug, Clone)]
pub(super) struct Secondary {
    pub parts: Vec<KeyPart>,
    pub postings: Arc<PostingIndex>,
    /// How many have asked for it.
    users: usize,
}

impl Secondary {
    pub fn empty(parts: Vec<KeyPart>) -> Self {
        Self { parts, postings: Arc::new(PostingIndex::new()), users: 0 }
    }

    /// The same, asked for by one.
    pub fn used_once(self) -> Self {
        Self { users: 1, ..self }
    }

    /// An index over the live rows of `chunks`.
    fn build(parts: Vec<KeyPart>, chunks: &ChunkList, users: usize) -> PgResult<Self> {
        let secondary = Self { parts, postings: Arc::new(PostingIndex::new()), users };
        for chunk in chunks.iter() {
            chunk.prepare(&secondary.parts)?;
            secondary.insert(chunk, NOW);
        }
        Ok(secondary)
    }

    /// Adds the rows of a prepared chunk that live at `epoch`.
    pub fn insert(&self, chunk: &Chunk, epoch: u64) {
        let hashes = hash_rows(chunk.indexed(&self.parts), chunk.rows());
        let entries = hashes.into_iter().zip(chunk.ids.tail_from(0));
        match chunk.mask_at(epoch) {
            None => self.postings.insert_each(entries),
            Some(lives) => {
                let living: Vec<_> =
                    entries.zip(lives.iter()).filter(|(_, lives)| *lives).map(|(entry, _)| entry).collect();
                self.postings.insert_each(living.into_iter());
            }
        }
    }

    pub fn users(&self) -> usize {
        self.users
    }

    pub fn hash_of(&self, chunk: &Chunk, row: usize) -> u64 {
        hash_row(chunk.indexed(&self.parts), row)
    }

    pub fn is_over(&self, columns: &[usize]) -> bool {
        self.parts.iter().map(|part| part.column).eq(columns.iter().copied())
    }
}

impl Table {
    /// Lets snapshots from the next publish on answer [`TableSnapshot::lookup_by`] for these columns. Costs a pass over
    /// the table the first time; asked for again, the index is shared. Look-ups by the key need none.
    pub fn ensure_index(&mut self, columns: &[usize]) -> PgResult<()> {
        if columns.is_empty() || columns.iter().any(|column| *column >= self.schema.columns.len()) {
            return Err(PgError::internal("an index over no columns, or over columns that are not there"));
        }
        if let Some(shared) = self.secondaries.iter_mut().find(|index| index.is_over(columns)) {
            shared.users += 1;
            return Ok(());
        }
        let parts = parts_of(columns, &self.schema);
        self.secondaries.push(Secondary::build(parts, &self.chunks, 1)?);
        self.dirty = true;
        Ok(())
    }

    /// Takes one [`Table::ensure_index`] back; the last one drops the index. Snapshots keep theirs.
    pub fn release_index(&mut self, columns: &[usize]) {
        let Some(at) = self.secondaries.iter().position(|index| index.is_over(columns)) else { return };
        self.secondaries[at].users -= 1;
        if self.secondaries[at].users == 0 {
            self.secondaries.remove(at);
            self.dirty = true;
        }
    }

    /// For each secondary index the hashes of these rows.
    pub(super) fn secondary_hashes(&self, died: &[Dying]) -> PgResult<Vec<(Arc<PostingIndex>, Vec<u64>)>> {
        if died.is_empty() || self.secondaries.is_empty() {
            return Ok(Vec::new());
        }
        let slots: Vec<Slot> = died.iter().map(|dying| dying.slot).collect();
        let of = |index: &Secondary| {
            let columns: Vec<usize> = index.parts.iter().map(|part| part.column).collect();
            let values = self.chunks.gather_columns(&slots, &columns)?;
            let keys = values.iter().zip(&index.parts).map(|(values, part)| KeyColumn::new(values, part.equality));
            let keys = keys.collect::<PgResult<Vec<_>>>()?;
            Ok((Arc::clone(&index.postings), hash_rows(&keys, slots.len())))
        };
        self.secondaries.iter().map(of).collect()
    }

    /// The indexes of the table over other chunks: after a truncate or an alter. Those over columns that have gone go.
    pub(super) fn rebuilt_indexes(&self, chunks: &ChunkList, schema: &TableSchema) -> PgResult<Vec<Secondary>> {
        let rebuilt = |index: &Secondary| {
            let name_of = |part: &KeyPart| &self.schema.columns[part.column].name;
            let columns: Option<Vec<usize>> = index.parts.iter().map(|part| schema.index_of(name_of(part))).collect();
            columns.map(|columns| Secondary::build(parts_of(&columns, schema), chunks, index.users))
        };
        self.secondaries.iter().filter_map(rebuilt).collect()
    }
}

impl TableSnapshot {
    /// Does [`TableSnapshot::lookup_by`] answer for these columns?
    pub fn has_index(&self, columns: &[usize]) -> bool {
        self.state().secondaries.iter().any(|index| index.is_over(columns))
    }

    /// The rows whose `columns` equal one of `keys` (of the columns' types), and for each the number of its key,
    /// ascending; the rows of one key in no defined order. NULL equals NULL here. An internal error where there is no
    /// such index.
    pub fn lookup_by(
        &self,
        columns: &[usize],
        keys: &[ArrayRef],
        projection: Option<&[usize]>,
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        let state = self.state();
        let Some(index) = state.secondaries.iter().find(|index| index.is_over(columns)) else {
            return Err(PgError::internal("look-up in columns without an index"));
        };
        let probes = probe_columns(keys, &index.parts, &state.schema)?;
        if keys.iter().any(|column| column.len() != keys[0].len()) {
            return Err(PgError::internal("key columns of a look-up differ in length"));
        }
        let mut found: Vec<Slot> = Vec::new();
        let mut numbers = Vec::new();
        state.matches(index, &probes, &hash_rows(&probes, keys[0].len()), |number, _, slot| {
            found.push(slot);
            numbers.push(number as u32);
        });
        Ok((self.gather(&found, projection)?, numbers))
    }
}

impl State {
    /// Gives `each` the number of a key, ascending, with the id and the place of every row that has it.
    pub(super) fn matches(
        &self,
        index: &Secondary,
        probes: &[KeyColumn],
        hashes: &[u64],
        mut each: impl FnMut(usize, u64, Slot),
    ) {
        let mut sight = Sight::new(self);
        let mut candidates: Vec<Candidate> = Vec::new();
        for (nth, hashes) in hashes.chunks(BLOCK).enumerate() {
            // Only ids are copied under the locks of the index: the writer must not wait while rows are compared.
            index.postings.find_each(hashes, |nth, id| {
                if id < self.next_id {
                    candidates.push(Candidate::new(nth, Place::default(), id));
                }
            });
            for part in candidates.chunks_mut(BLOCK) {
                let there = self.chunks.locate_rows(part);
                let column = |candidate: &Candidate| {
                    let chunk = self.chunks.chunk(candidate.slot);
                    chunk.indexed(&index.parts).for_each(|column| column.prefetch(candidate.slot.row as usize));
                };
                part[..there].iter().for_each(column);
                for Candidate { nth: key, id, slot, .. } in &part[..there] {
                    let (key, columns) = (nth * BLOCK + key, self.chunks.chunk(*slot).indexed(&index.parts));
                    if rows_equal(probes, key, columns, slot.row as usize) && sight.sees(*slot) {
                        each(key, *id, *slot);
                    }
                }
            }
            candidates.clear();
        }
    }

    /// Where the row is, if this state sees it.
    pub(super) fn visible(&self, id: u64) -> Option<Slot> {
        let slot = if id < self.next_id { self.chunks.locate(id)? } else { return None };
        self.chunks.chunk(slot).alive_at(slot.row as usize, self.epoch).then_some(slot)
    }

    /// The rows that this state sees, in their order: which of `ids` each is, and where.
    pub(super) fn visible_each(&self, ids: &[RowId]) -> Vec<(usize, Slot)> {
        let mut sight = Sight::new(self);
        let mut seen = Vec::with_capacity(ids.len());
        let mut wanted: Vec<Candidate> = Vec::with_capacity(ids.len().min(BLOCK));
        for (block, ids) in ids.chunks(BLOCK).enumerate() {
            let known = ids.iter().enumerate().filter(|(_, id)| id.0 < self.next_id);
            wanted.extend(known.map(|(nth, id)| Candidate::new(block * BLOCK + nth, Place::default(), id.0)));
            let there = self.chunks.locate_rows(&mut wanted);
            let rows = wanted[..there].iter().map(|row| (row.nth, row.slot));
            seen.extend(rows.filter(|(_, slot)| sight.sees(*slot)));
            wanted.clear();
        }
        seen
    }
}
