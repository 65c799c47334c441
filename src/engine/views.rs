//! The gold views of the tick loop: which must move in a tick, in which order, and what happens when one fails.

use super::hydrate::{Hydration, Indexing};
use super::memory::{GivenUp, is_exhaustion};
use super::now_us;
use super::snapshot::{RelationData, Snapshot, SnapshotRelations};
use super::status::{Status, ViewPhase, ViewState};
use super::tables::{COUNTING, Rows};
use super::tick::Engine;
use crate::change::Tick;
use crate::store::{Changes, Table};
use crate::types::{Oid, PgError, PgResult};
use crate::view::{self, Delta, IndexNeed, Input, Operator, View};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A gold view and how it does.
pub(super) struct ViewSlot {
    /// `None` where its definition can no longer be bound; the state says why.
    pub view: Option<View>,
    pub state: ViewState,
    /// How it is kept; made when it first runs.
    pub keeping: Option<view::Plan>,
    /// Its first run, where that goes beside the loop; the operators are there then.
    pub hydration: Option<Hydration>,
    /// Indexes that are made for it before that.
    pub indexing: Option<Indexing>,
    /// The state of its operators, and the rows held, are those of the newest tick.
    live: bool,
    /// When the bytes of its state were counted: that passes over its groups, and is not done at each tick.
    counted: Option<Instant>,
    /// Indexes that it has asked for.
    pub indexes: Vec<IndexNeed>,
    /// Its rows are those that the lake had, no input has changed since, and its operators are still to be made.
    pub recovered: bool,
    /// A table under it has other columns, and it has not run since.
    rebound: bool,
    /// Since its query failed.
    rest: Option<Rest>,
    /// Since it was given up for want of memory.
    pub given_up: Option<GivenUp>,
}

/// A view in error is not filled anew at each tick that touches it, where that takes long.
struct Rest {
    until: Instant,
    /// Its inputs have changed meanwhile.
    touched: bool,
}

impl Rest {
    /// After a filling over many rows that has failed at `now`, and took so long.
    fn after(took: Duration, now: Instant) -> Self {
        Self { until: now + (took * REST_FACTOR).min(LONGEST_REST), touched: false }
    }

    /// Whether a tick that touches the view fills it anew. If not, that is noted.
    fn is_over(&mut self, now: Instant) -> bool {
        self.touched |= now < self.until;
        now >= self.until
    }
}

/// A failing view over no more rows is tried again at once.
const SHORT_ROWS: u64 = 10_000;
/// A failing view rests so many times as long as its filling took, up to [`LONGEST_REST`].
const REST_FACTOR: u32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(30);

impl ViewSlot {
    pub fn new(view: Option<View>, state: ViewState) -> Self {
        Self {
            view,
            state,
            keeping: None,
            hydration: None,
            indexing: None,
            live: false,
            counted: None,
            indexes: vec![],
            recovered: false,
            rebound: false,
            rest: None,
            given_up: None,
        }
    }

    /// Its operators are worth nothing any more.
    pub fn forget(&mut self) {
        drop(self.take_operators());
    }

    /// [`ViewSlot::forget`], for who wants to free them elsewhere.
    pub fn take_operators(&mut self) -> (Option<view::Plan>, Option<Hydration>) {
        self.live = false;
        self.recovered = false;
        self.indexing = None;
        (self.keeping.take(), self.hydration.take())
    }

    /// It is kept from changes, where it has been compiled.
    pub fn has_rules(&self) -> bool {
        self.keeping.as_ref().is_some_and(|keeping| keeping.root.is_some())
    }

    /// Its first run is to come, or under way.
    pub fn is_unfilled(&self) -> bool {
        self.recovered || self.state.phase == ViewPhase::Hydrating
    }

    /// Whether a tick that touches it brings it up to date, or notes that it must be. One that waits for its first run, or is
    /// in it, sees what changes when that is done; one that was given up comes back when there is room.
    fn runs_now(&mut self, starting: bool) -> bool {
        let failing = matches!(self.state.phase, ViewPhase::Error(_));
        if failing && self.rest.as_mut().is_some_and(|rest| !rest.is_over(Instant::now())) {
            return false;
        }
        !matches!(self.state.phase, ViewPhase::OutOfMemory(_)) && (starting || !self.is_unfilled())
    }

    /// It has rested, and its inputs have changed meanwhile.
    fn is_due(&self) -> bool {
        matches!(self.state.phase, ViewPhase::Error(_))
            && self.rest.as_ref().is_some_and(|rest| rest.touched && rest.until <= Instant::now())
    }

