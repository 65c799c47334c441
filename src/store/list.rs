//! The list of a table's chunks, in pages: a snapshot shares the pages, and a change copies the page it touches.

use super::chunk::{Chunk, Content};
use super::filter::{copy_row, pick_rows, prefetch_value};
use super::hash::Place;
use super::prefetch::prefetch_lines;
use crate::types::PgResult;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

/// Chunks in a page.
pub(super) const PAGE: usize = 32;

#[derive(Debug, Clone, Default)]
struct Page {
    chunks: Vec<Arc<Chunk>>,
    /// The first id of each chunk.
    firsts: Vec<u64>,
}

impl Page {
    fn of(chunks: &[Arc<Chunk>]) -> Arc<Self> {
        let firsts = chunks.iter().map(|chunk| chunk.ids.first()).collect();
        Arc::new(Self { chunks: chunks.to_vec(), firsts })
    }
}

/// Where a row lies in one [`ChunkList`]; any change of the list makes it void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    page: u32,
    chunk: u32,
    pub row: u32,
}

impl Slot {
    /// The same for all rows of a chunk.
    pub fn chunk(&self) -> (u32, u32) {
        (self.page, self.chunk)
    }
}

/// A row version that an index gave for a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// The number of the key among those asked for.
    pub nth: usize,
    pub id: u64,
    /// In the index.
    pub place: Place,
    pub slot: Slot,
}

impl Candidate {
    pub fn new(nth: usize, place: Place, id: u64) -> Self {
        Self { nth, id, place, slot: Slot { page: 0, chunk: 0, row: 0 } }
    }
}

/// Chunks in ascending id order, none empty.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkList {
    pages: Vec<Arc<Page>>,
    /// The first id of each page.
    firsts: Vec<u64>,
    chunks: usize,
}

