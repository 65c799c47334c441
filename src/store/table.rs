//! A table of the tick loop: its one writer's face.

use super::chunk::Chunk;
use super::deaths::NOW;
use super::hash::{ID_BITS, Place};
use super::ids::Ids;
use super::index::KeyIndex;
use super::key::{KeyColumn, KeyPart, hash_rows, key_columns, key_parts, probe_columns, rows_equal, whole_row};
use super::list::{Candidate, ChunkList, Slot, Value};
use super::maintain::{Garbage, Grave, Policy, is_seen};
use super::postings::PostingIndex;
use super::predecessors::Succession;
use super::prefetch::BLOCK;
use super::secondary::Secondary;
use super::snapshot::{Pin, State, TableSnapshot};
use super::{RowId, RowOp, TableDelta, TableMemory};
use crate::change::Tick;
use crate::types::{Column, PgError, PgResult, PgType, SqlState, TableSchema, oid};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use hashbrown::HashTable;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

/// How rows are found.
#[derive(Debug)]
pub(super) enum Rows {
    /// One row per key.
    Keyed(Arc<KeyIndex>),
    /// Any rows, deleted by equality of the whole row.
    Bag(PostingIndex),
    /// Rows are only added.
    Append,
}

/// A table that its one writer changes; readers see what it publishes.
///
/// Three kinds: with a key (`schema.key`), a bag ([`Table::bag`]), and append-only (no key, not a bag).
#[derive(Debug)]
pub struct Table {
    pub(super) schema: Arc<TableSchema>,
    pub(super) rows: Rows,
    pub(super) parts: Vec<KeyPart>,
    pub(super) chunks: ChunkList,
    pub(super) secondaries: Vec<Secondary>,
    pub(super) next_id: u64,
    len: usize,
    /// A batch without rows: one-row changes have no time to make it.
    nothing: RecordBatch,
    /// The epoch of the newest publish; what dies now is dead from the next one on.
    pub(super) epoch: u64,
    pub(super) pins: Vec<Pin>,
    pub(super) garbage: Garbage,
    retractions: bool,
    /// Something that a new snapshot must show, or show elsewhere, since the newest one.
    pub(super) dirty: bool,
    newest: Weak<State>,
    pub(super) policy: Policy,
    /// Rows that came or died since maintenance last looked at the chunks in vain.
    pub(super) changed: usize,
}

/// A living version of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    id: u64,
    slot: Slot,
    /// In the key index.
    place: Place,
}

/// A row that is to die.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dying {
    /// Of its key.
    pub hash: u64,
    pub id: u64,
    pub slot: Slot,
}

