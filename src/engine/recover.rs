//! Start: what the lake's newest manifest says becomes the first snapshot.
//!
//! All tables are at the manifest's tick (the lake sets back any that is ahead), so that silver is loaded, gold is loaded and
//! then compared with its query, and the sources go on from the manifest's positions.

use super::align::Aligner;
use super::evict;
use super::flush::{Done, Dropped, Flusher, Job, lake_kind};
use super::moves::Departed;
use super::own_tables::ensure_own_tables;
use super::past::Past;
use super::snapshot::{RelationData, Snapshot};
use super::status::{LakeState, Status, StreamState, ViewPhase};
use super::tables::{Rows, Slot};
use super::tick::{Channels, Engine, is_appended};
use super::upkeep::Asked;
use super::views::{ViewSlot, view_state};
use super::{EngineHandle, EngineOptions, Recovered, now_us};
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::change::{Position, RowId, Schemas, StreamId, Tick};
use crate::lake::{self, ColdFiles, Lake, LakeError, LakeTable, Loaded, Maintenance, Manifest, OpenFiles};
use crate::source::{DeliveryReceiver, SourceStatus};
use crate::store::Table;
use crate::types::{Oid, PgError, PgType, TableSchema, oid};
use crate::view::{self, View};
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

fn runtime(name: &'static str, workers: usize) -> Result<Runtime, LakeError> {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    builder.thread_name(name).enable_all().build().map_err(runtime_failure)
}

fn runtime_failure(error: std::io::Error) -> LakeError {
    LakeError::Value(PgError::internal(format!("cannot start a thread: {error}")))
}

impl Engine {
    /// An engine without tables, sources and lake, which nobody sees.
    pub(super) fn bare(options: EngineOptions, catalog: Catalog, schemas: Arc<Schemas>) -> Result<Self, LakeError> {
        let nothing = Snapshot {
            tick: Tick(0),
            at_us: now_us(),
            catalog: Arc::new(Catalog::new([])),
            status: Arc::new(Status::default()),
            relations: HashMap::new(),
        };
        Ok(Self {
            aligner: Aligner::new(options.align),
            departed: Departed::default(),
            options,
            catalog: Arc::new(catalog),
            tick: Tick(0),
            slots: HashMap::new(),
            names: HashMap::new(),
            views: vec![],
            relations: HashMap::new(),
            before: HashMap::new(),
            changes: HashMap::new(),
            positions: BTreeMap::new(),
            schemas,
            lake_state: LakeState::default(),
            dropped: vec![],
            trouble: Arc::default(),
            dead_letters: 0,
            events: 0,
            session: view::session(),
            runtime: runtime("engine", 0)?,
            sources: vec![],
            published: Arc::new(ArcSwap::from_pointee(nothing)),
            ticks: watch::channel(0).0,
            waiting: vec![],
            last_flush: Instant::now(),
            last_tick: Instant::now(),
            written_catalog: None,
            flushing: false,
            catalog_changed: false,
            starting: true,
            arrivals: crossbeam_channel::unbounded().0,
            creating: vec![],
            failed: vec![],
            failures: HashMap::new(),
            relieved: None,
            starved: false,
            cold: Arc::new(ColdFiles::new()),
            evicted: None,
            crowded: false,
            started: Instant::now(),
        })
    }
}

