//! The process's memory limit, kept at the cost of gold views: ingestion goes on, and the process lives.
//!
//! When more is allocated than may be ([`crate::memory`]), the newest first run of a view is ended; where none is under way, the
//! view with the most bytes is given up, its rows and its operators' state, one a second until there is room. It says so to
//! whoever queries it (`53200`) and in `sluice.views`, and is filled again by itself when what it held (by the
//! rows of its inputs now) and a quarter more is free. Where no view is left sources pause, and statements that add rows fail.

use super::snapshot::RelationData;
use super::status::ViewPhase;
use super::tick::Engine;
use super::views::ViewSlot;
use crate::memory;
use crate::types::{Oid, PgError, SqlState};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// So long after a view was given up what it held may still be with readers, or on its way back.
const RELIEF_STEP: Duration = Duration::from_secs(1);
/// How long one that was given up rests at least before it is filled again; twice as long each time.
const SHORTEST_REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(300);

/// A view that was given up, and when it may come back.
pub(super) struct GivenUp {
    /// Bytes that it held, or that its first run had taken, over so many rows of its inputs.
    bytes: u64,
    rows: u64,
    since: Instant,
    rest: Duration,
}

impl GivenUp {
    /// Has it rested, and is there room for as much as it held, by the rows of its inputs now, and a quarter more?
    fn may_return(&self, used: u64, limit: u64, rows: u64) -> bool {
        let share = rows as f64 / self.rows.max(1) as f64;
        let needed = (self.bytes as f64 * share * 1.25) as u64;
        self.since.elapsed() >= self.rest && used.saturating_add(needed) <= limit
    }
}

impl Engine {
    /// Whether something has to be done about memory: see [`Engine::relieve`].
    pub(super) fn wants_relief(&self) -> bool {
        let Some(limit) = memory::limit() else { return false };
        let used = memory::used();
        (used > limit && self.relieved.is_none_or(|at| at.elapsed() >= RELIEF_STEP))
            || (used <= limit && (self.starved || self.views.iter().any(|slot| self.returns(slot, used, limit))))
    }

    fn returns(&self, slot: &ViewSlot, used: u64, limit: u64) -> bool {
        let Some(given_up) = slot.given_up.as_ref().filter(|_| matches!(slot.state.phase, ViewPhase::OutOfMemory(_)))
        else {
            return false;
        };
        let inputs = slot.view.iter().flat_map(|view| &view.inputs);
        let unready = |oid: &Oid| self.views.iter().any(|v| v.state.oid == *oid && v.state.phase != ViewPhase::Live);
        given_up.may_return(used, limit, self.rows_under(slot)) && !inputs.into_iter().any(unready)
    }

    /// Gives a view up where the limit is passed, and takes back those that there is room for. `changed`: gets the views that
    /// can be read no more.
    pub(super) fn relieve(&mut self, changed: &mut HashSet<Oid>) {
        let Some(limit) = memory::limit() else { return };
        let used = memory::used();
        if used <= limit {
            self.starved = false;
            let returning = |i: &usize| self.returns(&self.views[*i], used, limit);
            if let Some(index) = (0..self.views.len()).find(returning) {
                let slot = &mut self.views[index];
                tracing::info!(view = %slot.state.oid, "a gold view is filled again: there is room");
                slot.state.phase = ViewPhase::Hydrating;
            }
            return;
        }
        if self.relieved.is_some_and(|at| at.elapsed() < RELIEF_STEP) {
            return;
        }
        self.relieved = Some(Instant::now());
        match self.dearest() {
            Some(index) => {
                changed.insert(self.views[index].state.oid);
                self.fail_view(index, memory::exhausted(limit), Duration::ZERO);
            }
            None if !self.starved => {
                self.starved = true;
                tracing::warn!(used, limit, "the memory limit is reached without a view to give up: sources pause");
            }
            None => {}
        }
    }

    /// The newest first run, or else the view with the most bytes.
    fn dearest(&self) -> Option<usize> {
        let begun = |i: &usize| self.views[*i].hydration.as_ref().map(|hydration| hydration.begun);
        let newest = (0..self.views.len()).filter(|i| begun(i).is_some()).max_by_key(begun);
        newest.or_else(|| (0..self.views.len()).filter(|i| self.held_by(*i) > 0).max_by_key(|i| self.held_by(*i)))
    }

    /// Bytes that giving up a view would free.
    fn held_by(&self, index: usize) -> u64 {
        let state = &self.views[index].state;
        let rows = match self.relations.get(&state.oid).map_or(0, RelationData::rows) {
            0 => 0,
            _ => self.slots.get(&state.oid).map_or(0, |slot| slot.bytes),
        };
        rows + if self.views[index].keeping.is_some() { state.bytes } else { 0 }
    }

    /// Frees what a view holds. `error`: why.
    pub(super) fn give_up(&mut self, index: usize, error: &PgError) {
        let (held, rows) = (self.held_by(index), self.rows_under(&self.views[index]));
        let slot = &mut self.views[index];
        let oid = slot.state.oid;
        let taken = slot.hydration.as_ref().map_or(0, |run| memory::used().saturating_sub(run.used_before));
        let before = slot.given_up.take();
        // One whose first run ends here again and again is tried ever more seldom.
        let rest = match &before {
            Some(before) if before.since.elapsed() < before.rest * 4 => (before.rest * 2).min(LONGEST_REST),
            _ => SHORTEST_REST,
        };
        let bytes = held.max(taken).max(before.filter(|_| held == 0).map_or(0, |before| before.bytes));
        slot.given_up = Some(GivenUp { bytes, rows, since: Instant::now(), rest });
        let detail = error.rest.as_ref().and_then(|rest| rest.detail.clone()).unwrap_or_default();
        let reason = format!("{}: {detail} The view had taken {} MiB.", error.message, bytes >> 20);
        tracing::warn!(view = %oid, reason, "a gold view is given up");
        slot.state.phase = ViewPhase::OutOfMemory(reason);
        slot.state.rows = 0;
        slot.state.bytes = 0;
        // Millions of groups take their time to go.
        let (keeping, hydration) = slot.take_operators();
        let discard = std::thread::Builder::new().name("discard".into()).spawn(move || drop((keeping, hydration)));
        if let Err(error) = discard {
            tracing::debug!(%error, "no thread to free memory on");
        }
        let emptied = self.slots.get_mut(&oid).map(|slot| slot.truncate());
        if let Some(Err(error)) = emptied {
            tracing::error!(view = %oid, %error, "the rows of a gold view cannot be freed");
        }
        self.publish_slot(oid);
    }
}

/// Whether an error says that memory has run out.
pub(super) fn is_exhaustion(error: &PgError) -> bool {
    error.state == SqlState::OUT_OF_MEMORY
}
