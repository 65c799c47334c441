//! Transactions: one snapshot, and the catalog changes that wait for COMMIT.

use super::settings::Saved;
use super::storage::{CatalogChange, StorageSnapshot};
use crate::catalog::Catalog;
use crate::types::{PgError, PgResult, SqlState};
use std::sync::Arc;

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
}

struct Savepoint {
    name: String,
    changes: usize,
    catalog: Option<Arc<Catalog>>,
    settings: Saved,
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
    changes: Vec<PendingChange>,
    /// The settings before it began.
    saved: Option<Saved>,
    savepoints: Vec<Savepoint>,
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
            saved: None,
            savepoints: Vec::new(),
        }
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
        let catalog = self.catalog.as_ref().unwrap_or_else(|| snapshot.catalog());
        View { catalog: Arc::clone(catalog), changed: self.catalog.is_some(), snapshot }
    }

    /// Tries a change on the transaction's own catalog and keeps it for COMMIT.
    pub fn change(&mut self, view: &View, change: PendingChange) -> PgResult<()> {
        let mut catalog = Catalog::clone(&view.catalog);
        change(&mut catalog)?;
        self.catalog = Some(Arc::new(catalog));
        self.changes.push(change);
        Ok(())
    }

    /// What COMMIT has to apply.
    pub fn take_changes(&mut self) -> Option<CatalogChange> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return None;
        }
        Some(Box::new(move |catalog: &mut Catalog| changes.iter().try_for_each(|change| change(catalog))))
    }

    /// Ends the transaction; gives the settings from before it.
    pub fn end(&mut self) -> Option<Saved> {
        let saved = self.saved.take();
        *self = Self { number: self.number + 1, ..Self::idle() };
        saved
    }

    pub fn savepoint(&mut self, name: &str, settings: Saved) {
        let (name, catalog) = (name.to_owned(), self.catalog.clone());
        self.savepoints.push(Savepoint { name, changes: self.changes.len(), catalog, settings });
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

    /// Back to the savepoint, which stays; gives the settings of then.
    pub fn rollback_to(&mut self, name: &str) -> PgResult<Saved> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        let savepoint = &self.savepoints[at];
        self.changes.truncate(savepoint.changes);
        self.catalog = savepoint.catalog.clone();
        self.phase = Phase::Block;
        Ok(savepoint.settings.clone())
    }
}
