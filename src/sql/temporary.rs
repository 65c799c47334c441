//! A session's temporary relations: names and rows that no other session sees and no lake keeps.

use super::transaction::Transaction;
use crate::catalog::{Catalog, Namespace, Relation};
use crate::engine::{Overlay, SavedWrites, TableWrites};
use crate::types::{Oid, PgResult};
use std::collections::HashMap;
use std::sync::Arc;

/// What COMMIT does to a temporary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    Drop,
    DeleteRows,
}

#[derive(Default)]
pub struct Temporaries {
    namespace: Option<Namespace>,
    relations: Vec<Arc<Relation>>,
    rows: HashMap<Oid, TableWrites>,
    /// Kept while a transaction has the rows.
    before: HashMap<Oid, (SavedWrites, Vec<Vec<usize>>)>,
    on_commit: HashMap<Oid, OnCommit>,
    /// The newest catalog with the relations in it, and the version of the one without.
    composed: Option<(u64, Arc<Catalog>)>,
}

impl Temporaries {
    pub fn is_empty(&self) -> bool {
        self.namespace.is_none()
    }

    /// The schema of the relations, made when it is first needed.
    pub fn namespace(&mut self, backend_pid: i32, catalog: &Catalog) -> Namespace {
        let namespace = self.namespace.get_or_insert_with(|| {
            let mut catalog = catalog.clone();
            Namespace::new(catalog.take_oid(), format!("pg_temp_{backend_pid}"))
        });
        self.composed = None;
        namespace.clone()
    }

    pub fn on_commit(&mut self, table: Oid, what: OnCommit) {
        self.on_commit.insert(table, what);
    }

    /// `catalog` with the session's relations.
    pub fn over(&mut self, catalog: &Arc<Catalog>) -> Arc<Catalog> {
        let Some(namespace) = &self.namespace else { return Arc::clone(catalog) };
        match &self.composed {
            Some((version, composed)) if *version == catalog.version() => Arc::clone(composed),
            _ => {
                let composed = Arc::new(catalog.with_temporary(namespace.clone(), self.relations.iter().cloned()));
                self.composed = Some((catalog.version(), Arc::clone(&composed)));
                composed
            }
        }
    }

    /// What scans read outside a transaction.
    pub fn overlays(&self) -> HashMap<Oid, Overlay> {
        self.rows.iter().map(|(oid, writes)| (*oid, writes.overlay().clone())).collect()
    }

    /// A transaction takes the rows.
    pub fn lend(&mut self, transaction: &mut Transaction) {
        for (oid, writes) in self.rows.drain() {
            self.before.insert(oid, (writes.save(), writes.uniques().to_vec()));
            transaction.put_writes(oid, writes);
        }
    }

    /// The transaction gives them back, as it left them or as they were.
    pub fn take_back(&mut self, transaction: &mut Transaction, committed: bool) -> PgResult<()> {
        let before = std::mem::take(&mut self.before);
        let Some(namespace) = &self.namespace else { return Ok(()) };
        if !committed {
            for (oid, (saved, uniques)) in before {
                let writes = match transaction.take_writes(oid).filter(|writes| writes.is_at(&saved)) {
                    Some(same) => same,
                    None => TableWrites::restored(saved, uniques)?,
                };
                self.rows.insert(oid, writes);
            }
            self.on_commit.retain(|oid, _| self.rows.contains_key(oid));
            return Ok(());
        }
        if let Some(catalog) = transaction.changed_catalog() {
            self.relations = catalog.relations().filter(|r| r.schema == namespace.oid).cloned().collect();
            self.composed = None;
        }
        let dropped = |oid: &Oid| self.on_commit.get(oid) == Some(&OnCommit::Drop);
        if self.relations.iter().any(|r| dropped(&r.oid)) {
            self.relations.retain(|r| !dropped(&r.oid));
            self.composed = None;
        }
        for relation in &self.relations {
            let Some(mut writes) = transaction.take_writes(relation.oid) else { continue };
            if self.on_commit.get(&relation.oid) == Some(&OnCommit::DeleteRows) && !writes.is_clean() {
                writes.truncate()?;
            }
            self.rows.insert(relation.oid, writes);
        }
        let kept = &self.relations;
        self.on_commit.retain(|oid, _| kept.iter().any(|r| r.oid == *oid));
        Ok(())
    }

    /// DISCARD TEMP.
    pub fn clear(&mut self) {
        let namespace = self.namespace.take();
        *self = Self { namespace, ..Self::default() };
    }
}