pub(super) fn start(
    options: EngineOptions,
    system: Vec<Relation>,
    schemas: Arc<Schemas>,
    deliveries: DeliveryReceiver,
    sources: Vec<Arc<SourceStatus>>,
) -> Result<Recovered, LakeError> {
    let begun = Instant::now();
    let past_system = system.clone();
    let lake_runtime = runtime("lake", 2)?;
    let (lake, manifest) = lake_runtime.block_on(lake::open(options.lake.clone()))?;
    let fresh = manifest.is_none();
    let number = manifest.as_ref().map_or(0, |m| m.number);
    let catalog = match &manifest {
        Some(manifest) => Catalog::from_json(&manifest.catalog, system)?,
        None => Catalog::new(system),
    };
    let positions = manifest.as_ref().map_or_else(BTreeMap::new, stream_states);
    let resume = positions.iter().map(|(id, state)| (id.clone(), state.position)).collect();
    let tick = manifest.as_ref().map_or(Tick(0), |m| m.tick);
    let lake_state = LakeState { manifest: number, durable_tick: tick, ..LakeState::default() };

    let (ticks, ticks_seen) = watch::channel(tick.0);
    let (arrival_sender, arrivals) = crossbeam_channel::unbounded();
    let mut engine = Engine::bare(options, catalog, schemas)?;
    engine.departed = manifest.as_ref().map_or_else(Departed::default, |m| Departed::from_json(&m.extra["departed"]));
    engine.tick = tick;
    engine.positions = positions;
    engine.lake_state = lake_state;
    engine.dropped = manifest.as_ref().map_or_else(Vec::new, dropped_folders);
    engine.trouble = lake.trouble();
    engine.sources = sources;
    engine.ticks = ticks;
    engine.catalog_changed = fresh;
    engine.arrivals = arrival_sender;
    engine.started = begun;
    engine.cold = lake.cold();
    if let Some(limit) = engine.options.table_memory {
        engine.cold.set_cache(evict::cache_bytes(limit));
    }
    let mut tables = HashMap::new();
    if let Some(manifest) = &manifest {
        lake_runtime.block_on(load(&mut engine, &lake, manifest, &mut tables))?;
    }
    ensure_own_tables(&mut engine)?;
    bind_views(&mut engine, manifest.as_ref());
    let rows = engine.slots.values().map(|s| s.next_row_id().0).sum();
    engine.tick.0 += 1;
    let mut changed: HashSet<Oid> = engine.slots.keys().copied().collect();
    for slot in engine.slots.values_mut() {
        let data = slot.publish(engine.tick);
        engine.relations.insert(slot.oid, data);
    }
    engine.run_views(&mut changed);
    engine.settle();
    engine.starting = false;
    engine.started = Instant::now();
    engine.publish(now_us());

    let (command_sender, commands) = crossbeam_channel::unbounded();
    let (job_sender, jobs) = crossbeam_channel::bounded(1);
    let (done_sender, done) = crossbeam_channel::bounded(1);
    let (ended_sender, ended) = watch::channel(None);
    let (ask_sender, asked) = crossbeam_channel::bounded(UPKEEP_QUEUE);
    let handle = EngineHandle {
        snapshot: Arc::clone(&engine.published),
        commands: command_sender,
        ended,
        ticks: ticks_seen,
        upkeep: ask_sender,
        past: Arc::new(Past::new(lake.reader(), past_system)),
        beside_rows: engine.options.fill_beside_rows,
        routes: Arc::clone(&engine.options.routes),
        rebuilding: Arc::default(),
    };
    let history = engine.options.lake.history;
    let retention = if history.is_zero() { READERS } else { history };
    let maintenance = Maintenance { retention, ..Maintenance::default() };
    let flusher = Flusher::new(lake, tables, maintenance);
    spawn("flush", move || flush_loop(&lake_runtime, flusher, &jobs, &done_sender, &asked))?;
    let channels = Channels { deliveries, commands, jobs: job_sender, done, arrivals, ended: ended_sender };
    spawn("engine", move || engine.run(channels))?;
    Ok(Recovered { handle, resume, rows, took: begun.elapsed(), fresh })
}

/// Maintenance that statements have asked for and that has not begun.
const UPKEEP_QUEUE: usize = 1024;
/// How long files stay where the lake has no history: readers may still be at them.
const READERS: Duration = Duration::from_secs(60);
/// How often what maintenance has done is taken in while nothing is flushed.
const TENDING: Duration = Duration::from_millis(10);

