//! The immutable state of the whole database at one tick: what a query reads.

use super::scan::{self, RelationScan};
use super::status::{Status, ViewPhase, ViewState};
use crate::catalog::{Catalog, RelationKind};
use crate::change::Tick;
use crate::lake::LakeFiles;
use crate::store::TableSnapshot;
use crate::types::{Oid, PgError, SqlState, TableSchema};
use arrow::array::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::HashMap;
use std::sync::Arc;

/// The rows of an append-only table: what is in the lake, and what no flush has written yet.
#[derive(Clone)]
pub struct LakeAndTail {
    /// Columns as they lie in files and tail.
    pub schema: Arc<TableSchema>,
    pub files: Option<Arc<LakeFiles>>,
    pub tail: Arc<[RecordBatch]>,
}

/// The rows of one relation at one tick.
#[derive(Clone)]
pub enum RelationData {
    Hot(TableSnapshot),
    Appended(LakeAndTail),
}

impl RelationData {
    pub fn rows(&self) -> u64 {
        match self {
            Self::Hot(table) => table.len() as u64,
            Self::Appended(appended) => {
                let tail: usize = appended.tail.iter().map(RecordBatch::num_rows).sum();
                appended.files.as_ref().map_or(0, |f| f.rows()) + tail as u64
            }
        }
    }
}

/// See the module. Cheap to hold: everything in it is shared.
pub struct Snapshot {
    pub tick: Tick,
    /// When the tick was published, µs since 1970.
    pub at_us: i64,
    pub catalog: Arc<Catalog>,
    pub status: Arc<Status>,
    pub(super) relations: HashMap<Oid, RelationData>,
}

impl Snapshot {
    /// The hot table of a relation, for key look-ups; `None` for bronze, views and system relations.
    pub fn table(&self, oid: Oid) -> Option<&TableSnapshot> {
        match self.relations.get(&oid) {
            Some(RelationData::Hot(table)) => Some(table),
            _ => None,
        }
    }

    pub fn rows(&self, oid: Oid) -> Option<u64> {
        self.relations.get(&oid).map(RelationData::rows)
    }

    /// A plan that reads a relation of this snapshot. `filters` are hints: rows that fail them may still come.
    ///
    /// Errors: for a gold view whose query fails at this tick, that error; `55000` for one that is being filled, `53200` for one
    /// that was given up at the memory limit.
    pub fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        if let Some(view) = self.status.views.iter().find(|v| v.oid == oid) {
            self.readable(view)?;
        }
        let data = self.relations.get(&oid).ok_or_else(|| self.without_rows(oid))?;
        RelationScan::plan(data, projection, filters, partitions).map(|scan| Arc::new(scan) as Arc<dyn ExecutionPlan>)
    }

    /// Where a gold view has no rows to show: its query's error, `55000` or `53200`.
    pub(super) fn readable(&self, view: &ViewState) -> Result<(), PgError> {
        match &view.phase {
            ViewPhase::Live => Ok(()),
            ViewPhase::Hydrating => Err(self.hydrating_view(view.oid)),
            ViewPhase::Error(error) => Err(self.failing_view(view.oid, error)),
            ViewPhase::OutOfMemory(reason) => Err(self.view_without_memory(view.oid, reason)),
        }
    }

    /// The name of a relation for messages.
    pub(super) fn name_of(&self, oid: Oid) -> String {
        self.catalog.relation(oid).map_or_else(|| oid.to_string(), |r| self.catalog.qualified_name(r))
    }

    fn view_without_memory(&self, oid: Oid, reason: &str) -> PgError {
        let name = self.name_of(oid);
        PgError::new(SqlState::OUT_OF_MEMORY, format!("materialized view \"{name}\" is out of memory"))
            .detail(reason)
            .hint("It is filled again when there is room for it: see sluice.memory, and [limits] memory.")
    }

    fn failing_view(&self, oid: Oid, error: &PgError) -> PgError {
        let message = format!("materialized view \"{}\" is in error: {}", self.name_of(oid), error.message);
        let detail = error.rest.as_ref().and_then(|rest| rest.detail.clone());
        PgError::new(error.state, message)
            .detail(detail.unwrap_or_else(|| "Its query fails over the present rows.".to_string()))
            .hint("The view heals when the rows that it fails on change; see sluice.views.")
    }

    fn without_rows(&self, oid: Oid) -> PgError {
        match self.catalog.relation(oid) {
            Some(relation) if relation.kind == RelationKind::System => {
                PgError::unsupported(format!("reading system relation \"{}\" here", relation.name))
            }
            Some(relation) => PgError::internal(format!("relation \"{}\" has no data", relation.name)),
            None => PgError::internal(format!("no relation with OID {oid} at tick {}", self.tick)),
        }
    }
}

/// A snapshot as what bound plans read from, for everything but system relations.
pub struct SnapshotRelations {
    pub snapshot: Arc<Snapshot>,
    pub partitions: usize,
}

impl crate::bind::Relations for SnapshotRelations {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.snapshot.scan(oid, projection, filters, self.partitions)
    }
}

pub use scan::bronze_columns;
