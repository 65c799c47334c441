//! Chunks whose rows lie in a file: what stays of them in memory, and how their rows are read.
//!
//! A cold chunk is made of what a file holds in a row ([`ColdGroup`]): rows of the table with their ids, in the order of the ids.
//! In memory stay the ids, the deaths, the columns of the key and of secondary indexes, and bounds of all columns; everything
//! else is read where it is asked for. So upserts, deletes and look-ups that find nothing read nothing, and a look-up that
//! finds rows reads these.
//!
//! Which rows are evicted, and when, is the caller's business: the store knows neither files nor limits.

use super::chunk::{Bounds, Chunk, Content, Pieces, array_bytes, bounds_of};
use super::filter::keep_rows;
use super::hash::ID_BITS;
use super::ids::Ids;
use super::key::{KeyPart, hash_rows, key_columns};
use super::list::ChunkList;
use super::table::{Cast, Rows, Table, convert, distinct_rows, out_of_ids};
use super::{ColdGroup, ColdPieces, ColdRows, RowId};
use crate::types::{PgError, PgResult, SqlState, TableSchema};
use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, concat_batches, filter_record_batch, take};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a chunk has whose rows lie in a file.
#[derive(Debug)]
pub(super) struct Cold {
    schema: SchemaRef,
    rows: usize,
    /// The columns that stay in memory.
    kept: Vec<Option<ArrayRef>>,
    source: Arc<dyn ColdRows>,
    /// Which of the source's rows are the chunk's; `None`: all.
    places: Option<BooleanBuffer>,
}

/// Living rows of a cold chunk as they are read.
struct ColdReader {
    schema: SchemaRef,
    /// In the order that is asked for: a column in memory, or the number of one that is read.
    columns: Vec<Result<ArrayRef, usize>>,
    source: ColdPieces,
    places: Option<BooleanBuffer>,
    alive: Option<BooleanBuffer>,
    /// Rows of the source, and of the chunk, that have been read.
    read: usize,
    row: usize,
    /// Rows of the chunk that are passed over.
    start: usize,
}

impl Cold {
    fn new(
        schema: SchemaRef,
        rows: usize,
        kept: Vec<Option<ArrayRef>>,
        source: Arc<dyn ColdRows>,
        places: Vec<u32>,
    ) -> Self {
        let all = places.len() == source.rows();
        let places = (!all).then(|| {
            let mut bits = arrow::array::BooleanBufferBuilder::new(source.rows());
            bits.append_n(source.rows(), false);
            places.iter().for_each(|place| bits.set_bit(*place as usize, true));
            bits.finish()
        });
        Self { schema, rows, kept, source, places }
    }

    pub fn columns(&self) -> usize {
        self.kept.len()
    }

    pub fn source(&self) -> &Arc<dyn ColdRows> {
        &self.source
    }

    pub fn column(&self, column: usize) -> PgResult<ArrayRef> {
        match &self.kept[column] {
            Some(array) => Ok(Arc::clone(array)),
            None => Ok(Arc::clone(self.live_rows(0, None, Some(&[column]))?.column(0))),
        }
    }

    pub fn bounds(&self, column: usize) -> Bounds {
        match &self.kept[column] {
            Some(array) => bounds_of(array),
            None => self.source.bounds(column),
        }
    }

    pub fn resident_bytes(&self) -> usize {
        let places = self.places.as_ref().map_or(0, |places| places.len() / 8);
        self.kept.iter().flatten().map(array_bytes).sum::<usize>() + places
    }

