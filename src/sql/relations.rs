//! The relations that one statement reads.

use super::context::StatementContext;
use super::database::Database;
use super::transaction::View;
use crate::bind::Relations;
use crate::catalog::RelationKind;
use crate::types::{Oid, PgError, SqlState};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Stored relations from the snapshot; system relations from the statement's own catalog.
pub struct SnapshotRelations {
    view: View,
    partitions: usize,
    #[allow(dead_code)]
    context: Arc<StatementContext>,
}

impl SnapshotRelations {
    pub fn new(database: &Arc<Database>, view: &View, context: &Arc<StatementContext>) -> Self {
        Self { view: view.clone(), partitions: database.query_threads, context: Arc::clone(context) }
    }
}

impl Relations for SnapshotRelations {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let relation = self
            .view
            .catalog
            .relation(oid)
            .ok_or_else(|| DataFusionError::from(PgError::internal(format!("no relation with OID {oid}"))))?;
        if relation.kind == RelationKind::System {
            return Err(PgError::unsupported(format!("system relation \"{}\"", relation.name)).into());
        }
        let made_here = self.view.changed && self.view.snapshot.catalog().relation(oid).is_none();
        if made_here {
            let message =
                format!("materialized view \"{}\" is not filled before its transaction commits", relation.name);
            let error = PgError::new(SqlState::OBJECT_NOT_IN_STATE, message);
            return Err(error.hint("COMMIT first, then read it.").into());
        }
        self.view.snapshot.scan(oid, projection, filters, self.partitions)
    }
}
