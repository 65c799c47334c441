//! First runs of gold views beside the tick loop.
//!
//! Indexes that it needs of large tables and that are not there are made first, by a thread of their own over a snapshot, and
//! brought up to date when they are taken.
//!
//! A view over many rows is filled by a thread of its own, over the snapshot of the tick that made it. The loop notes meanwhile
//! what changes in its inputs. When the thread is done, the operators take all of that as one change, in a tick,
//! and the view is live. Until then queries of it say that it is hydrating.

use super::beside::spawn_beside;
use super::snapshot::{RelationData, Snapshot, SnapshotRelations};
use super::status::ViewPhase;
use super::tables::Rows;
use super::tick::{Engine, Waiting};
use super::views::{Ran, ViewSlot};
use crate::change::{RowId, Tick};
use crate::memory;
use crate::store::{BuiltIndex, Table, TableSnapshot};
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema};
use crate::view::{self, Delta, IndexNeed, Input, Operator, Watch};
use arrow::array::RecordBatch;
use crossbeam_channel::Sender;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// First runs that go at a time: they share the machine with ticks and queries.
const AT_ONCE: usize = 2;

/// A first run that is under way.
pub(super) struct Hydration {
    /// The inputs as the thread reads them.
    pinned: HashMap<Oid, RelationData>,
    /// What happened to them since.
    died: HashMap<Oid, Vec<RowId>>,
    added: HashMap<Oid, Vec<RecordBatch>>,
    watch: Arc<Watch>,
    /// Rows of the inputs.
    pub total: u64,
    pub begun: Instant,
    /// Bytes that the process had allocated then.
    pub used_before: u64,
    pub arrived: Option<PgResult<Filled>>,
}

impl Drop for Hydration {
    fn drop(&mut self) {
        self.watch.cancel();
    }
}

impl Hydration {
    pub fn done(&self) -> u64 {
        self.watch.done()
    }
}

/// What a first run gives.
pub(super) struct Filled {
    pub root: Box<dyn Operator>,
    pub rows: FilledRows,
}

pub(super) enum FilledRows {
    /// Of a view that had none.
    Table(Box<Table>),
    /// What the rows held must change by.
    Difference(Option<Delta>),
}

/// The end of work for a view, on its way to the loop.
pub(super) struct Arrival {
    oid: Oid,
    /// Of several runs of one view only the newest counts.
    watch: Arc<Watch>,
    outcome: PgResult<Outcome>,
}

enum Outcome {
    Filled(Filled),
    Indexed(Vec<(IndexNeed, BuiltIndex)>),
}

/// Indexes that are being made for a view's first run.
pub(super) struct Indexing {
    watch: Arc<Watch>,
    /// Rows of the tables.
    pub total: u64,
}

impl Drop for Indexing {
    fn drop(&mut self) {
        self.watch.cancel();
    }
}

impl Indexing {
    pub fn done(&self) -> u64 {
        self.watch.done()
    }
}

/// A statement that waits until its views are live.
pub(super) struct Creating {
    pub views: HashSet<Oid>,
    pub reply: oneshot::Sender<PgResult<()>>,
}

struct Job {
    oid: Oid,
    root: Box<dyn Operator>,
    inputs: HashMap<Oid, Input>,
    relations: Arc<SnapshotRelations>,
    schema: Arc<TableSchema>,
    held: TableSnapshot,
    /// Nobody knows the table of the view yet: it may be another one, with row ids from here on.
    anew: Option<RowId>,
    watch: Arc<Watch>,
}

impl Job {
    fn run(mut self) -> Arrival {
        let outcome = self.fill();
        Arrival {
            oid: self.oid,
            watch: Arc::clone(&self.watch),
            outcome: outcome.map(|rows| Outcome::Filled(Filled { root: self.root, rows })),
        }
    }

    fn fill(&mut self) -> PgResult<FilledRows> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| PgError::internal(format!("cannot start a runtime: {error}")))?;
        let session = view::session();
        let relations = Arc::clone(&self.relations);
        let tick = view::Tick {
            inputs: &self.inputs,
            relations: &|| Arc::clone(&relations) as Arc<dyn crate::bind::Relations>,
            session: &session,
            runtime: &runtime,
            watch: Some(&self.watch),
        };
        let Some(next) = self.anew else {
            let mut rows = Vec::new();
            self.root.hydrate(&tick, &mut |piece| {
                rows.push(piece);
                memory::check_far()
            })?;
            return Ok(FilledRows::Difference(view::difference(&self.held, &rows)?));
        };
        let mut table = Table::bag(Arc::clone(&self.schema));
        table.set_next_row_id(next);
        table.set_retractions(false);
        self.root.hydrate(&tick, &mut |piece| {
            memory::check_far()?;
            table.append(&piece).map(drop)
        })?;
        while table.maintain(usize::MAX) {}
        Ok(FilledRows::Table(Box::new(table)))
    }
}