    /// Rows from `start` on, without those that `alive` has not set; both count the chunk's rows.
    pub fn live_pieces(
        &self,
        start: usize,
        alive: Option<BooleanBuffer>,
        projection: Option<&[usize]>,
    ) -> PgResult<impl Iterator<Item = PgResult<RecordBatch>> + Send + use<>> {
        let all: Vec<usize>;
        let columns = match projection {
            Some(columns) => columns,
            None => {
                all = (0..self.kept.len()).collect();
                &all
            }
        };
        let schema: SchemaRef = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let mut missing: Vec<usize> = Vec::new();
        let mut take_column = |column: &usize| match &self.kept[*column] {
            Some(array) => Ok(Arc::clone(array)),
            None => {
                missing.push(*column);
                Err(missing.len() - 1)
            }
        };
        let columns: Vec<Result<ArrayRef, usize>> = columns.iter().map(&mut take_column).collect();
        if missing.is_empty() {
            let arrays: Vec<ArrayRef> = columns.into_iter().flatten().collect();
            let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
            let whole = RecordBatch::try_new_with_options(schema, arrays, &options)?;
            let rest = whole.slice(start, self.rows - start);
            let rest = match alive {
                None => rest,
                Some(alive) => keep_rows(&rest, alive.slice(start, self.rows - start))?,
            };
            return Ok(Box::new(std::iter::once(Ok(rest))) as Pieces);
        }
        let source = self.source.read(&missing, None)?;
        let places = self.places.clone();
        Ok(Box::new(ColdReader { schema, columns, source, places, alive, read: 0, row: 0, start }) as Pieces)
    }

    /// The same as one.
    pub fn live_rows(
        &self,
        start: usize,
        alive: Option<BooleanBuffer>,
        projection: Option<&[usize]>,
    ) -> PgResult<RecordBatch> {
        let mut pieces = self.live_pieces(start, alive, projection)?.collect::<PgResult<Vec<_>>>()?;
        match (pieces.len(), projection) {
            (1, _) => Ok(pieces.remove(0)),
            (_, None) => Ok(concat_batches(&self.schema, &pieces)?),
            (_, Some(columns)) => Ok(concat_batches(&Arc::new(self.schema.project(columns)?), &pieces)?),
        }
    }

    /// Columns of these rows of the chunk, which ascend.
    pub fn take(&self, rows: &[u32], columns: &[usize]) -> PgResult<Vec<ArrayRef>> {
        let missing: Vec<usize> = columns.iter().copied().filter(|column| self.kept[*column].is_none()).collect();
        let mut read: Vec<ArrayRef> = match missing.is_empty() {
            true => Vec::new(),
            false => {
                let selected;
                let places = match &self.places {
                    None => rows,
                    Some(places) => {
                        selected = select(places, rows);
                        &selected
                    }
                };
                let pieces = match places.is_empty() {
                    true => Vec::new(),
                    false => self.source.read(&missing, Some(places))?.collect::<PgResult<Vec<_>>>()?,
                };
                if pieces.iter().map(RecordBatch::num_rows).sum::<usize>() != rows.len() {
                    return Err(PgError::internal(format!("{} has other rows than it had", self.source.file())));
                }
                let column = |nth: usize| {
                    let parts: Vec<&dyn Array> = pieces.iter().map(|piece| piece.column(nth).as_ref()).collect();
                    match parts.is_empty() {
                        true => Ok(new_empty_array(self.schema.field(missing[nth]).data_type())),
                        false => concat(&parts),
                    }
                };
                (0..missing.len()).map(column).collect::<Result<_, _>>()?
            }
        };
        read.reverse();
        let numbers = UInt32Array::from(rows.to_vec());
        let column = |column: &usize| match &self.kept[*column] {
            Some(array) => Ok(take(array, &numbers, None)?),
            None => read.pop().ok_or_else(|| PgError::internal("a column was not read")),
        };
        columns.iter().map(column).collect()
    }
}

impl Iterator for ColdReader {
    type Item = PgResult<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let piece = match self.source.next()? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
            match self.assemble(piece) {
                Ok(rows) if rows.num_rows() == 0 => {}
                rows => return Some(rows),
            }
        }
    }
}

