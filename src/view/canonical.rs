//! What SQL leaves open is fixed when a view is bound, so that a batch run and the operators choose alike.
//!
//! | open | fixed as |
//! |---|---|
//! | which of equal rows ORDER BY … LIMIT takes | further sort keys: all columns |
//! | which rows LIMIT without ORDER BY takes | the first by all columns |
//! | the order of peers under a window function that tells them apart | all columns, after the window's own keys |
//! | the order in which an aggregate takes its rows (`array_agg`, …) | its ORDER BY, then its arguments |
//! | the rounding of sums of floats, which depends on their order | exact sums, rounded once; variances in the order of the values |

use crate::kernels;
use crate::types::PgResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::{Aggregate, Expr, Limit, LogicalPlan, Projection, Sort, Window, WindowFrameUnits};
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

/// Gives the calls to which the order among peers matters further sort keys. A node's calls have one order: those that
/// must keep theirs go into a node of their own.
fn sorted_window(window: Window) -> Result<LogicalPlan> {
    let Window { input, window_expr, schema } = window;
    let (open, fixed): (Vec<Expr>, Vec<Expr>) =
        window_expr.into_iter().partition(|expr| window_call(expr).is_some_and(depends_on_peers));
    if open.is_empty() {
        return Ok(LogicalPlan::Window(Window { input, window_expr: fixed, schema }));
    }
    let keys = Arc::clone(input.schema());
    let ordered = open.into_iter().map(|expr| {
        let name = expr.schema_name().to_string();
        let ordered = expr.transform_up(|expr| match expr {
            Expr::WindowFunction(mut call) => {
                let order_by = std::mem::take(&mut call.params.order_by);
                call.params.order_by = columns_after(order_by, &keys);
                Ok(Transformed::yes(Expr::WindowFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(match ordered.data {
            Expr::Alias(alias) => Expr::Alias(alias),
            call => call.alias(name),
        })
    });
    let ordered = ordered.collect::<Result<Vec<_>>>()?;
    let lower = match fixed.is_empty() {
        true => input,
        false => Arc::new(LogicalPlan::Window(Window::try_new(fixed, input)?)),
    };
    let whole = LogicalPlan::Window(Window::try_new(ordered, lower)?);
    let columns = schema.iter().map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())));
    Ok(LogicalPlan::Projection(Projection::try_new_with_schema(columns.collect(), Arc::new(whole), schema)?))
}

/// Do the rows' places among equals matter to the call, and may they be told apart without changing what its peers are?
fn depends_on_peers(call: &WindowFunction) -> bool {
    let frame = &call.params.window_frame;
    let name = call.fun.name();
    matches!(name, "row_number" | "lag" | "lead" | "ntile")
        || (frame.units == WindowFrameUnits::Rows
            && !matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist"))
        || (name == "first_value" && frame.start_bound.is_unbounded())
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
    if !kernels::takes_rows_in_order(&call.func) {
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
