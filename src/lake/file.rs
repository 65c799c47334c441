//! Data files: Parquet with the statistics that Delta wants, and the row ids that lie in them.

use super::convert;
use super::error::{LakeError, LakeResult};
use super::vector::Vector;
use crate::change::{IdRun, RowId};
use crate::types::array::{Arrays, shape_lists};
use crate::types::{Column, TableSchema, oid};
use arrow::array::{ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

/// A file is closed at this size and the next one begun: bounds the memory of a flush and the work of a compaction.
pub(super) const FILE_BYTES: usize = 128 << 20;
/// Rows of nearly no bytes must not overflow their count.
const FILE_ROWS: u32 = 16 << 20;
const ROW_GROUP_ROWS: usize = 128 << 10;
/// Only the first columns get statistics in the log, and only texts this short.
const STATISTICS_COLUMNS: usize = 32;
const STATISTICS_TEXT: usize = 40;

/// The partition column of tables that are partitioned by the day on which their rows came: a Delta column that rows do
/// not have, and that Sluice's own readers do not see.
pub(super) const DAY: &str = "ingested_day";
/// The column that says when a row came.
pub(super) const INGESTED_AT: &str = "ingested_at";

/// A live data file of a table.
#[derive(Debug, Clone)]
pub(super) struct LiveFile {
    /// Relative to the table. Names in ascending order are the files in the order of their rows.
    pub path: Arc<str>,
    pub size: u64,
    /// Physical rows, dead ones too.
    pub rows: u64,
    pub modified_ms: i64,
    /// Delta's statistics, JSON.
    pub stats: Arc<str>,
    pub vector: Option<Vector>,
    /// Which row ids lie where; `None` until they are known.
    pub ids: Option<Arc<RowIds>>,
    /// The day of a table that is partitioned by day.
    pub partition: Option<Arc<str>>,
}

impl LiveFile {
    pub(super) fn partition_values(&self) -> Map<String, Value> {
        self.partition.iter().map(|day| (DAY.to_owned(), Value::from(&**day))).collect()
    }

    /// The part of its name that says where its rows stand among those of other files.
    pub(super) fn rank(&self) -> &str {
        let name = self.path.rsplit_once('/').map_or(&*self.path, |(_, name)| name);
        name.rsplit_once('-').map_or(name, |(rank, _)| rank)
    }

    pub(super) fn dead(&self) -> u64 {
        self.vector.as_ref().map_or(0, |vector| vector.rows.len())
    }

    pub(super) fn live(&self) -> u64 {
        self.rows - self.dead()
    }
}

/// The row ids of a file: ascending with its rows, kept as runs.
#[derive(Debug, Default)]
pub(super) struct RowIds {
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    id: u64,
    row: u32,
    len: u32,
}

impl RowIds {
    pub(super) fn push(&mut self, id: RowId, row: u32) {
        if let Some(last) = self.runs.last_mut()
            && id.0 == last.id + u64::from(last.len)
            && row == last.row + last.len
        {
            last.len += 1;
            return;
        }
        self.runs.push(Run { id: id.0, row, len: 1 });
    }

    /// `len` ids from `id` on, in the rows from `row` on.
    pub(super) fn push_run(&mut self, id: RowId, row: u32, len: u32) {
        if len > 0 {
            self.runs.push(Run { id: id.0, row, len });
        }
    }

    pub(super) fn last(&self) -> Option<RowId> {
        self.runs.last().map(|run| RowId(run.id + u64::from(run.len) - 1))
    }

    /// The row of an id.
    pub(super) fn row(&self, id: RowId) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.id <= id.0).checked_sub(1)?;
        let run = self.runs[at];
        let within = id.0 - run.id;
        (within < u64::from(run.len)).then(|| run.row + within as u32)
    }

    /// The first row with this id or a later one.
    pub(super) fn row_from(&self, id: RowId) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.id + u64::from(run.len) <= id.0);
        let run = self.runs.get(at)?;
        Some(run.row + id.0.saturating_sub(run.id) as u32)
    }

    /// The ids of these rows, whose first counts as row 0.
    pub(super) fn runs_in(&self, rows: Range<u32>) -> Vec<IdRun> {
        let from = self.runs.partition_point(|run| run.row + run.len <= rows.start);
        let here = self.runs[from..].iter().take_while(|run| run.row < rows.end);
        let cut = here.map(|run| {
            let (start, end) = (run.row.max(rows.start), (run.row + run.len).min(rows.end));
            IdRun { id: run.id + u64::from(start - run.row), row: start - rows.start, len: end - start }
        });
        cut.collect()
    }

    /// Ids with their rows, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RowId, u32)> + '_ {
        self.runs.iter().flat_map(|run| (0..run.len).map(|n| (RowId(run.id + u64::from(n)), run.row + n)))
    }
}

