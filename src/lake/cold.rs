//! Rows that stay in the lake: row groups of data files as the hot store's cold rows ([`ColdRows`]), and how a table is opened
//! whose rows do not all fit into memory.
//!
//! A data file that somebody may read from is open ([`ColdFile`]: its footer, no handle); clean-up leaves open files alone,
//! whatever their age. Column chunks of which single rows were read stay in a cache of bounded size, as the compressed bytes
//! that they are.

use super::error::{LakeError, LakeResult};
use super::file::{self, LiveFile, RowIds};
use super::log::Place;
use super::scan::{FileReader, LakeFiles, decode};
use super::table::LakeTable;
use crate::change::{ColdGroup, ColdPieces, ColdRows, IdRun, RowId};
use crate::types::{Column, PgError, PgResult, TableSchema};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchReader, new_empty_array};
use arrow::compute::{concat, filter};
use arrow::datatypes::DataType;
use bytes::{Buf, Bytes};
use datafusion::common::ScalarValue;
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use roaring::RoaringBitmap;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Rows of a piece that is read.
const PIECE_ROWS: usize = 8 << 10;

/// A row group with fewer rows and fewer bytes than these is not worth a read of its own: compaction puts it together with
/// others before there are many of them.
const LEAST_ROWS: usize = 4 << 10;
const LEAST_BYTES: usize = 128 << 10;

/// Of a lake: the files that are open for reading, and the cache.
#[derive(Debug, Default)]
pub struct ColdFiles {
    /// Where requests run.
    runtime: Option<Handle>,
    /// By their path in the store.
    open: Mutex<HashMap<String, Weak<ColdFile>>>,
    opened: AtomicU64,
    cache: Mutex<Cache>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The cache of column chunks as it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ColdCache {
    pub bytes: u64,
    /// Column chunks asked for that were in it, and that were not.
    pub hits: u64,
    pub misses: u64,
}

/// A column chunk: file, row group, leaf.
type ChunkKey = (u64, u32, u32);

#[derive(Debug, Default)]
struct Cache {
    most: usize,
    bytes: usize,
    clock: u64,
    chunks: HashMap<ChunkKey, (Bytes, u64)>,
}

impl Cache {
    fn get(&mut self, key: &ChunkKey) -> Option<Bytes> {
        self.clock += 1;
        let (bytes, used) = self.chunks.get_mut(key)?;
        *used = self.clock;
        Some(bytes.clone())
    }

    fn put(&mut self, key: ChunkKey, bytes: Bytes) {
        if bytes.len() > self.most / 2 {
            return;
        }
        self.clock += 1;
        self.bytes += bytes.len();
        if let Some((old, _)) = self.chunks.insert(key, (bytes, self.clock)) {
            self.bytes -= old.len();
        }
        while self.bytes > self.most {
            let Some(oldest) = self.chunks.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key) else {
                return;
            };
            if let Some((old, _)) = self.chunks.remove(&oldest) {
                self.bytes -= old.len();
            }
        }
    }

    fn forget_file(&mut self, file: u64) {
        let bytes = &mut self.bytes;
        self.chunks.retain(|key, (chunk, _)| {
            let stays = key.0 != file;
            if !stays {
                *bytes -= chunk.len();
            }
            stays
        });
    }
}

