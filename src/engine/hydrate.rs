//! First runs of gold views beside the tick loop.
//!
//! A view over many rows is filled by a thread of its own, over the snapshot of the tick that made it. The loop notes meanwhile
//! what changes in its inputs. When the thread is done, the operators take all of that as one change, in a tick,
//! and the view is live. Until then queries of it say that it is hydrating.

use super::snapshot::{RelationData, Snapshot, SnapshotRelations};
use super::status::ViewPhase;
use super::tables::Rows;
use super::tick::{Engine, Waiting};
use super::views::ViewSlot;
use crate::change::{RowId, Tick};
use crate::store::{Table, TableSnapshot};
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema};
use crate::view::{self, Delta, Input, Operator, Watch};
use arrow::array::RecordBatch;
use crossbeam_channel::Sender;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

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

/// A first run's end, on its way to the loop.
pub(super) struct Arrival {
    oid: Oid,
    /// Of several runs of one view only the newest counts.
    watch: Arc<Watch>,
    outcome: PgResult<Filled>,
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
            outcome: outcome.map(|rows| Filled { root: self.root, rows }),
        }
    }

    fn fill(&mut self) -> PgResult<FilledRows> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| PgError::internal(format!("cannot start a runtime: {error}")))?;
        let session = view::session();
        let tick = view::Tick {
            inputs: &self.inputs,
            relations: Arc::clone(&self.relations) as Arc<dyn crate::bind::Relations>,
            session: &session,
            runtime: &runtime,
            watch: Some(&self.watch),
        };
        let Some(next) = self.anew else {
            let mut rows = Vec::new();
            self.root.hydrate(&tick, &mut |piece| {
                rows.push(piece);
                Ok(())
            })?;
            return Ok(FilledRows::Difference(view::difference(&self.held, &rows)?));
        };
        let mut table = Table::bag(Arc::clone(&self.schema));
        table.set_next_row_id(next);
        table.set_retractions(false);
        self.root.hydrate(&tick, &mut |piece| table.append(&piece).map(drop))?;
        while table.maintain(usize::MAX) {}
        Ok(FilledRows::Table(Box::new(table)))
    }
}

impl Engine {
    /// Whether a view's first run is too long for a tick.
    pub(super) fn is_long(&self, slot: &ViewSlot) -> bool {
        let inputs = slot.view.iter().flat_map(|view| &view.inputs);
        inputs.filter_map(|oid| self.relations.get(oid)).map(RelationData::rows).sum::<u64>()
            > self.options.fill_beside_rows
    }

    /// At the end of a tick, before its changes are forgotten: notes them for the first runs under way.
    pub(super) fn note_for_hydrations(&mut self) {
        for hydration in self.views.iter_mut().filter_map(|view| view.hydration.as_mut()) {
            for oid in hydration.pinned.keys() {
                let Some(slot) = self.slots.get(oid) else { continue };
                hydration.died.entry(*oid).or_default().extend(&slot.died);
                hydration.added.entry(*oid).or_default().extend(slot.added_rows().iter().cloned());
            }
        }
    }

    /// At the end of a tick: begins the first runs whose inputs are all live.
    pub(super) fn begin_hydrations(&mut self) {
        for i in 0..self.views.len() {
            let slot = &self.views[i];
            if slot.state.phase != ViewPhase::Hydrating || slot.hydration.is_some() {
                continue;
            }
            let Some(view) = &slot.view else { continue };
            let ready = |oid: &Oid| {
                self.views.iter().find(|v| v.state.oid == *oid).is_none_or(|v| v.state.phase == ViewPhase::Live)
            };
            if !view.inputs.iter().all(ready) {
                continue;
            }
            if let Err(error) = self.begin_view(i).and_then(|()| self.spawn_hydration(i)) {
                let slot = &mut self.views[i];
                slot.state.phase = ViewPhase::Error(error.message.clone());
                slot.forget();
                let oid = slot.state.oid;
                self.failures.insert(oid, error);
            }
        }
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
                RelationData::Hot(table) => Input::Hot { old: table.clone(), new: table.clone(), dead: Arc::default() },
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
        slot.hydration =
            Some(Hydration { pinned, died: HashMap::new(), added: HashMap::new(), watch, total, arrived: None });
        tracing::info!(view = %oid, rows = total, "a gold view is filled beside the tick loop");
        let arrivals: Sender<Arrival> = self.arrivals.clone();
        let spawned = std::thread::Builder::new().name("hydrate".into()).spawn(move || {
            // An engine that has ended wants no result.
            drop(arrivals.send(job.run()));
        });
        spawned.map(drop).map_err(|error| PgError::internal(format!("cannot start a thread: {error}")))
    }

    /// Takes what a first run gave; the tick that follows makes the view live.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let slot = self.views.iter_mut().find(|view| view.state.oid == arrival.oid);
        let hydration = slot.and_then(|slot| slot.hydration.as_mut());
        if let Some(hydration) = hydration.filter(|h| Arc::ptr_eq(&h.watch, &arrival.watch)) {
            hydration.arrived = Some(arrival.outcome);
        }
    }

    /// Makes a view live whose first run has ended: what changed since it began, and in this tick, is one more change.
    pub(super) fn go_live(&mut self, index: usize) -> PgResult<()> {
        let slot = &mut self.views[index];
        let oid = slot.state.oid;
        let Some(mut hydration) = slot.hydration.take() else { return Ok(()) };
        let Some(outcome) = hydration.arrived.take() else { return Ok(()) };
        let mut filled = outcome?;
        let mut inputs = HashMap::new();
        for (oid, old) in &hydration.pinned {
            let missing = || PgError::internal(format!("relation {oid} has no data"));
            let slot = self.slots.get(oid).ok_or_else(missing)?;
            let input = match (old, self.relations.get(oid).ok_or_else(missing)?) {
                (RelationData::Hot(old), RelationData::Hot(new)) => {
                    let mut dead = hydration.died.remove(oid).unwrap_or_default();
                    dead.extend(&slot.died);
                    Input::Hot { old: old.clone(), new: new.clone(), dead: Arc::new(dead) }
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
            relations: self.working() as Arc<dyn crate::bind::Relations>,
            session: &self.session,
            runtime: &self.runtime,
            watch: None,
        };
        let delta = filled.root.step(&tick)?;
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a view without rows"))?;
        match filled.rows {
            FilledRows::Table(table) => slot.rows = Rows::Hot(table),
            FilledRows::Difference(difference) => {
                if let Some(Delta { rows, weights }) = difference {
                    slot.apply_weighted(&rows, &weights)?;
                }
            }
        }
        slot.apply_weighted(&delta.rows, &delta.weights)?;
        slot.changed_tick = self.tick;
        self.publish_slot(oid);
        let view = &mut self.views[index];
        view.state.rows = self.relations.get(&oid).map_or(0, RelationData::rows);
        view.state.bytes = filled.root.bytes() as u64;
        view.went_live(filled.root);
        Ok(())
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
                    Some(ViewPhase::Error(reason)) => Some((*oid, reason.clone())),
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
                    drop(creating.reply.send(Err(error)));
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
        let name = self.catalog.relation(oid).map_or_else(|| oid.to_string(), |r| self.catalog.qualified_name(r));
        PgError::new(SqlState::OBJECT_NOT_IN_STATE, format!("materialized view \"{name}\" is hydrating"))
            .detail("Its first rows are being computed.")
            .hint("See sluice.views for how far it is.")
    }
}
