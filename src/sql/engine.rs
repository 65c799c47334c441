//! The engine as the storage of statements.

use super::storage::{Filling, LakeTableAt, Storage, StorageSnapshot};
use crate::catalog::Catalog;
use crate::change::{StreamId, Tick};
use crate::engine::{
    BuiltIndexes, Commit, EngineHandle, MemoryPart, MemoryPurpose, Rebuilt, Snapshot, Status, TableState, ViewPhase,
    ViewState, Work, Worked,
};
use crate::lake::{LakeReader, Moment};
use crate::memory;
use crate::pg_catalog::{LakeRow, MemoryRow, SourceRow, State, StreamRow, TableRow, ViewRow};
use crate::source::{SourceState, SourceStatus, StreamStatus};
use crate::store::TableSnapshot;
use crate::types::{Oid, PgError, PgResult};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::watch;

#[async_trait]
impl Storage for EngineHandle {
    fn snapshot(&self) -> Arc<dyn StorageSnapshot> {
        EngineHandle::snapshot(self)
    }

    async fn commit(&self, commit: Commit) -> PgResult<()> {
        EngineHandle::commit(self, commit).await
    }

    async fn build_indexes(&self, wanted: Vec<(Oid, Vec<usize>)>) -> PgResult<BuiltIndexes> {
        EngineHandle::build_indexes(self, wanted).await
    }

    async fn past(&self, moment: Moment) -> PgResult<Arc<dyn StorageSnapshot>> {
        Ok(EngineHandle::past(self, moment).await?)
    }

    async fn upkeep(&self, oid: Oid, work: Work) -> PgResult<Worked> {
        EngineHandle::upkeep(self, oid, work).await
    }

    async fn rebuild(&self, oid: Oid) -> PgResult<Rebuilt> {
        EngineHandle::rebuild(self, oid).await
    }

    fn lake(&self) -> Option<LakeReader> {
        Some(EngineHandle::lake(self).reader().clone())
    }

    fn ticks(&self) -> Option<watch::Receiver<u64>> {
        Some(EngineHandle::ticks(self))
    }
}

impl StorageSnapshot for Snapshot {
    fn tick(&self) -> Tick {
        self.tick
    }

    fn at_us(&self) -> i64 {
        self.at_us
    }

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        Snapshot::scan(self, oid, projection, filters, partitions)
    }

    fn table(&self, oid: Oid) -> Option<TableSnapshot> {
        Snapshot::table(self, oid).cloned()
    }

    fn rows(&self, oid: Oid) -> Option<u64> {
        Snapshot::rows(self, oid)
    }

    fn look_up(
        &self,
        oid: Oid,
        conditions: &[(usize, &ScalarValue)],
        outputs: &[usize],
    ) -> Option<PgResult<RecordBatch>> {
        let table = Snapshot::table(self, oid)?;
        let key = &table.schema().key;
        if conditions.len() != key.len() {
            return None;
        }
        let value = |column: &usize| conditions.iter().find(|(c, _)| c == column).map(|(_, value)| *value);
        let values = key.iter().map(value).collect::<Option<Vec<_>>>()?;
        let typed = key.iter().zip(&values).all(|(c, v)| v.data_type() == table.schema().columns[*c].ty.storage());
        // NULL equals nothing in SQL; an index finds it.
        if !typed || values.iter().any(|value| value.is_null()) {
            return None;
        }
        let keys = values.iter().map(|value| value.to_array()).collect::<Result<Vec<_>, _>>();
        Some(keys.map_err(PgError::from).and_then(|keys| table.lookup(&keys, Some(outputs))))
    }

    fn changed_tick(&self, oid: Oid) -> Option<Tick> {
        let table = self.status.tables.iter().find(|table| table.oid == oid)?;
        match self.status.views.iter().find(|view| view.oid == oid) {
            Some(view) => (view.phase == ViewPhase::Live).then(|| view.changed_tick.max(table.changed_tick)),
            None => Some(table.changed_tick),
        }
    }

    fn state(&self, sources: &[Arc<SourceStatus>]) -> State {
        let status = &self.status;
        let lake = &status.lake;
        State {
            tick: self.tick.0,
            published_us: self.at_us,
            lake: LakeRow {
                durable_tick: lake.durable_tick.0,
                flushed_us: Some(lake.flushed_us).filter(|us| *us > 0),
                flushes: lake.flushes,
                last_flush_us: lake.last_flush_us,
                error: lake.error.clone(),
            },
            torn_transactions: status.torn_transactions,
            events: status.events,
            dead_letters: status.dead_letters,
            sources: sources.iter().map(|source| source_row(source)).collect(),
            streams: stream_rows(status, sources),
            tables: status.tables.iter().map(table_row).collect(),
            views: status.views.iter().map(view_row).collect(),
            lake_files: Vec::new(),
            lake_commits: Vec::new(),
            cold_cache_bytes: status.cold_cache.bytes,
            used_bytes: status.used_bytes,
            memory_limit: memory::limit(),
        }
    }

    fn sizes(&self) -> Arc<HashMap<Oid, u64>> {
        Arc::new(self.status.tables.iter().map(|table| (table.oid, table.bytes)).collect())
    }

    fn filling(&self) -> Vec<Filling> {
        let hydrating = self.status.views.iter().filter(|view| view.phase == ViewPhase::Hydrating);
        hydrating.map(|view| Filling { oid: view.oid, rows: view.progress }).collect()
    }

    fn lake_tables(&self) -> Vec<LakeTableAt> {
        let tables = self.status.tables.iter();
        let at = |table: &TableState| {
            Some(LakeTableAt { oid: table.oid, folder: table.folder.to_string(), version: table.delta_version? })
        };
        tables.filter_map(at).collect()
    }

    fn plans(&self) -> Arc<HashMap<Oid, Arc<[String]>>> {
        Arc::new(self.status.views.iter().map(|view| (view.oid, Arc::clone(&view.plan))).collect())
    }
}