impl ColdReader {
    /// The chunk's living rows out of a piece of the source.
    fn assemble(&mut self, mut piece: RecordBatch) -> PgResult<RecordBatch> {
        if let Some(places) = &self.places {
            let here = places.slice(self.read, piece.num_rows());
            self.read += piece.num_rows();
            piece = filter_record_batch(&piece, &BooleanArray::new(here, None))?;
        }
        let (first, rows) = (self.row, piece.num_rows());
        self.row += rows;
        let skipped = self.start.saturating_sub(first).min(rows);
        let left = rows - skipped;
        let array = |column: &Result<ArrayRef, usize>| match column {
            Ok(kept) => kept.slice(first + skipped, left),
            Err(nth) => piece.column(*nth).slice(skipped, left),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(left));
        let arrays = self.columns.iter().map(array).collect();
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        match &self.alive {
            None => Ok(batch),
            Some(alive) => keep_rows(&batch, alive.slice(first + skipped, left)),
        }
    }
}

/// The places of the set bits with these ranks, which ascend.
fn select(bits: &BooleanBuffer, ranks: &[u32]) -> Vec<u32> {
    let mut wanted = ranks.iter().copied().peekable();
    let mut places = Vec::with_capacity(ranks.len());
    let mut before = 0;
    for (nth, word) in bits.bit_chunks().iter_padded().enumerate() {
        let Some(next) = wanted.peek() else { break };
        let count = word.count_ones();
        if *next < before + count {
            let (mut word, mut rank) = (word, before);
            while word != 0 {
                if wanted.next_if_eq(&rank).is_some() {
                    places.push(nth as u32 * 64 + word.trailing_zeros());
                }
                word &= word - 1;
                rank += 1;
            }
        }
        before += count;
    }
    places
}

impl Chunk {
    /// A chunk of rows in a file. `kept`: the columns in memory, among them those of `parts`; `places`: the rows of the source.
    fn in_file(
        schema: &SchemaRef,
        ids: Ids,
        kept: Vec<Option<ArrayRef>>,
        source: Arc<dyn ColdRows>,
        places: Vec<u32>,
        parts: &[KeyPart],
    ) -> PgResult<Self> {
        let key = |part: &KeyPart| match &kept[part.column] {
            Some(array) => super::key::KeyColumn::new(array, part.equality),
            None => Err(PgError::internal("a key column is not in memory")),
        };
        let keys = parts.iter().map(key).collect::<PgResult<Vec<_>>>()?;
        let cold = Cold::new(Arc::clone(schema), ids.len(), kept, source, places);
        Ok(Self::with_content(Content::Cold(Box::new(cold)), ids, keys))
    }

    /// The rows that live now, and whose ids are in the range.
    fn living(&self, ids: &RangeInclusive<u64>) -> Vec<u32> {
        let (from, to) = (self.ids.rank(*ids.start()), self.ids.rank(ids.end().saturating_add(1)));
        (from..to).filter(|row| self.is_alive(*row)).map(|row| row as u32).collect()
    }

    /// The same with some of its rows only.
    fn with_rows(&self, rows: &[u32], parts: &[KeyPart]) -> PgResult<Self> {
        let ids = self.ids.tail_from(0);
        let ids = Ids::from_ascending(rows.iter().map(|row| ids[*row as usize]).collect());
        let numbers = UInt32Array::from(rows.to_vec());
        match &self.content {
            Content::Resident(batch) => {
                let batch = arrow::compute::take_record_batch(batch, &numbers)?;
                let keys = key_columns(batch.columns(), parts)?;
                Ok(Self::with_content(Content::Resident(batch), ids, keys))
            }
            Content::Cold(cold) => {
                let kept =
                    cold.kept.iter().map(|array| array.as_ref().map(|array| take(array, &numbers, None)).transpose());
                let kept = kept.collect::<Result<Vec<_>, _>>()?;
                let places = match &cold.places {
                    None => rows.to_vec(),
                    Some(places) => select(places, rows),
                };
                Self::in_file(&cold.schema, ids, kept, Arc::clone(&cold.source), places, parts)
            }
        }
    }