/// Flushes, one after the other, and between them what maintenance brings.
fn flush_loop(
    runtime: &Runtime,
    mut flusher: Flusher,
    jobs: &Receiver<Job>,
    done: &Sender<Done>,
    asked: &Receiver<Asked>,
) {
    loop {
        let patience = if flusher.is_tending() { TENDING } else { Duration::from_secs(3600) };
        crossbeam_channel::select! {
            recv(jobs) -> job => {
                let Ok(job) = job else { return };
                if done.send(runtime.block_on(flusher.run(job))).is_err() {
                    return;
                }
            }
            recv(asked) -> wanted => {
                // Where nobody can ask any more, the engine ends.
                let Ok(wanted) = wanted else { return drain(runtime, &mut flusher, jobs, done) };
                flusher.ask(wanted);
                tend(runtime, &mut flusher);
            }
            default(patience) => tend(runtime, &mut flusher),
        }
    }
}

/// The last flushes of an engine whom nobody holds any more.
fn drain(runtime: &Runtime, flusher: &mut Flusher, jobs: &Receiver<Job>, done: &Sender<Done>) {
    while let Ok(job) = jobs.recv() {
        if done.send(runtime.block_on(flusher.run(job))).is_err() {
            return;
        }
    }
}

fn tend(runtime: &Runtime, flusher: &mut Flusher) {
    if let Err(error) = runtime.block_on(flusher.tend()) {
        // The next flush finds the same, and ends the engine.
        tracing::error!(%error, "the lake is no longer ours alone");
    }
}

fn dropped_folders(manifest: &Manifest) -> Vec<Dropped> {
    let dropped = manifest.extra["dropped"].as_object();
    let folder = |(folder, at): (&String, &serde_json::Value)| {
        Some(Dropped { folder: folder.as_str().into(), at_us: at.as_i64()? })
    };
    dropped.map_or_else(Vec::new, |dropped| dropped.iter().filter_map(folder).collect())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), LakeError> {
    std::thread::Builder::new().name(name.to_string()).spawn(body).map(drop).map_err(runtime_failure)
}

fn stream_states(manifest: &Manifest) -> BTreeMap<StreamId, StreamState> {
    let state = |(name, position): (&String, &i64)| {
        let stream = StreamId(name.as_str().into());
        let state = StreamState {
            source: name.split('/').next().unwrap_or(name).into(),
            stream: stream.clone(),
            position: Position(*position),
            checkpoint: Some(Position(*position)),
            events: 0,
            bytes: 0,
            dead_letters: 0,
            newest_source_us: None,
            applied_us: manifest.written_at_us,
        };
        (stream, state)
    };
    manifest.positions.iter().map(state).collect()
}

/// How a relation's rows lie in files: bronze keeps JSON as the text that arrived.
pub(super) fn stored_schema(relation: &Relation) -> TableSchema {
    let mut schema = relation.table_schema();
    if relation.kind == RelationKind::Bronze {
        let columns = schema.columns.into_iter().map(|mut column| {
            if column.ty.oid == oid::JSONB {
                column.ty = PgType::new(oid::JSON);
            }
            column
        });
        schema = TableSchema::new(columns.collect(), vec![]);
    }
    schema
}

