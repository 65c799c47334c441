//! Window functions of one node want their rows in one order.
//!
//! DataFusion puts those of one order together and plans a node by its first; its optimizer may afterwards write the keys of some in
//! another way (a common subexpression, a constant) than those of others.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::utils::generate_sort_key;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Window};
use std::sync::Arc;

/// Each key, and whether it is one of PARTITION BY.
type SortKeys = Vec<(Sort, bool)>;

/// Takes nodes apart whose calls differ in their keys.
pub fn one_order_each(plan: LogicalPlan) -> Result<LogicalPlan> {
    let apart = |node| match node {
        LogicalPlan::Window(window) if window.window_expr.len() > 1 => taken_apart(window),
        other => Ok(Transformed::no(other)),
    };
    Ok(plan.transform_up(apart)?.data)
}

fn taken_apart(window: Window) -> Result<Transformed<LogicalPlan>> {
    let mut groups: Vec<(SortKeys, Vec<Expr>)> = Vec::new();
    for call in &window.window_expr {
        let keys = sort_keys(call)?;
        match groups.iter_mut().find(|(known, _)| *known == keys) {
            Some((_, calls)) => calls.push(call.clone()),
            None => groups.push((keys, vec![call.clone()])),
        }
    }
    if groups.len() == 1 {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let Window { input, schema, .. } = window;
    let mut plan = input;
    for (_, calls) in groups {
        plan = Arc::new(LogicalPlan::Window(Window::try_new(calls, plan)?));
    }
    let columns = schema.iter().map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())));
    let shown = Projection::try_new_with_schema(columns.collect(), plan, Arc::clone(&schema))?;
    Ok(Transformed::yes(LogicalPlan::Projection(shown)))
}

fn sort_keys(call: &Expr) -> Result<SortKeys> {
    match call {
        Expr::Alias(alias) => sort_keys(&alias.expr),
        Expr::WindowFunction(call) => generate_sort_key(&call.params.partition_by, &call.params.order_by),
        _ => Ok(vec![]),
    }
}
