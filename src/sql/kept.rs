//! The result of a query, kept until a relation that it reads changes: what a dashboard asks again and again.
//!
//! Only results of queries that depend on nothing but their relations (no clock, session or catalog, no parameters),
//! and only small ones; they go with their plan when that leaves the plan cache.

use super::transaction::View;
use crate::catalog::RelationKind;
use crate::change::Tick;
use crate::types::Oid;
use arrow::array::RecordBatch;
use parking_lot::Mutex;

/// Larger results are not kept, in bytes.
const MOST: usize = 64 << 10;

/// In which tick each relation last changed.
pub type Versions = Vec<(Oid, Tick)>;

/// The relations that a query reads, and its newest small result.
#[derive(Debug)]
pub struct Kept {
    relations: Vec<Oid>,
    result: Mutex<Option<(Versions, Vec<RecordBatch>)>>,
}

impl Kept {
    pub fn new(relations: Vec<Oid>) -> Self {
        Self { relations, result: Mutex::default() }
    }

    /// What a result over this view is good for; `None` where it must not be kept.
    pub fn versions(&self, view: &View) -> Option<Versions> {
        let mut versions = Vec::with_capacity(self.relations.len());
        for oid in &self.relations {
            // The relations below a plain view are in the list too.
            if view.catalog.relation(*oid)?.kind != RelationKind::View {
                versions.push((*oid, view.snapshot.changed_tick(*oid)?));
            }
        }
        (!versions.is_empty()).then_some(versions)
    }

    pub fn get(&self, versions: &Versions) -> Option<Vec<RecordBatch>> {
        let result = self.result.lock();
        result.as_ref().filter(|(known, _)| known == versions).map(|(_, batches)| batches.clone())
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

    pub fn take(&mut self, batch: &RecordBatch) {
        // What a slice holds of its buffers counts whole: it would be kept whole.
        self.bytes = self.bytes.saturating_add(batch.get_array_memory_size());
        match self.bytes <= MOST {
            true => self.batches.push(batch.clone()),
            false => self.batches.clear(),
        }
    }

    pub fn whole(self) -> Option<Vec<RecordBatch>> {
        (self.bytes <= MOST).then_some(self.batches)
    }
}