    /// Its state as others see it.
    pub fn shown(&self) -> ViewState {
        let indexing = self.indexing.as_ref().map(|indexing| (indexing.done(), indexing.total));
        let progress = self.hydration.as_ref().map(|hydration| (hydration.done(), hydration.total)).or(indexing);
        ViewState { progress, ..self.state.clone() }
    }

    /// Its first run is done.
    pub fn went_live(&mut self, root: Box<dyn Operator>) {
        if let Some(keeping) = &mut self.keeping {
            keeping.root = Some(root);
            self.live = true;
            self.recovered = false;
        }
    }
}

/// What a view did in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// Its rows changed.
    Moved,
    Same,
    /// It has to be filled beside the loop.
    Deferred,
}

/// A view that has not run yet.
pub(super) fn view_state(oid: Oid) -> ViewState {
    ViewState {
        oid,
        phase: ViewPhase::Live,
        rows: 0,
        changed_tick: Tick(0),
        runs: 0,
        total_us: 0,
        last_us: 0,
        plan: Arc::default(),
        reason: None,
        recomputed: false,
        bytes: 0,
        progress: None,
    }
}

impl Engine {
    /// Publishes one relation; what it was before the tick is kept until the tick's end.
    pub(super) fn publish_slot(&mut self, oid: Oid) {
        let Some(slot) = self.slots.get_mut(&oid) else { return };
        let data = slot.publish(self.tick);
        if let Some(old) = self.relations.insert(oid, data) {
            self.before.entry(oid).or_insert(old);
        }
    }

    /// The end of a tick's changes: the next one begins with nothing changed.
    pub(super) fn settle(&mut self) {
        self.before.clear();
        self.changes.clear();
        let watched: HashSet<Oid> =
            self.views.iter().filter_map(|v| v.keeping.as_ref()).flat_map(|k| k.scans.iter().copied()).collect();
        for slot in self.slots.values_mut() {
            slot.begin_tick(watched.contains(&slot.oid));
        }
    }

    /// The tables and views of now as what queries read, before the tick is published.
    pub(super) fn working(&self) -> Arc<SnapshotRelations> {
        let status = Status { views: self.views.iter().map(|v| v.state.clone()).collect(), ..Status::default() };
        let snapshot = Snapshot {
            tick: self.tick,
            at_us: now_us(),
            catalog: Arc::clone(&self.catalog),
            status: Arc::new(status),
            relations: self.relations.clone(),
        };
        Arc::new(SnapshotRelations { snapshot: Arc::new(snapshot), partitions: 1 })
    }

    /// Brings every view whose inputs changed up to date, in dependency order.
    pub(super) fn run_views(&mut self, changed: &mut HashSet<Oid>) {
        for i in 0..self.views.len() {
            let starting = self.starting;
            let slot = &mut self.views[i];
            let rebound = std::mem::take(&mut slot.rebound);
            let Some(view) = &slot.view else {
                // The views over it must know that it no longer binds.
                if rebound {
                    changed.insert(slot.state.oid);
                }
                continue;
            };
            let oid = view.oid;
            let arrived = slot.hydration.as_ref().is_some_and(|h| h.arrived.is_some());
            let touched = rebound || view.inputs.iter().any(|input| changed.contains(input)) || slot.is_due();
            let due = arrived || touched && slot.runs_now(starting);
            if !due {
                // What was right until now is so no longer.
                if touched && slot.recovered {
                    slot.recovered = false;
                    slot.state.phase = ViewPhase::Hydrating;
                    changed.insert(oid);
                }
                continue;
            }
            let begun = slot.hydration.as_ref().map(|hydration| hydration.begun);
            let start = Instant::now();
            let outcome = match arrived {
                true => self.go_live(i),
                false => self.run_or_defer(i),
            };
            let took = start.elapsed();
            let tick = self.tick;
            let slot = &mut self.views[i];
            let state = &mut slot.state;
            state.runs += 1;
            state.total_us += took.as_micros() as u64;
            state.last_us = took.as_micros() as u64;
            let failed_before = state.phase != ViewPhase::Live;
            match outcome {
                Ok(Ran::Deferred) if starting && slot.recovered => {}
                Ok(Ran::Deferred) => {
                    state.phase = ViewPhase::Hydrating;
                    slot.recovered = false;
                    changed.insert(oid);
                }
                Ok(ran) => {
                    let moved = ran == Ran::Moved;
                    state.phase = ViewPhase::Live;
                    (slot.recovered, slot.rest) = (false, None);
                    if moved {
                        state.changed_tick = tick;
                    }
                    // A view that heals is news to the views over it even if its rows are those from before.
                    if moved || failed_before {
                        changed.insert(oid);
                    }
                }
                Err(error) => {
                    self.fail_view(i, error, begun.map_or(took, |begun| begun.elapsed()));
                    changed.insert(oid);
                }
            }
        }
    }