/// The rows of a batch by key: what is left of several changes of one key.
pub(super) struct Distinct {
    /// The last row of each key, ascending.
    pub last: Vec<u32>,
    /// For each row the one before it with the same key, or [`NONE`]. Empty where no key occurs twice.
    pub previous: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Table {
    /// A table with the key of its schema, or append-only where that is empty.
    pub fn new(schema: Arc<TableSchema>) -> Table {
        let rows = Self::rows_for(&schema);
        let parts = key_parts(&schema);
        Self::with(schema, rows, parts)
    }

    /// A multiset: [`Table::apply_weighted`] deletes by equality of the whole row, [`RowId`]s tell copies apart.
    pub fn bag(schema: Arc<TableSchema>) -> Table {
        let parts = whole_row(&schema);
        Self::with(schema, Rows::Bag(PostingIndex::new()), parts)
    }

    fn rows_for(schema: &TableSchema) -> Rows {
        if schema.key.is_empty() { Rows::Append } else { Rows::Keyed(Arc::new(KeyIndex::new())) }
    }

    fn with(schema: Arc<TableSchema>, rows: Rows, parts: Vec<KeyPart>) -> Table {
        Table {
            nothing: RecordBatch::new_empty(Arc::clone(schema.arrow())),
            schema,
            rows,
            parts,
            chunks: ChunkList::default(),
            secondaries: Vec::new(),
            next_id: 0,
            len: 0,
            epoch: 0,
            pins: Vec::new(),
            garbage: Garbage::default(),
            retractions: true,
            dirty: true,
            newest: Weak::new(),
            policy: Policy::USUAL,
            changed: 0,
        }
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn is_bag(&self) -> bool {
        matches!(self.rows, Rows::Bag(_))
    }

    /// Whether deltas carry the content of the rows that died (they do at first). Gathering them is the dearest part
    /// of an upsert; a table that no view reads does without.
    pub fn set_retractions(&mut self, wanted: bool) {
        self.retractions = wanted;
    }

    pub fn next_row_id(&self) -> RowId {
        RowId(self.next_id)
    }

    /// Ids go on from here; never backwards.
    pub fn set_next_row_id(&mut self, next: RowId) {
        self.next_id = self.next_id.max(next.0);
    }

    /// Applies changes by key, in order; of several to one key only the last leaves a version.
    ///
    /// `rows`: in the table's Arrow schema, one for each of `ops`; of a delete only the key columns count.
    /// `unchanged[(column, mask)]`: where set, the value that is stored (or that an earlier row of the batch brought)
    /// stays; `22004` where there is none. A delete of a key that is not there does nothing.
    pub fn apply(
        &mut self,
        rows: &RecordBatch,
        ops: &[RowOp],
        unchanged: &[(usize, BooleanBuffer)],
    ) -> PgResult<TableDelta> {
        let rows = self.conform(rows)?;
        let count = rows.num_rows();
        if ops.len() != count || unchanged.iter().any(|(c, mask)| mask.len() != count || *c >= rows.num_columns()) {
            return Err(PgError::internal("operations or masks do not fit the rows of a change batch"));
        }
        let Rows::Keyed(index) = &self.rows else {
            return Err(PgError::internal("changes by key for a table without a key"));
        };
        let index = Arc::clone(index);
        self.check_room(count)?;
        let keys = key_columns(rows.columns(), &self.parts)?;
        let hashes = hash_rows(&keys, count);
        let distinct = distinct_rows(&keys, &hashes);

        let old = self.find_live_each(&index, &hashes, &keys, &distinct.last);
        let mut upserts: Vec<u32> = Vec::with_capacity(distinct.last.len());
        upserts.extend(distinct.last.iter().filter(|row| ops[**row as usize] != RowOp::Delete));
        let whole = upserts.len() == count;
        let mut inserted = if whole { rows.clone() } else { take_rows(&rows, &upserts)? };
        if !unchanged.is_empty() {
            let before: Vec<Option<Slot>> = distinct
                .last
                .iter()
                .zip(&old)
                .filter(|(row, _)| ops[**row as usize] != RowOp::Delete)
                .map(|(_, old)| old.map(|old| old.slot))
                .collect();
            inserted = self.keep_unchanged(&rows, inserted, ops, unchanged, &upserts, &before, &distinct)?;
        }
        // The usual batch is one chunk as it came, with the key columns that were made for it.
        let chunks = match whole && unchanged.is_empty() && (1..=2 * self.policy.target_rows).contains(&count) {
            true => vec![self.chunk_with(&inserted, keys)?],
            false => self.chunks_of(&inserted)?,
        };
        // What the index is to hold afterwards: in whose place each new version comes, which are new, which go.
        let (mut died, mut replaced) = (Vec::with_capacity(old.len()), Vec::with_capacity(old.len()));
        let (mut new, mut gone) = (vec![], vec![]);
        let mut next_id = self.next_id;
        for (row, old) in distinct.last.iter().zip(&old) {
            let hash = hashes[*row as usize];
            let is_delete = ops[*row as usize] == RowOp::Delete;
            match old {
                Some(old) if is_delete => gone.push((hash, old.id)),
                Some(old) => replaced.push((old.place, Succession { id: next_id, before: old.id, hash })),
                None if is_delete => {}
                None => new.push((hash, next_id)),
            }
            next_id += u64::from(!is_delete);
            died.extend(old.map(|Version { id, slot, .. }| Dying { hash, id, slot }));
        }
        let retracted = self.retracted(&died)?;

        let dead = self.bury(&died)?;
        let pins = &self.pins;
        index.before.add(replaced.iter().map(|(_, succession)| *succession), |id, end| is_seen(pins, id, end));
        index.replace_each(replaced.iter().map(|(place, succession)| (*place, succession.id)));
        self.let_go(&index, &gone);
        index.insert_each(&new);
        let inserted_ids = self.add(chunks);
        Ok(TableDelta { inserted, inserted_ids, retracted, dead })
    }

    /// Adds rows to a table without a key, or to a bag.
    pub fn append(&mut self, rows: &RecordBatch) -> PgResult<TableDelta> {
        let inserted = self.conform(rows)?;
        if matches!(self.rows, Rows::Keyed(_)) {
            return Err(PgError::internal("rows appended to a table with a key"));
        }
        let chunks = self.chunks_of(&inserted)?;
        self.index_bag(&chunks);
        let inserted_ids = self.add(chunks);
        Ok(TableDelta { inserted, inserted_ids, retracted: self.no_rows(), dead: Vec::new() })
    }

    /// Applies a Z-set delta to a bag: at a weight above 0 that many copies come, below 0 that many equal rows go, the
    /// newest first. Equal rows of the batch count together. An internal error, and no change, where a row to delete
    /// is not there.
    pub fn apply_weighted(&mut self, rows: &RecordBatch, weights: &[i64]) -> PgResult<TableDelta> {
        let rows = self.conform(rows)?;
        let count = rows.num_rows();
        if weights.len() != count {
            return Err(PgError::internal("weights do not fit the rows of a delta"));
        }
        let Rows::Bag(index) = &self.rows else {
            return Err(PgError::internal("a weighted delta for a table that is not a bag"));
        };
        let keys = key_columns(rows.columns(), &self.parts)?;
        let hashes = hash_rows(&keys, count);
        let distinct = distinct_rows(&keys, &hashes);

        let mut copies: Vec<u32> = Vec::new();
        let mut died: Vec<Dying> = Vec::new();
        for &row in &distinct.last {
            let weight = distinct.history(row).map(|row| weights[row as usize]).sum::<i64>();
            let wanted = weight.unsigned_abs() as usize;
            if weight > 0 {
                copies.extend(std::iter::repeat_n(row, wanted));
            } else if weight < 0 {
                let hash = hashes[row as usize];
                let mut slots = Vec::new();
                let found = index.find(hash, wanted, |id| match self.chunks.locate(id) {
                    Some(slot) if rows_equal(&keys, row as usize, &self.chunks.chunk(slot).keys, slot.row as usize) => {
                        slots.push(slot);
                        true
                    }
                    _ => false,
                });
                if found.len() < wanted {
                    let message =
                        format!("a delta deletes {wanted} copies of a row of which there are {}", found.len());
                    return Err(PgError::internal(message));
                }
                died.extend(found.into_iter().zip(slots).map(|(id, slot)| Dying { hash, id, slot }));
            }
        }
        let whole = copies.len() == count && distinct.previous.is_empty() && weights.iter().all(|w| *w == 1);
        let inserted = if whole { rows.clone() } else { take_rows(&rows, &copies)? };
        let chunks = self.chunks_of(&inserted)?;
        let retracted = self.retracted(&died)?;

        let dead = self.bury(&died)?;
        let first = self.next_id;
        if let Rows::Bag(index) = &self.rows {
            let entry = |(nth, row): (usize, &u32)| (hashes[*row as usize], first + nth as u64);
            index.insert_each(copies.iter().enumerate().map(entry));
        }
        let inserted_ids = self.add(chunks);
        Ok(TableDelta { inserted, inserted_ids, retracted, dead })
    }

    /// The row that has this key now (one row, columns in key order, of the key's types).
    pub fn row_of_key(&self, key: &[ArrayRef]) -> PgResult<Option<RecordBatch>> {
        let Rows::Keyed(index) = &self.rows else { return Ok(None) };
        let probes = probe_columns(key, &self.parts, &self.schema)?;
        let Some(hash) = hash_rows(&probes, 1).pop() else { return Ok(None) };
        let Some(version) = self.find_live(index, hash, &probes, 0) else { return Ok(None) };
        let columns: Vec<usize> = (0..self.schema.columns.len()).collect();
        self.chunks.gather(&[version.slot], &columns, self.schema.arrow()).map(Some)
    }

    /// Removes all rows. Snapshots keep theirs.
    pub fn truncate(&mut self) -> PgResult<TableDelta> {
        let mut dead = Vec::with_capacity(self.len);
        let mut batches = Vec::new();
        for chunk in self.chunks.iter() {
            dead.extend(chunk.live_ids(0, NOW));
            if self.retractions && chunk.live() > 0 {
                batches.push(chunk.live_rows(0, NOW, None)?);
            }
        }
        let retracted = arrow::compute::concat_batches(self.schema.arrow(), &batches)?;
        self.secondaries = self.rebuilt_indexes(&ChunkList::default(), &self.schema)?;
        self.chunks = ChunkList::default();
        self.rows = if self.is_bag() { Rows::Bag(PostingIndex::new()) } else { Self::rows_for(&self.schema) };
        self.forget_garbage();
        self.len = 0;
        self.dirty = true;
        Ok(TableDelta { inserted: self.no_rows(), inserted_ids: self.next_id..self.next_id, retracted, dead })
    }

    /// Gives the table another schema. Columns are matched by name: new ones are NULL in the rows that are there,
    /// missing ones are dropped, types are changed: integers widen and decimals rescale by themselves where nothing can be
    /// lost, for all else `cast(values, from, to)` is called with a column of one chunk. Row ids stay.
    ///
    /// `23505` where the rows are not unique under the new key. Costs a pass over the rows where a type or the key
    /// changes or rows are dead; else it is a change of schema only.
    pub fn alter(&mut self, schema: Arc<TableSchema>, cast: Cast) -> PgResult<()> {
        let parts = if self.is_bag() { whole_row(&schema) } else { key_parts(&schema) };
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for chunk in self.chunks.iter().filter(|chunk| chunk.live() > 0) {
            if chunk.cold().is_some() {
                chunks.push(Arc::new(chunk.altered(&self.schema, &schema, &parts, cast)?));
                continue;
            }
            let rows = chunk.live_rows(0, NOW, None)?;
            let columns = schema.columns.iter().map(|to| match self.schema.index_of(&to.name) {
                None => Ok(new_null_array(&to.storage(), rows.num_rows())),
                Some(at) => convert(rows.column(at), self.schema.columns[at].ty, to, cast),
            });
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let columns = columns.collect::<PgResult<Vec<_>>>()?;
            let batch = RecordBatch::try_new_with_options(Arc::clone(schema.arrow()), columns, &options)?;
            let ids = match chunk.dead() {
                0 => chunk.ids.clone(),
                _ => Ids::from_ascending(chunk.live_ids(0, NOW).into_iter().map(|id| id.0).collect()),
            };
            chunks.push(Arc::new(Chunk::new(batch, ids, &parts)?));
        }
        let chunks = ChunkList::from_chunks(&chunks);
        let secondaries = self.rebuilt_indexes(&chunks, &schema)?;
        if self.is_bag() {
            let index = PostingIndex::new();
            chunks.iter().for_each(|chunk| index_rows(&index, chunk));
            self.rows = Rows::Bag(index);
        } else if !self.same_key(&schema) {
            let rows = Self::rows_for(&schema);
            if let Rows::Keyed(index) = &rows {
                index_unique(index, &chunks, self.len)?;
            }
            self.rows = rows;
            self.forget_garbage();
        }
        self.chunks = chunks;
        self.secondaries = secondaries;
        self.parts = parts;
        self.nothing = RecordBatch::new_empty(Arc::clone(schema.arrow()));
        self.schema = schema;
        self.dirty = true;
        Ok(())
    }

    fn same_key(&self, other: &TableSchema) -> bool {
        let key = |schema: &TableSchema| -> Vec<(String, PgType)> {
            schema.key.iter().map(|c| (schema.columns[*c].name.clone(), schema.columns[*c].ty)).collect()
        };
        key(&self.schema) == key(other)
    }

    /// Takes rows as they were read from the lake. `ids`: one for each row, ascending and not below
    /// [`Table::next_row_id`]. `XX001` where a key is there twice.
    pub fn load(&mut self, rows: &RecordBatch, ids: &[RowId]) -> PgResult<()> {
        let rows = self.conform(rows)?;
        let ascending =
            ids.windows(2).all(|pair| pair[0] < pair[1]) && ids.first().is_none_or(|id| id.0 >= self.next_id);
        if ids.len() != rows.num_rows() || !ascending {
            return Err(PgError::internal("row ids to load are not ascending, or not one for each row"));
        }
        let Some(last) = ids.last() else { return Ok(()) };
        if last.0 >> ID_BITS != 0 {
            return Err(out_of_ids());
        }
        let chunk_of = |(nth, ids): (usize, &[RowId])| {
            let part = rows.slice(nth * 2 * self.policy.target_rows, ids.len());
            self.chunk_of(part, Ids::from_ascending(ids.iter().map(|id| id.0).collect()))
        };
        let parts = ids.chunks(2 * self.policy.target_rows).enumerate();
        let chunks = parts.map(chunk_of).collect::<PgResult<Vec<_>>>()?;
        if let Rows::Keyed(index) = &self.rows {
            let keys = key_columns(rows.columns(), &self.parts)?;
            let hashes = hash_rows(&keys, ids.len());
            let distinct = distinct_rows(&keys, &hashes);
            let twice = !distinct.previous.is_empty()
                || self.find_live_each(index, &hashes, &keys, &distinct.last).iter().any(Option::is_some);
            if twice {
                return Err(PgError::new(SqlState::DATA_CORRUPTED, "stored rows are not unique by key"));
            }
            if ids.len() > self.policy.target_rows {
                index.reserve(ids.len());
            }
            let entries: Vec<(u64, u64)> = hashes.iter().copied().zip(ids.iter().map(|id| id.0)).collect();
            index.insert_each(&entries);
        }
        self.index_bag(&chunks);
        self.add(chunks);
        self.next_id = last.0 + 1;
        Ok(())
    }

    /// An immutable view of now, at `tick`.
    pub fn publish(&mut self, tick: Tick) -> TableSnapshot {
        if !self.dirty
            && let Some(state) = self.newest.upgrade()
        {
            return TableSnapshot::new(state, tick);
        }
        self.merge_tail();
        self.epoch += 1;
        let index = match &self.rows {
            Rows::Keyed(index) => Some(Arc::clone(index)),
            _ => None,
        };
        let state = Arc::new(State {
            schema: Arc::clone(&self.schema),
            chunks: self.chunks.clone(),
            epoch: self.epoch,
            next_id: self.next_id,
            len: self.len,
            index,
            parts: self.parts.clone(),
            secondaries: self.secondaries.clone(),
        });
        self.newest = Arc::downgrade(&state);
        self.pin(Pin { epoch: self.epoch, next_id: self.next_id, state: Arc::downgrade(&state), held: Vec::new() });
        self.dirty = false;
        TableSnapshot::new(state, tick)
    }

    pub fn memory(&self) -> TableMemory {
        let index = match &self.rows {
            Rows::Keyed(index) => index.bytes(),
            Rows::Bag(index) => index.bytes(),
            Rows::Append => 0,
        };
        let secondary = self.secondaries.iter().map(|index| index.postings.bytes()).sum::<usize>();
        TableMemory {
            data: self.chunks.iter().map(|chunk| chunk.data_bytes()).sum(),
            index: index + secondary + self.garbage_bytes(),
            tombstones: self.chunks.iter().map(|chunk| chunk.tombstone_bytes()).sum(),
        }
    }

    /// The batch under the table's own schema.
    fn conform(&self, rows: &RecordBatch) -> PgResult<RecordBatch> {
        let expected = self.schema.arrow();
        if Arc::ptr_eq(rows.schema_ref(), expected) {
            return Ok(rows.clone());
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(expected), rows.columns().to_vec(), &options)
            .map_err(|error| PgError::internal(format!("rows do not fit their table: {error}")))
    }

    pub(super) fn no_rows(&self) -> RecordBatch {
        self.nothing.clone()
    }

    /// So many rows more can be told apart.
    fn check_room(&self, rows: usize) -> PgResult<()> {
        if (self.next_id + rows as u64) >> ID_BITS == 0 { Ok(()) } else { Err(out_of_ids()) }
    }

    /// For each of `rows` the living version of its key, block by block: first what the index holds, then the keys. So
    /// what one row waits for comes from memory together with what the next ones wait for.
    pub(super) fn find_live_each(
        &self,
        index: &KeyIndex,
        hashes: &[u64],
        keys: &[KeyColumn],
        rows: &[u32],
    ) -> Vec<Option<Version>> {
        let mut found = vec![None; rows.len()];
        let mut candidates: Vec<Candidate> = Vec::with_capacity(rows.len().min(BLOCK));
        let mut asked: Vec<u64> = Vec::with_capacity(rows.len().min(BLOCK));
        for (rows, found) in rows.chunks(BLOCK).zip(found.chunks_mut(BLOCK)) {
            asked.clear();
            asked.extend(rows.iter().map(|row| hashes[*row as usize]));
            index.newest(&asked, |nth, place, id| {
                candidates.push(Candidate::new(nth, place, id));
                true
            });
            self.chunks.locate_each(&mut candidates);
            for Candidate { nth, id, place, slot } in candidates.drain(..) {
                let row = rows[nth] as usize;
                found[nth] = match rows_equal(keys, row, &self.chunks.chunk(slot).keys, slot.row as usize) {
                    true => Some(Version { id, slot, place }),
                    // Another key of the same mark: there may be more behind it.
                    false => self.find_live(index, asked[nth], keys, row),
                };
            }
        }
        found
    }

    fn find_live(&self, index: &KeyIndex, hash: u64, keys: &[KeyColumn], row: usize) -> Option<Version> {
        let mut found = None;
        index.newest(&[hash], |_, place, id| {
            found = self
                .chunks
                .locate(id)
                .filter(|slot| rows_equal(keys, row, &self.chunks.chunk(*slot).keys, slot.row as usize))
                .map(|slot| Version { id, slot, place });
            found.is_some()
        });
        found
    }

    /// Puts the values that stay into the rows to insert: see [`Table::apply`].
    #[expect(clippy::too_many_arguments, reason = "the intermediate results of one apply, named at its one call")]
    fn keep_unchanged(
        &self,
        rows: &RecordBatch,
        inserted: RecordBatch,
        ops: &[RowOp],
        unchanged: &[(usize, BooleanBuffer)],
        upserts: &[u32],
        before: &[Option<Slot>],
        distinct: &Distinct,
    ) -> PgResult<RecordBatch> {
        let mut columns = inserted.columns().to_vec();
        for (column, mask) in unchanged.iter().filter(|(_, mask)| mask.count_set_bits() > 0) {
            let value_of = |(row, stored): (&u32, &Option<Slot>)| {
                let mut known = stored.map(Value::Stored);
                for earlier in distinct.history(*row) {
                    if ops[earlier as usize] == RowOp::Delete {
                        known = None;
                        break;
                    }
                    if !mask.value(earlier as usize) {
                        return Ok(Value::Sent(earlier));
                    }
                }
                let retired = (ops[*row as usize] == RowOp::Retire).then_some(Value::Sent(*row));
                known.or(retired).ok_or_else(|| self.unknown_value(*column))
            };
            let values = upserts.iter().zip(before).map(value_of).collect::<PgResult<Vec<Value>>>()?;
            columns[*column] = self.chunks.patch(rows.column(*column), &values, *column)?;
        }
        Ok(RecordBatch::try_new(inserted.schema(), columns)?)
    }

    fn unknown_value(&self, column: usize) -> PgError {
        let name = &self.schema.columns[column].name;
        let message = format!("the value of column \"{name}\" was not sent");
        PgError::new(SqlState::NULL_NOT_ALLOWED, message).detail("No earlier value of the row is known.")
    }

    /// New rows as chunks; what is too big to be compacted in one go is cut.
    fn chunks_of(&self, rows: &RecordBatch) -> PgResult<Vec<Arc<Chunk>>> {
        let most = 2 * self.policy.target_rows;
        let chunk_at = |start: usize| {
            let len = most.min(rows.num_rows() - start);
            self.chunk_of(rows.slice(start, len), Ids::Contiguous { first: self.next_id + start as u64, len })
        };
        (0..rows.num_rows()).step_by(most).map(chunk_at).collect()
    }

    fn chunk_with(&self, rows: &RecordBatch, keys: Vec<KeyColumn>) -> PgResult<Arc<Chunk>> {
        let ids = Ids::Contiguous { first: self.next_id, len: rows.num_rows() };
        let chunk = Chunk::with_keys(rows.clone(), ids, keys);
        for index in &self.secondaries {
            chunk.prepare(&index.parts)?;
        }
        Ok(Arc::new(chunk))
    }

    fn chunk_of(&self, rows: RecordBatch, ids: Ids) -> PgResult<Arc<Chunk>> {
        let chunk = Chunk::new(rows, ids, &self.parts)?;
        for index in &self.secondaries {
            chunk.prepare(&index.parts)?;
        }
        Ok(Arc::new(chunk))
    }

    pub(super) fn retracted(&self, died: &[Dying]) -> PgResult<RecordBatch> {
        if !self.retractions || died.is_empty() {
            return Ok(self.no_rows());
        }
        let slots: Vec<Slot> = died.iter().map(|dying| dying.slot).collect();
        let columns: Vec<usize> = (0..self.schema.columns.len()).collect();
        self.chunks.gather(&slots, &columns, self.schema.arrow())
    }

    /// Marks rows as dead from the next publish on. The index of a key still has them as living ones.
    pub(super) fn bury(&mut self, died: &[Dying]) -> PgResult<Vec<RowId>> {
        let epoch = self.epoch + 1;
        let hashes = self.secondary_hashes(died)?;
        let worn = died.iter().any(|dying| !self.chunks.chunk(dying.slot).can_kill(epoch));
        if worn {
            // A chunk counts no more than 2³² epochs: it is made anew, and its rows move.
            let positions: BTreeSet<usize> = died
                .iter()
                .filter(|dying| !self.chunks.chunk(dying.slot).can_kill(epoch))
                .map(|dying| self.chunks.position(dying.slot))
                .collect();
            for position in positions {
                self.rewrite(position..position + 1)?;
            }
        }
        let slot_of = |dying: &Dying| match worn {
            true => self.chunks.locate(dying.id).unwrap_or(dying.slot),
            false => dying.slot,
        };
        for dying in died {
            let slot = slot_of(dying);
            self.chunks.chunk(slot).kill(slot.row as usize, epoch);
        }
        for (postings, hashes) in hashes {
            let graves = died.iter().zip(hashes).map(|(Dying { id, .. }, hash)| Grave { hash, id: *id, epoch });
            self.garbage.push_each(Some(&postings), graves);
        }
        if let Rows::Bag(index) = &self.rows {
            index.remove_each(died.iter().map(|dying| (dying.hash, dying.id)));
        }
        self.len -= died.len();
        self.changed += died.len();
        self.dirty |= !died.is_empty();
        Ok(died.iter().map(|dying| RowId(dying.id)).collect())
    }

    /// Takes versions whose keys go out of the key index, where `hash` and id say what to remove. What snapshots see of those
    /// keys is kept for them.
    pub(super) fn let_go(&mut self, index: &KeyIndex, gone: &[(u64, u64)]) {
        if gone.is_empty() {
            return;
        }
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let links = index.before.load();
        for &(hash, newest) in gone {
            let versions = std::iter::successors(Some(newest), |id| links.before(*id));
            let ends = std::iter::once(self.next_id).chain(versions.clone());
            let seen = versions.zip(ends).filter(|(id, end)| is_seen(&self.pins, *id, *end));
            kept.extend(seen.map(|(id, _)| (hash, id)));
        }
        self.keep(index, &kept);
        index.remove_each(gone);
    }

    /// Keeps dead versions that snapshots see in the key index until those go.
    pub(super) fn keep(&mut self, index: &KeyIndex, versions: &[(u64, u64)]) {
        index.keep_each(versions);
        let epoch = self.epoch + 1;
        self.garbage.push_each(None, versions.iter().map(|&(hash, id)| Grave { hash, id, epoch }));
    }

    pub(super) fn add(&mut self, chunks: Vec<Arc<Chunk>>) -> std::ops::Range<u64> {
        let first = self.next_id;
        for chunk in chunks {
            self.secondaries.iter().for_each(|index| index.insert(&chunk, NOW));
            self.next_id = chunk.ids.last() + 1;
            self.len += chunk.rows();
            self.changed += chunk.rows();
            self.chunks.push(chunk);
            self.dirty = true;
        }
        first..self.next_id
    }

    fn index_bag(&self, chunks: &[Arc<Chunk>]) {
        if let Rows::Bag(index) = &self.rows {
            chunks.iter().for_each(|chunk| index_rows(index, chunk));
        }
    }
}

impl Distinct {
    /// The rows of one key, from its last back to its first.
    fn history(&self, last: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(last), |row| {
            self.previous.get(*row as usize).copied().filter(|previous| *previous != NONE)
        })
    }
}

pub(super) fn distinct_rows(keys: &[KeyColumn], hashes: &[u64]) -> Distinct {
    let count = hashes.len() as u32;
    if count <= 1 {
        return Distinct { last: (0..count).collect(), previous: Vec::new() };
    }
    let mut newest: HashTable<u32> = HashTable::with_capacity(hashes.len());
    let mut previous: Vec<u32> = Vec::new();
    for row in 0..count {
        let hash = hashes[row as usize];
        let same =
            |other: &u32| hashes[*other as usize] == hash && rows_equal(keys, *other as usize, keys, row as usize);
        match newest.find_mut(hash, same) {
            Some(other) => {
                previous.resize(hashes.len(), NONE);
                previous[row as usize] = std::mem::replace(other, row);
            }
            None => {
                newest.insert_unique(hash, row, |row| hashes[*row as usize]);
            }
        }
    }
    let last = if previous.is_empty() {
        (0..count).collect()
    } else {
        let mut last: Vec<u32> = newest.into_iter().collect();
        last.sort_unstable();
        last
    };
    Distinct { last, previous }
}

fn take_rows(rows: &RecordBatch, wanted: &[u32]) -> PgResult<RecordBatch> {
    if rows.num_columns() == 0 {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(wanted.len()));
        return Ok(RecordBatch::try_new_with_options(rows.schema(), Vec::new(), &options)?);
    }
    Ok(take_record_batch(rows, &UInt32Array::from(wanted.to_vec()))?)
}