/// Wakes a thread that waits for a future.
struct Parked(std::thread::Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl ColdFiles {
    /// For requests on the runtime of the caller.
    pub fn new() -> Self {
        Self { runtime: Handle::try_current().ok(), ..Self::default() }
    }

    /// How many bytes the cache may hold.
    pub fn set_cache(&self, bytes: usize) {
        self.cache.lock().most = bytes;
    }

    pub fn cache(&self) -> ColdCache {
        ColdCache {
            bytes: self.cache.lock().bytes as u64,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    /// Whether somebody may read this object.
    pub(super) fn is_open(&self, path: &str) -> bool {
        self.open.lock().get(path).is_some_and(|file| file.strong_count() > 0)
    }

    /// Whether somebody may read an object in this folder.
    pub(super) fn is_any_open(&self, prefix: &object_store::path::Path) -> bool {
        let folder = format!("{prefix}/");
        self.open.lock().iter().any(|(path, file)| path.starts_with(&folder) && file.strong_count() > 0)
    }

    /// Waits on this thread, whatever it is, for a future whose requests run on the lake's runtime.
    fn wait<T>(&self, future: impl Future<Output = LakeResult<T>>) -> LakeResult<T> {
        let runtime = self.runtime.as_ref().ok_or_else(|| LakeError::internal("the lake has no runtime to read on"))?;
        let run = || {
            let _inside = runtime.enter();
            let mut future = std::pin::pin!(future);
            let waker = Waker::from(Arc::new(Parked(std::thread::current())));
            let mut context = Context::from_waker(&waker);
            loop {
                match future.as_mut().poll(&mut context) {
                    Poll::Ready(done) => return done,
                    Poll::Pending => std::thread::park(),
                }
            }
        };
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            // Others of this runtime's tasks go on meanwhile.
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(run),
            _ => run(),
        }
    }
}

/// A data file that is open for reading: it stays.
#[derive(Debug)]
struct ColdFile {
    number: u64,
    place: Arc<Place>,
    /// Relative to the table.
    file: Arc<str>,
    path: object_store::path::Path,
    metadata: ArrowReaderMetadata,
}

impl Drop for ColdFile {
    fn drop(&mut self) {
        let cold = &self.place.cold;
        cold.cache.lock().forget_file(self.number);
        let mut open = cold.open.lock();
        if open.get(self.path.as_ref()).is_some_and(|file| file.strong_count() == 0) {
            open.remove(self.path.as_ref());
        }
    }
}

impl ColdFile {
    fn open(place: &Arc<Place>, file: &LiveFile) -> LakeResult<Arc<Self>> {
        let path = place.path(&file.path);
        let cold = &place.cold;
        if let Some(open) = cold.open.lock().get(path.as_ref()).and_then(Weak::upgrade) {
            return Ok(open);
        }
        let failed = |error: ParquetError| LakeError::store("read", place.shown(&path), error);
        let mut reader = FileReader { store: Arc::clone(&place.store), path: path.clone(), size: file.size };
        let metadata = cold.wait(async { reader.get_metadata(None).await.map_err(failed) })?;
        let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()).map_err(failed)?;
        let rows: i64 = metadata.metadata().row_groups().iter().map(|group| group.num_rows()).sum();
        if rows as u64 != file.rows {
            let problem = format!("it has {rows} rows where the log says {}", file.rows);
            return Err(LakeError::damaged(place.shown(&path), problem));
        }
        let number = cold.opened.fetch_add(1, Ordering::Relaxed);
        let opened = Arc::new(Self {
            number,
            place: Arc::clone(place),
            file: Arc::clone(&file.path),
            path: path.clone(),
            metadata,
        });
        cold.open.lock().insert(path.to_string(), Arc::downgrade(&opened));
        Ok(opened)
    }

    /// The rows of each row group.
    fn groups(&self) -> impl Iterator<Item = (usize, Range<u32>)> + '_ {
        let mut next = 0;
        self.metadata.metadata().row_groups().iter().enumerate().map(move |(nth, group)| {
            let first = next;
            next += group.num_rows() as u32;
            (nth, first..next)
        })
    }

    fn group(self: &Arc<Self>, number: usize, schema: &Arc<TableSchema>) -> RowGroup {
        RowGroup { file: Arc::clone(self), number, schema: Arc::clone(schema) }
    }

    /// The bytes of a row group's column chunks. `keep`: they go into the cache.
    fn fetch(&self, group: usize, leaves: &[usize], keep: bool) -> LakeResult<Fetched> {
        let columns = self.metadata.metadata().row_group(group);
        let cold = &self.place.cold;
        let mut chunks: Vec<(u64, Bytes)> = Vec::with_capacity(leaves.len());
        let (mut missing, mut ranges) = (Vec::new(), Vec::new());
        for leaf in leaves {
            let (start, len) = columns.column(*leaf).byte_range();
            let key = (self.number, group as u32, *leaf as u32);
            match cold.cache.lock().get(&key) {
                Some(bytes) => chunks.push((start, bytes)),
                None => {
                    missing.push(key);
                    ranges.push(start..start + len);
                }
            }
        }
        if keep {
            cold.hits.fetch_add(chunks.len() as u64, Ordering::Relaxed);
            cold.misses.fetch_add(missing.len() as u64, Ordering::Relaxed);
        }
        if !ranges.is_empty() {
            let failed = |error| LakeError::store("read", self.place.shown(&self.path), error);
            let read = cold.wait(async { self.place.store.get_ranges(&self.path, &ranges).await.map_err(failed) })?;
            for ((range, bytes), key) in ranges.iter().zip(read).zip(missing) {
                if keep {
                    // Neighbours may share one piece of memory: each is to count for itself.
                    cold.cache.lock().put(key, Bytes::copy_from_slice(&bytes));
                }
                chunks.push((range.start, bytes));
            }
        }
        chunks.sort_unstable_by_key(|(start, _)| *start);
        Ok(Fetched { chunks })
    }
}

