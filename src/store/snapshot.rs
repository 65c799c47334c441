//! What readers hold: a table as of one tick.

use super::RowId;
use super::chunk::Pieces;
use super::index::KeyIndex;
use super::key::{KeyColumn, KeyPart, hash_rows, probe_columns, rows_equal};
use super::list::{Candidate, ChunkList, Slot};
use super::maintain::Graves;
use super::prefetch::BLOCK;
use super::secondary::Secondary;
use crate::change::Tick;
use crate::types::{PgError, PgResult, TableSchema};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use hashbrown::HashMap;
use std::sync::{Arc, Weak};

/// The state of a table at one publish.
#[derive(Debug)]
pub(super) struct State {
    pub schema: Arc<TableSchema>,
    pub chunks: ChunkList,
    pub epoch: u64,
    pub next_id: u64,
    pub len: usize,
    pub index: Option<Arc<KeyIndex>>,
    pub parts: Vec<KeyPart>,
    pub secondaries: Vec<Secondary>,
}

/// The writer's memory of a snapshot: what it sees, and whether somebody still holds it.
#[derive(Debug)]
pub(super) struct Pin {
    pub epoch: u64,
    pub next_id: u64,
    pub state: Weak<State>,
    /// Dead versions whose index entries wait for this snapshot to go.
    pub held: Vec<Graves>,
}

/// A table as of one tick: immutable, cheap to clone, usable from any thread. What only it sees stays in memory while
/// it is held.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    state: Arc<State>,
    tick: Tick,
}

impl TableSnapshot {
    pub(super) fn new(state: Arc<State>, tick: Tick) -> Self {
        Self { state, tick }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.state.schema
    }

    /// Live rows.
    pub fn len(&self) -> usize {
        self.state.len
    }

    pub fn is_empty(&self) -> bool {
        self.state.len == 0
    }

    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The id that the first row after this snapshot got or will get.
    pub fn next_row_id(&self) -> RowId {
        RowId(self.state.next_id)
    }

    pub fn chunks(&self) -> usize {
        self.state.chunks.len()
    }

    /// Do these two show the same rows? Then nothing was published between them.
    pub fn same_rows(&self, other: &TableSnapshot) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// The live rows of chunk `i`, in id order, with the projection applied; no copy where no row of it is dead.
    pub fn chunk(&self, i: usize, projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let chunk = self.state.chunks.get(i).ok_or_else(|| PgError::internal(format!("no chunk {i}")))?;
        chunk.live_rows(0, self.state.epoch, projection)
    }

    /// The live rows of chunk `i` in id order, in pieces of which each fits in memory: for a reader that takes them one by one.
    pub fn pieces(&self, i: usize, projection: Option<&[usize]>) -> PgResult<Pieces> {
        let chunk = self.state.chunks.get(i).ok_or_else(|| PgError::internal(format!("no chunk {i}")))?;
        chunk.pieces(self.state.epoch, projection)
    }

    /// Min and max of a column in chunk `i`, NULLs aside, where the type has an order of plain values and the chunk a
    /// value: a chunk outside them needs no scan. They may be wider than the live rows. Computed when first asked for.
    pub fn bounds(&self, i: usize, column: usize) -> Option<(ScalarValue, ScalarValue)> {
        self.state.chunks.get(i)?.bounds(column)
    }

    /// The rows whose key equals one of `keys` (columns in key order, of the key's types), each once, in the order of
    /// the keys. NULL equals NULL here. Not for tables without a key.
    pub fn lookup(&self, keys: &[ArrayRef], projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let mut found: Vec<Slot> = Vec::new();
        self.find(keys, |_, slot| found.push(slot))?;
        // A key that is asked for twice is one row. Few keys, or none twice: the usual cases stay cheap.
        let mut seen = hashbrown::HashSet::with_capacity(if found.len() > 1 { found.len() } else { 0 });
        if found.len() > 1 {
            found.retain(|slot| seen.insert((self.state.chunks.position(*slot), slot.row)));
        }
        self.gather(&found, projection)
    }

    /// For a join: the rows found, and for each the number of its key in `keys`, ascending. A key that is there twice
    /// gives its row twice.
    pub fn lookup_each(&self, keys: &[ArrayRef], projection: Option<&[usize]>) -> PgResult<(RecordBatch, Vec<u32>)> {
        let mut found: Vec<Slot> = Vec::new();
        let mut numbers = Vec::new();
        self.find(keys, |number, slot| {
            found.push(slot);
            numbers.push(number as u32);
        })?;
        Ok((self.gather(&found, projection)?, numbers))
    }

    fn find(&self, keys: &[ArrayRef], mut each: impl FnMut(usize, Slot)) -> PgResult<()> {
        let state = &*self.state;
        let Some(index) = &state.index else {
            return Err(PgError::internal("look-up by key in a table without a key"));
        };
        let probes = probe_columns(keys, &state.parts, &state.schema)?;
        let count = keys[0].len();
        if keys.iter().any(|column| column.len() != count) {
            return Err(PgError::internal("key columns of a look-up differ in length"));
        }
        let hashes = hash_rows(&probes, count);
        state.find_each(index, &hashes, &probes, |number, _, slot| each(number, slot));
        Ok(())
    }