    /// A view's query has failed, after `took`.
    pub(super) fn fail_view(&mut self, index: usize, error: PgError, took: Duration) {
        let is_short = self.rows_under(&self.views[index]) <= SHORT_ROWS;
        let slot = &mut self.views[index];
        let oid = slot.state.oid;
        if is_exhaustion(&error) {
            self.give_up(index, &error);
        } else {
            if !matches!(slot.state.phase, ViewPhase::Error(_)) {
                tracing::warn!(view = %oid, %error, "a gold view's query fails");
            }
            slot.state.phase = ViewPhase::Error(Box::new(error.clone()));
            slot.rest = (!is_short).then(|| Rest::after(took, Instant::now()));
            slot.forget();
        }
        if self.creating.iter().any(|c| c.views.contains(&oid)) {
            self.failures.insert(oid, error);
        }
    }

    /// Whether a tick has to come although nothing has arrived: a view is being filled, or has rested, or memory is short.
    pub(super) fn has_work(&self) -> bool {
        !self.creating.is_empty()
            || self.views.iter().any(|slot| slot.is_unfilled() || slot.is_due())
            || self.wants_relief()
    }

    /// Brings one view up to date in this tick, unless that takes a first run that is too long, or one of its inputs is in
    /// its own.
    pub(super) fn run_or_defer(&mut self, index: usize) -> PgResult<Ran> {
        self.begin_view(index)?;
        let slot = &self.views[index];
        let waits = slot
            .view
            .iter()
            .flat_map(|view| &view.inputs)
            .any(|oid| self.views.iter().any(|v| v.state.oid == *oid && v.is_unfilled()));
        if waits || (!slot.live && slot.has_rules() && self.is_long(slot)) {
            if slot.live {
                self.views[index].forget();
            }
            return Ok(Ran::Deferred);
        }
        Ok(if self.run_view(index)? { Ran::Moved } else { Ran::Same })
    }

    /// Brings one view up to date; whether its rows changed. After an error its operators must be forgotten.
    pub(super) fn run_view(&mut self, index: usize) -> PgResult<bool> {
        self.begin_view(index)?;
        if !self.views[index].live {
            self.take_indexes(index)?;
        }
        let slot = &self.views[index];
        let (Some(view), Some(keeping)) = (&slot.view, &slot.keeping) else { return Ok(false) };
        let oid = view.oid;
        let failing = |v: &&ViewSlot| keeping.scans.contains(&v.state.oid);
        for input in self.views.iter().filter(failing) {
            if input.state.phase != ViewPhase::Live {
                self.working().snapshot.readable(&input.state)?;
            }
        }
        let scans: Vec<Oid> = keeping.scans.iter().copied().collect();
        let inputs = self.inputs(scans.into_iter())?;
        // The operators are out of their slot while they run over what the engine has.
        let Some(mut keeping) = self.views[index].keeping.take() else { return Ok(false) };
        let delta = self.step_view(index, &mut keeping, &inputs);
        let slot = &mut self.views[index];
        let keeping = slot.keeping.insert(keeping);
        let delta = delta?;
        slot.live = true;
        if slot.counted.is_none_or(|at| at.elapsed() >= COUNTING) {
            slot.counted = Some(Instant::now());
            slot.state.bytes = keeping.root.as_ref().map_or(0, |root| root.bytes()) as u64;
        }
        let Some(delta) = delta else { return Ok(false) };
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a view without rows"))?;
        slot.changed_tick = self.tick;
        let next = slot.next_row_id();
        let dead = slot.apply_weighted(&delta.rows, &delta.weights)?;
        let moved = dead > 0 || slot.next_row_id() != next;
        self.publish_slot(oid);
        if moved {
            self.views[index].state.rows = self.relations.get(&oid).map_or(0, RelationData::rows);
        }
        Ok(moved)
    }