/// Parts of a file, by where they begin in it.
struct Fetched {
    chunks: Vec<(u64, Bytes)>,
}

impl Fetched {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let at = self.chunks.partition_point(|(first, _)| *first <= start);
        let part = at.checked_sub(1).map(|at| &self.chunks[at]);
        let part = part.filter(|(first, bytes)| start - first <= bytes.len() as u64);
        let (first, bytes) = part.ok_or_else(|| ParquetError::General(format!("byte {start} was not read")))?;
        Ok(bytes.slice((start - first) as usize..))
    }
}

impl Length for Fetched {
    fn len(&self) -> u64 {
        self.chunks.last().map_or(0, |(start, bytes)| start + bytes.len() as u64)
    }
}

impl ChunkReader for Fetched {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.from(start)?;
        if rest.len() < length {
            return Err(ParquetError::General(format!("{length} bytes from byte {start} on were not read")));
        }
        Ok(rest.slice(..length))
    }
}

/// A row group of a data file, read as rows of a schema.
#[derive(Debug)]
struct RowGroup {
    file: Arc<ColdFile>,
    number: usize,
    schema: Arc<TableSchema>,
}

impl RowGroup {
    fn pieces(&self, columns: &[usize], rows: Option<&[u32]>) -> LakeResult<ColdPieces> {
        let metadata = &self.file.metadata;
        let columns: Vec<Column> = columns.iter().map(|at| self.schema.columns[*at].clone()).collect();
        let schema = TableSchema::new(columns, Vec::new());
        let file_schema = file::file_schema(&schema);
        let fields = metadata.schema().fields().iter().enumerate();
        let roots = fields.filter(|(_, field)| file_schema.index_of(field.name()).is_ok()).map(|(nth, _)| nth);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let leaves = 0..metadata.parquet_schema().num_columns();
        let leaves: Vec<usize> = leaves.filter(|leaf| mask.leaf_included(*leaf)).collect();
        let fetched = self.file.fetch(self.number, &leaves, rows.is_some())?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(fetched, metadata.clone())
            .with_row_groups(vec![self.number])
            .with_projection(mask)
            .with_batch_size(PIECE_ROWS);
        if let Some(rows) = rows {
            let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(ranges, self.rows()));
        }
        let shown = self.file.place.shown(&self.file.path);
        let reader = builder.build().map_err(|error| LakeError::store("read", shown.clone(), error))?;
        debug_assert!(reader.schema().fields().len() <= file_schema.fields().len());
        let pieces = reader.map(move |batch| {
            let batch = batch.map_err(|error| LakeError::damaged(shown.clone(), error.to_string()))?;
            Ok(decode(&file::conform(&batch, &schema, &file_schema)?, &schema, None)?)
        });
        Ok(Box::new(pieces))
    }

    fn least_and_greatest(&self, column: &Column) -> Option<(ScalarValue, ScalarValue)> {
        let metadata = &self.file.metadata;
        let field = metadata.schema().field_with_name(&column.name).ok()?;
        let is_ordered = match field.data_type() {
            DataType::Decimal128(..) => true,
            other => super::is_prunable(other),
        };
        if !is_ordered || *field.data_type() != column.storage() {
            return None;
        }
        let group = metadata.metadata().row_group(self.number);
        let known = StatisticsConverter::try_new(&column.name, metadata.schema(), metadata.parquet_schema()).ok()?;
        let value = |array: ArrayRef| {
            let value = ScalarValue::try_from_array(&array, 0).ok()?;
            (!value.is_null()).then_some(value)
        };
        let low = value(known.row_group_mins(std::iter::once(group)).ok()?)?;
        Some((low, value(known.row_group_maxes(std::iter::once(group)).ok()?)?))
    }
}

impl ColdRows for RowGroup {
    fn rows(&self) -> usize {
        self.file.metadata.metadata().row_group(self.number).num_rows() as usize
    }

    fn read(&self, columns: &[usize], rows: Option<&[u32]>) -> PgResult<ColdPieces> {
        self.pieces(columns, rows).map_err(PgError::from)
    }