    /// The living rows of a cold chunk in another schema. Values that change their type are read once: an error must come now.
    pub fn altered(
        &self,
        from: &Arc<TableSchema>,
        to: &Arc<TableSchema>,
        parts: &[KeyPart],
        cast: Cast,
    ) -> PgResult<Self> {
        let Some(cold) = self.cold() else { return Err(PgError::internal("rows in memory altered as if in a file")) };
        let rows = self.living(&(0..=u64::MAX));
        let numbers = UInt32Array::from(rows.clone());
        let ids = self.ids.tail_from(0);
        let ids = Ids::from_ascending(rows.iter().map(|row| ids[*row as usize]).collect());
        let columns: Vec<Option<usize>> = to.columns.iter().map(|column| from.index_of(&column.name)).collect();
        let mut kept = Vec::with_capacity(columns.len());
        for (at, (column, new)) in columns.iter().zip(&to.columns).enumerate() {
            let is_key = parts.iter().any(|part| part.column == at);
            kept.push(match column {
                None => is_key.then(|| new_null_array(&new.storage(), rows.len())),
                Some(old) => {
                    let same = from.columns[*old].ty == new.ty && from.columns[*old].storage() == new.storage();
                    match (&cold.kept[*old], is_key || !same) {
                        (None, false) => None,
                        (Some(array), _) => {
                            Some(convert(&take(array, &numbers, None)?, from.columns[*old].ty, new, cast)?)
                        }
                        (None, true) => {
                            let read = take(&cold.column(*old)?, &numbers, None)?;
                            let converted = convert(&read, from.columns[*old].ty, new, cast)?;
                            is_key.then_some(converted)
                        }
                    }
                }
            });
        }
        let places = match &cold.places {
            None => rows,
            Some(places) => select(places, &rows),
        };
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        let schema = Arc::clone(to.arrow());
        let source = Altered { inner: Arc::clone(&cold.source), columns, from, to, cast };
        Self::in_file(&schema, ids, kept, Arc::new(source), places, parts)
    }
}

/// Rows in a file in a schema that the table got later.
struct Altered {
    inner: Arc<dyn ColdRows>,
    /// Of each column the one that it was; `None`: it was not there.
    columns: Vec<Option<usize>>,
    from: Arc<TableSchema>,
    to: Arc<TableSchema>,
    cast: Cast,
}

impl fmt::Debug for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Altered").field("inner", &self.inner).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl ColdRows for Altered {
    fn rows(&self) -> usize {
        self.inner.rows()
    }

    fn read(&self, columns: &[usize], rows: Option<&[u32]>) -> PgResult<ColdPieces> {
        let there: Vec<usize> = columns.iter().filter_map(|column| self.columns[*column]).collect();
        let pieces = self.inner.read(&there, rows)?;
        let schema: SchemaRef = Arc::new(self.to.arrow().project(columns)?);
        let columns = columns.to_vec();
        let (old, from, to, cast) = (self.columns.clone(), Arc::clone(&self.from), Arc::clone(&self.to), self.cast);
        Ok(Box::new(pieces.map(move |piece| {
            let piece = piece?;
            let mut read = piece.columns().iter();
            let array = |column: &usize| match old[*column] {
                None => Ok(new_null_array(&to.columns[*column].storage(), piece.num_rows())),
                Some(old) => {
                    let values = read.next().ok_or_else(|| PgError::internal("a column was not read"))?;
                    convert(values, from.columns[old].ty, &to.columns[*column], cast)
                }
            };
            let arrays = columns.iter().map(array).collect::<PgResult<Vec<_>>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(piece.num_rows()));
            Ok(RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?)
        })))
    }

    fn bounds(&self, column: usize) -> Bounds {
        let old = self.columns[column]?;
        (self.from.columns[old].ty == self.to.columns[column].ty).then(|| self.inner.bounds(old))?
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }

    fn file(&self) -> &str {
        self.inner.file()
    }
}

