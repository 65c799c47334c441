//! Constants that cannot be computed: `1 / 0` fails when a query is planned, as in PostgreSQL, whether it has rows or not.
//!
//! DataFusion's optimizer leaves such an expression as it is, to fail when a first row, or an empty batch, meets it: the same
//! query would fail by one plan and not by another. What CASE and coalesce may pass over is left to them.

use super::lower::one_row;
use crate::types::PgResult;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_expr::create_physical_expr;

/// The error of the first constant in an optimised plan that cannot be computed: class 22 alone.
pub fn refuse_failing(plan: &LogicalPlan, state: &SessionState) -> PgResult<()> {
    let one = one_row()?;
    let nothing = DFSchema::empty();
    let compute = |expr: &Expr| -> PgResult<()> {
        let physical = create_physical_expr(expr, &nothing, state.execution_props(), &Default::default())?;
        physical.evaluate(&one)?;
        Ok(())
    };
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|root| {
            root.apply(|expr| match expr {
                Expr::Literal(..) | Expr::Case(_) => Ok(TreeNodeRecursion::Jump),
                Expr::ScalarFunction(call) if call.name().starts_with("coalesce") => Ok(TreeNodeRecursion::Jump),
                expr if is_constant(expr) => match compute(expr) {
                    Err(error) if error.state.as_str().starts_with("22") => Err(error.into()),
                    _ => Ok(TreeNodeRecursion::Jump),
                },
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

/// Made of operators, casts and immutable functions over literals alone.
fn is_constant(expr: &Expr) -> bool {
    let varies = expr.exists(|expr| {
        Ok(match expr {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::Literal(..)
            | Expr::Alias(_)
            | Expr::BinaryExpr(_)
            | Expr::Cast(_)
            | Expr::Not(_)
            | Expr::Negative(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_) => false,
            _ => true,
        })
    });
    !varies.unwrap_or(true)
}