    fn bounds(&self, column: usize) -> Option<(ScalarValue, ScalarValue)> {
        self.least_and_greatest(&self.schema.columns[column])
    }

    fn bytes(&self) -> usize {
        let columns = self.file.metadata.metadata().row_group(self.number).columns();
        columns.iter().map(|column| column.uncompressed_size().max(0) as usize).sum()
    }

    fn file(&self) -> &str {
        &self.file.file
    }
}

/// Whether a row group is worth a read of its own.
fn is_large(group: &dyn ColdRows) -> bool {
    group.rows() >= LEAST_ROWS || group.bytes() >= LEAST_BYTES
}

/// Rows of the lake that may stay there.
#[derive(Debug)]
pub enum Evictable {
    Group(ColdGroup),
    /// Too few for a read of their own, up to the row of an id: compaction will put them together with others.
    TooSmall {
        next: RowId,
    },
}

impl LakeFiles {
    /// The names of the files.
    pub fn names(&self) -> HashSet<&str> {
        self.files().iter().map(|file| &*file.path).collect()
    }

    /// The row group with the row of this id, or else with the next one after it; `None`: there is none. Reads a footer where
    /// the file is not open yet.
    pub fn evictable(&self, id: RowId) -> LakeResult<Option<Evictable>> {
        let found = self.files().iter().find_map(|file| {
            let ids = file.ids.as_ref()?;
            Some((file, ids, ids.row_from(id)?))
        });
        let Some((file, ids, row)) = found else { return Ok(None) };
        let next = ids.last().map_or(RowId(u64::MAX), |last| RowId(last.0 + 1));
        if (file.rows as usize) < LEAST_ROWS && (file.size as usize) < LEAST_BYTES / 8 {
            return Ok(Some(Evictable::TooSmall { next }));
        }
        let open = ColdFile::open(self.place(), file)?;
        let Some((number, rows)) = open.groups().find(|(_, rows)| rows.contains(&row)) else {
            return Err(LakeError::internal("a row of a file that is in none of its row groups"));
        };
        let group = open.group(number, self.schema());
        let large = is_large(&group);
        let group = ColdGroup { rows: Arc::new(group), ids: ids.runs_in(rows) };
        Ok(Some(match group.span().filter(|_| !large) {
            Some(span) => Evictable::TooSmall { next: RowId(span.end() + 1) },
            None => Evictable::Group(group),
        }))
    }
}

/// Files that are open while a table is loaded.
pub struct OpenFiles(Vec<Arc<ColdFile>>);

impl OpenFiles {
    /// Bytes that all rows would take in memory, about.
    pub fn bytes(&self) -> u64 {
        let groups = self.0.iter().flat_map(|file| file.metadata.metadata().row_groups());
        groups.flat_map(|group| group.columns()).map(|column| column.uncompressed_size().max(0) as u64).sum()
    }
}

/// Rows of a table that is loaded.
pub enum Loaded {
    Resident(RecordBatch, Vec<RowId>),
    /// With the columns that stay in memory, by number.
    Cold(ColdGroup, Vec<(usize, ArrayRef)>),
}

impl LakeTable {
    /// Opens all its files.
    pub fn open_files(&self) -> LakeResult<OpenFiles> {
        let open = self.files.iter().map(|file| ColdFile::open(&self.place, file));
        open.collect::<LakeResult<Vec<_>>>().map(OpenFiles)
    }