fn source_row(source: &SourceStatus) -> SourceRow {
    SourceRow {
        name: Arc::clone(&source.name),
        kind: source.kind,
        state: source.state().as_str(),
        message: source.message(),
        since_us: source.since(),
    }
}

/// The streams that the engine knows, with what their sources say, and those of which nothing has arrived yet.
fn stream_rows(status: &Status, sources: &[Arc<SourceStatus>]) -> Vec<StreamRow> {
    let running = sources.iter().flat_map(|source| source.streams().into_iter().map(move |s| (source, s)));
    let mut running: BTreeMap<StreamId, _> = running.map(|(source, s)| (s.id.clone(), (source, s))).collect();
    let mut rows = Vec::new();
    for known in &status.streams {
        let reader = running.remove(&known.stream).map(|(_, reader)| reader);
        let mut row = match &reader {
            Some(reader) => stream_row(&known.source, reader),
            None => silent_row(&known.source, &known.stream),
        };
        row.position = Some(known.position.0);
        row.checkpoint = known.checkpoint.map(|p| p.0);
        row.newest_source_us = known.newest_source_us;
        row.applied_us = Some(known.applied_us).filter(|us| *us > 0);
        (row.events, row.bytes, row.dead_letters) = (known.events, known.bytes, known.dead_letters);
        rows.push(row);
    }
    rows.extend(running.values().map(|(source, reader)| stream_row(&source.name, reader)));
    rows
}

fn silent_row(source: &Arc<str>, stream: &StreamId) -> StreamRow {
    StreamRow {
        source: Arc::clone(source),
        stream: stream.to_string(),
        topic: None,
        partition: None,
        state: SourceState::Stopped.as_str(),
        message: String::new(),
        position: None,
        fetched: None,
        high: None,
        checkpoint: None,
        newest_source_us: None,
        applied_us: None,
        events: 0,
        bytes: 0,
        dead_letters: 0,
        gaps: Vec::new(),
    }
}

fn stream_row(source: &Arc<str>, reader: &StreamStatus) -> StreamRow {
    StreamRow {
        topic: Some(reader.topic.to_string()),
        partition: Some(reader.partition).filter(|p| *p >= 0),
        state: reader.state().as_str(),
        message: reader.message(),
        fetched: Some(reader.next().0),
        high: reader.high().map(|p| p.0),
        gaps: reader.gaps().iter().map(|gap| (gap.from.0, gap.to.0)).collect(),
        ..silent_row(source, &reader.id)
    }
}

fn table_row(table: &TableState) -> TableRow {
    TableRow {
        oid: table.oid,
        rows: table.rows,
        bytes: table.bytes,
        unflushed_rows: table.unflushed_rows,
        durable_tick: table.durable_tick.0,
        delta_version: table.delta_version,
        changed_tick: table.changed_tick.0,
        memory: table.memory.iter().map(memory_row).collect(),
        evicted_rows: table.evicted_rows,
        evicted_bytes: table.evicted_bytes,
    }
}

fn memory_row(part: &MemoryPart) -> MemoryRow {
    let (kind, columns) = match &part.purpose {
        MemoryPurpose::Rows => ("table", vec![]),
        MemoryPurpose::Tail => ("tail", vec![]),
        MemoryPurpose::Key => ("key-index", vec![]),
        MemoryPurpose::Index(columns) => ("index", columns.clone()),
    };
    MemoryRow { kind, columns, rows: part.rows, bytes: part.bytes }
}

fn view_row(view: &ViewState) -> ViewRow {
    ViewRow {
        oid: view.oid,
        state: match &view.phase {
            ViewPhase::Live => "live",
            ViewPhase::Hydrating => "hydrating",
            ViewPhase::Error(_) => "error",
            ViewPhase::OutOfMemory(_) => "out-of-memory",
        },
        error: match &view.phase {
            ViewPhase::Live | ViewPhase::Hydrating => None,
            ViewPhase::Error(error) => {
                let detail = error.rest.as_ref().and_then(|rest| rest.detail.as_deref());
                Some(detail.map_or(error.message.clone(), |detail| format!("{}. {detail}", error.message)))
            }
            ViewPhase::OutOfMemory(reason) => Some(reason.clone()),
        },
        maintenance: match (view.recomputed, &view.reason) {
            (true, _) => "recomputed",
            (false, Some(_)) => "partly-recomputed",
            (false, None) => "incremental",
        },
        reason: view.reason.clone(),
        plan: Arc::clone(&view.plan),
        state_bytes: view.bytes,
        progress: view.progress.map(|(done, all)| done as f64 / all.max(1) as f64),
        rows: view.rows,
        changed_tick: view.changed_tick.0,
        runs: view.runs,
        total_us: view.total_us,
        last_us: view.last_us,
    }
}
