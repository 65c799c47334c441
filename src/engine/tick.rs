//! The loop itself: wait, align, apply, maintain views, publish, flush.

use super::align::{Aligner, Released};
use super::evict::patiently;
use super::flush::{Done, Dropped, Job, TableJob, lake_kind};
use super::hydrate::{Arrival, Creating};
use super::moves::Departed;
use super::rebuild::Replay;
use super::snapshot::{RelationData, Snapshot, bronze_columns};
use super::status::{LakeState, Status, StreamState, TableState, ViewPhase};
use super::tables::{Rows, Slot};
use super::views::{Ran, ViewSlot};
use super::{Command, EngineOptions, now_us};
use crate::catalog::{Catalog, NewRelation, RelationKind};
use crate::change::{DeadLetter, Op, Position, RowId, Schemas, StreamId, TableChanges, Tick};
use crate::debezium;
use crate::fault::{self, Step};
use crate::lake::{ColdFiles, LakeError, LakeTableKind, Trouble};
use crate::memory;
use crate::source::{DeliveryReceiver, Received, SourceStatus};
use crate::store::{Changes, Table};
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema};
use crate::view::View;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, select};
use datafusion::execution::context::SessionState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

/// How long the loop sleeps at most, so that states that change without data are seen.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long a statement waits for flushes that fail before it is told so.
const DURABLE_PATIENCE: Duration = Duration::from_secs(5);
/// How soon a deadline of the aligner that has passed in vain is looked at again.
const DEADLINE_STEP: Duration = Duration::from_millis(5);
/// Ticks that come in a row begin at least so far apart: what arrives meanwhile is one batch.
const TICK_STEP: Duration = Duration::from_millis(1);
/// How long a failed flush waits before it is tried again.
const FLUSH_RETRY: Duration = Duration::from_secs(1);
/// Where a statement hears what became of it.
type Reply = oneshot::Sender<PgResult<()>>;
/// Rows that background work on one table may touch between two ticks.
const MAINTENANCE_ROWS: usize = 16_384;

/// The database as its one writer holds it.
pub(super) struct Engine {
    pub options: EngineOptions,
    pub catalog: Arc<Catalog>,
    pub tick: Tick,
    pub slots: HashMap<Oid, Slot>,
    /// `schema.table` as deliveries name it.
    pub names: HashMap<Arc<str>, Oid>,
    /// Views in dependency order.
    pub views: Vec<ViewSlot>,
    pub relations: HashMap<Oid, RelationData>,
    /// What changed in this tick, as it was before.
    pub before: HashMap<Oid, RelationData>,
    /// What went and came in this tick, for all the views that ask for it.
    pub changes: HashMap<Oid, Arc<Changes>>,
    pub positions: BTreeMap<StreamId, StreamState>,
    pub schemas: Arc<Schemas>,
    pub aligner: Aligner,
    pub departed: Departed,
    pub lake_state: LakeState,
    pub dropped: Vec<Dropped>,
    /// What keeps the flush thread waiting.
    pub trouble: Arc<Trouble>,
    pub dead_letters: u64,
    pub events: u64,
    pub session: SessionState,
    pub runtime: Runtime,
    pub sources: Vec<Arc<SourceStatus>>,
    pub published: Arc<ArcSwap<Snapshot>>,
    pub ticks: watch::Sender<u64>,
    /// Statements that wait until a tick is durable.
    pub waiting: Vec<Waiting>,
    pub last_flush: Instant,
    /// When the last tick began.
    pub last_tick: Instant,
    /// The catalog that the last manifest had, and as JSON.
    pub written_catalog: Option<(Arc<Catalog>, Arc<serde_json::Value>)>,
    pub flushing: bool,
    pub catalog_changed: bool,
    /// The first runs of views are done before the loop begins.
    pub starting: bool,
    pub arrivals: Sender<Arrival>,
    /// Statements whose views are being filled.
    pub creating: Vec<Creating>,
    /// Statements that failed after their views were begun: they hear it when the next snapshot shows that nothing is left.
    pub failed: Vec<(oneshot::Sender<PgResult<()>>, PgError)>,
    /// Why views of those could not be filled.
    pub failures: HashMap<Oid, PgError>,
    /// When a view was last given up for want of memory, or should have been.
    pub relieved: Option<Instant>,
    /// Files of rows that are not in memory.
    pub cold: Arc<ColdFiles>,
    /// When tables were last counted; `None`: there may be more to evict.
    pub evicted: Option<Instant>,
    /// Tables are beyond their memory with what no flush has written yet.
    pub crowded: bool,
    /// The memory limit is passed, and there is no view left to give up.
    pub starved: bool,
    pub started: Instant,
}

