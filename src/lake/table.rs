//! One table of the lake: flush and load.

use super::error::{LakeError, LakeResult};
use super::file::{self, FileWriter, LiveFile, NewFile, RowIds};
use super::log::{self, Commit, Layout, Metadata, Place};
use super::scan::{self, LakeFiles};
use super::vector::VectorWriter;
use super::{LakeTableKind, Shared, store};
use crate::change::{Position, RowId, StreamId, Tick};
use crate::fault::{self, Step};
use crate::types::TableSchema;
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use futures::StreamExt;
use roaring::RoaringBitmap;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// What one flush brings.
pub struct Flush<'a> {
    /// New rows that live, in storage form, with their ids: ascending over all batches and above all flushed before.
    pub rows: &'a [(RecordBatch, Vec<RowId>)],
    /// Rows flushed earlier that died since.
    pub dead: &'a [RowId],
    /// How far the streams have been read; they go into the commit.
    pub positions: &'a [(StreamId, Position)],
    pub tick: Tick,
    /// The schema of `rows`; where it differs from the table's, the table changes in the same commit.
    pub schema: &'a Arc<TableSchema>,
    /// The id that the next row after this flush will have.
    pub next_row_id: RowId,
    /// Everything flushed earlier is dead; `dead` is not looked at.
    pub truncate: bool,
}

/// New rows, with their ids.
type Rows = Vec<(RecordBatch, Vec<RowId>)>;

const DAY_US: i64 = 86_400_000_000;

/// Up to this many rows are encoded on the caller's thread: less work than handing over.
const ENCODE_HERE_ROWS: usize = 4096;

/// A table of the lake, open for writing.
#[derive(Debug)]
pub struct LakeTable {
    pub(super) place: Arc<Place>,
    pub(super) shared: Arc<Shared>,
    pub(super) kind: LakeTableKind,
    layout: Layout,
    pub(super) schema: Arc<TableSchema>,
    /// The schema of the last flush: what the log says, too.
    flushed_schema: Option<Arc<TableSchema>>,
    pub(super) metadata: Metadata,
    pub(super) protocol: Value,
    pub(super) version: i64,
    /// In the order of their rows.
    pub(super) files: Vec<Arc<LiveFile>>,
    /// All flushed ids are below this.
    next_row_id: RowId,
    pub(super) flushes_since_compaction: u32,
    pub(super) last_checkpoint: Option<i64>,
    /// Files that are no longer live: the version and the time at which they were removed.
    pub(super) tombstones: HashMap<String, (i64, Instant)>,
    /// Files that cleanings have found and that nobody knows of, and since when.
    pub(super) strangers: HashMap<String, Instant>,
}

pub(super) async fn open(
    shared: Arc<Shared>,
    name: &str,
    schema: Arc<TableSchema>,
    kind: LakeTableKind,
) -> LakeResult<LakeTable> {
    let place = Arc::new(shared.place(name)?);
    let version = shared.manifest_version(name);
    let (version, metadata, protocol, files) = match version {
        Some(version) => {
            let state = log::read_state(&place, version).await?;
            (version, state.metadata, state.protocol, state.files)
        }
        None => {
            if store::exists(&*shared.store, &place.commit_path(0)).await? {
                // Foreign tables are refused here, and only what Sluice left behind is removed.
                log::read_state(&place, 0).await?;
            }
            shared.remove_table(&place).await?;
            let layout = shared.layout(name, &schema, kind);
            let metadata = Metadata::new(name, &schema, kind, layout);
            let protocol = log::protocol(&schema, kind, layout);
            let mut commit = Commit::new("CREATE TABLE", None, true);
            commit.protocol(&protocol);
            commit.metadata(&metadata);
            commit.write(&place, 0).await?;
            (0, metadata, protocol, Vec::new())
        }
    };
    if metadata.configuration("sluice.kind") != Some(kind.name()) {
        return Err(LakeError::damaged(
            place.prefix.to_string(),
            format!("it is written as {:?}, not as {}", metadata.configuration("sluice.kind"), kind.name()),
        ));
    }
    Ok(LakeTable {
        layout: metadata.layout(),
        place,
        shared,
        kind,
        schema,
        flushed_schema: None,
        metadata,
        protocol,
        version,
        files: files.into_iter().map(Arc::new).collect(),
        next_row_id: RowId(0),
        flushes_since_compaction: 0,
        last_checkpoint: None,
        tombstones: HashMap::new(),
        strangers: HashMap::new(),
    })
}

