//! What SQL leaves open is fixed when a view is bound, so that a batch run and the operators choose alike.
//!
//! | open | fixed as |
//! |---|---|
//! | which of equal rows ORDER BY … LIMIT takes | further sort keys: all columns |
//! | which rows LIMIT without ORDER BY takes | the first by all columns |
//! | the order of peers under a window function | all columns, after the window's own keys |
//! | the order in which an aggregate takes its rows (`array_agg`, …) | its ORDER BY, then its arguments |
//! | the rounding of sums of floats, which depends on their order | exact sums, rounded once; variances in the order of the values |

use crate::kernels;
use crate::types::PgResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::{Aggregate, Expr, Limit, LogicalPlan, Sort, Window};
use std::sync::Arc;

/// See the module. `plan` is an optimised one.
pub fn canonical(plan: LogicalPlan) -> PgResult<LogicalPlan> {
    Ok(plan
        .transform_up(|node| {
            Ok(Transformed::yes(match node {
                LogicalPlan::Sort(sort) => LogicalPlan::Sort(total(sort)),
                LogicalPlan::Limit(limit) if !is_sorted(&limit.input) => {
                    let sort = Sort { expr: vec![], input: limit.input, fetch: None };
                    LogicalPlan::Limit(Limit { input: Arc::new(LogicalPlan::Sort(total(sort))), ..limit })
                }
                LogicalPlan::Window(window) => sorted_window(window)?,
                LogicalPlan::Aggregate(aggregate) => ordered_calls(aggregate)?,
                other => return Ok(Transformed::no(other)),
            }))
        })?
        .data)
}

fn ascending(expr: Expr) -> SortExpr {
    SortExpr::new(expr, true, false)
}

/// The columns that `exprs` lack, as last sort keys.
fn columns_after(mut exprs: Vec<SortExpr>, schema: &DFSchema) -> Vec<SortExpr> {
    for (qualifier, field) in schema.iter() {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        if !exprs.iter().any(|sort| sort.expr == column) {
            exprs.push(ascending(column));
        }
    }
    exprs
}

fn total(sort: Sort) -> Sort {
    Sort { expr: columns_after(sort.expr, sort.input.schema()), ..sort }
}

/// Does the order of a sort come through?
fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(node) => is_sorted(&node.input),
        LogicalPlan::SubqueryAlias(node) => is_sorted(&node.input),
        LogicalPlan::Filter(node) => is_sorted(&node.input),
        _ => false,
    }
}

/// The window call of an expression of a window node.
pub fn window_call(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::WindowFunction(call) => Some(call),
        Expr::Alias(alias) => window_call(&alias.expr),
        _ => None,
    }
}

fn sorted_window(window: Window) -> Result<LogicalPlan> {
    let Some(call) = window.window_expr.first().and_then(window_call) else { return Ok(LogicalPlan::Window(window)) };
    let mut exprs: Vec<SortExpr> = Vec::new();
    let partition = call.params.partition_by.iter().cloned().map(ascending);
    for sort in partition.chain(call.params.order_by.iter().cloned()) {
        if !exprs.iter().any(|known| known.expr == sort.expr) {
            exprs.push(sort);
        }
    }
    let expr = columns_after(exprs, window.input.schema());
    let input = LogicalPlan::Sort(Sort { expr, input: window.input, fetch: None });
    Ok(LogicalPlan::Window(Window { input: Arc::new(input), ..window }))
}

fn ordered_calls(aggregate: Aggregate) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let aggr_expr = aggr_expr.into_iter().map(|expr| {
        let name = expr.schema_name().to_string();
        let ordered = expr.transform_up(|expr| match expr {
            Expr::AggregateFunction(call) => Ok(Transformed::yes(Expr::AggregateFunction(ordered(call)))),
            other => Ok(Transformed::no(other)),
        })?;
        let same = ordered.data.schema_name().to_string() == name;
        Ok(if same { ordered.data } else { ordered.data.alias(name) })
    });
    let aggr_expr = aggr_expr.collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Aggregate(Aggregate::try_new_with_schema(input, group_expr, aggr_expr, schema)?))
}

fn ordered(mut call: AggregateFunction) -> AggregateFunction {
    if let Some(steady) = kernels::steady(&call.func) {
        call.func = steady;
    }
    if call.func.order_sensitivity().is_insensitive() {
        return call;
    }
    for arg in call.params.args.clone() {
        let known = call.params.order_by.iter().any(|sort| sort.expr == arg);
        if !known && !matches!(arg, Expr::Literal(..)) {
            call.params.order_by.push(ascending(arg));
        }
    }
    call
}