impl ChunkList {
    pub fn from_chunks(chunks: &[Arc<Chunk>]) -> Self {
        let pages: Vec<_> = chunks.chunks(PAGE).map(Page::of).collect();
        let firsts = pages.iter().map(|page| page.firsts[0]).collect();
        Self { pages, firsts, chunks: chunks.len() }
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.chunks
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Chunk>> {
        self.pages.iter().flat_map(|page| page.chunks.iter())
    }

    /// Chunk `at` of the whole list.
    pub fn get(&self, mut at: usize) -> Option<&Arc<Chunk>> {
        for page in &self.pages {
            match page.chunks.get(at) {
                Some(chunk) => return Some(chunk),
                None => at -= page.chunks.len(),
            }
        }
        None
    }

    pub fn push(&mut self, chunk: Arc<Chunk>) {
        let first = chunk.ids.first();
        self.chunks += 1;
        match self.pages.last_mut() {
            Some(last) if last.chunks.len() < PAGE => {
                let page = Arc::make_mut(last);
                page.firsts.push(first);
                page.chunks.push(chunk);
            }
            _ => {
                self.pages.push(Page::of(&[chunk]));
                self.firsts.push(first);
            }
        }
    }

    /// Puts `by` in the place of the chunks `range`; only the pages from the one where the range begins to the one
    /// where it ends are made anew.
    pub fn splice(&mut self, range: Range<usize>, by: Vec<Arc<Chunk>>) {
        let mut before = 0;
        let mut from = 0;
        while from < self.pages.len() && before + self.pages[from].chunks.len() <= range.start {
            before += self.pages[from].chunks.len();
            from += 1;
        }
        let mut to = from;
        let mut end = before;
        while to < self.pages.len() && end < range.end {
            end += self.pages[to].chunks.len();
            to += 1;
        }
        let mut chunks: Vec<Arc<Chunk>> =
            self.pages[from..to].iter().flat_map(|page| page.chunks.iter().cloned()).collect();
        self.chunks = self.chunks + by.len() - range.len();
        chunks.splice(range.start - before..range.end - before, by);
        let pages: Vec<_> = chunks.chunks(PAGE).map(Page::of).collect();
        self.pages.splice(from..to, pages);
        // Pages that lost most of their chunks: pack the list again before it is all pages.
        if self.pages.len() > 2 * self.chunks.div_ceil(PAGE) + 4 {
            let all: Vec<Arc<Chunk>> = self.iter().cloned().collect();
            *self = Self::from_chunks(&all);
        } else {
            self.firsts = self.pages.iter().map(|page| page.firsts[0]).collect();
        }
    }

    /// The chunk where a row with this id would be.
    #[inline]
    fn chunk_of(&self, id: u64) -> Option<Slot> {
        let page = self.firsts.partition_point(|first| *first <= id).checked_sub(1)?;
        let chunk = self.pages[page].firsts.partition_point(|first| *first <= id).checked_sub(1)?;
        Some(Slot { page: page as u32, chunk: chunk as u32, row: 0 })
    }

    /// Where the row with this id is; `None` where compaction has dropped it.
    pub fn locate(&self, id: u64) -> Option<Slot> {
        let slot = self.chunk_of(id)?;
        let row = self.chunk(slot).ids.find(id)?;
        Some(Slot { row: row as u32, ..slot })
    }

    /// Locates all of `wanted`, and asks for whether they live: in steps, each of which asks for what the next one reads. Those that
    /// are there come first, in their order; gives how many they are.
    pub fn locate_rows(&self, wanted: &mut [Candidate]) -> usize {
        let mut there = 0;
        for nth in 0..wanted.len() {
            let Some(slot) = self.chunk_of(wanted[nth].id) else { continue };
            prefetch_lines::<Chunk>(self.chunk(slot), 3);
            wanted[there] = Candidate { slot, ..wanted[nth] };
            there += 1;
        }
        for Candidate { id, slot, .. } in &wanted[..there] {
            self.chunk(*slot).ids.prefetch(*id);
        }
        let mut found = 0;
        for nth in 0..there {
            let candidate = wanted[nth];
            let chunk = self.chunk(candidate.slot);
            let Some(row) = chunk.ids.find(candidate.id) else { continue };
            chunk.prefetch_state(row);
            wanted[found] = Candidate { slot: Slot { row: row as u32, ..candidate.slot }, ..candidate };
            found += 1;
        }
        found
    }

    /// [`ChunkList::locate_rows`] for those whose keys are read next; those that are not there leave.
    pub fn locate_each(&self, wanted: &mut Vec<Candidate>) {
        let there = self.locate_rows(wanted);
        wanted.truncate(there);
        for Candidate { slot, .. } in wanted.iter() {
            self.chunk(*slot).prefetch_key(slot.row as usize);
        }
        for Candidate { slot, .. } in wanted.iter() {
            self.chunk(*slot).prefetch_bytes(slot.row as usize);
        }
    }

    pub fn chunk(&self, slot: Slot) -> &Arc<Chunk> {
        &self.pages[slot.page as usize].chunks[slot.chunk as usize]
    }

    /// The position of a slot's chunk in the whole list.
    pub fn position(&self, slot: Slot) -> usize {
        let before: usize = self.pages[..slot.page as usize].iter().map(|page| page.chunks.len()).sum();
        before + slot.chunk as usize
    }

    /// The rows at `slots`, in their order; `columns`: which of the table's, `schema`: theirs.
    pub fn gather(&self, slots: &[Slot], columns: &[usize], schema: &SchemaRef) -> PgResult<RecordBatch> {
        if slots.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(slots.len()));
        let arrays = self.gather_columns(slots, columns)?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }

    /// The same without a schema, for at least one row.
    pub fn gather_columns(&self, slots: &[Slot], columns: &[usize]) -> PgResult<Vec<ArrayRef>> {
        if let [slot] = slots
            && let Content::Resident(of) = &self.chunk(*slot).content
        {
            let row = slot.row as usize;
            columns.iter().for_each(|c| prefetch_lines(of.column(*c).as_ref(), 2));
            columns.iter().for_each(|c| prefetch_value(of.column(*c), row));
            let columns: Vec<&ArrayRef> = columns.iter().map(|c| of.column(*c)).collect();
            return copy_row(&columns, row);
        }
        let mut sources = Sources::new(self, 0);
        let mut picks: Vec<(usize, usize)> = slots.iter().map(|slot| sources.pick(*slot)).collect();
        let Some(batches) = sources.resident() else {
            let loaded = sources.loaded(&mut picks, columns)?;
            let of = |nth: usize| loaded.iter().map(|arrays| &arrays[nth]).collect::<Vec<_>>();
            return (0..columns.len()).map(|nth| pick_rows(&of(nth), &picks)).collect();
        };
        let arrays = match batches.as_slice() {
            [only] => {
                let rows = UInt32Array::from_iter_values(slots.iter().map(|slot| slot.row));
                columns.iter().map(|c| take(only.column(*c), &rows, None)).collect::<Result<Vec<_>, _>>()?
            }
            many => columns
                .iter()
                .map(|c| {
                    let arrays: Vec<&ArrayRef> = many.iter().map(|batch| batch.column(*c)).collect();
                    pick_rows(&arrays, &picks)
                })
                .collect::<PgResult<Vec<_>>>()?,
        };
        Ok(arrays)
    }