/// The schema of data files: the Parquet form of every column.
pub(super) fn file_schema(schema: &TableSchema) -> SchemaRef {
    let columns = schema.columns.iter().map(|c| Field::new(&c.name, convert::file_type(c.ty), true));
    let shapes = shaped_columns(schema).map(|(_, c)| Field::new(shape_name(c), DataType::Binary, true));
    Arc::new(Schema::new(columns.chain(shapes).collect::<Vec<_>>()))
}

/// The columns of arrays of any shape. Delta has their elements; the shapes are in a column of the files' own behind all
/// others, which Delta's schema does not name and its readers do not ask for.
fn shaped_columns(schema: &TableSchema) -> impl Iterator<Item = (usize, &Column)> {
    schema.columns.iter().enumerate().filter(|(_, c)| c.any_shape)
}

const SHAPE: &str = "\u{1f}shape";

/// No name that anybody would give a column.
fn shape_name(column: &Column) -> String {
    format!("{}{SHAPE}", column.name)
}

/// Storage forms → Parquet forms.
pub(super) fn encode(batch: &RecordBatch, schema: &TableSchema, file_schema: &SchemaRef) -> LakeResult<RecordBatch> {
    if batch.num_columns() != schema.columns.len() {
        return Err(LakeError::internal(format!(
            "a flush brought {} columns for a table of {}",
            batch.num_columns(),
            schema.columns.len()
        )));
    }
    let mut shapes = Vec::new();
    let mut columns = Vec::with_capacity(schema.columns.len());
    for (array, column) in batch.columns().iter().zip(&schema.columns) {
        if column.any_shape {
            let arrays = Arrays::new(array.as_ref())?;
            shapes.push(arrays.shapes());
            columns.push(convert::encode(&(Arc::new(arrays.lists()?) as ArrayRef), column.ty)?);
        } else {
            columns.push(convert::encode(array, column.ty)?);
        }
    }
    columns.extend(shapes);
    RecordBatch::try_new(Arc::clone(file_schema), columns).map_err(|error| LakeError::internal(error.to_string()))
}

/// What lies in a file → the Parquet forms of `schema`: columns by name, widened where the file is older, NULL where
/// it lacks them.
pub(super) fn conform(batch: &RecordBatch, schema: &TableSchema, file_schema: &SchemaRef) -> LakeResult<RecordBatch> {
    let rows = batch.num_rows();
    let shapes = shaped_columns(schema).map(|(_, column)| match batch.column_by_name(&shape_name(column)) {
        Some(array) => Ok(Arc::clone(array)),
        None => Ok(new_null_array(&DataType::Binary, rows)),
    });
    let columns: LakeResult<Vec<ArrayRef>> = schema
        .columns
        .iter()
        .map(|column| match batch.column_by_name(&column.name) {
            Some(array) => convert::widen(Arc::clone(array), column.ty),
            None => Ok(new_null_array(&convert::file_type(column.ty), rows)),
        })
        .chain(shapes)
        .collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(file_schema), columns?, &options)
        .map_err(|error| LakeError::internal(error.to_string()))
}

/// Parquet forms → storage forms of the columns of `schema`.
pub(super) fn decode(batch: &RecordBatch, schema: &TableSchema) -> LakeResult<Vec<ArrayRef>> {
    let decoded = batch.columns().iter().zip(&schema.columns);
    let mut columns =
        decoded.map(|(array, column)| convert::decode(Arc::clone(array), column.ty)).collect::<LakeResult<Vec<_>>>()?;
    for (behind, (at, _)) in shaped_columns(schema).enumerate() {
        let wrong = || LakeError::damaged("data file", "an array column without its shapes");
        let shapes = batch.columns().get(schema.columns.len() + behind).and_then(|s| s.as_binary_opt::<i32>());
        let list = columns[at].as_list_opt::<i32>().ok_or_else(wrong)?.clone();
        columns[at] = shape_lists(list, shapes.ok_or_else(wrong)?.clone())?;
    }
    Ok(columns)
}

/// A file that is written but not committed.
pub(super) struct NewFile {
    pub bytes: Bytes,
    pub rows: u64,
    pub stats: String,
    pub ids: RowIds,
}

