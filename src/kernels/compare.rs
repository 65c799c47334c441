//! Comparisons where storage is not compared as PostgreSQL compares.

use super::facts::OperatorRow;
use super::kernel::ScalarKernel;
use crate::types::{ExprType, PgResult};
use datafusion::logical_expr::Operator;

/// A kernel for a comparison between these types, if there is one.
pub fn comparison(
    _comparison: Operator,
    _op: &OperatorRow,
    _left: &ExprType,
    _right: &ExprType,
) -> PgResult<Option<ScalarKernel>> {
    Ok(None)
}
