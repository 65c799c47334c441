//! What SQL leaves open is fixed when a view is bound, so that a batch run and the operators choose alike.
//!
//! | open | fixed as |
//! |---|---|
//! | which of equal rows ORDER BY … LIMIT takes | further sort keys: all columns |
//! | which rows LIMIT without ORDER BY takes | the first by all columns |
//! | the order of peers under a window function that tells them apart | all columns, after the window's own keys |
//! | the order of peers within a RANGE or GROUPS frame (`last_value`, `array_agg`) | a number for each row below the window, by all columns |
//! | the order in which an aggregate takes its rows (`array_agg`, …) | its ORDER BY, then its arguments |
//! | the rounding of sums of floats, which depends on their order | exact sums, rounded once; variances in the order of the values |

use crate::kernels;
use crate::types::PgResult;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort as SortExpr, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, Limit, LogicalPlan, Projection, Sort, Window, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowFunctionDefinition,
};
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
    let columns = schema.iter().map(|(qualifier, field)| Expr::Column(Column::new(qualifier.cloned(), field.name())));
    let shown = |plan: LogicalPlan| {
        let projection = Projection::try_new_with_schema(columns.collect(), Arc::new(plan), Arc::clone(&schema))?;
        Ok(LogicalPlan::Projection(projection))
    };
    let fixed = match (fixed.is_empty(), numbered_peers(&input, &fixed)?) {
        (_, Some(numbered)) => Some(Window::try_new(fixed, Arc::new(LogicalPlan::Window(numbered)))?),
        (false, None) if open.is_empty() => {
            return Ok(LogicalPlan::Window(Window { input, window_expr: fixed, schema: Arc::clone(&schema) }));
        }
        (false, None) => Some(Window::try_new(fixed, Arc::clone(&input))?),
        (true, None) => None,
    };
    if let (true, Some(fixed)) = (open.is_empty(), &fixed) {
        return shown(LogicalPlan::Window(fixed.clone()));
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
    let lower = fixed.map_or(input, |fixed| Arc::new(LogicalPlan::Window(fixed)));
    shown(LogicalPlan::Window(Window::try_new(ordered, lower)?))
}

/// What the numbers of peers are called.
const PEERS: &str = "order of peers";

/// Whether a window node only brings the rows in order for the one above it.
pub fn orders_peers(window: &Window) -> bool {
    matches!(window.window_expr.as_slice(), [Expr::Alias(alias)] if alias.name == PEERS)
}

/// Where a call looks at its peers in some order, a node below it that numbers the rows by all columns: what needs that order
/// gives it to the node above too, while a further key of that node would take its peers apart, and a mere sort is left out.
fn numbered_peers(input: &Arc<LogicalPlan>, calls: &[Expr]) -> Result<Option<Window>> {
    let mut ordered = None;
    for call in calls.iter().filter_map(window_call) {
        if looks_at_peers_in_order(call, input.schema())? {
            ordered = Some(call);
        }
    }
    let Some(call) = ordered else { return Ok(None) };
    let unbounded = WindowFrameBound::Preceding(ScalarValue::UInt64(None));
    let params = WindowFunctionParams {
        args: vec![],
        partition_by: call.params.partition_by.clone(),
        order_by: columns_after(call.params.order_by.clone(), input.schema()),
        window_frame: WindowFrame::new_bounds(WindowFrameUnits::Rows, unbounded, WindowFrameBound::CurrentRow),
        filter: None,
        null_treatment: None,
        distinct: false,
    };
    let fun = WindowFunctionDefinition::WindowUDF(row_number_udwf());
    let number = Expr::from(WindowFunction { fun, params }).alias(PEERS);
    Window::try_new(vec![number], Arc::clone(input)).map(Some)
}

/// Does the result of a call depend on the order of rows that its window does not tell apart?
fn looks_at_peers_in_order(call: &WindowFunction, schema: &DFSchema) -> Result<bool> {
    if call.params.window_frame.units == WindowFrameUnits::Rows {
        return Ok(false);
    }
    let WindowFunctionDefinition::AggregateUDF(udf) = &call.fun else {
        let name = call.fun.name();
        return Ok(!matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "row_number" | "ntile"));
    };
    let mut exact = !kernels::takes_rows_in_order(udf);
    for arg in &call.params.args {
        let ty = arg.get_type(schema)?;
        exact &= ty.is_integer()
            || ty.is_temporal()
            || matches!(ty, DataType::Decimal128(..) | DataType::Boolean | DataType::Utf8);
    }
    Ok(!exact && udf.name() != "count")
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