/// Writes rows in Parquet form into as many files as their size asks for.
pub(super) struct FileWriter {
    schema: SchemaRef,
    properties: WriterProperties,
    open: Option<(ArrowWriter<Vec<u8>>, RowIds, u32)>,
    done: Vec<NewFile>,
}

impl FileWriter {
    /// For rows in the Parquet forms of `schema`.
    pub(super) fn new(schema: &TableSchema, zstd_level: i32) -> LakeResult<Self> {
        let properties = properties(schema, zstd_level)?;
        Ok(Self { schema: file_schema(schema), properties, open: None, done: Vec::new() })
    }

    fn open(&mut self) -> LakeResult<&mut (ArrowWriter<Vec<u8>>, RowIds, u32)> {
        if self.open.is_none() {
            let properties = self.properties.clone();
            let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
            let writer =
                ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.schema), options).map_err(internal)?;
            self.open = Some((writer, RowIds::default(), 0));
        }
        Ok(self.open.as_mut().expect("it was opened just now"))
    }

    /// `ids`: of the rows, or none where nobody will ask for them.
    pub(super) fn write(&mut self, batch: &RecordBatch, ids: Option<&[RowId]>) -> LakeResult<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (writer, held, rows) = self.open()?;
        writer.write(batch).map_err(internal)?;
        if let Some(ids) = ids {
            for (n, id) in ids.iter().enumerate() {
                held.push(*id, *rows + n as u32);
            }
        }
        *rows += batch.num_rows() as u32;
        if writer.bytes_written() + writer.in_progress_size() > FILE_BYTES || *rows > FILE_ROWS {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> LakeResult<()> {
        if let Some((mut writer, ids, rows)) = self.open.take() {
            let metadata = writer.finish().map_err(internal)?;
            let stats = statistics(&metadata, &self.schema);
            let bytes = std::mem::take(writer.inner_mut());
            self.done.push(NewFile { bytes: bytes.into(), rows: rows.into(), stats, ids });
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> LakeResult<Vec<NewFile>> {
        self.close()?;
        Ok(self.done)
    }
}

/// A dictionary pays where values repeat, which text does more than anything else: building one for keys, numbers, times
/// and JSON documents was the greatest part of a flush. Of documents nobody asks for the least and the greatest, either.
fn properties(schema: &TableSchema, zstd_level: i32) -> LakeResult<WriterProperties> {
    let compression = match zstd_level {
        0 => Compression::SNAPPY,
        level => Compression::ZSTD(ZstdLevel::try_new(level).map_err(internal)?),
    };
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by("sluice".into())
        .set_dictionary_enabled(false);
    for (nth, column) in schema.columns.iter().enumerate() {
        let path = || ColumnPath::from(column.name.as_str());
        match column.ty.oid {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR if !schema.key.contains(&nth) => {
                properties = properties.set_column_dictionary_enabled(path(), true);
            }
            oid::JSON | oid::JSONB | oid::XML | oid::BYTEA => {
                properties = properties.set_column_statistics_enabled(path(), EnabledStatistics::None);
            }
            _ => {}
        }
    }
    Ok(properties.build())
}

fn internal(error: parquet::errors::ParquetError) -> LakeError {
    LakeError::internal(format!("writing Parquet: {error}"))
}

/// Delta's statistics out of Parquet's. Least and greatest values only where JSON, Parquet and Delta agree on them:
/// integers, dates, timestamps and short texts.
fn statistics(metadata: &ParquetMetaData, schema: &SchemaRef) -> String {
    let mut least = Map::new();
    let mut greatest = Map::new();
    let mut nulls = Map::new();
    let leaf_of = |name: &str| {
        let descriptor = metadata.file_metadata().schema_descr();
        (0..descriptor.num_columns()).find(|&leaf| {
            let path = descriptor.column(leaf).path().parts().to_vec();
            path.len() == 1 && path[0] == name
        })
    };
    for field in schema.fields().iter().take(STATISTICS_COLUMNS).filter(|f| !f.name().ends_with(SHAPE)) {
        let Some(leaf) = leaf_of(field.name()) else { continue };
        let mut bounds: Option<(Value, Value)> = None;
        let mut known = true;
        let mut null_count = Some(0);
        for group in metadata.row_groups() {
            let statistics = group.column(leaf).statistics();
            null_count =
                null_count.zip(statistics.and_then(Statistics::null_count_opt)).map(|(sum, count)| sum + count);
            let all_null = statistics.and_then(Statistics::null_count_opt) == Some(group.num_rows() as u64);
            if all_null {
                continue;
            }
            match statistics.and_then(|statistics| bounds_of(statistics, field)) {
                Some((low, high)) => {
                    bounds = Some(match bounds.take() {
                        None => (low, high),
                        Some((least, greatest)) => (lesser(least, low), greater(greatest, high)),
                    });
                }
                None => known = false,
            }
        }
        if let Some(count) = null_count {
            nulls.insert(field.name().clone(), count.into());
        }
        if let Some((low, high)) = bounds.filter(|_| known) {
            least.insert(field.name().clone(), low);
            greatest.insert(field.name().clone(), high);
        }
    }
    serde_json::json!({
        "numRecords": metadata.file_metadata().num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
        "tightBounds": true,
    })
    .to_string()
}

/// Numbers by their value, texts byte by byte (which orders ISO dates of four-digit years too).
fn is_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a < b,
        _ => a.as_i64() < b.as_i64(),
    }
}

