//! Queries through parse, bind, lower and DataFusion, against the answers that PostgreSQL 15 gave.
//!
//! `cases.txt` holds statements with PostgreSQL's columns (`name:type`), rows or error; `tests/scripts/bind_cases.py`
//! writes it from a running server.

use super::*;
use crate::catalog::{NewRelation, PUBLIC};
use crate::types::codec::text_of;
use crate::types::{Column, TableSchema};
use arrow::array::{ArrayRef, RecordBatch};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

struct Tables(HashMap<Oid, RecordBatch>);

impl Relations for Tables {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        _filters: &[datafusion::logical_expr::Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let batch = self.0[&oid].clone();
        let plan = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), projection.cloned())?;
        Ok(plan)
    }
}
