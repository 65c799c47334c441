//! Flush: writing what has changed to the lake, behind the tick loop, on its own thread.
//!
//! One flush is one commit for each changed table, then one manifest that makes them count (see `docs/ARCHITECTURE.md`).
//! A flush that fails half-way is tried again by the engine with everything since: a table whose commit succeeded has moved
//! its own mark, so nothing is written twice.

use super::snapshot::RelationData;
use super::tables::TailBatch;
use super::upkeep::{Asked, Background};
use crate::catalog::RelationKind;
use crate::change::{Position, RowId, StreamId, Tick};
use crate::lake::{Flush, Lake, LakeError, LakeFiles, LakeTable, LakeTableKind, Maintenance, Manifest, ManifestTable};
use crate::types::{Oid, TableSchema};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// What of one table is to be written.
pub struct TableJob {
    pub oid: Oid,
    pub kind: RelationKind,
    pub folder: Arc<str>,
    pub schema: Arc<TableSchema>,
    pub data: RelationData,
    /// Of an append-only table: the batches not yet written.
    pub tail: Vec<TailBatch>,
    pub from: RowId,
    pub next: RowId,
    pub dead: Vec<RowId>,
    pub streams: Vec<(StreamId, Position)>,
}

/// A folder that no relation uses any more; it stays as long as the lake's history reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub folder: Arc<str>,
    /// µs since 1970.
    pub at_us: i64,
}

/// One flush: the database as of `tick`.
pub struct Job {
    pub tick: Tick,
    pub now_us: i64,
    pub tables: Vec<TableJob>,
    /// Every table that the manifest names.
    pub folders: Vec<(Oid, Arc<str>)>,
    pub positions: Vec<(StreamId, Position)>,
    pub catalog: Arc<serde_json::Value>,
    /// Folders that no relation uses any more.
    pub dropped: Vec<Dropped>,
    /// Rows between their old key and their new one.
    pub departed: serde_json::Value,
    /// The gold views whose rows are those of their queries.
    pub live: Vec<Oid>,
}

/// What became of one table.
pub struct TableDone {
    pub oid: Oid,
    pub version: i64,
    pub next: RowId,
    pub dead: usize,
    pub tail: usize,
    pub files: Option<Arc<LakeFiles>>,
}

/// A table that maintenance has given a new version, with the same rows.
pub struct TableMaintained {
    pub oid: Oid,
    pub version: i64,
    pub files: Option<Arc<LakeFiles>>,
}

/// What became of a flush.
pub struct Done {
    pub tick: Tick,
    pub tables: Vec<TableDone>,
    /// Others, which maintenance has changed since the last flush.
    pub maintained: Vec<TableMaintained>,
    /// The manifest's number, or why there is none.
    pub manifest: Result<u64, LakeError>,
    pub positions: Vec<(StreamId, Position)>,
    /// Folders that are removed.
    pub dropped: Vec<Arc<str>>,
    pub took_us: u64,
}

/// The lake as the flush thread owns it.
pub struct Flusher {
    lake: Lake,
    tables: HashMap<Oid, LakeTable>,
    maintenance: Maintenance,
    background: Background,
}

impl Flusher {
    pub fn new(lake: Lake, tables: HashMap<Oid, LakeTable>, maintenance: Maintenance) -> Self {
        Self { lake, tables, maintenance, background: Background::default() }
    }

    /// Writes one flush. Never panics on outside faults: they are in the answer.
    pub async fn run(&mut self, job: Job) -> Done {
        let start = Instant::now();
        let mut tables = Vec::with_capacity(job.tables.len());
        let mut failure = self.tend().await.err();
        for table in &job.tables {
            if failure.is_some() {
                break;
            }
            match self.flush_table(table, job.tick).await {
                Ok(done) => tables.push(done),
                Err(error) => failure = Some(error),
            }
        }
        let manifest = match failure {
            Some(error) => Err(error),
            None => self.write_manifest(&job).await,
        };
        let mut dropped = vec![];
        if manifest.is_ok() {
            dropped = self.remove_dropped(&job).await;
            self.begin_due(&job).await;
        }
        let maintained = self.background.take_changed().into_iter().filter_map(|oid| {
            let table = self.tables.get(&oid).filter(|_| tables.iter().all(|done| done.oid != oid))?;
            Some(TableMaintained { oid, version: table.version(), files: files_of(table) })
        });
        Done {
            tick: job.tick,
            maintained: maintained.collect(),
            tables,
            manifest,
            positions: job.positions,
            dropped,
            took_us: start.elapsed().as_micros() as u64,
        }
    }