fn lesser(a: Value, b: Value) -> Value {
    if is_less(&b, &a) { b } else { a }
}

fn greater(a: Value, b: Value) -> Value {
    if is_less(&a, &b) { b } else { a }
}

fn bounds_of(statistics: &Statistics, field: &Field) -> Option<(Value, Value)> {
    use arrow::datatypes::DataType as T;
    match (statistics, field.data_type()) {
        (Statistics::Int32(values), T::Int16 | T::Int32) => {
            Some(((*values.min_opt()?).into(), (*values.max_opt()?).into()))
        }
        (Statistics::Int64(values), T::Int64) => Some(((*values.min_opt()?).into(), (*values.max_opt()?).into())),
        (Statistics::Int32(values), T::Date32) => {
            Some((date_text(*values.min_opt()?)?.into(), date_text(*values.max_opt()?)?.into()))
        }
        (Statistics::Int64(values), T::Timestamp(_, zone)) => {
            let zone = if zone.is_some() { "Z" } else { "" };
            Some((timestamp_text(*values.min_opt()?, zone)?.into(), timestamp_text(*values.max_opt()?, zone)?.into()))
        }
        (Statistics::ByteArray(values), T::Utf8) => {
            let exact = statistics.min_is_exact() && statistics.max_is_exact();
            let text = |bytes: &[u8]| {
                (exact && bytes.len() <= STATISTICS_TEXT).then(|| std::str::from_utf8(bytes).ok().map(Value::from))?
            };
            Some((text(values.min_opt()?.data())?, text(values.max_opt()?.data())?))
        }
        _ => None,
    }
}

fn date_text(days: i32) -> Option<String> {
    use chrono::Datelike;
    let date =
        chrono::NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::try_days(days.into())?)?;
    (1..=9999).contains(&date.year()).then(|| date.format("%Y-%m-%d").to_string())
}

fn timestamp_text(us: i64, zone: &str) -> Option<String> {
    use chrono::Datelike;
    let time = chrono::DateTime::from_timestamp_micros(us)?;
    (1..=9999).contains(&time.year()).then(|| format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.6f")))
}

/// The statistics of a file some of whose rows are dead: its bounds hold still, but need not be reached.
pub(super) fn loosened(stats: &str) -> Arc<str> {
    match serde_json::from_str::<Map<String, Value>>(stats) {
        Ok(mut stats) => {
            stats.insert("tightBounds".into(), false.into());
            Value::Object(stats).to_string().into()
        }
        Err(_) => stats.into(),
    }
}

/// The physical number of rows that statistics tell.
pub(super) fn rows_in(stats: &str) -> Option<u64> {
    serde_json::from_str::<Map<String, Value>>(stats).ok()?.get("numRecords")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_ids_with_gaps_are_found_and_no_others() {
        let ids = [3, 4, 5, 9, 10, 40];
        let mut held = RowIds::default();
        for (row, id) in ids.into_iter().enumerate() {
            held.push(RowId(id), row as u32);
        }
        assert_eq!(held.runs.len(), 3);
        for id in 0..50 {
            let expected = ids.iter().position(|known| *known == id).map(|row| row as u32);
            assert_eq!(held.row(RowId(id)), expected, "id {id}");
        }
        assert_eq!(held.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), ids);
        assert_eq!(held.last(), Some(RowId(40)));
        for id in 0..50 {
            let expected = ids.iter().position(|known| *known >= id).map(|row| row as u32);
            assert_eq!(held.row_from(RowId(id)), expected, "from id {id}");
        }
        let cut: Vec<(u64, u32, u32)> = held.runs_in(1..5).iter().map(|run| (run.id, run.row, run.len)).collect();
        assert_eq!(cut, [(4, 0, 2), (9, 2, 2)]);
    }
}
