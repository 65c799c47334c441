//! A relation in a plan: a name without data, so that a plan outlives the tick it was made at.

use crate::types::Oid;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The relations of one snapshot, as a statement reads them.
pub trait Relations: Send + Sync {
    /// The rows of relation `oid`. `projection`: which of its columns, in this order. `filters` are conjuncts over the
    /// relation's own column names that may be used to read less; they are applied again above. `limit`: that many rows
    /// are enough.
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>>;
}

/// What goes into `SessionConfig::with_extension`: `RelationsExtension(Arc<dyn Relations>)` in an `Arc`.
pub struct RelationsExtension(pub Arc<dyn Relations>);

/// A relation by its OID; [`TableProvider::scan`] asks the session's [`RelationsExtension`] for the rows.
#[derive(Debug, Clone)]
pub struct RelationProvider {
    pub oid: Oid,
    pub schema: SchemaRef,
}

#[async_trait]
impl TableProvider for RelationProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let relations = state
            .config()
            .get_extension::<RelationsExtension>()
            .ok_or_else(|| DataFusionError::Internal(format!("relation {} was read without a snapshot", self.oid)))?;
        // The relation may have got more columns since the plan was made.
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        relations.0.scan(self.oid, Some(projection.unwrap_or(&all)), filters, limit)
    }
}