    pub(super) fn gather(&self, slots: &[Slot], projection: Option<&[usize]>) -> PgResult<RecordBatch> {
        let state = &*self.state;
        match projection {
            Some(columns) => {
                let schema: SchemaRef = Arc::new(state.schema.arrow().project(columns)?);
                state.chunks.gather(slots, columns, &schema)
            }
            None => {
                let columns: Vec<usize> = (0..state.schema.columns.len()).collect();
                state.chunks.gather(slots, &columns, state.schema.arrow())
            }
        }
    }

    /// The live rows with ids from `from` on, with their ids, in id order: what a flush writes.
    pub fn rows_from(&self, from: RowId) -> PgResult<Vec<(RecordBatch, Vec<RowId>)>> {
        let mut parts = Vec::new();
        for chunk in self.state.chunks.iter().rev().take_while(|chunk| chunk.ids.last() >= from.0) {
            let start = chunk.ids.rank(from.0);
            let ids = chunk.live_ids(start, self.state.epoch);
            if !ids.is_empty() {
                parts.push((chunk.live_rows(start, self.state.epoch, None)?, ids));
            }
        }
        parts.reverse();
        Ok(parts)
    }
}

impl State {
    /// Gives `each` the number of every key that has a row here, ascending, with the row's id and place.
    pub(super) fn find_each(
        &self,
        index: &KeyIndex,
        hashes: &[u64],
        probes: &[KeyColumn],
        mut each: impl FnMut(usize, u64, Slot),
    ) {
        let mut sight = Sight::new(self);
        let mut candidates: Vec<Candidate> = Vec::with_capacity(hashes.len().min(BLOCK));
        let mut found: Vec<Option<(u64, Slot)>> = vec![None; hashes.len().min(BLOCK)];
        for (nth, hashes) in hashes.chunks(BLOCK).enumerate() {
            let start = nth * BLOCK;
            found.fill(None);
            index.newest(hashes, |nth, place, id| {
                candidates.push(Candidate::new(nth, place, id));
                true
            });
            self.accept(index, &mut sight, &mut candidates, probes, start, &mut found);
            if found[..hashes.len()].iter().any(Option::is_none) {
                let numbers: Vec<usize> = (0..hashes.len()).filter(|nth| found[*nth].is_none()).collect();
                let hashes: Vec<u64> = numbers.iter().map(|nth| hashes[*nth]).collect();
                let mut add = |nth: usize, place, id| {
                    candidates.push(Candidate::new(numbers[nth], place, id));
                    false
                };
                // Behind what was found first there may be more, and what is not there may have died since, and be kept.
                index.newest(&hashes, &mut add);
                index.kept(&hashes, &mut add);
                self.accept(index, &mut sight, &mut candidates, probes, start, &mut found);
            }
            for (nth, row) in found.iter().enumerate() {
                if let Some((id, slot)) = row {
                    each(start + nth, *id, *slot);
                }
            }
        }
    }

    /// Moves the candidates that `sight` sees and have the right key to `found`.
    fn accept(
        &self,
        index: &KeyIndex,
        sight: &mut Sight,
        candidates: &mut Vec<Candidate>,
        probes: &[KeyColumn],
        start: usize,
        found: &mut [Option<(u64, Slot)>],
    ) {
        if candidates.iter().any(|candidate| candidate.id >= self.next_id) {
            let links = index.before.load();
            candidates.retain_mut(|candidate| match links.go_back(candidate.id, self.next_id) {
                Some(id) => {
                    candidate.id = id;
                    true
                }
                None => false,
            });
        }
        self.chunks.locate_each(candidates);
        for Candidate { nth, id, slot, .. } in candidates.drain(..) {
            let (chunk, at) = (self.chunks.chunk(slot), slot.row as usize);
            if rows_equal(probes, start + nth, &chunk.keys, at) && sight.sees(slot) {
                found[nth] = Some((id, slot));
            }
        }
    }
}

/// Which rows a state sees, for who asks about many.
pub(super) struct Sight<'a> {
    state: &'a State,
    /// The rows of chunks in which many have died since.
    masks: HashMap<(u32, u32), Option<BooleanBuffer>>,
}

impl<'a> Sight<'a> {
    pub fn new(state: &'a State) -> Self {
        Self { state, masks: HashMap::new() }
    }

    pub fn sees(&mut self, slot: Slot) -> bool {
        let (chunk, row) = (self.state.chunks.chunk(slot), slot.row as usize);
        chunk.alive_soon(row, self.state.epoch).unwrap_or_else(|| {
            let mask = self.masks.entry(slot.chunk()).or_insert_with(|| chunk.mask_at(self.state.epoch));
            mask.as_ref().is_none_or(|mask| mask.value(row))
        })
    }
}