/// What a new schema does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SchemaChange {
    None,
    /// Old files can be read as they are: columns were added, or PostgreSQL says something else of a column.
    Metadata,
    /// A column has another type, or is gone and must not come back with its old values.
    Rewrite,
}

impl LakeTable {
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Rows are only added to it.
    pub fn is_append(&self) -> bool {
        self.kind == LakeTableKind::Append
    }

    /// `schema.table`
    pub fn name(&self) -> &str {
        &self.place.name
    }

    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// Live rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.live()).sum()
    }

    fn schema_change(&self, schema: &TableSchema) -> SchemaChange {
        let new = log::schema_string(schema, self.layout.by_day);
        if new == self.metadata.schema_string() {
            return SchemaChange::None;
        }
        let after = self.metadata.with_schema(schema).columns();
        let is_kept = |(name, ty): (&String, &Value)| after.get(name) == Some(ty);
        if self.files.is_empty() || self.metadata.columns().iter().all(is_kept) {
            SchemaChange::Metadata
        } else {
            SchemaChange::Rewrite
        }
    }

    /// Makes rows, deaths, positions and schema durable in one commit, and returns the version. Where nothing has
    /// changed there is no commit: the manifest carries the positions.
    ///
    /// It must be polled to its end: a commit that memory does not know of fences the next one. After an error the
    /// table is as before in memory; after [`LakeError::Fenced`] and errors of the commit itself
    /// the process has to open the lake again.
    pub async fn flush(&mut self, flush: Flush<'_>) -> LakeResult<i64> {
        let is_as_before = self.flushed_schema.as_ref().is_some_and(|before| Arc::ptr_eq(before, flush.schema));
        let change = if is_as_before { SchemaChange::None } else { self.schema_change(flush.schema) };
        let has_rows = flush.rows.iter().any(|(batch, _)| batch.num_rows() > 0);
        let truncate = flush.truncate && !self.files.is_empty();
        let has_dead = !flush.truncate && !flush.dead.is_empty();
        if !has_rows && !has_dead && !truncate && change == SchemaChange::None {
            return Ok(self.version);
        }
        self.check_ids(&flush, has_dead)?;

        let is_blind = !has_dead && !truncate && change == SchemaChange::None;
        let mut commit = Commit::new("WRITE", Some(flush.tick), is_blind);
        let mut metadata = None;
        let mut protocol = None;
        if change != SchemaChange::None {
            let needed = log::protocol(flush.schema, self.kind, self.layout);
            if log::is_weaker(&self.protocol, &needed) {
                commit.protocol(&needed);
                protocol = Some(needed);
            }
            let changed = self.metadata.with_schema(flush.schema);
            commit.metadata(&changed);
            metadata = Some(changed);
        }
        for (stream, position) in flush.positions {
            commit.position(stream, *position);
        }

        let mut files: Vec<Arc<LiveFile>> = Vec::with_capacity(self.files.len() + 1);
        let mut removed: Vec<Arc<LiveFile>> = Vec::new();
        let mut superseded: Vec<Arc<LiveFile>> = Vec::new();
        if truncate {
            for old in &self.files {
                commit.remove(old, true);
                commit.rows_deleted += old.live();
                removed.push(Arc::clone(old));
            }
        } else {
            let dead = if has_dead { self.locate(flush.dead)? } else { BTreeMap::new() };
            let mut vectors = VectorWriter::new();
            for (n, old) in self.files.iter().enumerate() {
                let Some(rows) = dead.get(&n) else {
                    files.push(Arc::clone(old));
                    continue;
                };
                if change != SchemaChange::Rewrite {
                    commit.remove(old, true);
                }
                commit.rows_deleted += rows.len() - old.dead();
                if rows.len() == old.rows {
                    if change == SchemaChange::Rewrite {
                        commit.remove(old, true);
                    }
                    removed.push(Arc::clone(old));
                    continue;
                }
                let mut now = LiveFile::clone(old);
                if self.layout.copy_on_write && change != SchemaChange::Rewrite {
                    now.vector = Some(VectorWriter::new().add(rows.clone())?);
                    for new in self.rewriting(&[Arc::new(now)], flush.schema).run().await? {
                        commit.add(&new, true);
                        files.push(Arc::new(new));
                    }
                    removed.push(Arc::clone(old));
                    continue;
                }
                if now.vector.is_none() {
                    now.stats = file::loosened(&now.stats);
                }
                now.vector = Some(vectors.add(rows.clone())?);
                if change != SchemaChange::Rewrite {
                    commit.add(&now, true);
                    superseded.push(Arc::clone(old));
                }
                files.push(Arc::new(now));
            }
            if change == SchemaChange::Rewrite {
                // The files in the log are the old ones; what is written anew are their rows that live after this
                // flush.
                let old: HashMap<&str, &Arc<LiveFile>> = self.files.iter().map(|file| (&*file.path, file)).collect();
                let mut rewritten = Vec::with_capacity(files.len());
                for now in &files {
                    for new in self.rewriting(std::slice::from_ref(now), flush.schema).run().await? {
                        commit.add(&new, true);
                        rewritten.push(Arc::new(new));
                    }
                    if let Some(old) = old.get(&*now.path) {
                        commit.remove(old, true);
                        removed.push(Arc::clone(old));
                    }
                }
                files = rewritten;
            } else if let Some((name, bytes)) = vectors.finish() {
                store::put(&*self.place.store, &self.place.path(&name), bytes.into()).await?;
            }
        }

        if has_rows {
            let mut n = 0;
            for (day, rows) in self.days(flush.rows)? {
                for new in self.encode(&rows, flush.schema).await? {
                    let key = format!("part-{:012}-{n:03}", self.version + 1);
                    let file = store_file(&self.place, self.shared.zstd_level, day.as_ref(), &key, new).await?;
                    commit.add(&file, true);
                    commit.rows_added += file.rows;
                    files.push(Arc::new(file));
                    n += 1;
                }
            }
        }

        let version = self.version + 1;
        commit.write(&self.place, version).await?;
        for file in &removed {
            self.bury(&file.path, version);
        }
        for file in removed.iter().chain(&superseded) {
            self.bury_vector(file, version)?;
        }
        self.version = version;
        self.files = files;
        self.schema = Arc::clone(flush.schema);
        self.flushed_schema = Some(Arc::clone(flush.schema));
        self.next_row_id = flush.next_row_id;
        self.flushes_since_compaction += 1;
        if let Some(metadata) = metadata {
            self.metadata = metadata;
        }
        if let Some(protocol) = protocol {
            self.protocol = protocol;
        }
        Ok(version)
    }

    /// Remembers that a file is no longer live from a version on.
    pub(super) fn bury(&mut self, path: &str, version: i64) {
        self.tombstones.insert(path.to_owned(), (version, Instant::now()));
    }

    /// Remembers that the vector which a file had is no longer live from a version on.
    pub(super) fn bury_vector(&mut self, file: &LiveFile, version: i64) -> LakeResult<()> {
        if let Some(name) = file.vector.as_ref().map(|vector| vector.descriptor.file()).transpose()?.flatten() {
            self.bury(&name, version);
        }
        Ok(())
    }

    fn check_ids(&self, flush: &Flush<'_>, has_dead: bool) -> LakeResult<()> {
        let wrong = |what: &str| Err(LakeError::internal(format!("a flush of table {} {what}", self.name())));
        if has_dead && self.kind == LakeTableKind::Append {
            return wrong("brings dead rows, but rows are only added to it");
        }
        let mut next = self.next_row_id;
        for (batch, ids) in flush.rows {
            if batch.num_rows() != ids.len() {
                return wrong("brings another number of rows than of row ids");
            }
            for id in ids {
                if *id < next {
                    return wrong("brings row ids that do not ascend");
                }
                next = RowId(id.0 + 1);
            }
        }
        if flush.next_row_id < next {
            return wrong("brings row ids above the next one");
        }
        Ok(())
    }

    /// For each file in which rows died: all its dead rows, those of earlier flushes too.
    fn locate(&self, dead: &[RowId]) -> LakeResult<BTreeMap<usize, RoaringBitmap>> {
        let missing = |id: RowId| {
            LakeError::internal(format!("row {id} of table {} died, but no flush has written it", self.name()))
        };
        let known: Option<Vec<(RowId, usize)>> = self
            .files
            .iter()
            .enumerate()
            .filter_map(|(n, file)| match file.ids.as_ref() {
                None => Some(None),
                Some(ids) => ids.last().map(|last| Some((last, n))),
            })
            .collect();
        let Some(known) = known else {
            return Err(LakeError::internal(format!("table {} was not loaded before rows of it died", self.name())));
        };
        let mut sorted = dead.to_vec();
        sorted.sort_unstable();
        let mut found: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
        let mut at: Option<(usize, Vec<u32>)> = None;
        let mut take = |n: usize, rows: Vec<u32>| -> LakeResult<()> {
            let mut map = match &self.files[n].vector {
                Some(vector) => RoaringBitmap::clone(&vector.rows),
                None => RoaringBitmap::new(),
            };
            let before = map.len();
            let count = rows.len() as u64;
            map.extend(rows);
            if map.len() != before + count {
                return Err(LakeError::internal(format!("rows of table {} died twice", self.name())));
            }
            found.insert(n, map);
            Ok(())
        };
        for id in sorted {
            let file = known.partition_point(|(last, _)| *last < id);
            let n = known.get(file).ok_or_else(|| missing(id))?.1;
            let row = self.files[n].ids.as_ref().and_then(|ids| ids.row(id)).ok_or_else(|| missing(id))?;
            match &mut at {
                Some((now, rows)) if *now == n => rows.push(row),
                _ => {
                    if let Some((n, rows)) = at.replace((n, vec![row])) {
                        take(n, rows)?;
                    }
                }
            }
        }
        if let Some((n, rows)) = at {
            take(n, rows)?;
        }
        Ok(found)
    }

    /// The rows in runs of one day each, where a day is a partition.
    fn days(&self, rows: &[(RecordBatch, Vec<RowId>)]) -> LakeResult<Vec<(Option<Arc<str>>, Rows)>> {
        if !self.layout.by_day {
            return Ok(vec![(None, rows.to_vec())]);
        }
        let mut days: Vec<(Option<Arc<str>>, Rows)> = Vec::new();
        for (batch, ids) in rows {
            let times = batch.column_by_name(file::INGESTED_AT);
            let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
            let missing = || LakeError::internal(format!("rows of table {} do not say when they came", self.name()));
            let times = times.ok_or_else(missing)?;
            let day = |row: usize| times.value(row).div_euclid(DAY_US);
            let mut from = 0;
            while from < ids.len() {
                let to = (from + 1..ids.len()).find(|row| day(*row) != day(from)).unwrap_or(ids.len());
                let part = (batch.slice(from, to - from), ids[from..to].to_vec());
                let name =
                    chrono::DateTime::from_timestamp_micros(times.value(from)).map(|at| at.date_naive().to_string());
                let name: Arc<str> = name.ok_or_else(missing)?.into();
                match days.last_mut() {
                    Some((Some(last), parts)) if *last == name => parts.push(part),
                    _ => days.push((Some(name), vec![part])),
                }
                from = to;
            }
        }
        Ok(days)
    }

    async fn encode(&self, rows: &[(RecordBatch, Vec<RowId>)], schema: &Arc<TableSchema>) -> LakeResult<Vec<NewFile>> {
        fault::at(Step::Encode).await.map_err(|error| LakeError::store("encode rows of", self.name(), error))?;
        let level = self.shared.zstd_level;
        let write = move |rows: &[(RecordBatch, Vec<RowId>)], schema: &TableSchema| {
            let file_schema = file::file_schema(schema);
            let mut writer = FileWriter::new(schema, level)?;
            for (batch, ids) in rows {
                writer.write(&file::encode(batch, schema, &file_schema)?, Some(ids))?;
            }
            writer.finish()
        };
        if rows.iter().map(|(_, ids)| ids.len()).sum::<usize>() <= ENCODE_HERE_ROWS {
            return write(rows, schema);
        }
        let (rows, schema) = (rows.to_vec(), Arc::clone(schema));
        match tokio::task::spawn_blocking(move || write(&rows, &schema)).await {
            Ok(written) => written,
            Err(error) => Err(LakeError::internal(format!("writing Parquet: {error}"))),
        }
    }

    /// Live rows of neighbouring files, to be written anew in order and in `schema`.
    pub(super) fn rewriting(&self, files: &[Arc<LiveFile>], schema: &Arc<TableSchema>) -> Rewriting {
        Rewriting {
            place: Arc::clone(&self.place),
            zstd_level: self.shared.zstd_level,
            schema: Arc::clone(schema),
            files: files.to_vec(),
        }
    }

    /// All live rows, file by file, in order, in storage form, with fresh ids from 0 on; from now on the table knows
    /// which ids lie in which file. Returns the id after the last.
    pub async fn load(&mut self, mut each: impl FnMut(RecordBatch, Vec<RowId>) -> LakeResult<()>) -> LakeResult<RowId> {
        let mut next = 0u64;
        let mut files = Vec::with_capacity(self.files.len());
        let file_schema = file::file_schema(&self.schema);
        for file in &self.files {
            let mut ids = RowIds::default();
            let mut row = 0u32;
            let mut batches = scan::read_raw(&self.place, file, None, None).await?;
            while let Some((start, batch)) = batches.next().await.transpose()? {
                row += batch.num_rows() as u32;
                let live = live_rows(file, start, &batch)?;
                let first = next;
                match &file.vector {
                    None => ids.push_run(RowId(next), start, live.num_rows() as u32),
                    Some(vector) => {
                        let live = (start..row).filter(|row| !vector.rows.contains(*row));
                        live.zip(next..).for_each(|(row, id)| ids.push(RowId(id), row));
                    }
                }
                next += live.num_rows() as u64;
                if live.num_rows() > 0 {
                    let live = file::conform(&live, &self.schema, &file_schema)?;
                    each(scan::decode(&live, &self.schema, None)?, (first..next).map(RowId).collect())?;
                }
            }
            if u64::from(row) != file.rows {
                return Err(LakeError::damaged(
                    format!("{} of table {}", file.path, self.name()),
                    format!("it has {row} rows where the log says {}", file.rows),
                ));
            }
            files.push(Arc::new(LiveFile { ids: Some(Arc::new(ids)), ..LiveFile::clone(file) }));
        }
        self.loaded(files, RowId(next));
        Ok(self.next_row_id)
    }

    /// Takes in which ids lie where.
    pub(super) fn loaded(&mut self, files: Vec<Arc<LiveFile>>, next: RowId) {
        self.files = files;
        self.next_row_id = next;
    }

    /// The live files at this version.
    pub fn files(&self) -> Arc<LakeFiles> {
        Arc::new(LakeFiles::new(Arc::clone(&self.place), self.version, Arc::clone(&self.schema), self.files.clone()))
    }
}

