//! The engine as the storage of statements.

use super::storage::{CatalogChange, Storage, StorageSnapshot};
use crate::catalog::Catalog;
use crate::change::Tick;
use crate::engine::{EngineHandle, Snapshot};
use crate::types::{Oid, PgResult};
use async_trait::async_trait;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

#[async_trait]
impl Storage for EngineHandle {
    fn snapshot(&self) -> Arc<dyn StorageSnapshot> {
        EngineHandle::snapshot(self)
    }

    async fn change_catalog(&self, change: CatalogChange) -> PgResult<()> {
        EngineHandle::change_catalog(self, change).await
    }
}

impl StorageSnapshot for Snapshot {
    fn tick(&self) -> Tick {
        self.tick
    }

    fn at_us(&self) -> i64 {
        self.at_us
    }

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        Snapshot::scan(self, oid, projection, filters, partitions)
    }

    fn relation_bytes(&self, oid: Oid) -> Option<u64> {
        self.status.tables.iter().find(|table| table.oid == oid).map(|table| table.bytes)
    }
}