    async fn flush_table(&mut self, job: &TableJob, tick: Tick) -> Result<TableDone, LakeError> {
        // A table that was made anew under its OID lies in another folder.
        if self.tables.get(&job.oid).is_none_or(|table| table.name() != &*job.folder) {
            let table = self.lake.table(&job.folder, Arc::clone(&job.schema), lake_kind(job.kind)).await?;
            self.tables.insert(job.oid, table);
        }
        let table = self.tables.get_mut(&job.oid).expect("inserted above");
        let rows = match &job.data {
            RelationData::Hot(snapshot) => snapshot.rows_from(job.from)?,
            RelationData::Appended(_) => job
                .tail
                .iter()
                .map(|t| (t.rows.clone(), (t.first.0..t.first.0 + t.rows.num_rows() as u64).map(RowId).collect()))
                .collect(),
        };
        table
            .flush(Flush {
                rows: &rows,
                dead: &job.dead,
                positions: &job.streams,
                tick,
                schema: &job.schema,
                next_row_id: job.next,
                truncate: false,
            })
            .await?;
        Ok(TableDone {
            oid: job.oid,
            version: table.version(),
            next: job.next,
            dead: job.dead.len(),
            tail: job.tail.len(),
            files: files_of(table),
        })
    }

    async fn write_manifest(&mut self, job: &Job) -> Result<u64, LakeError> {
        let mut tables = BTreeMap::new();
        let mut folders = BTreeMap::new();
        for (oid, folder) in &job.folders {
            let Some(table) = self.tables.get(oid) else { continue };
            tables.insert(folder.to_string(), ManifestTable { version: table.version(), next_row_id: 0 });
            folders.insert(oid.0.to_string(), folder.to_string());
        }
        let dropped: BTreeMap<&str, i64> = job.dropped.iter().map(|d| (&*d.folder, d.at_us)).collect();
        let manifest = Manifest {
            format: crate::lake::MANIFEST_FORMAT,
            number: 0,
            tick: job.tick,
            written_at_us: job.now_us,
            tables,
            positions: job.positions.iter().map(|(s, p)| (s.to_string(), p.0)).collect(),
            catalog: serde_json::Value::clone(&job.catalog),
            extra: serde_json::json!({
                "folders": folders,
                "departed": job.departed,
                "live": job.live.iter().map(|oid| oid.0).collect::<Vec<_>>(),
                "dropped": dropped,
            }),
            place: String::new(),
        };
        self.lake.write_manifest(manifest).await?;
        self.tables.retain(|oid, _| job.folders.iter().any(|(known, _)| known == oid));
        Ok(self.lake.number())
    }

    /// Removes the folders of tables that were dropped longer ago than the lake's history reaches; says which.
    async fn remove_dropped(&mut self, job: &Job) -> Vec<Arc<str>> {
        let history = i64::try_from(self.maintenance.retention.as_micros()).unwrap_or(i64::MAX);
        let mut removed = vec![];
        for dropped in job.dropped.iter().filter(|d| d.at_us.saturating_add(history) <= job.now_us) {
            match self.lake.is_read(&dropped.folder) {
                // Somebody has a snapshot with rows that are in the folder alone.
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(folder = %dropped.folder, %error, "cannot tell who reads a dropped table"),
            }
            if let Err(error) = self.lake.drop_table(&dropped.folder).await {
                // The folder is no longer part of the database; what is left of it is garbage, not a fault.
                tracing::warn!(folder = %dropped.folder, %error, "cannot remove a dropped table's folder");
            }
            removed.push(Arc::clone(&dropped.folder));
        }
        removed
    }

    /// Begins the maintenance that is due, as far as there is room for it.
    async fn begin_due(&mut self, job: &Job) {
        if self.background.has_room() && !self.background.is_folding() && self.lake.has_to_fold() {
            self.background.fold(self.lake.fold());
        }
        for oid in job.tables.iter().map(|table| table.oid) {
            let Some(table) = self.tables.get_mut(&oid) else { continue };
            if !self.background.has_room() || self.background.has(oid) {
                continue;
            }
            match table.due_cleaning(&self.maintenance).await {
                Ok(Some(cleaning)) => self.background.clean(oid, cleaning),
                Ok(None) => {
                    if let Some(compaction) = table.due_compaction(&self.maintenance) {
                        self.background.compact(oid, compaction);
                    }
                }
                Err(error) => tracing::warn!(table = table.name(), %error, "cannot look what maintenance is due"),
            }
        }
    }

    /// Takes in what maintenance has done meanwhile, and goes on with what statements ask for. Errors: those of commits.
    pub async fn tend(&mut self) -> Result<(), LakeError> {
        self.background.tend(&mut self.tables, &self.maintenance).await
    }

    /// Whether maintenance is running.
    pub fn is_tending(&self) -> bool {
        self.background.is_busy()
    }

    /// Somebody asks for maintenance.
    pub fn ask(&mut self, asked: Asked) {
        self.background.ask(asked);
    }
}

/// What is read from the lake: bronze, and rows that are not in memory.
fn files_of(table: &LakeTable) -> Option<Arc<LakeFiles>> {
    Some(table.files())
}

/// How a relation's rows change in the lake.
pub fn lake_kind(kind: RelationKind) -> LakeTableKind {
    match kind {
        RelationKind::Bronze => LakeTableKind::Append,
        _ => LakeTableKind::Upsert,
    }
}