/// Puts a file where a commit can name it. `key`: the beginning of its name, which orders it among the others.
async fn store_file(
    place: &Place,
    zstd_level: i32,
    day: Option<&Arc<str>>,
    key: &str,
    new: NewFile,
) -> LakeResult<LiveFile> {
    let codec = if zstd_level == 0 { "snappy" } else { "zstd" };
    let folder = day.map_or_else(String::new, |day| format!("{}={day}/", file::DAY));
    let path = format!("{folder}{key}-{}.{codec}.parquet", uuid::Uuid::new_v4().simple());
    let size = new.bytes.len() as u64;
    store::put(&*place.store, &place.path(&path), new.bytes).await?;
    Ok(LiveFile {
        path: path.into(),
        size,
        rows: new.rows,
        modified_ms: log::now_ms(),
        stats: new.stats.into(),
        vector: None,
        ids: Some(Arc::new(new.ids)),
        partition: day.cloned(),
    })
}

/// Neighbouring files whose live rows are to be written anew. It needs nothing of the table that goes on meanwhile.
#[derive(Debug)]
pub(super) struct Rewriting {
    pub place: Arc<Place>,
    zstd_level: i32,
    schema: Arc<TableSchema>,
    /// As they were when it was made.
    pub files: Vec<Arc<LiveFile>>,
}