impl Table {
    /// Lets rows of the table lie in a file from now on: those that live and have ids of the group. `false`, and nothing has
    /// changed, where the group lacks one between its first and its last. Snapshots that are held keep theirs in memory.
    ///
    /// Chunks that reach over the ends of the group are cut. What lay in another file before lies in this one. Changes no
    /// answer and no id.
    pub fn evict(&mut self, group: &ColdGroup) -> PgResult<bool> {
        let Some(span) = group.span() else { return Ok(false) };
        let reaches = |chunk: &&Arc<Chunk>| chunk.ids.last() >= *span.start() && chunk.ids.first() <= *span.end();
        let Some(begin) = self.chunks.iter().position(|chunk| reaches(&chunk)) else { return Ok(false) };
        let touched: Vec<Arc<Chunk>> = self.chunks.iter().skip(begin).take_while(reaches).cloned().collect();
        let before = span.start().checked_sub(1).map(|last| 0..=last);
        let after = span.end() + 1..=u64::MAX;
        let mut ids = Vec::with_capacity(group.rows.rows());
        let mut rows = Vec::with_capacity(touched.len());
        for chunk in &touched {
            let living = chunk.living(&span);
            let all = chunk.ids.tail_from(0);
            ids.extend(living.iter().map(|row| all[*row as usize]));
            rows.push(living);
        }
        let Some(places) = group.places(&ids) else { return Ok(false) };
        let mut by = Vec::with_capacity(3);
        if let (Some(before), Some(first)) = (before, touched.first()) {
            by.extend(self.rest_of(first, &before)?);
        }
        if !ids.is_empty() {
            let kept = self.kept_columns();
            let column = |at: usize| {
                if !kept.contains(&at) {
                    return Ok(None);
                }
                // Copied, always: what is evicted must not stay for the sake of one column.
                let parts = touched
                    .iter()
                    .zip(&rows)
                    .map(|(chunk, rows)| Ok(take(&chunk.column(at)?, &UInt32Array::from(rows.clone()), None)?));
                let parts = parts.collect::<PgResult<Vec<_>>>()?;
                let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
                Ok(Some(concat(&parts)?))
            };
            let kept = (0..self.schema.columns.len()).map(column).collect::<PgResult<Vec<_>>>()?;
            let (ids, source) = (Ids::from_ascending(ids), Arc::clone(&group.rows));
            let chunk = Chunk::in_file(self.schema.arrow(), ids, kept, source, places, &self.parts)?;
            for index in &self.secondaries {
                chunk.prepare(&index.parts)?;
            }
            by.push(Arc::new(chunk));
        }
        if let Some(last) = touched.last() {
            by.extend(self.rest_of(last, &after)?);
        }
        self.chunks.splice(begin..begin + touched.len(), by);
        self.dirty = true;
        Ok(true)
    }

    /// What a chunk has of rows that live in this range of ids.
    fn rest_of(&self, chunk: &Chunk, ids: &RangeInclusive<u64>) -> PgResult<Option<Arc<Chunk>>> {
        let rows = chunk.living(ids);
        if rows.is_empty() {
            return Ok(None);
        }
        let rest = chunk.with_rows(&rows, &self.parts)?;
        for index in &self.secondaries {
            rest.prepare(&index.parts)?;
        }
        Ok(Some(Arc::new(rest)))
    }

    /// The columns of cold chunks that stay in memory.
    fn kept_columns(&self) -> BTreeSet<usize> {
        let of_indexes = self.secondaries.iter().flat_map(|index| &index.parts);
        self.parts.iter().chain(of_indexes).map(|part| part.column).collect()
    }