    /// What changes in a view's rows: by its operators, or from a run of all of it.
    fn step_view(
        &self,
        index: usize,
        keeping: &mut view::Plan,
        inputs: &HashMap<Oid, Input>,
    ) -> PgResult<Option<Delta>> {
        let slot = &self.views[index];
        let Some(view) = &slot.view else { return Ok(None) };
        let relations = || self.working() as Arc<dyn crate::bind::Relations>;
        let (session, runtime) = (&self.session, &self.runtime);
        let tick = view::Tick { inputs, relations: &relations, session, runtime, watch: None };
        match (&mut keeping.root, slot.live) {
            (Some(root), true) => {
                let stepped = root.step(&tick).map_err(|error| keeping.names.explained(error))?;
                Ok(Some(stepped).filter(|delta| !delta.is_empty()))
            }
            (None, true) if !view::any_changed(&tick, keeping.scans.iter())? => Ok(None),
            (root, _) => {
                let mut rows = Vec::new();
                match root {
                    Some(root) => {
                        let hydrated = root.hydrate(&tick, &mut |piece| {
                            rows.push(piece);
                            Ok(())
                        });
                        hydrated.map_err(|error| keeping.names.explained(error))?;
                    }
                    None => rows = runtime.block_on(view.compute(relations(), session))?,
                }
                let Some(RelationData::Hot(held)) = self.relations.get(&view.oid) else {
                    return Err(PgError::internal("a view without rows"));
                };
                view::difference(held, &rows)
            }
        }
    }

    /// Makes the operators of a view that has none.
    pub(super) fn begin_view(&mut self, index: usize) -> PgResult<()> {
        let slot = &mut self.views[index];
        let (Some(view), None) = (&slot.view, &slot.keeping) else { return Ok(()) };
        let keeping = view.compile(&self.catalog, &self.session)?;
        let mut lines = Vec::new();
        match &keeping.root {
            Some(root) => root.explain(0, &mut lines),
            None => lines.push(format!("recompute and compare: {}", keeping.reasons.join("; "))),
        }
        slot.state.plan = lines.iter().map(|line| keeping.names.shown(line)).collect();
        slot.state.reason = (!keeping.reasons.is_empty()).then(|| keeping.names.shown(&keeping.reasons.join("; ")));
        slot.state.recomputed = keeping.root.is_none();
        slot.keeping = Some(keeping);
        slot.live = false;
        Ok(())
    }

    /// Sees to the indexes that a view needs, and gives those back that it needs no more.
    pub(super) fn take_indexes(&mut self, index: usize) -> PgResult<()> {
        let Some(keeping) = &self.views[index].keeping else { return Ok(()) };
        let needs = keeping.needs.clone();
        for need in &needs {
            let there =
                matches!(self.relations.get(&need.oid), Some(RelationData::Hot(t)) if t.has_index(&need.columns));
            if there && self.views[index].indexes.contains(need) {
                continue;
            }
            let Some(Rows::Hot(table)) = self.slots.get_mut(&need.oid).map(|s| &mut s.rows) else { continue };
            table.ensure_index(&need.columns)?;
            if !self.views[index].indexes.contains(need) {
                self.views[index].indexes.push(need.clone());
            }
            self.publish_slot(need.oid);
        }
        let indexes = std::mem::take(&mut self.views[index].indexes);
        let (kept, given_back): (Vec<_>, Vec<_>) = indexes.into_iter().partition(|known| needs.contains(known));
        self.views[index].indexes = kept;
        self.release_indexes(&given_back);
        Ok(())
    }

    fn release_indexes(&mut self, needs: &[IndexNeed]) {
        for need in needs {
            if let Some(Rows::Hot(table)) = self.slots.get_mut(&need.oid).map(|s| &mut s.rows) {
                table.release_index(&need.columns);
            }
        }
    }

    /// Relations before and after this tick.
    fn inputs(&mut self, oids: impl Iterator<Item = Oid>) -> PgResult<HashMap<Oid, Input>> {
        let mut inputs = HashMap::new();
        for oid in oids {
            let missing = || PgError::internal(format!("relation {oid} has no data"));
            let slot = self.slots.get(&oid).ok_or_else(missing)?;
            let new = self.relations.get(&oid).ok_or_else(missing)?;
            let input = match (new, self.before.get(&oid).unwrap_or(new)) {
                (RelationData::Hot(new), RelationData::Hot(old)) => {
                    let known = self.changes.get(&oid).filter(|known| known.is_of(old, new, &slot.died));
                    let find = || Arc::new(Changes::new(old.clone(), new.clone(), Arc::clone(&slot.died)));
                    let changes = known.map_or_else(find, Arc::clone);
                    self.changes.insert(oid, Arc::clone(&changes));
                    Input::Hot(changes)
                }
                _ => Input::Appended { added: slot.added() },
            };
            inputs.insert(oid, input);
        }
        Ok(inputs)
    }

    /// A slot and a state for a new view, empty.
    pub(super) fn add_view(&mut self, view: View) {
        let oid = view.oid;
        let relation = self.catalog.relation(oid).map(|r| self.catalog.qualified_name(r));
        let name: Arc<str> = relation.unwrap_or_else(|| oid.to_string()).into();
        let table = Table::bag(Arc::clone(&view.schema));
        self.add_slot(oid, &name, Rows::Hot(Box::new(table)));
        self.publish_slot(oid);
        self.views.push(ViewSlot::new(Some(view), view_state(oid)));
    }