impl Engine {
    /// Rows of a view's inputs.
    pub(super) fn rows_under(&self, slot: &ViewSlot) -> u64 {
        let inputs = slot.view.iter().flat_map(|view| &view.inputs);
        inputs.filter_map(|oid| self.relations.get(oid)).map(RelationData::rows).sum()
    }

    /// Whether a view's first run is too long for a tick.
    pub(super) fn is_long(&self, slot: &ViewSlot) -> bool {
        self.rows_under(slot) > self.options.fill_beside_rows
    }

    /// At the end of a tick, before its changes are forgotten: notes them for the first runs under way.
    pub(super) fn note_for_hydrations(&mut self) {
        for hydration in self.views.iter_mut().filter_map(|view| view.hydration.as_mut()) {
            for oid in hydration.pinned.keys() {
                let Some(slot) = self.slots.get(oid) else { continue };
                hydration.died.entry(*oid).or_default().extend(slot.died.iter());
                hydration.added.entry(*oid).or_default().extend(slot.added_rows().iter().cloned());
            }
        }
    }

    /// At the end of a tick: begins the first runs whose inputs are all live.
    pub(super) fn begin_hydrations(&mut self) {
        let busy = |view: &&ViewSlot| view.hydration.is_some() || view.indexing.is_some();
        let mut running = self.views.iter().filter(busy).count();
        for i in 0..self.views.len() {
            let slot = &self.views[i];
            if running >= AT_ONCE || !slot.is_unfilled() || busy(&slot) {
                continue;
            }
            let Some(view) = &slot.view else { continue };
            let ready = |oid: &Oid| {
                let input = self.views.iter().find(|v| v.state.oid == *oid);
                input.is_none_or(|v| v.state.phase == ViewPhase::Live && !v.recovered)
            };
            if !view.inputs.iter().all(ready) {
                continue;
            }
            let begun = self.begin_view(i).and_then(|()| match self.missing_indexes(i) {
                _ if !self.views[i].has_rules() => self.recompute_now(i),
                missing if missing.is_empty() => self.take_indexes(i).and_then(|()| self.spawn_hydration(i)),
                missing => self.spawn_indexing(i, missing),
            });
            match begun {
                Ok(()) => running += usize::from(busy(&&self.views[i])),
                Err(error) => self.fail_view(i, error, Duration::ZERO),
            }
        }
    }

    /// Fills a view that waited for its inputs and has no rules.
    fn recompute_now(&mut self, index: usize) -> PgResult<()> {
        let moved = self.run_view(index)?;
        let tick = self.tick;
        let slot = &mut self.views[index];
        slot.recovered = false;
        slot.state.phase = ViewPhase::Live;
        if moved {
            slot.state.changed_tick = tick;
        }
        Ok(())
    }

    /// The indexes that a view needs and that are too large to be made inside a tick.
    fn missing_indexes(&self, index: usize) -> Vec<IndexNeed> {
        let needs = self.views[index].keeping.iter().flat_map(|keeping| &keeping.needs);
        let missing = |need: &&IndexNeed| match self.relations.get(&need.oid) {
            Some(RelationData::Hot(table)) => {
                table.len() as u64 > self.options.fill_beside_rows && !table.has_index(&need.columns)
            }
            _ => false,
        };
        needs.filter(missing).cloned().collect()
    }

    fn spawn_indexing(&mut self, index: usize, needs: Vec<IndexNeed>) -> PgResult<()> {
        let mut tables: Vec<(IndexNeed, TableSnapshot)> = Vec::with_capacity(needs.len());
        for need in needs {
            if let Some(RelationData::Hot(table)) = self.relations.get(&need.oid) {
                tables.push((need, table.clone()));
            }
        }
        let slot = &mut self.views[index];
        let watch = Arc::new(Watch::default());
        let total = tables.iter().map(|(_, table)| table.len() as u64).sum();
        slot.indexing = Some(Indexing { watch: Arc::clone(&watch), total });
        let (oid, arrivals) = (slot.state.oid, self.arrivals.clone());
        tracing::info!(view = %oid, rows = total, "indexes are made beside the tick loop");
        spawn_beside("index", move || {
            let build = |(need, table): (IndexNeed, TableSnapshot)| {
                let built = table.build_index(&need.columns, |rows| watch.read(rows))?;
                Ok((need, built))
            };
            let outcome = tables.into_iter().map(build).collect::<PgResult<Vec<_>>>().map(Outcome::Indexed);
            // An engine that has ended wants no result.
            drop(arrivals.send(Arrival { oid, watch, outcome }));
        })
    }