    /// `column` of `batch`, with the values of stored rows where `values` says so.
    pub fn patch(&self, batch: &ArrayRef, values: &[Value], column: usize) -> PgResult<ArrayRef> {
        let mut sources = Sources::new(self, 1);
        let mut picks: Vec<(usize, usize)> = values
            .iter()
            .map(|value| match value {
                Value::Sent(row) => (0, *row as usize),
                Value::Stored(slot) => sources.pick(*slot),
            })
            .collect();
        let stored: Vec<ArrayRef> = match sources.resident() {
            Some(batches) => batches.iter().map(|batch| Arc::clone(batch.column(column))).collect(),
            None => sources.loaded(&mut picks, &[column])?.into_iter().flatten().collect(),
        };
        let arrays: Vec<&dyn Array> =
            std::iter::once(batch.as_ref()).chain(stored.iter().map(|array| array.as_ref())).collect();
        Ok(interleave(&arrays, &picks)?)
    }
}

/// Where [`ChunkList::patch`] takes a value from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// A row of the batch.
    Sent(u32),
    Stored(Slot),
}

/// The chunks that a gather touches, each numbered once from `start` on.
struct Sources<'a> {
    list: &'a ChunkList,
    chunks: Vec<&'a Chunk>,
    numbers: Vec<u32>,
    start: usize,
}

impl<'a> Sources<'a> {
    fn new(list: &'a ChunkList, start: usize) -> Self {
        Self { list, chunks: Vec::new(), numbers: vec![u32::MAX; list.pages.len() * PAGE], start }
    }

    fn pick(&mut self, slot: Slot) -> (usize, usize) {
        let number = &mut self.numbers[slot.page as usize * PAGE + slot.chunk as usize];
        if *number == u32::MAX {
            *number = (self.start + self.chunks.len()) as u32;
            self.chunks.push(self.list.chunk(slot));
        }
        (*number as usize, slot.row as usize)
    }

    /// The rows of all of them, where all are in memory.
    fn resident(&self) -> Option<Vec<&'a RecordBatch>> {
        let batch = |chunk: &&'a Chunk| match &chunk.content {
            Content::Resident(batch) => Some(batch),
            Content::Cold(_) => None,
        };
        self.chunks.iter().map(batch).collect()
    }

    /// Columns of each of them: whole where the chunk is in memory, else the rows that `picks` ask for, which are renumbered.
    fn loaded(&self, picks: &mut [(usize, usize)], columns: &[usize]) -> PgResult<Vec<Vec<ArrayRef>>> {
        let mut wanted: Vec<Vec<u32>> = vec![Vec::new(); self.chunks.len()];
        let cold = |number: usize| number.checked_sub(self.start).filter(|at| self.chunks[*at].cold().is_some());
        for (number, row) in picks.iter() {
            if let Some(at) = cold(*number) {
                wanted[at].push(*row as u32);
            }
        }
        for rows in &mut wanted {
            rows.sort_unstable();
            rows.dedup();
        }
        for (number, row) in picks.iter_mut() {
            if let Some(at) = cold(*number) {
                *row = wanted[at].partition_point(|other| *other < *row as u32);
            }
        }
        let load = |(chunk, rows): (&&Chunk, &Vec<u32>)| match &chunk.content {
            Content::Resident(batch) => Ok(columns.iter().map(|c| Arc::clone(batch.column(*c))).collect()),
            Content::Cold(cold) => cold.take(rows, columns),
        };
        self.chunks.iter().zip(&wanted).map(load).collect()
    }
}
