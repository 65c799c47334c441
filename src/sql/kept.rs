//! The result of a query, kept until something that it was made from changes: what a dashboard asks again and again, and
//! what each new connection of a tool asks of the catalogs.
//!
//! Only results of queries that depend on nothing but their relations, the catalog and who asks (no clock, no state of the
//! process, no parameters), and only small ones; they go with their plan when that leaves the plan cache.

use super::transaction::View;
use crate::catalog::RelationKind;
use crate::change::Tick;
use crate::pg_catalog::{Asker, Basis, RowCache};
use crate::types::{Oid, PgResult};
use arrow::array::{RecordBatch, UInt32Array};
use parking_lot::Mutex;

/// Larger results are not kept, in bytes.
const MOST: usize = 64 << 10;

/// What a result is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// In which tick each relation last changed.
    stored: Vec<(Oid, Tick)>,
    /// What system relations and functions of the catalog gave rows for.
    system: Option<Basis>,
}

/// The relations that a query reads, and its newest small result.
#[derive(Debug)]
pub struct Kept {
    relations: Vec<Oid>,
    /// It calls functions that look into the catalog.
    asks: bool,
    result: Mutex<Option<(Versions, Vec<RecordBatch>)>>,
}

impl Kept {
    pub fn new(relations: Vec<Oid>, asks: bool) -> Self {
        Self { relations, asks, result: Mutex::default() }
    }

    /// What a result over this view is good for; `None` where it must not be kept.
    pub fn versions(&self, view: &View, system: &RowCache, asker: impl FnOnce() -> Asker) -> Option<Versions> {
        let mut stored = Vec::with_capacity(self.relations.len());
        let mut of_system = Vec::new();
        for oid in &self.relations {
            match view.catalog.relation(*oid)?.kind {
                // The relations below a plain view are in the list too.
                RelationKind::View => {}
                RelationKind::System => of_system.push(*oid),
                _ => stored.push((*oid, view.snapshot.changed_tick(*oid)?)),
            }
        }
        let system = match of_system.is_empty() && !self.asks {
            true => None,
            false => {
                let (version, tick) = (view.catalog.version(), view.snapshot.tick().0);
                Some(system.basis(&of_system, self.asks, version, tick, asker)?)
            }
        };
        (!stored.is_empty() || system.is_some()).then_some(Versions { stored, system })
    }

    pub fn get(&self, versions: &Versions) -> Option<Vec<RecordBatch>> {
        let result = self.result.lock();
        result.as_ref().filter(|(known, _)| known == versions).map(|(_, batches)| batches.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.result.lock().is_none()
    }

    pub fn put(&self, versions: Versions, batches: Vec<RecordBatch>) {
        *self.result.lock() = Some((versions, batches));
    }
}

/// A result on its way to the client, as far as it is small enough to be kept.
pub struct Keeper {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

impl Keeper {
    pub fn new() -> Self {
        Self { batches: Vec::new(), bytes: 0 }
    }

    pub fn take(&mut self, batch: &RecordBatch) -> PgResult<()> {
        if self.bytes > MOST {
            return Ok(());
        }
        // What a slice holds of its buffers counts whole: it would be kept whole. A few rows are copied out of theirs.
        let few = batch.num_rows() <= MOST / 64 && batch.get_array_memory_size() > MOST / 16;
        let batch = match few {
            true => {
                let rows = UInt32Array::from_iter_values(0..batch.num_rows() as u32);
                arrow::compute::take_record_batch(batch, &rows)?
            }
            false => batch.clone(),
        };
        self.bytes = self.bytes.saturating_add(batch.get_array_memory_size());
        match self.bytes <= MOST {
            true => self.batches.push(batch),
            false => self.batches.clear(),
        }
        Ok(())
    }

    pub fn whole(self) -> Option<Vec<RecordBatch>> {
        (self.bytes <= MOST).then_some(self.batches)
    }
}
