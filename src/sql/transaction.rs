//! Transactions: one snapshot, and the changes of names and rows that wait for COMMIT.

use super::deferred::Deferring;
use super::settings::Saved;
use super::storage::{CatalogChange, StorageSnapshot};
use crate::catalog::{Catalog, RelationKind};
use crate::engine::{Commit, Overlay, SavedWrites, TableWrites, indexed_columns};
use crate::types::{Oid, PgError, PgResult, SqlState};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// A change that can be tried on the transaction's own catalog and applied again at COMMIT. It names what it changes,
/// so it means the same on a catalog that others have changed meanwhile.
pub type PendingChange = Arc<dyn Fn(&mut Catalog) -> PgResult<()> + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Each statement is its own transaction.
    Idle,
    /// The statements of one simple query.
    Implicit,
    /// After BEGIN.
    Block,
    /// After an error in a block: only ROLLBACK and COMMIT are heard.
    Failed,
}

/// What the transaction reads: a snapshot, with its own catalog over it where it changed names.
#[derive(Clone)]
pub struct View {
    pub snapshot: Arc<dyn StorageSnapshot>,
    pub catalog: Arc<Catalog>,
    /// The catalog has changes that nobody else sees: plans made over it are not for the cache.
    pub changed: bool,
    /// Tables with rows that nobody else sees.
    pub written: Arc<HashMap<Oid, Overlay>>,
}

impl View {
    /// Rows of a relation: see [`StorageSnapshot::rows`].
    pub fn rows(&self, oid: Oid) -> Option<u64> {
        self.written.get(&oid).map_or_else(|| self.snapshot.rows(oid), |written| Some(written.rows()))
    }
}

/// A change of names that was tried.
struct Change {
    run: PendingChange,
    /// The OIDs that it took.
    oids: Vec<Oid>,
    /// It changes the session's temporary relations alone.
    temporary: bool,
}

struct Savepoint {
    name: String,
    changes: usize,
    catalog: Option<Arc<Catalog>>,
    settings: Saved,
    /// Notifications that waited for COMMIT then.
    pending: usize,
    written: HashMap<Oid, (SavedWrites, Vec<Vec<usize>>)>,
}

pub struct Transaction {
    pub phase: Phase,
    /// Grows whenever a transaction ends.
    pub number: u64,
    pub id: i64,
    /// µs since 1970.
    pub started_us: i64,
    snapshot: Option<Arc<dyn StorageSnapshot>>,
    catalog: Option<Arc<Catalog>>,
    changes: Vec<Change>,
    writes: HashMap<Oid, TableWrites>,
    /// What scans read of `writes`, while it is as they are.
    overlays: Option<Arc<HashMap<Oid, Overlay>>>,
    /// The settings before it began.
    saved: Option<Saved>,
    savepoints: Vec<Savepoint>,
    deferring: Deferring,
}

impl Transaction {
    pub fn idle() -> Self {
        Self {
            phase: Phase::Idle,
            number: 0,
            id: 0,
            started_us: 0,
            snapshot: None,
            catalog: None,
            changes: Vec::new(),
            writes: HashMap::new(),
            overlays: None,
            saved: None,
            savepoints: Vec::new(),
            deferring: Deferring::default(),
        }
    }

    /// Which constraints are looked at by COMMIT only.
    pub fn deferring(&self) -> &Deferring {
        &self.deferring
    }

    pub fn deferring_mut(&mut self) -> &mut Deferring {
        &mut self.deferring
    }

    /// The tables that it has written to.
    pub fn written_tables(&self) -> Vec<Oid> {
        self.writes.iter().filter(|(_, writes)| !writes.is_clean()).map(|(oid, _)| *oid).collect()
    }

    pub fn status(&self) -> u8 {
        match self.phase {
            Phase::Idle | Phase::Implicit => b'I',
            Phase::Block => b'T',
            Phase::Failed => b'E',
        }
    }

    pub fn begin(&mut self, phase: Phase, id: i64, started_us: i64, saved: Saved) {
        (self.phase, self.id, self.started_us) = (phase, id, started_us);
        self.saved = Some(saved);
    }

    /// The first reading statement of a block decides its tick.
    pub fn view(&mut self, newest: impl FnOnce() -> Arc<dyn StorageSnapshot>) -> View {
        let snapshot = match self.phase {
            Phase::Idle => newest(),
            _ => Arc::clone(self.snapshot.get_or_insert_with(newest)),
        };
        let catalog = Arc::clone(self.catalog.as_ref().unwrap_or_else(|| snapshot.catalog()));
        View { catalog, changed: self.catalog.is_some(), snapshot, written: self.overlays() }
    }

    fn overlays(&mut self) -> Arc<HashMap<Oid, Overlay>> {
        static NONE: LazyLock<Arc<HashMap<Oid, Overlay>>> = LazyLock::new(Arc::default);
        if self.writes.is_empty() {
            return Arc::clone(&NONE);
        }
        let writes = &self.writes;
        let made = || Arc::new(writes.iter().map(|(oid, writes)| (*oid, writes.overlay().clone())).collect());
        Arc::clone(self.overlays.get_or_insert_with(made))
    }

    /// Tries a change on the transaction's own catalog and keeps it for COMMIT.
    pub fn change(&mut self, view: &View, change: PendingChange, temporary: bool) -> PgResult<()> {
        let mut catalog = Catalog::clone(&view.catalog);
        let oids = catalog.try_change(|catalog| change(catalog))?;
        self.writes.retain(|oid, _| catalog.relation(*oid).is_some());
        self.overlays = None;
        self.catalog = Some(Arc::new(catalog));
        self.changes.push(Change { run: change, oids, temporary });
        Ok(())
    }