    /// Forgets the views that the catalog no longer has.
    pub(super) fn drop_views(&mut self, known: impl Fn(&Oid) -> bool) {
        let (kept, dropped): (Vec<_>, Vec<_>) = self.views.drain(..).partition(|v| known(&v.state.oid));
        self.views = kept;
        for view in dropped {
            self.release_indexes(&view.indexes);
        }
    }

    /// Views after those that they read.
    pub(super) fn order_views(&mut self) {
        let mut waiting = std::mem::take(&mut self.views);
        while !waiting.is_empty() {
            let pending: HashSet<Oid> = waiting.iter().map(|v| v.state.oid).collect();
            let reads_pending =
                |slot: &ViewSlot| slot.view.as_ref().is_some_and(|v| v.inputs.iter().any(|i| pending.contains(i)));
            let (later, ready): (Vec<_>, Vec<_>) = waiting.into_iter().partition(reads_pending);
            // Views cannot read each other in a circle: each is bound over what was there before it.
            let stuck = ready.is_empty();
            self.views.extend(ready);
            waiting = later;
            if stuck {
                self.views.append(&mut waiting);
            }
        }
    }

    /// Binds the views over a table anew after it changed its columns, and those over them; one that no longer binds is
    /// in error until it does.
    pub(super) fn rebind_views(&mut self, reshaped: Oid) {
        let mut reshaped = HashSet::from([reshaped]);
        for i in 0..self.views.len() {
            let oid = self.views[i].state.oid;
            let reads = self.views[i].view.as_ref().is_none_or(|v| v.inputs.iter().any(|o| reshaped.contains(o)));
            if !reads {
                continue;
            }
            reshaped.insert(oid);
            let bound = self.follow_types(oid).and_then(|()| View::bind(oid, &self.catalog, &self.session));
            let slot = &mut self.views[i];
            slot.forget();
            (slot.rebound, slot.rest) = (true, None);
            match bound {
                Ok(view) => slot.view = Some(view),
                Err(error) => {
                    slot.view = None;
                    slot.state.phase = ViewPhase::Error(Box::new(error));
                }
            }
        }
    }

    /// Gives a view's columns the types that its query has now.
    fn follow_types(&mut self, oid: Oid) -> PgResult<()> {
        let relation = self.catalog.relation(oid).ok_or_else(|| PgError::internal("a view without a name"))?;
        let names: Vec<String> = relation.columns.iter().map(|c| c.name.clone()).collect();
        let sql = relation.definition.as_deref().unwrap_or_default();
        let schema = view::define(sql, &relation.search_path, &self.catalog, &names)?.schema;
        if relation.columns.iter().map(|c| c.expr_type().storage).eq(schema.columns.iter().map(|c| c.storage()))
            && relation.columns.iter().map(|c| c.ty()).eq(schema.columns.iter().map(|c| c.ty))
        {
            return Ok(());
        }
        let slot = self.slots.get_mut(&oid).ok_or_else(|| PgError::internal("a view without rows"))?;
        slot.reshape(schema.clone())?;
        Arc::make_mut(&mut self.catalog).change(oid, |relation| {
            for (known, column) in relation.columns.iter_mut().zip(&schema.columns) {
                known.retype(column.ty, column.any_shape);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a view is filled anew in this many ticks, one each millisecond, that touch it, when each filling fails.
    fn fillings(ticks: u64, took: Duration) -> u64 {
        let (begun, mut filled, mut rest) = (Instant::now(), 0, None::<Rest>);
        for tick in 0..ticks {
            let now = begun + Duration::from_millis(tick);
            if rest.as_mut().is_none_or(|rest| rest.is_over(now)) {
                filled += 1;
                rest = Some(Rest::after(took, now));
            }
        }
        filled
    }

    #[test]
    fn a_failing_view_over_many_rows_takes_a_small_share_of_the_ticks() {
        assert_eq!(fillings(10_000, Duration::from_millis(100)), 10);
        assert_eq!(fillings(10_000, Duration::from_millis(1)), 1_000);
        // And is tried at least every so often, however long it takes.
        assert_eq!(fillings(120_000, Duration::from_secs(600)), 4);
        let mut rest = Rest::after(Duration::from_secs(1), Instant::now());
        assert!(!rest.touched);
        let before = rest.until - Duration::from_millis(1);
        assert!(!rest.is_over(before));
        assert!(rest.touched, "a tick that came too early is remembered");
    }
}
