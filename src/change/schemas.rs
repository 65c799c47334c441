//! The types that each silver table has now, shared between the engine, which writes them, and the decoders, which read
//! them for every batch.

use crate::types::TableSchema;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;

/// `schema.table` → the table's columns at this moment. Reads are wait-free; a write copies the map of pointers.
///
/// A decoder may still be a batch ahead of the engine: what it has learnt and not yet seen here, it remembers itself.
#[derive(Debug, Default)]
pub struct Schemas(ArcSwap<HashMap<Arc<str>, Arc<TableSchema>>>);

impl Schemas {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get(&self, table: &str) -> Option<Arc<TableSchema>> {
        self.0.load().get(table).map(Arc::clone)
    }

    pub fn set(&self, table: Arc<str>, schema: Arc<TableSchema>) {
        self.0.rcu(|old| {
            let mut new = HashMap::clone(old);
            new.insert(Arc::clone(&table), Arc::clone(&schema));
            new
        });
    }

    pub fn remove(&self, table: &str) {
        self.0.rcu(|old| {
            let mut new = HashMap::clone(old);
            new.remove(table);
            new
        });
    }
}
