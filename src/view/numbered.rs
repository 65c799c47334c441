//! Which window nodes have a `row_number()` of which a filter above them lets only the first few pass.

use super::canonical::window_call;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator, Window};

/// The window node and how many rows of a partition pass, where all that lies between it and the filter gives its rows one by one.
pub fn numbered(filter: &Filter) -> Option<(&Window, usize)> {
    split_conjunction(&filter.predicate).into_iter().find_map(|condition| {
        let (column, most) = at_most(condition)?;
        let index = filter.input.schema().maybe_index_of_column(column)?;
        let window = window_of(&filter.input, index)?;
        Some((window, usize::try_from(most).ok()?.max(1)))
    })
}

/// `column <= most`, however it is written.
fn at_most(condition: &Expr) -> Option<(&Column, i128)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (column, op, value) = match (column(left), column(right)) {
        (Some(column), None) => (column, *op, integer(right)?),
        (None, Some(column)) => (column, op.swap()?, integer(left)?),
        _ => return None,
    };
    match op {
        Operator::Eq | Operator::LtEq => Some((column, value)),
        Operator::Lt => Some((column, value - 1)),
        _ => None,
    }
}

/// The column that an expression is, perhaps as another type of integer.
fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        Expr::Cast(cast) if cast.field.data_type().is_integer() => column(&cast.expr),
        _ => None,
    }
}

fn integer(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Cast(cast) if cast.field.data_type().is_integer() => integer(&cast.expr),
        Expr::Literal(ScalarValue::Int16(value), _) => value.map(i128::from),
        Expr::Literal(ScalarValue::Int32(value), _) => value.map(i128::from),
        Expr::Literal(ScalarValue::Int64(value), _) => value.map(i128::from),
        Expr::Literal(ScalarValue::UInt64(value), _) => value.map(i128::from),
        _ => None,
    }
}

/// The window node whose one call, a `row_number()`, is this column of the plan.
fn window_of(plan: &LogicalPlan, index: usize) -> Option<&Window> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => window_of(&alias.input, index),
        LogicalPlan::Filter(filter) => window_of(&filter.input, index),
        LogicalPlan::Projection(node) => {
            let below = node.input.schema().maybe_index_of_column(column(node.expr.get(index)?)?)?;
            window_of(&node.input, below)
        }
        LogicalPlan::Window(window) => {
            let [call] = window.window_expr.as_slice() else { return None };
            let is_number = window_call(call).is_some_and(|call| call.fun.name() == "row_number");
            (is_number && index == window.input.schema().fields().len()).then_some(window)
        }
        _ => None,
    }
}