fn index_rows(index: &PostingIndex, chunk: &Chunk) {
    index.insert_each(hash_rows(&chunk.keys, chunk.rows()).into_iter().zip(chunk.ids.tail_from(0)));
}

pub(super) fn out_of_ids() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a table has had too many row versions")
        .detail(format!("Since the process began there can be 2^{ID_BITS}."))
}

/// Fills the index of a table without dead rows.
fn index_unique(index: &KeyIndex, chunks: &ChunkList, rows: usize) -> PgResult<()> {
    index.reserve(rows);
    for chunk in chunks.iter() {
        let hashes = hash_rows(&chunk.keys, chunk.rows());
        let mut twins = distinct_rows(&chunk.keys, &hashes).previous.len();
        index.newest(&hashes, |row, _, id| {
            let equal = |slot: Slot| rows_equal(&chunk.keys, row, &chunks.chunk(slot).keys, slot.row as usize);
            let is_twin = chunks.locate(id).is_some_and(equal);
            twins += usize::from(is_twin);
            is_twin
        });
        if twins > 0 {
            return Err(PgError::new(SqlState::UNIQUE_VIOLATION, "could not change the key of a table")
                .detail("Rows are not unique under the new key."));
        }
        let entries: Vec<(u64, u64)> = hashes.iter().copied().zip(chunk.ids.tail_from(0)).collect();
        index.insert_each(&entries);
    }
    Ok(())
}