impl Rewriting {
    /// Writes them; commits nothing.
    pub(super) async fn run(&self) -> LakeResult<Vec<LiveFile>> {
        let Some(first) = self.files.first() else { return Ok(Vec::new()) };
        let schema = &self.schema;
        let file_schema = file::file_schema(schema);
        let mut writer = FileWriter::new(schema, self.zstd_level)?;
        let are_ids_known = self.files.iter().all(|file| file.ids.is_some());
        for file in &self.files {
            let mut ids = file.ids.as_ref().map(|ids| {
                ids.iter().filter(|(_, row)| !file.vector.as_ref().is_some_and(|vector| vector.rows.contains(*row)))
            });
            let mut batches = scan::read_raw(&self.place, file, None, None).await?;
            while let Some((start, batch)) = batches.next().await.transpose()? {
                let live = live_rows(file, start, &batch)?;
                let live = file::conform(&live, schema, &file_schema)?;
                let batch_ids: Option<Vec<RowId>> = match &mut ids {
                    Some(ids) if are_ids_known => Some(ids.by_ref().take(live.num_rows()).map(|(id, _)| id).collect()),
                    _ => None,
                };
                writer.write(&live, batch_ids.as_deref())?;
                // Encoding is long work on a thread that others want too.
                tokio::task::yield_now().await;
            }
        }
        let key = first.rank();
        let mut written = Vec::new();
        let new = writer.finish()?;
        let is_one = new.len() == 1;
        for (n, new) in new.into_iter().enumerate() {
            let key = if is_one { key.to_owned() } else { format!("{key}-{n:03}") };
            let mut file = store_file(&self.place, self.zstd_level, first.partition.as_ref(), &key, new).await?;
            if !are_ids_known {
                file.ids = None;
            }
            written.push(file);
        }
        Ok(written)
    }
}

/// The rows of a batch that are alive; `start`: the row in the file at which the batch begins.
pub(super) fn live_rows(file: &LiveFile, start: u32, batch: &RecordBatch) -> LakeResult<RecordBatch> {
    match scan::live_mask(file, start, batch.num_rows()) {
        None => Ok(batch.clone()),
        Some(mask) => filter_record_batch(batch, &mask).map_err(|error| LakeError::internal(error.to_string())),
    }
}