async fn load(
    engine: &mut Engine,
    lake: &Lake,
    manifest: &Manifest,
    tables: &mut HashMap<Oid, LakeTable>,
) -> Result<(), LakeError> {
    let catalog = Arc::clone(&engine.catalog);
    let mut found = Vec::new();
    for relation in catalog.user_relations().filter(|r| !matches!(r.kind, RelationKind::View | RelationKind::Sequence))
    {
        let name = catalog.qualified_name(relation);
        let known = manifest.extra["folders"][relation.oid.0.to_string()].as_str();
        let folder: Arc<str> = known.unwrap_or(&name).into();
        let schema = Arc::new(stored_schema(relation));
        let entry = manifest.tables.get(&*folder);
        let table = match entry {
            Some(_) => Some(lake.table(&folder, Arc::clone(&schema), lake_kind(relation.kind)).await?),
            None => None,
        };
        let evictable = engine.options.table_memory.is_some() && evict::is_evictable(relation.kind);
        let open = table.as_ref().filter(|_| evictable).map(LakeTable::open_files).transpose()?;
        found.push((relation, name, folder, schema, table, open));
    }
    // Where not everything fits, each table gets its part for its newest rows; keys and indexes want memory, too.
    let all: u64 = found.iter().filter_map(|found| found.5.as_ref()).map(OpenFiles::bytes).sum();
    let limit = engine.options.table_memory.unwrap_or(u64::MAX);
    let share = (limit as f64 / 2.0 / all.max(1) as f64).min(1.0);
    for (relation, name, folder, schema, mut table, open) in found {
        let rows = if is_appended(relation.kind) {
            let files = table.as_ref().map(LakeTable::files);
            let next = RowId(files.as_ref().map_or(0, |f| f.rows()));
            Rows::Appended { schema, files, tail: vec![], frozen: 0, next }
        } else {
            let mut hot = match relation.kind {
                RelationKind::Gold => Table::bag(schema),
                _ => Table::new(schema),
            };
            if let Some(table) = &mut table {
                let next = match open.filter(|_| all > limit / 2) {
                    None => table.load(|rows, ids| hot.load(&rows, &ids).map_err(LakeError::from)).await?,
                    Some(open) => {
                        let indexed = super::indexed_columns(relation).into_iter().flatten();
                        let keep: BTreeSet<usize> = hot.schema().key.iter().copied().chain(indexed).collect();
                        let keep: Vec<usize> = keep.into_iter().collect();
                        let budget = (open.bytes() as f64 * share) as u64;
                        table.load_partly(&open, budget, &keep, |rows| {
                            let loaded = match rows {
                                Loaded::Resident(rows, ids) => hot.load(&rows, &ids),
                                Loaded::Cold(group, kept) => hot.load_cold(&group, &kept),
                            };
                            loaded.map_err(LakeError::from)
                        })?
                    }
                };
                hot.set_next_row_id(next);
            }
            Rows::Hot(Box::new(hot))
        };
        let mut slot = Slot::new(relation.oid, relation.kind, folder, rows);
        if relation.kind == RelationKind::Managed {
            slot.index(super::indexed_columns(relation), vec![])?;
        }
        slot.flushed = slot.next_row_id();
        slot.written = slot.flushed;
        slot.delta_version = table.as_ref().map(LakeTable::version);
        if let Some(table) = &table {
            slot.away.set(table.files());
        }
        slot.durable_tick = manifest.tick;
        slot.changed_tick = manifest.tick;
        if relation.kind == RelationKind::Silver {
            engine.schemas.set(name.as_str().into(), Arc::clone(slot.schema()));
        }
        tracing::info!(table = %name, rows = slot.next_row_id().0, "loaded from the lake");
        engine.names.insert(name.into(), relation.oid);
        engine.slots.insert(relation.oid, slot);
        if let Some(table) = table {
            tables.insert(relation.oid, table);
        }
    }
    Ok(())
}

fn bind_views(engine: &mut Engine, manifest: Option<&Manifest>) {
    let live: HashSet<u64> = manifest
        .and_then(|manifest| manifest.extra["live"].as_array())
        .map_or_else(HashSet::new, |oids| oids.iter().filter_map(serde_json::Value::as_u64).collect());
    let catalog = Arc::clone(&engine.catalog);
    for relation in catalog.user_relations().filter(|r| r.kind == RelationKind::Gold) {
        let mut state = view_state(relation.oid);
        let view = match View::bind(relation.oid, &catalog, &engine.session) {
            Ok(view) => Some(view),
            Err(error) => {
                tracing::warn!(view = %relation.name, %error, "a gold view's definition cannot be bound");
                state.phase = ViewPhase::Error(Box::new(error));
                None
            }
        };
        state.rows = engine.slots.get(&relation.oid).map_or(0, |s| match &s.rows {
            Rows::Hot(table) => table.len() as u64,
            Rows::Appended { .. } => 0,
        });
        let mut slot = ViewSlot::new(view, state);
        slot.recovered = slot.view.is_some() && live.contains(&u64::from(relation.oid.0));
        engine.views.push(slot);
    }
    engine.order_views();
    // What a view shows before its first run is what the lake holds: right at the manifest's tick.
    for slot in engine.slots.values_mut() {
        let data: RelationData = slot.publish(engine.tick);
        engine.relations.insert(slot.oid, data);
    }
}