/// A statement whose change is visible from `tick` on and not yet durable.
pub(super) struct Waiting {
    pub tick: Tick,
    pub since: Instant,
    pub reply: oneshot::Sender<PgResult<()>>,
}

/// The loop's ends of its channels.
pub(super) struct Channels {
    pub deliveries: DeliveryReceiver,
    pub commands: Receiver<Command>,
    pub jobs: Sender<Job>,
    pub done: Receiver<Done>,
    pub arrivals: Receiver<Arrival>,
    pub ended: watch::Sender<Option<PgResult<()>>>,
}

enum Woken {
    Delivery,
    Other,
    /// No source is left.
    Closed,
    /// Nobody is left who could ask for anything.
    Abandoned,
}

impl Engine {
    /// Runs until it is told to end, its last handle is gone, or the lake is lost.
    pub fn run(mut self, channels: Channels) {
        let mut asked_to_end: Option<oneshot::Sender<PgResult<()>>> = None;
        let mut commands = Vec::new();
        let (mut sources_open, mut abandoned) = (true, false);
        let result = loop {
            let ending = abandoned || asked_to_end.is_some();
            match self.wait(&channels, &mut commands, sources_open && !ending, !abandoned) {
                Ok(Woken::Closed) => sources_open = false,
                Ok(Woken::Abandoned) => abandoned = true,
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            let mut changes = Vec::new();
            let mut replacements = Vec::new();
            for command in commands.drain(..) {
                match command {
                    Command::Replace { replay, reply } => replacements.push((replay, reply)),
                    Command::Commit { commit, reply } => changes.push((commit, reply)),
                    Command::Shutdown { reply } => asked_to_end = Some(reply),
                }
            }
            let ending = abandoned || asked_to_end.is_some();
            if ending {
                self.trouble.end();
            }
            if self.flushing
                && let Some(reason) = self.trouble.reason()
            {
                self.lake_state.error = Some(reason);
            }
            let released = self.release();
            // Whoever asks must see what became of a flush even while no source brings anything.
            let restated = self.published.load().status.lake != self.lake_state;
            let dirty = self.slots.values().any(|s| s.dirty);
            // Whoever fills a view shows how far that is, and can be called off.
            let asked = !changes.is_empty() || !replacements.is_empty();
            if !released.is_empty() || asked || restated || dirty || self.has_work() {
                self.tick(released, changes, replacements);
            }
            self.maintain();
            self.evict();
            self.answer_the_patient();
            self.start_flush(&channels, ending);
            if ending && !self.flushing {
                break self.all_durable();
            }
        };
        if let Some(reply) = asked_to_end {
            drop(reply.send(result.clone()));
        }
        for Waiting { reply, .. } in self.waiting.drain(..) {
            let gone = PgError::new(SqlState::ADMIN_SHUTDOWN, "the engine has ended before the change was durable");
            drop(reply.send(result.clone().and(Err(gone))));
        }
        channels.ended.send_replace(Some(result));
    }

    /// An error where the engine must end with changes that no flush could write.
    fn all_durable(&self) -> PgResult<()> {
        let Some(error) = &self.lake_state.error else { return Ok(()) };
        let message = format!("the changes since tick {} are not in the lake: {error}", self.lake_state.durable_tick);
        let error = PgError::new(SqlState::IO_ERROR, message);
        Err(error.hint("The next start reads them again from the sources."))
    }

    /// Sleeps until there is something to do, then takes all that is there, up to the bound of a tick.
    /// `take`: also of what sources deliver. `hear`: there may be somebody who asks.
    fn wait(&mut self, channels: &Channels, commands: &mut Vec<Command>, take: bool, hear: bool) -> PgResult<Woken> {
        let unflushed: u64 = self.slots.values().map(Slot::unflushed).sum();
        let now = Instant::now();
        let rest = self.last_tick + TICK_STEP;
        let resting = now < rest;
        let unflushed_bytes: u64 = self.slots.values().map(Slot::unflushed_bytes).sum();
        let has_room =
            unflushed < self.options.unflushed_limit && unflushed_bytes < self.options.unflushed_bytes && !self.crowded;
        let take = take && has_room && !resting && !self.starved && !self.holds_back();
        let never = crossbeam_channel::never();
        let deliveries = if take { channels.deliveries.channel() } else { &never };
        let silent = crossbeam_channel::never();
        let asked = if hear { &channels.commands } else { &silent };
        let mut until = if resting { rest } else { now + HEARTBEAT };
        if let Some(deadline) = self.aligner.next_deadline() {
            until = until.min(if deadline > now { deadline } else { now + DEADLINE_STEP });
        }
        if !self.flushing && unflushed > 0 {
            until = until.min(self.last_flush + self.options.flush_interval);
        }
        if self.options.table_memory.is_some() && self.evicted.is_none() {
            until = now;
        }
        let mut events = 0;
        let mut woken = Woken::Other;
        select! {
            recv(deliveries) -> received => match received {
                Ok(received) => {
                    events += received.delivery.positions.len();
                    self.take(received);
                    woken = Woken::Delivery;
                }
                Err(_) => return Ok(Woken::Closed),
            },
            recv(asked) -> command => match command {
                Ok(command) => commands.push(command),
                Err(_) => woken = Woken::Abandoned,
            },
            recv(channels.done) -> done => if let Ok(done) = done { self.flushed(done)? },
            recv(channels.arrivals) -> arrival => if let Ok(arrival) = arrival { self.arrive(arrival) },
            default(until.saturating_duration_since(now)) => {}
        }
        while take && events < self.options.tick_events {
            let Ok(Some(received)) = channels.deliveries.try_recv() else { break };
            events += received.delivery.positions.len();
            self.take(received);
        }
        commands.extend(channels.commands.try_iter());
        while let Ok(done) = channels.done.try_recv() {
            self.flushed(done)?;
        }
        Ok(woken)
    }

    /// After a start sources wait a little for the views that are filled beside the loop: until something changes, those
    /// show what the lake had, which is right.
    fn holds_back(&self) -> bool {
        self.started.elapsed() < self.options.start_patience && self.views.iter().any(|view| view.recovered)
    }

    fn take(&mut self, received: Received) {
        fault::at_blocking(Step::Decode);
        if !self.aligner.knows(&received.delivery.stream) {
            self.observe_streams();
        }
        self.aligner.push(received.delivery, Some(received.hold), Instant::now());
    }

    /// Tells the aligner which streams there are, and which have delivered all they have.
    fn observe_streams(&mut self) {
        for source in &self.sources {
            for stream in source.streams() {
                let untouched = stream.events() == 0 && stream.caught_up();
                self.aligner.observe(&stream.id, &stream.topic, stream.high(), untouched);
            }
        }
    }

    fn release(&mut self) -> Vec<Released> {
        self.observe_streams();
        self.aligner.release(Instant::now())
    }

    /// One tick for all that the sources brought, and one for each transaction that wrote; all of them are shown at once.
    fn tick(&mut self, released: Vec<Released>, changes: Vec<(super::Commit, Reply)>, anew: Vec<(Box<Replay>, Reply)>) {
        fault::at_blocking(Step::Tick);
        self.tick.0 += 1;
        self.last_tick = Instant::now();
        let now = now_us();
        self.apply_all(&released, now);
        let mut changed = self.publish_dirty();
        self.relieve(&mut changed);
        self.run_views(&mut changed);
        for (replay, reply) in anew {
            match self.replace(*replay) {
                Ok(()) => self.waiting.push(Waiting { tick: self.tick, since: Instant::now(), reply }),
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        // New views are filled from relations that are all at this tick.
        for (change, reply) in changes {
            let away = self.lake_state.error.as_deref().map(lake_is_away);
            match away.map_or_else(|| self.commit(change), Err) {
                Ok(views) if views.is_empty() => {
                    self.waiting.push(Waiting { tick: self.tick, since: Instant::now(), reply });
                }
                Ok(views) => self.creating.push(Creating { views, reply }),
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        self.end_tick();
        self.publish(now);
    }

    /// What was changed in this tick has gone through all views: the next one begins with nothing changed.
    pub(super) fn end_tick(&mut self) {
        self.answer_creators();
        self.note_for_hydrations();
        self.begin_hydrations();
        self.settle();
    }

    /// Appends a piece to bronze and moves its stream's position.
    pub(super) fn take_in(&mut self, piece: &Released, now: i64) {
        for (bronze, range) in piece.bronze() {
            let rows = bronze.rows.slice(range.start, range.len());
            let slot = self.appended_slot(&bronze.table, debezium::bronze_schema());
            let fed = slot.and_then(|slot| {
                slot.streams.insert(piece.delivery.stream.clone());
                slot.append(rows)
            });
            if let Err(error) = fed {
                // Bronze takes anything of its own schema; another one is a fault of ours, and must be seen.
                tracing::error!(table = %bronze.table, %error, "cannot append to bronze");
            }
        }
        if let Err(error) = self.keep_blocks(piece, now) {
            tracing::error!(%error, "cannot keep schema blocks");
        }
        let delivery = &piece.delivery;
        let state = self.positions.entry(delivery.stream.clone()).or_insert_with(|| StreamState {
            source: Arc::clone(&delivery.source),
            stream: delivery.stream.clone(),
            position: Position(0),
            checkpoint: None,
            events: 0,
            bytes: 0,
            dead_letters: 0,
            newest_source_us: None,
            applied_us: now,
        });
        let count = piece.events.len() as u64;
        state.position = piece.next();
        state.events += count;
        state.bytes += delivery.bytes as u64 * count / (delivery.positions.len() as u64).max(1);
        state.newest_source_us = state.newest_source_us.max(delivery.newest_source_ts);
        state.applied_us = now;
        self.events += count;
    }

    /// Applies changes to silver; rows that cannot be applied become dead letters, one by one.
    pub(super) fn apply_changes(
        &mut self,
        piece: &Released,
        changes: &TableChanges,
        range: Range<usize>,
        dead: &mut Vec<DeadLetter>,
    ) {
        // What stands before a truncate must not be tried again after it.
        let truncate = range.clone().find(|row| range.len() > 1 && changes.ops[*row] == Op::Truncate);
        if let Some(at) = truncate {
            for part in [range.start..at, at..at + 1, at + 1..range.end] {
                self.apply_changes(piece, changes, part, dead);
            }
            return;
        }
        if range.start == range.end {
            return;
        }
        // Rows that cannot be read now are no fault of the events.
        let tried = patiently(|| self.try_changes(piece, changes, range.clone()));
        let Err(error) = tried else { return };
        if range.len() > 1 {
            let middle = range.start + range.len() / 2;
            self.apply_changes(piece, changes, range.start..middle, dead);
            self.apply_changes(piece, changes, middle..range.end, dead);
            return;
        }
        let event = changes.events[range.start];
        let detail = error.rest.as_ref().and_then(|f| f.detail.clone()).map_or(String::new(), |d| format!(". {d}"));
        dead.push(DeadLetter {
            event,
            position: piece.delivery.positions[event as usize],
            table: Some(Arc::clone(&changes.table)),
            reason: if error.state == SqlState::NULL_NOT_ALLOWED { "unsent-value" } else { "does-not-fit" },
            message: format!("{}{detail}", error.message),
        });
    }

    fn try_changes(&mut self, piece: &Released, changes: &TableChanges, range: Range<usize>) -> PgResult<()> {
        let oid = match self.names.get(&changes.table) {
            Some(oid) => *oid,
            None => {
                let oid = self.create(&changes.table, RelationKind::Silver, &changes.schema)?;
                let table = Table::new(Arc::clone(&changes.schema));
                self.add_slot(oid, &changes.table, Rows::Hot(Box::new(table)));
                self.schemas.set(Arc::clone(&changes.table), Arc::clone(&changes.schema));
                oid
            }
        };
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a silver table without rows"))?;
        slot.streams.insert(piece.delivery.stream.clone());
        if slot.widen(&changes.schema)? {
            let schema = Arc::clone(slot.schema());
            self.schemas.set(Arc::clone(&changes.table), Arc::clone(&schema));
            self.reshape(oid, &schema)?;
        }
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a silver table without rows"))?;
        slot.apply(changes, range)
    }

    /// Tells the catalog of a table's new columns and types.
    pub(super) fn reshape(&mut self, oid: Oid, schema: &TableSchema) -> PgResult<()> {
        Arc::make_mut(&mut self.catalog).change(oid, |relation| {
            let mut attnum = relation.columns.iter().map(|c| c.attnum).max().unwrap_or(0);
            for column in &schema.columns {
                match relation.columns.iter_mut().find(|c| c.name == column.name) {
                    Some(known) => (known.type_oid, known.typmod) = (column.ty.oid.0, column.ty.typmod),
                    None => {
                        attnum += 1;
                        let new = crate::catalog::CatalogColumn::new(&column.name, column.ty, false, attnum);
                        relation.columns.push(new);
                    }
                }
            }
        })?;
        self.catalog_changed = true;
        self.rebind_views(oid);
        Ok(())
    }

    pub(super) fn appended_slot(&mut self, name: &Arc<str>, schema: Arc<TableSchema>) -> PgResult<&mut Slot> {
        let oid = match self.names.get(name) {
            Some(oid) => *oid,
            None => {
                let oid = self.create(name, RelationKind::Bronze, &bronze_columns(&schema))?;
                self.add_slot(
                    oid,
                    name,
                    Rows::Appended { schema, files: None, tail: vec![], frozen: 0, next: RowId(0) },
                );
                oid
            }
        };
        self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("an append-only table without rows"))
    }

    /// A new relation that a source feeds, named `schema.table`.
    fn create(&mut self, name: &str, kind: RelationKind, table: &TableSchema) -> PgResult<Oid> {
        let (schema, name) = name.split_once('.').ok_or_else(|| PgError::internal("a table without a schema"))?;
        let catalog = Arc::make_mut(&mut self.catalog);
        let schema = match catalog.namespace_named(schema) {
            Some(namespace) => namespace.oid,
            None => catalog.create_schema(schema)?,
        };
        self.catalog_changed = true;
        catalog.create(NewRelation {
            schema,
            name: name.to_string(),
            kind,
            table: table.clone(),
            definition: None,
            search_path: vec![],
            depends_on: vec![],
        })
    }

    pub(super) fn add_slot(&mut self, oid: Oid, name: &Arc<str>, rows: Rows) {
        let taken = self.slots.values().any(|s| s.folder == *name) || self.dropped.iter().any(|d| d.folder == *name);
        let folder: Arc<str> = if taken { format!("{name}-{oid}").into() } else { Arc::clone(name) };
        let kind = self.catalog.relation(oid).map_or(RelationKind::Silver, |r| r.kind);
        self.names.insert(Arc::clone(name), oid);
        self.slots.insert(oid, Slot::new(oid, kind, folder, rows));
    }

    /// Publishes the tables that changed; says which.
    fn publish_dirty(&mut self) -> HashSet<Oid> {
        let changed: HashSet<Oid> = self.slots.values().filter(|s| s.dirty).map(|s| s.oid).collect();
        for oid in &changed {
            self.publish_slot(*oid);
            if let Some(slot) = self.slots.get_mut(oid) {
                slot.changed_tick = self.tick;
            }
        }
        changed
    }

    /// Applies a statement's change and brings tables and views in line; on an error nothing has changed. Gives the new views
    /// that have still to be filled.
    pub(super) fn change_catalog(&mut self, change: super::CatalogChange) -> PgResult<HashSet<Oid>> {
        let before = Arc::clone(&self.catalog);
        let mut next = Catalog::clone(&before);
        change(&mut next)?;
        let new_views: Vec<Oid> = next
            .user_relations()
            .filter(|r| r.kind == RelationKind::Gold && before.relation(r.oid).is_none())
            .map(|r| r.oid)
            .collect();
        if !new_views.is_empty() {
            memory::check()?;
        }
        let mut bound = Vec::with_capacity(new_views.len());
        for oid in new_views {
            bound.push(View::bind(oid, &next, &self.session)?);
        }
        self.catalog = Arc::new(next);
        let added: Vec<Oid> = bound.iter().map(|v| v.oid).collect();
        for view in bound {
            self.add_view(view);
        }
        self.order_views();
        let mut unfilled = HashSet::new();
        let in_order: Vec<usize> =
            (0..self.views.len()).filter(|i| added.contains(&self.views[*i].state.oid)).collect();
        for index in in_order {
            let oid = self.views[index].state.oid;
            match self.run_or_defer(index) {
                Ok(Ran::Deferred) => {
                    self.views[index].state.phase = ViewPhase::Hydrating;
                    unfilled.insert(oid);
                }
                Ok(_) => {}
                Err(error) => {
                    self.catalog = before;
                    self.forget_missing();
                    return Err(error);
                }
            }
        }
        self.forget_missing();
        self.catalog_changed = true;
        Ok(unfilled)
    }

    /// Drops rows and views of relations that the catalog no longer has, and follows renames.
    pub(super) fn forget_missing(&mut self) {
        let catalog = Arc::clone(&self.catalog);
        let known = |oid: &Oid| catalog.relation(*oid).is_some();
        for slot in self.slots.values().filter(|s| !known(&s.oid)) {
            self.dropped.push(Dropped { folder: Arc::clone(&slot.folder), at_us: now_us() });
        }
        self.slots.retain(|oid, _| known(oid));
        self.relations.retain(|oid, _| known(oid));
        self.drop_views(known);
        let name = |slot: &Slot| {
            let relation = catalog.relation(slot.oid)?;
            Some((Arc::from(catalog.qualified_name(relation)), slot.oid))
        };
        self.names = self.slots.values().filter_map(name).collect();
    }

    /// Whether the lake holds all of the database as it is now.
    fn all_flushed(&self) -> bool {
        let unmoved = |s: &StreamState| s.checkpoint == Some(s.position);
        !(self.flushing || self.catalog_changed || self.lake_state.error.is_some())
            && self.waiting.is_empty()
            && self.positions.values().all(unmoved)
            && !self.slots.values().any(Slot::needs_flush)
    }

    pub(super) fn publish(&mut self, now: i64) {
        if self.all_flushed() {
            // A tick that changed nothing is as durable as the one before.
            self.lake_state.durable_tick = self.tick;
            for slot in self.slots.values_mut() {
                slot.durable_tick = self.tick;
            }
        }
        let status = self.status();
        let snapshot = Snapshot {
            tick: self.tick,
            at_us: now,
            catalog: Arc::clone(&self.catalog),
            status: Arc::new(status),
            relations: self.relations.clone(),
        };
        self.published.store(Arc::new(snapshot));
        self.ticks.send_replace(self.tick.0);
        for (reply, error) in self.failed.drain(..) {
            drop(reply.send(Err(error)));
        }
    }

    fn status(&self) -> Status {
        let table = |slot: &Slot| TableState {
            oid: slot.oid,
            folder: Arc::clone(&slot.folder),
            rows: self.relations.get(&slot.oid).map_or(0, RelationData::rows),
            bytes: slot.bytes,
            unflushed_rows: slot.unflushed(),
            durable_tick: slot.durable_tick,
            delta_version: slot.delta_version,
            changed_tick: slot.changed_tick,
            memory: Arc::clone(&slot.memory),
            evicted_rows: slot.evicted.0,
            evicted_bytes: slot.evicted.1,
        };
        Status {
            cold_cache: self.cold.cache(),
            used_bytes: memory::used(),
            streams: self.positions.values().cloned().collect(),
            tables: self.slots.values().map(table).collect(),
            views: self.views.iter().map(ViewSlot::shown).collect(),
            lake: self.lake_state.clone(),
            torn_transactions: self.aligner.torn(),
            dead_letters: self.dead_letters,
            events: self.events,
        }
    }

    /// A little background work on each table.
    fn maintain(&mut self) {
        for slot in self.slots.values_mut() {
            if let Rows::Hot(table) = &mut slot.rows {
                table.maintain(MAINTENANCE_ROWS);
            }
        }
    }

    /// Who has waited long for flushes that fail is told so: an answer that promises nothing is better than none.
    fn answer_the_patient(&mut self) {
        let Some(reason) = &self.lake_state.error else { return };
        for waiting in self.waiting.extract_if(.., |waiting| waiting.since.elapsed() >= DURABLE_PATIENCE) {
            let error =
                PgError::new(SqlState::IO_ERROR, "the change is made but not durable: the lake cannot be written");
            let error =
                error.detail(format!("{reason}. It is visible, and lost if the process ends before the lake is back."));
            drop(waiting.reply.send(Err(error.hint("See sluice.ticks.flush_error; do not repeat the statement."))));
        }
    }

    /// Hands the flush thread what has changed, if it is free and it is time.
    fn start_flush(&mut self, channels: &Channels, now_or_never: bool) {
        if self.flushing {
            return;
        }
        let unflushed: u64 = self.slots.values().map(Slot::unflushed).sum();
        let moved = self.positions.values().any(|s| s.checkpoint != Some(s.position));
        let something = unflushed > 0 || moved || self.catalog_changed || !self.waiting.is_empty();
        let due = self.last_flush.elapsed() >= self.options.flush_interval;
        let backing_off = self.lake_state.error.is_some() && self.last_flush.elapsed() < FLUSH_RETRY;
        let full = unflushed >= self.options.flush_rows || (self.crowded && unflushed > 0);
        let urgent = now_or_never || !self.waiting.is_empty() || full;
        if !something || backing_off || !(due || urgent) {
            return;
        }
        let job = self.job();
        self.catalog_changed = false;
        self.last_flush = Instant::now();
        self.flushing = channels.jobs.send(job).is_ok();
    }

    fn job(&mut self) -> Job {
        for slot in self.slots.values_mut() {
            slot.written = slot.next_row_id();
            if let Rows::Appended { tail, frozen, .. } = &mut slot.rows {
                *frozen = tail.len();
            }
        }
        // Sequences move within a catalog.
        let moves = self.catalog.user_relations().any(|r| r.kind == RelationKind::Sequence);
        let catalog = match &self.written_catalog {
            Some((catalog, json)) if Arc::ptr_eq(catalog, &self.catalog) && !moves => Arc::clone(json),
            _ => {
                let json = Arc::new(self.catalog.to_json());
                self.written_catalog = Some((Arc::clone(&self.catalog), Arc::clone(&json)));
                json
            }
        };
        let positions: Vec<_> = self.positions.values().map(|s| (s.stream.clone(), s.position)).collect();
        let tables = self.slots.values().filter(|s| s.needs_flush()).filter_map(|slot| {
            let streams = slot.streams.iter().filter_map(|id| self.positions.get(id));
            let tail = match &slot.rows {
                Rows::Appended { tail, .. } => tail.clone(),
                Rows::Hot(_) => vec![],
            };
            Some(TableJob {
                oid: slot.oid,
                kind: slot.kind,
                folder: Arc::clone(&slot.folder),
                schema: Arc::clone(slot.schema()),
                data: self.relations.get(&slot.oid)?.clone(),
                tail,
                from: slot.flushed,
                next: slot.next_row_id(),
                dead: slot.dead.clone(),
                streams: streams.map(|s| (s.stream.clone(), s.position)).collect(),
            })
        });
        Job {
            tick: self.tick,
            now_us: now_us(),
            tables: tables.collect(),
            folders: self.slots.values().map(|s| (s.oid, Arc::clone(&s.folder))).collect(),
            positions,
            catalog,
            dropped: self.dropped.clone(),
            departed: self.departed.to_json(),
            live: self.views.iter().filter(|v| v.state.phase == ViewPhase::Live).map(|v| v.state.oid).collect(),
        }
    }

    /// Notes what a flush has made durable. An error means that the lake is no longer ours.
    fn flushed(&mut self, done: Done) -> PgResult<()> {
        self.flushing = false;
        for slot in self.slots.values_mut() {
            if let Rows::Appended { frozen, .. } = &mut slot.rows {
                *frozen = 0;
            }
        }
        let written: HashSet<Oid> = done.tables.iter().map(|t| t.oid).collect();
        for slot in self.slots.values_mut().filter(|s| !written.contains(&s.oid)) {
            // What was not written in this flush is not in the lake: nothing of it can die there.
            let flushed = slot.flushed;
            slot.written = flushed;
            slot.dead.retain(|id| *id < flushed);
        }
        for table in done.tables {
            let Some(slot) = self.slots.get_mut(&table.oid) else { continue };
            slot.flushed = table.next;
            slot.dead.drain(..table.dead.min(slot.dead.len()));
            slot.delta_version = Some(table.version);
            slot.reshaped = false;
            if let Rows::Appended { files, tail, .. } = &mut slot.rows {
                tail.drain(..table.tail.min(tail.len()));
                if table.files.is_some() {
                    *files = table.files;
                    slot.dirty = true;
                }
            } else if let Some(files) = table.files {
                slot.away.set(files);
            }
        }
        for table in done.maintained {
            let Some(slot) = self.slots.get_mut(&table.oid) else { continue };
            slot.delta_version = Some(table.version);
            match (&mut slot.rows, table.files) {
                (Rows::Appended { files, .. }, Some(now)) => {
                    *files = Some(now);
                    slot.dirty = true;
                }
                (Rows::Hot(_), Some(now)) => slot.away.set(now),
                (_, None) => {}
            }
        }
        self.evicted = None;
        match done.manifest {
            Ok(number) => {
                self.lake_state.manifest = number;
                self.lake_state.durable_tick = done.tick;
                self.lake_state.flushed_us = now_us();
                self.lake_state.flushes += 1;
                self.lake_state.last_flush_us = done.took_us;
                if self.lake_state.error.take().is_some() {
                    tracing::info!(tick = %done.tick, "the lake takes flushes again");
                }
                for (stream, position) in done.positions {
                    if let Some(state) = self.positions.get_mut(&stream) {
                        state.checkpoint = Some(position);
                    }
                }
                for slot in self.slots.values_mut() {
                    slot.durable_tick = done.tick;
                }
                self.dropped.retain(|dropped| !done.dropped.contains(&dropped.folder));
                for waiting in self.waiting.extract_if(.., |waiting| waiting.tick <= done.tick) {
                    drop(waiting.reply.send(Ok(())));
                }
                Ok(())
            }
            Err(error @ LakeError::Fenced { .. }) => {
                tracing::error!(%error, "the lake is no longer ours alone");
                Err(error.into())
            }
            Err(error @ LakeError::Lost { .. }) => {
                tracing::error!(%error, "the lake's disk has lost what was written");
                Err(error.into())
            }
            Err(error) => {
                let reason = PgError::from(error);
                tracing::warn!(error = ?reason, "a flush failed and will be tried again");
                let cause = reason.rest.as_ref().and_then(|rest| rest.detail.as_deref());
                let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
                self.lake_state.error = Some(format!("{}{cause}", reason.message));
                self.catalog_changed = true;
                Ok(())
            }
        }
    }
}

fn lake_is_away(reason: &str) -> PgError {
    PgError::new(SqlState::IO_ERROR, "the change cannot be made: the lake cannot be written")
        .detail(reason)
        .hint("Flushes are tried again each second; see sluice.ticks.flush_error.")
}

/// Whether a relation's rows live in an append-only lake table.
pub(super) fn is_appended(kind: RelationKind) -> bool {
    lake_kind(kind) == LakeTableKind::Append
}