    /// Takes rows of which only some columns have been read from the lake, by number; the key's must be among them. `ids` are
    /// those of the group, all of which live. Errors: as [`Table::load`].
    pub fn load_cold(&mut self, group: &ColdGroup, columns: &[(usize, ArrayRef)]) -> PgResult<()> {
        let ids: Vec<u64> = group.ids.iter().flat_map(|run| run.id..run.id + u64::from(run.len)).collect();
        let Some(last) = ids.last().copied() else { return Ok(()) };
        let fits = columns.iter().all(|(_, array)| array.len() == ids.len());
        if !fits || ids[0] < self.next_id || !ids.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(PgError::internal("row ids to load are not ascending, or not one for each row"));
        }
        if last >> ID_BITS != 0 {
            return Err(out_of_ids());
        }
        let places = group.places(&ids).ok_or_else(|| PgError::internal("rows of a file without places"))?;
        let mut kept: Vec<Option<ArrayRef>> = vec![None; self.schema.columns.len()];
        for (column, array) in columns {
            kept[*column] = Some(Arc::clone(array));
        }
        let (source, schema) = (Arc::clone(&group.rows), self.schema.arrow());
        let chunk = Chunk::in_file(schema, Ids::from_ascending(ids.clone()), kept, source, places, &self.parts)?;
        for index in &self.secondaries {
            chunk.prepare(&index.parts)?;
        }
        if let Rows::Keyed(index) = &self.rows {
            let hashes = hash_rows(&chunk.keys, ids.len());
            let distinct = distinct_rows(&chunk.keys, &hashes);
            let twice = !distinct.previous.is_empty()
                || self.find_live_each(index, &hashes, &chunk.keys, &distinct.last).iter().any(Option::is_some);
            if twice {
                return Err(PgError::new(SqlState::DATA_CORRUPTED, "stored rows are not unique by key"));
            }
            index.reserve(ids.len());
            let entries: Vec<(u64, u64)> = hashes.into_iter().zip(ids).collect();
            index.insert_each(&entries);
        }
        self.add(vec![Arc::new(chunk)]);
        self.next_id = last + 1;
        Ok(())
    }

    /// The cold chunks: an id of each, and where its rows are.
    pub fn cold(&self) -> impl Iterator<Item = (RowId, &Arc<dyn ColdRows>)> {
        cold_chunks(&self.chunks).map(|(chunk, cold)| (RowId(chunk.ids.first()), cold.source()))
    }

    /// The oldest row in memory with an id from `from` on, where there is one.
    pub fn first_resident(&self, from: RowId) -> Option<RowId> {
        let resident = self.chunks.iter().find(|chunk| chunk.ids.last() >= from.0 && chunk.cold().is_none())?;
        Some(RowId(resident.ids.first().max(from.0)))
    }

    /// Rows in files, and about how many bytes they would take in memory beside what they do take.
    pub fn evicted(&self) -> (usize, usize) {
        let sum = |(rows, bytes): (usize, usize), (chunk, cold): (&Arc<Chunk>, &Cold)| {
            let share = chunk.rows() as f64 / cold.source.rows().max(1) as f64;
            let would = (cold.source.bytes() as f64 * share) as usize;
            (rows + chunk.live(), bytes + would.saturating_sub(cold.resident_bytes()))
        };
        cold_chunks(&self.chunks).fold((0, 0), sum)
    }
}

fn cold_chunks(chunks: &ChunkList) -> impl Iterator<Item = (&Arc<Chunk>, &Cold)> {
    chunks.iter().filter_map(|chunk| Some((chunk, chunk.cold()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn selected_bits_are_those_with_the_ranks(
            bits in prop::collection::vec(any::<bool>(), 1..300),
            picked in prop::collection::vec(any::<bool>(), 300),
            start in 0..64usize,
        ) {
            let start = start.min(bits.len() - 1);
            let set: Vec<u32> = (0..bits.len() - start).filter(|at| bits[start + at]).map(|at| at as u32).collect();
            let ranks: Vec<u32> = (0..set.len() as u32).filter(|rank| picked[*rank as usize]).collect();
            let buffer = BooleanBuffer::from(bits.clone()).slice(start, bits.len() - start);
            let wanted: Vec<u32> = ranks.iter().map(|rank| set[*rank as usize]).collect();
            prop_assert_eq!(select(&buffer, &ranks), wanted);
        }
    }
}