    /// Takes indexes that were made for a view. The tick that follows begins its first run.
    fn adopt_indexes(&mut self, index: usize, built: Vec<(IndexNeed, BuiltIndex)>) -> PgResult<()> {
        for (need, built) in built {
            let Some(Rows::Hot(table)) = self.slots.get_mut(&need.oid).map(|slot| &mut slot.rows) else { continue };
            if table.adopt_index(built)? {
                self.publish_slot(need.oid);
                self.views[index].indexes.push(need);
            }
        }
        Ok(())
    }

    fn spawn_hydration(&mut self, index: usize) -> PgResult<()> {
        let slot = &self.views[index];
        let (Some(view), Some(keeping)) = (&slot.view, &slot.keeping) else { return Ok(()) };
        let scans: Vec<Oid> = keeping.scans.iter().copied().collect();
        let relations = self.working();
        let pinned: HashMap<Oid, RelationData> =
            scans.iter().filter_map(|oid| Some((*oid, self.relations.get(oid)?.clone()))).collect();
        let inputs = pinned.iter().map(|(oid, data)| {
            let input = match data {
                RelationData::Hot(table) => Input::hot(table.clone(), table.clone(), vec![]),
                RelationData::Appended(_) => Input::Appended { added: self.slots[oid].as_added(vec![]) },
            };
            (*oid, input)
        });
        let Some(RelationData::Hot(held)) = self.relations.get(&view.oid) else {
            return Err(PgError::internal("a view without rows"));
        };
        let indexed = self.views.iter().flat_map(|v| &v.indexes).any(|need| need.oid == view.oid);
        let anew = (held.is_empty() && !indexed).then(|| held.next_row_id());
        let watch = Arc::new(Watch::default());
        let total = pinned.values().map(RelationData::rows).sum();
        let (inputs, schema, oid, held) = (inputs.collect(), Arc::clone(&view.schema), view.oid, held.clone());
        let slot = &mut self.views[index];
        let Some(root) = slot.keeping.as_mut().and_then(|keeping| keeping.root.take()) else { return Ok(()) };
        let job = Job { oid, root, inputs, relations, schema, held, anew, watch: Arc::clone(&watch) };
        slot.hydration = Some(Hydration {
            pinned,
            died: HashMap::new(),
            added: HashMap::new(),
            watch,
            total,
            begun: Instant::now(),
            used_before: memory::used(),
            arrived: None,
        });
        tracing::info!(view = %oid, rows = total, "a gold view is filled beside the tick loop");
        let arrivals: Sender<Arrival> = self.arrivals.clone();
        spawn_beside("hydrate", move || {
            // An engine that has ended wants no result.
            drop(arrivals.send(job.run()));
        })
    }

    /// Takes what a first run gave; the tick that follows makes the view live.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let Arrival { oid, watch, outcome } = arrival;
        let Some(index) = self.views.iter().position(|view| view.state.oid == oid) else { return };
        let slot = &mut self.views[index];
        if slot.indexing.as_ref().is_some_and(|indexing| Arc::ptr_eq(&indexing.watch, &watch)) {
            slot.indexing = None;
            let adopted = match outcome {
                Ok(Outcome::Indexed(built)) => self.adopt_indexes(index, built),
                Ok(Outcome::Filled(_)) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = adopted {
                self.fail_view(index, error, Duration::ZERO);
            }
            return;
        }
        let hydration = slot.hydration.as_mut().filter(|hydration| Arc::ptr_eq(&hydration.watch, &watch));
        if let Some(hydration) = hydration {
            hydration.arrived = match outcome {
                Ok(Outcome::Filled(filled)) => Some(Ok(filled)),
                Ok(Outcome::Indexed(_)) => None,
                Err(error) => Some(Err(error)),
            };
        }
    }

