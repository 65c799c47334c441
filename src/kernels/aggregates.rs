//! Aggregates: DataFusion's own where they give PostgreSQL's value, ours otherwise.

use super::facts::facts;
use super::kernel::no_kernel;
use crate::types::{ExprType, Oid, PgResult};
use arrow::datatypes::DataType;
use datafusion::logical_expr::AggregateUDF;
use std::sync::Arc;

/// An aggregate, ready to be put into a plan.
#[derive(Debug, Clone)]
pub struct AggregateKernel {
    pub udf: Arc<AggregateUDF>,
    /// The storage that each argument must have.
    pub args: Vec<DataType>,
    pub result: ExprType,
}

/// The kernel of an aggregate by its `pg_proc` OID. `count(*)` takes no argument types.
pub fn aggregate(proc: Oid, args: &[ExprType]) -> PgResult<AggregateKernel> {
    let name = facts().proc_row(proc).map_or("?", |r| r.name);
    Err(no_kernel(name, args))
}