/// Values in another type.
pub(super) type Cast = fn(&ArrayRef, PgType, &Column) -> PgResult<ArrayRef>;

/// A column in another type.
pub(super) fn convert(values: &ArrayRef, from: PgType, column: &Column, cast: Cast) -> PgResult<ArrayRef> {
    let (to, storage) = (column.ty, column.storage());
    let same = values.data_type() == &storage;
    let text = |ty: PgType| matches!(ty.oid, oid::TEXT | oid::VARCHAR);
    if same && (from == to || (text(from) && text(to) && to.typmod == -1)) {
        return Ok(Arc::clone(values));
    }
    let lossless = match (values.data_type(), &storage) {
        (DataType::Int16, DataType::Int32 | DataType::Int64) | (DataType::Int32, DataType::Int64) => {
            matches!(to.oid, oid::INT4 | oid::INT8)
        }
        (DataType::Float32, DataType::Float64) => true,
        (DataType::Decimal128(p, s), DataType::Decimal128(to_p, to_s)) => {
            to_s >= s && i16::from(*to_p) - i16::from(*to_s) >= i16::from(*p) - i16::from(*s)
        }
        _ => false,
    };
    let converted = if lossless { arrow::compute::cast(values, &storage)? } else { cast(values, from, column)? };
    if converted.data_type() != &storage || converted.len() != values.len() {
        return Err(PgError::internal(format!("a cast to {storage} gave {}", converted.data_type())));
    }
    Ok(converted)
}
