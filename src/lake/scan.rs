//! Reading data files: a pinned list of files, each readable on its own.

use super::error::{LakeError, LakeResult};
use super::file::{self, LiveFile};
use super::log::Place;
use super::prune;
use super::table::live_rows;
use crate::types::{Column, TableSchema};
use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

pub use super::prune::{Comparison, Wanted, is_prunable};

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 16 << 10;

/// Read at once from a file's end: the footer of most files.
const FOOTER_BYTES: usize = 16 << 10;

/// The live files of a table at one version. Immutable; what it names stays readable for the retention of maintenance.
#[derive(Debug)]
pub struct LakeFiles {
    place: Arc<Place>,
    version: i64,
    schema: Arc<TableSchema>,
    files: Vec<Arc<LiveFile>>,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy)]
pub struct LakeFile<'a> {
    /// Relative to the table.
    pub path: &'a str,
    pub size: u64,
    /// Live rows.
    pub rows: u64,
    /// Delta's statistics, JSON: `minValues`, `maxValues`, `nullCount` by column.
    pub stats: &'a str,
}

impl LakeFiles {
    pub(super) fn new(place: Arc<Place>, version: i64, schema: Arc<TableSchema>, files: Vec<Arc<LiveFile>>) -> Self {
        Self { place, version, schema, files }
    }

    pub(super) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(super) fn files(&self) -> &[Arc<LiveFile>] {
        &self.files
    }

    pub fn version(&self) -> i64 {
        self.version
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Live rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.live()).sum()
    }

    pub fn file(&self, i: usize) -> LakeFile<'_> {
        let file = &self.files[i];
        LakeFile { path: &file.path, size: file.size, rows: file.live(), stats: &file.stats }
    }

    /// Whether file *i* may hold rows that are wanted, by the log's statistics.
    pub fn may_have(&self, i: usize, wanted: &[Wanted]) -> bool {
        prune::may_have(&self.files[i].stats, wanted)
    }

    /// The live rows of file *i*, in order, in storage form. `projection`: indexes into the columns of the schema, in
    /// the order in which they are wanted; `None`: all. Row groups that cannot hold `wanted` rows are passed over.
    pub fn read(
        &self,
        i: usize,
        projection: Option<&[usize]>,
        wanted: Arc<[Wanted]>,
    ) -> BoxStream<'static, LakeResult<RecordBatch>> {
        let place = Arc::clone(&self.place);
        let file = Arc::clone(&self.files[i]);
        let schema = match projection {
            None => Arc::clone(&self.schema),
            Some(projection) => {
                let columns: Vec<Column> = projection.iter().map(|n| self.schema.columns[*n].clone()).collect();
                Arc::new(TableSchema::new(columns, Vec::new()))
            }
        };
        let stream = async move {
            let file_schema = file::file_schema(&schema);
            let raw = read_raw(&place, &file, Some(&file_schema), Some(&wanted)).await?;
            let batches = raw.map(move |batch| {
                let (start, batch) = batch?;
                let live = live_rows(&file, start, &batch)?;
                decode(&file::conform(&live, &schema, &file_schema)?, &schema, None)
            });
            LakeResult::Ok(batches)
        };
        futures::stream::once(stream).try_flatten().boxed()
    }
}

/// A data file on its store.
pub(super) struct FileReader {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    pub size: u64,
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        Box::pin(async move {
            self.store.get_range(&self.path, range).await.map_err(|error| ParquetError::External(Box::new(error)))
        })
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        Box::pin(async move {
            self.store.get_ranges(&self.path, &ranges).await.map_err(|error| ParquetError::External(Box::new(error)))
        })
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        Box::pin(async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new()
                .with_metadata_options(options.map(|options| options.metadata_options().clone()))
                .with_prefetch_hint(Some(FOOTER_BYTES))
                .load_and_finish(self, size)
                .await?;
            Ok(Arc::new(metadata))
        })
    }
}

