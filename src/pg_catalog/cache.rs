//! Rows of system relations, kept for as long as what they were made from is the same.
//!
//! Tools ask the same relations again and again, with other statements each time. What a relation's rows depend on is
//! what it asked its [`SystemContext`] for; rows that may be different the next moment are never kept.

use super::context::{SystemContext, Uses};
use super::rows;
use crate::types::{Oid, PgResult};
use arrow::array::RecordBatch;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Kept of one relation: for other roles, and for a transaction that changes the catalog.
const MOST: usize = 4;

/// Who asks: what rows and functions may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Who logged in.
    pub user: String,
    pub database: String,
    /// The acting role's OID, and whether it may do everything.
    pub role: Option<(Oid, bool)>,
}

/// What tells two makings of a relation apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    catalog_version: u64,
    /// Where the session was asked for.
    session: Option<Asker>,
    /// Where rows were counted: the snapshot's tick.
    tick: Option<u64>,
}

impl Basis {
    fn of(uses: Uses, tick: u64, cx: &SystemContext<'_>) -> Self {
        let session = || {
            let facts = cx.session();
            let role = facts.access.as_ref().map(|access| (access.role, access.superuser));
            Asker { user: facts.user.clone(), database: facts.database.clone(), role }
        };
        Self {
            catalog_version: cx.catalog.version(),
            session: uses.session.then(session),
            tick: uses.counts.then_some(tick),
        }
    }
}

struct Kept {
    uses: Uses,
    basis: Basis,
    rows: RecordBatch,
}

/// See the module.
#[derive(Default)]
pub struct RowCache(Mutex<HashMap<Oid, Vec<Arc<Kept>>>>);

impl RowCache {
    /// What rows made from these relations, and from functions of the catalog where `asks`, follow from; `None` where that is
    /// not known yet, or may be different the next moment. `tick` is the snapshot's.
    pub fn basis(
        &self,
        relations: &[Oid],
        asks: bool,
        catalog_version: u64,
        tick: u64,
        asker: impl FnOnce() -> Asker,
    ) -> Option<Basis> {
        let all = self.0.lock();
        let mut together = Uses { session: asks, ..Uses::default() };
        for oid in relations {
            let of_now = |kept: &&Arc<Kept>| kept.basis.catalog_version == catalog_version;
            let uses = all.get(oid)?.iter().find(of_now)?.uses;
            together.session |= uses.session;
            together.counts |= uses.counts;
        }
        drop(all);
        Some(Basis { catalog_version, session: together.session.then(asker), tick: together.counts.then_some(tick) })
    }

    /// All rows of a system relation ([`rows`]); `tick` is that of the snapshot behind `cx`, where its catalog is nobody's own.
    pub fn rows(&self, oid: Oid, tick: Option<u64>, cx: &SystemContext<'_>) -> PgResult<RecordBatch> {
        let Some(tick) = tick else { return rows(oid, cx) };
        let known = self.0.lock().get(&oid).cloned().unwrap_or_default();
        if let Some(kept) = known.iter().find(|kept| kept.basis == Basis::of(kept.uses, tick, cx)) {
            return Ok(kept.rows.clone());
        }
        let asked = SystemContext::new(cx.catalog, cx.facts());
        let made = rows(oid, &asked)?;
        let uses = asked.uses();
        if !uses.live {
            let kept = Kept { uses, basis: Basis::of(uses, tick, cx), rows: made.clone() };
            let mut all = self.0.lock();
            let of_relation = all.entry(oid).or_default();
            of_relation.retain(|kept| kept.basis.catalog_version == cx.catalog.version());
            of_relation.truncate(MOST - 1);
            of_relation.insert(0, Arc::new(kept));
        }
        Ok(made)
    }
}