    /// Makes a view live whose first run has ended: what changed since it began, and in this tick, is one more change.
    pub(super) fn go_live(&mut self, index: usize) -> PgResult<Ran> {
        let slot = &mut self.views[index];
        let oid = slot.state.oid;
        let Some(mut hydration) = slot.hydration.take() else { return Ok(Ran::Same) };
        let Some(outcome) = hydration.arrived.take() else { return Ok(Ran::Same) };
        let mut filled = match (outcome, &slot.keeping) {
            (Ok(filled), _) => filled,
            (Err(error), Some(keeping)) => return Err(keeping.names.explained(error)),
            (Err(error), None) => return Err(error),
        };
        let recovered = slot.recovered;
        let mut inputs = HashMap::new();
        for (oid, old) in &hydration.pinned {
            let missing = || PgError::internal(format!("relation {oid} has no data"));
            let slot = self.slots.get(oid).ok_or_else(missing)?;
            let input = match (old, self.relations.get(oid).ok_or_else(missing)?) {
                (RelationData::Hot(old), RelationData::Hot(new)) => {
                    let mut dead = hydration.died.remove(oid).unwrap_or_default();
                    dead.extend(slot.died.iter());
                    Input::hot(old.clone(), new.clone(), dead)
                }
                _ => {
                    let mut rows = hydration.added.remove(oid).unwrap_or_default();
                    rows.extend(slot.added_rows().iter().cloned());
                    Input::Appended { added: slot.as_added(rows) }
                }
            };
            inputs.insert(*oid, input);
        }
        let tick = view::Tick {
            inputs: &inputs,
            relations: &|| self.working() as Arc<dyn crate::bind::Relations>,
            session: &self.session,
            runtime: &self.runtime,
            watch: None,
        };
        let delta = filled.root.step(&tick)?;
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a view without rows"))?;
        let mut ran = if delta.is_empty() { Ran::Same } else { Ran::Moved };
        match filled.rows {
            FilledRows::Table(table) => {
                // What had no rows and still has none has not moved: the views over it go on as they are.
                if !(recovered && table.is_empty()) {
                    ran = Ran::Moved;
                }
                slot.rows = Rows::Hot(table);
            }
            FilledRows::Difference(None) => {}
            FilledRows::Difference(Some(Delta { rows, weights })) => {
                if recovered {
                    tracing::warn!(view = %oid, rows = weights.len(), "a gold view was not its query in the lake");
                }
                slot.apply_weighted(&rows, &weights)?;
                ran = Ran::Moved;
            }
        }
        slot.apply_weighted(&delta.rows, &delta.weights)?;
        if ran == Ran::Moved {
            slot.changed_tick = self.tick;
        }
        self.publish_slot(oid);
        let view = &mut self.views[index];
        view.state.rows = self.relations.get(&oid).map_or(0, RelationData::rows);
        view.state.bytes = filled.root.bytes() as u64;
        view.went_live(filled.root);
        Ok(ran)
    }

    /// After the views of a tick: answers the statements whose views are all live, or gone.
    pub(super) fn answer_creators(&mut self) {
        let tick: Tick = self.tick;
        for mut creating in std::mem::take(&mut self.creating) {
            let live = |oid: &Oid| self.views.iter().any(|v| v.state.oid == *oid && v.state.phase == ViewPhase::Live);
            creating.views.retain(|oid| !live(oid));
            if creating.views.is_empty() {
                self.waiting.push(Waiting { tick, since: Instant::now(), reply: creating.reply });
                continue;
            }
            let failed = creating.views.iter().find_map(|oid| {
                let view = self.views.iter().find(|v| v.state.oid == *oid);
                match view.map(|v| &v.state.phase) {
                    None => Some((*oid, "the materialized view was dropped before it was filled".to_string())),
                    Some(ViewPhase::Error(error)) => Some((*oid, error.message.clone())),
                    Some(ViewPhase::OutOfMemory(reason)) => Some((*oid, reason.clone())),
                    _ => None,
                }
            });
            match failed {
                Some((oid, reason)) => {
                    self.drop_unfinished(&creating.views);
                    let error = match self.failures.remove(&oid) {
                        Some(error) => error,
                        None => PgError::new(SqlState::OBJECT_NOT_IN_STATE, reason),
                    };
                    self.failed.push((creating.reply, error));
                }
                None if creating.reply.is_closed() => self.drop_unfinished(&creating.views),
                None => self.creating.push(creating),
            }
        }
    }

    /// Takes back views of a statement that failed or was cancelled.
    fn drop_unfinished(&mut self, views: &HashSet<Oid>) {
        let catalog = Arc::make_mut(&mut self.catalog);
        views.iter().for_each(|oid| catalog.drop_relation(*oid));
        self.catalog_changed = true;
        self.forget_missing();
    }
}

impl Snapshot {
    /// What a query of a view that is not filled yet is told.
    pub(super) fn hydrating_view(&self, oid: Oid) -> PgError {
        let name = self.name_of(oid);
        PgError::new(SqlState::OBJECT_NOT_IN_STATE, format!("materialized view \"{name}\" is hydrating"))
            .detail("Its first rows are being computed.")
            .hint("See sluice.views for how far it is.")
    }
}