/// Rows of a file and the row at which they begin.
type RawRows = BoxStream<'static, LakeResult<(u32, RecordBatch)>>;

/// The rows of a file as they lie in it, dead ones too. `columns`: read only columns of these names. `wanted`: only row
/// groups that may hold such rows.
pub(super) async fn read_raw(
    place: &Arc<Place>,
    file: &Arc<LiveFile>,
    columns: Option<&Schema>,
    wanted: Option<&[Wanted]>,
) -> LakeResult<RawRows> {
    let path = place.path(&file.path);
    let shown = format!("{} of table {}", file.path, place.name);
    let reader = FileReader { store: Arc::clone(&place.store), path, size: file.size };
    let failed = {
        let shown = shown.clone();
        move |error: ParquetError| LakeError::store("read", shown.clone(), error)
    };
    let mut builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(&failed)?.with_batch_size(BATCH_ROWS);
    if let Some(columns) = columns {
        let roots: Vec<usize> = builder
            .schema()
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| columns.index_of(field.name()).is_ok())
            .map(|(n, _)| n)
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder = builder.with_projection(mask);
    }
    // Where the row groups lie that are read: (first row, rows).
    let mut pieces = VecDeque::new();
    let mut groups = Vec::new();
    let mut row = 0u32;
    for (n, group) in builder.metadata().row_groups().iter().enumerate() {
        let rows = group.num_rows() as u32;
        if wanted.is_none_or(|wanted| prune::group_may_have(group, wanted)) {
            groups.push(n);
            pieces.push_back((row, rows));
        }
        row += rows;
    }
    let all = builder.metadata().num_row_groups();
    if groups.len() < all {
        builder = builder.with_row_groups(groups);
    }
    let batches = builder.build().map_err(&failed)?.map_err(failed);
    let placed = batches.map(move |batch| {
        let batch = batch?;
        // A batch may reach over the end of a row group only where the next one was read, too, and follows it.
        let mut left = batch.num_rows() as u32;
        let start = pieces.front().map_or(0, |(start, _)| *start);
        let mut parts = Vec::with_capacity(1);
        let mut offset = 0usize;
        while left > 0 {
            let Some((first, rows)) = pieces.front_mut() else {
                return Err(LakeError::internal("a data file has more rows than its row groups"));
            };
            let taken = left.min(*rows);
            parts.push((*first, batch.slice(offset, taken as usize)));
            (*first, *rows) = (*first + taken, *rows - taken);
            offset += taken as usize;
            left -= taken;
            if *rows == 0 {
                pieces.pop_front();
            }
        }
        if parts.is_empty() {
            parts.push((start, batch));
        }
        Ok(parts)
    });
    Ok(placed.map_ok(|parts| futures::stream::iter(parts.into_iter().map(Ok))).try_flatten().boxed())
}

/// Which of `rows` rows from `start` on are alive; `None`: all.
pub(super) fn live_mask(file: &LiveFile, start: u32, rows: usize) -> Option<BooleanArray> {
    let vector = file.vector.as_ref()?;
    let end = start + rows as u32;
    if vector.rows.range_cardinality(start..end) == 0 {
        return None;
    }
    let mut mask = BooleanBufferBuilder::new(rows);
    mask.append_n(rows, true);
    for dead in vector.rows.range(start..end) {
        mask.set_bit((dead - start) as usize, false);
    }
    Some(BooleanArray::new(mask.finish(), None))
}

/// Parquet forms → storage forms, batch by batch. `schema` names the columns of `batch`.
pub(super) fn decode(batch: &RecordBatch, schema: &TableSchema, arrow: Option<&SchemaRef>) -> LakeResult<RecordBatch> {
    let columns = file::decode(batch, schema)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(arrow.unwrap_or_else(|| schema.arrow())), columns, &options)
        .map_err(|error| LakeError::internal(error.to_string()))
}