    /// [`LakeTable::load`], but only about `budget` bytes of the newest rows come into memory; of the others only the columns
    /// `keep`.
    pub fn load_partly(
        &mut self,
        open: &OpenFiles,
        budget: u64,
        keep: &[usize],
        mut each: impl FnMut(Loaded) -> LakeResult<()>,
    ) -> LakeResult<RowId> {
        // Row groups from the oldest on, as long as what follows does not fit.
        let bytes = |group: &RowGroup| group.bytes() as u64;
        let mut rest = open.bytes();
        let mut next = 0u64;
        let mut files = Vec::with_capacity(self.files.len());
        for (live, open) in self.files.iter().zip(&open.0) {
            let mut known = RowIds::default();
            for (number, rows) in open.groups() {
                let group = open.group(number, &self.schema);
                let is_cold = rest > budget && is_large(&group);
                rest = rest.saturating_sub(bytes(&group));
                let nothing = RoaringBitmap::new();
                let dead = live.vector.as_ref().map_or(&nothing, |vector| &*vector.rows);
                let mut runs = Vec::new();
                let first = next;
                for lives in living(rows.clone(), dead) {
                    known.push_run(RowId(next), lives.start, lives.len() as u32);
                    runs.push(IdRun { id: next, row: lives.start - rows.start, len: lives.len() as u32 });
                    next += lives.len() as u64;
                }
                if next == first {
                    continue;
                }
                let alive = (next - first < rows.len() as u64)
                    .then(|| BooleanArray::from_iter(rows.clone().map(|row| Some(!dead.contains(row)))));
                if is_cold {
                    let kept = read_columns(&group, keep, alive.as_ref())?;
                    each(Loaded::Cold(ColdGroup { rows: Arc::new(group), ids: runs }, kept))?;
                    continue;
                }
                let all: Vec<usize> = (0..self.schema.columns.len()).collect();
                let (mut row, mut id) = (0, first);
                for piece in group.pieces(&all, None)? {
                    let piece = piece?;
                    let here = row..row + piece.num_rows();
                    row = here.end;
                    let piece = match &alive {
                        None => piece,
                        Some(alive) => {
                            let alive = alive.slice(here.start, here.len());
                            arrow::compute::filter_record_batch(&piece, &alive).map_err(PgError::from)?
                        }
                    };
                    if piece.num_rows() > 0 {
                        let ids = (id..id + piece.num_rows() as u64).map(RowId).collect();
                        id += piece.num_rows() as u64;
                        each(Loaded::Resident(piece, ids))?;
                    }
                }
            }
            files.push(Arc::new(LiveFile { ids: Some(Arc::new(known)), ..LiveFile::clone(live) }));
        }
        self.loaded(files, RowId(next));
        Ok(RowId(next))
    }
}

/// The parts of a range without the dead rows.
fn living(rows: Range<u32>, dead: &RoaringBitmap) -> Vec<Range<u32>> {
    let mut parts = Vec::new();
    let mut start = rows.start;
    for row in dead.range(rows.clone()) {
        if row > start {
            parts.push(start..row);
        }
        start = row + 1;
    }
    if start < rows.end {
        parts.push(start..rows.end);
    }
    parts
}

fn read_columns(
    group: &RowGroup,
    columns: &[usize],
    alive: Option<&BooleanArray>,
) -> LakeResult<Vec<(usize, ArrayRef)>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let pieces = group.pieces(columns, None)?.collect::<PgResult<Vec<_>>>()?;
    let column = |(nth, column): (usize, &usize)| -> PgResult<(usize, ArrayRef)> {
        let parts: Vec<&dyn Array> = pieces.iter().map(|piece| piece.column(nth).as_ref()).collect();
        let whole = match parts.is_empty() {
            true => new_empty_array(&group.schema.columns[*column].storage()),
            false => concat(&parts)?,
        };
        Ok((
            *column,
            match alive {
                None => whole,
                Some(alive) => filter(&whole, alive)?,
            },
        ))
    };
    Ok(columns.iter().enumerate().map(column).collect::<PgResult<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_between_dead_rows_are_those_that_live() {
        let dead: RoaringBitmap = [0, 3, 4, 9, 10, 25].into_iter().collect();
        let living = |of| living(of, &dead).into_iter().map(|part| (part.start, part.end)).collect::<Vec<_>>();
        assert_eq!(living(0..10), [(1, 3), (5, 9)]);
        assert_eq!(living(10..20), [(11, 20)]);
        assert_eq!(living(20..26), [(20, 25)]);
        assert_eq!(living(3..5), []);
        assert_eq!(living(30..32), [(30, 32)]);
    }

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let mut cache = Cache { most: 100, ..Cache::default() };
        let bytes = |len: usize| Bytes::from(vec![7; len]);
        cache.put((1, 0, 0), bytes(40));
        cache.put((1, 0, 1), bytes(40));
        assert!(cache.get(&(1, 0, 0)).is_some());
        cache.put((2, 0, 0), bytes(40));
        assert_eq!((cache.bytes, cache.get(&(1, 0, 1))), (80, None));
        cache.put((3, 0, 0), bytes(51));
        assert_eq!((cache.bytes, cache.get(&(3, 0, 0))), (80, None));
        cache.forget_file(1);
        assert_eq!((cache.bytes, cache.chunks.len()), (40, 1));
    }
}
