//! Flush: writing what has changed to the lake, behind the tick loop, on its own thread.
//!
//! One flush is one commit for each changed table, then one manifest that makes them count (see `docs/ARCHITECTURE.md`).
//! A flush that fails half-way is tried again by the engine with everything since: a table whose commit succeeded has moved
//! its own mark, so nothing is written twice.

use super::snapshot::RelationData;
use super::tables::TailBatch;
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
    pub dropped: Vec<Arc<str>>,
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

/// What became of a flush.
pub struct Done {
    pub tick: Tick,
    pub tables: Vec<TableDone>,
    /// The manifest's number, or why there is none.
    pub manifest: Result<u64, LakeError>,
    pub positions: Vec<(StreamId, Position)>,
    /// Folders that were to be removed.
    pub dropped: Vec<Arc<str>>,
    pub took_us: u64,
}

/// The lake as the flush thread owns it.
pub struct Flusher {
    lake: Lake,
    tables: HashMap<Oid, LakeTable>,
    maintenance: Maintenance,
}

impl Flusher {
    pub fn new(lake: Lake, tables: HashMap<Oid, LakeTable>) -> Self {
        Self { lake, tables, maintenance: Maintenance::default() }
    }

    /// Writes one flush. Never panics on outside faults: they are in the answer.
    pub async fn run(&mut self, job: Job) -> Done {
        let start = Instant::now();
        let mut tables = Vec::with_capacity(job.tables.len());
        let mut failure = None;
        for table in &job.tables {
            match self.flush_table(table, job.tick).await {
                Ok(done) => tables.push(done),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let manifest = match failure {
            Some(error) => Err(error),
            None => self.write_manifest(&job).await,
        };
        let took_us = start.elapsed().as_micros() as u64;
        Done { tick: job.tick, tables, manifest, positions: job.positions, dropped: job.dropped, took_us }
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
        table.maintain(&self.maintenance).await?;
        let files = (lake_kind(job.kind) == LakeTableKind::Append).then(|| table.files());
        Ok(TableDone {
            oid: job.oid,
            version: table.version(),
            next: job.next,
            dead: job.dead.len(),
            tail: job.tail.len(),
            files,
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
            }),
        };
        self.lake.write_manifest(manifest).await?;
        self.tables.retain(|oid, _| job.folders.iter().any(|(known, _)| known == oid));
        for folder in &job.dropped {
            if let Err(error) = self.lake.drop_table(folder).await {
                // The folder is no longer part of the database; what is left of it is garbage, not a fault.
                tracing::warn!(folder = %folder, %error, "cannot remove a dropped table's folder");
            }
        }
        Ok(self.lake.number())
    }
}

/// How a relation's rows change in the lake.
pub fn lake_kind(kind: RelationKind) -> LakeTableKind {
    match kind {
        RelationKind::Bronze => LakeTableKind::Append,
        _ => LakeTableKind::Upsert,
    }
}