    /// Whether COMMIT would have something to apply.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty() || self.writes.values().any(|writes| !writes.is_clean())
    }

    /// The catalog as the transaction has changed it.
    pub fn changed_catalog(&self) -> Option<&Arc<Catalog>> {
        self.catalog.as_ref()
    }

    pub fn set_catalog(&mut self, catalog: Catalog) {
        self.catalog = Some(Arc::new(catalog));
    }

    /// What the transaction wrote to a table, to write more.
    pub fn writes(&mut self, oid: Oid) -> Option<&mut TableWrites> {
        self.overlays = None;
        self.writes.get_mut(&oid)
    }

    pub fn put_writes(&mut self, oid: Oid, writes: TableWrites) {
        self.overlays = None;
        self.writes.insert(oid, writes);
    }

    pub fn take_writes(&mut self, oid: Oid) -> Option<TableWrites> {
        self.overlays = None;
        self.writes.remove(&oid)
    }

    pub fn has_written(&self, oid: Oid) -> bool {
        self.writes.contains_key(&oid)
    }

    /// The OIDs that the changes took: among them those of new relations.
    pub fn made(&self) -> Vec<Oid> {
        self.changes.iter().filter(|change| !change.temporary).flat_map(|change| change.oids.iter().copied()).collect()
    }

    /// The indexes that COMMIT gives to tables that are there, by the positions of their columns.
    pub fn new_indexes(&self) -> Vec<(Oid, Vec<usize>)> {
        let (Some(snapshot), Some(catalog)) = (&self.snapshot, &self.catalog) else { return Vec::new() };
        let mut new = Vec::new();
        for relation in catalog.user_relations().filter(|r| r.kind == RelationKind::Managed) {
            let known = snapshot.catalog().relation(relation.oid);
            let same = known.is_some_and(|known| known.columns == relation.columns && !Arc::ptr_eq(known, relation));
            let Some(table) = snapshot.table(relation.oid).filter(|_| same) else { continue };
            let missing = indexed_columns(relation).into_iter().filter(|columns| !table.has_index(columns));
            new.extend(missing.map(|columns| (relation.oid, columns)));
        }
        new
    }

    /// What COMMIT has to apply; temporary relations are the session's.
    pub fn take_commit(&mut self) -> PgResult<Option<Commit>> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.retain(|change| !change.temporary);
        let mut tables = Vec::new();
        if let Some(snapshot) = &self.snapshot {
            for (oid, writes) in &self.writes {
                let known = snapshot.catalog().relation(*oid).cloned();
                let base = snapshot.table(*oid);
                // A temporary table is the session's own.
                let made = self.catalog.as_ref().is_some_and(|catalog| {
                    catalog.relation(*oid).is_some_and(|r| Some(r.schema) != catalog.temporary())
                });
                if (known.is_none() && !made) || (known.is_some() && writes.is_clean()) {
                    continue;
                }
                tables.push(writes.commit(*oid, known, base)?);
            }
        }
        if changes.is_empty() && tables.is_empty() {
            return Ok(None);
        }
        let change: Option<CatalogChange> = (!changes.is_empty()).then(|| {
            let all = move |catalog: &mut Catalog| {
                changes.iter().try_for_each(|change| catalog.apply_change(&change.oids, |c| (change.run)(c)))
            };
            Box::new(all) as CatalogChange
        });
        let tick = self.snapshot.as_ref().map_or_else(Default::default, |snapshot| snapshot.tick());
        Ok(Some(Commit { change, tables, tick, ..Commit::default() }))
    }

    /// Ends the transaction; gives the settings from before it.
    pub fn end(&mut self) -> Option<Saved> {
        let saved = self.saved.take();
        *self = Self { number: self.number + 1, ..Self::idle() };
        saved
    }

    pub fn savepoint(&mut self, name: &str, settings: Saved, pending: usize) {
        let (name, catalog) = (name.to_owned(), self.catalog.clone());
        let written = self.writes.iter().map(|(oid, w)| (*oid, (w.save(), w.uniques().to_vec()))).collect();
        self.savepoints.push(Savepoint { name, changes: self.changes.len(), catalog, settings, pending, written });
    }

    fn find(&self, name: &str) -> PgResult<usize> {
        self.savepoints
            .iter()
            .rposition(|s| s.name == name)
            .ok_or_else(|| PgError::new(SqlState(*b"3B001"), format!("savepoint \"{name}\" does not exist")))
    }

    pub fn release(&mut self, name: &str) -> PgResult<()> {
        let at = self.find(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Back to the savepoint, which stays; gives the settings of then, and how many notifications waited.
    pub fn rollback_to(&mut self, name: &str) -> PgResult<(Saved, usize)> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        let savepoint = &self.savepoints[at];
        self.changes.truncate(savepoint.changes);
        self.catalog = savepoint.catalog.clone();
        self.overlays = None;
        let restored = |(oid, (saved, uniques)): (&Oid, &(SavedWrites, Vec<Vec<usize>>))| {
            TableWrites::restored(saved.clone(), uniques.clone()).map(|writes| (*oid, writes))
        };
        self.writes = savepoint.written.iter().map(restored).collect::<PgResult<_>>()?;
        self.phase = Phase::Block;
        Ok((savepoint.settings.clone(), savepoint.pending))
    }
}
