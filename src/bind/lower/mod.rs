//! Typed tree → DataFusion's `LogicalPlan`.
//!
//! A column with id *n* is the unqualified field `c<n>`; every operator gets operands of exact types, so no coercion
//! runs. Where PostgreSQL's equality or order is not the storage's, keys ([`crate::kernels::equality_key`]) stand in for
//! grouping, distinctness, partitions and sorting.

mod expr;
mod guard;

use super::BoundQuery;
use super::relation::RelationProvider;
use super::tree::{
    Aggregate, ColId, Expr, Frame, FrameUnits, Join, JoinKind, Rel, ScanColumn, SetOp, SortKey, WindowCall,
};
use super::tree::{Bound, WindowFunction};
use crate::types::{ExprType, Oid, PgError, PgResult};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::{Column, JoinType, NullEquality, NullHandling, ScalarValue, TableReference, UnnestOptions};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::expr::{AggregateFunction, Case, GroupingSet, Sort, WindowFunctionParams};
use datafusion::logical_expr::{
    Aggregate as AggregatePlan, Expr as Df, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowFunctionDefinition, lit,
};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use expr::constant;
pub use expr::one_row;
use expr::{cast, column, key, lower_expr, name};

/// The plan of a query: fields `c1`, `c2`, … in the order and storage of [`BoundQuery::columns`]; parameters are
/// placeholders `$n`.
pub fn lower(query: &BoundQuery) -> PgResult<LogicalPlan> {
    let plan = rel(&query.rel)?;
    let outputs = query.outputs.iter().enumerate().map(|(i, id)| column(*id).alias(format!("c{}", i + 1)));
    let plan = LogicalPlanBuilder::from(plan).project(outputs.collect::<Vec<_>>())?.build()?;
    for (i, column) in query.columns.iter().enumerate() {
        let made = plan.schema().field(i).data_type();
        if *made != column.ty.storage {
            let message = format!("column {} was planned as {made}, not as {}", column.name, column.ty.storage);
            return Err(PgError::internal(message));
        }
    }
    Ok(plan)
}

fn project(plan: LogicalPlan, exprs: Vec<Df>) -> PgResult<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}

/// All columns of a plan as they are.
fn all(plan: &LogicalPlan) -> Vec<Df> {
    plan.schema().columns().into_iter().map(Df::Column).collect()
}

fn rel(node: &Rel) -> PgResult<LogicalPlan> {
    match node {
        Rel::One => Ok(LogicalPlanBuilder::empty(true).build()?),
        Rel::Scan { oid, columns, .. } => scan(*oid, columns),
        Rel::Values { columns, rows } => values(columns, rows),
        Rel::Project { input, exprs } => {
            let plan = rel(input)?;
            let exprs =
                exprs.iter().map(|(id, e)| Ok(lower_expr(e)?.alias(name(*id)))).collect::<PgResult<Vec<_>>>()?;
            project(plan, exprs)
        }
        Rel::Filter { input, predicates } => {
            let plan = rel(input)?;
            let predicates = predicates.iter().map(lower_expr).collect::<PgResult<Vec<_>>>()?;
            if predicates.is_empty() {
                return Ok(plan);
            }
            Ok(LogicalPlanBuilder::from(plan).filter(guard::all(predicates))?.build()?)
        }
        Rel::Join(node) => join(node),
        Rel::Aggregate(node) => aggregate(node),
        Rel::Window { input, calls } => {
            let plan = rel(input)?;
            let calls =
                calls.iter().map(|(id, _, call)| Ok((window(call)?, name(*id)))).collect::<PgResult<Vec<_>>>()?;
            windowed(plan, calls)
        }
        Rel::Sort { input, keys } => {
            let plan = rel(input)?;
            Ok(LogicalPlanBuilder::from(plan).sort(sort_keys(keys)?)?.build()?)
        }
        Rel::Limit { input, offset, count } => {
            let plan = rel(input)?;
            let offset = offset.as_ref().map(lower_expr).transpose()?;
            let count = count.as_ref().map(lower_expr).transpose()?;
            Ok(LogicalPlanBuilder::from(plan).limit_by_expr(offset, count)?.build()?)
        }
        Rel::RowNumber { input, id, partition_by, order_by } => {
            let partition_by = partition_by.iter().map(partition_key).collect::<PgResult<Vec<_>>>()?;
            numbered(rel(input)?, *id, partition_by, sort_keys(order_by)?)
        }
        Rel::Distinct { input, columns, exact } => distinct(rel(input)?, columns, *exact),
        Rel::SetOp { op, all, left, right, columns } => set_operation(*op, *all, left, right, columns),
        Rel::Unnest { input, lists, ordinality } => unnest(input, lists, *ordinality),
        Rel::Recursive { name, columns, start, step, distinct } => recursive(name, columns, start, step, *distinct),
        Rel::Working { name: table, columns } => {
            let fields = columns.iter().enumerate().map(|(i, (_, ty))| working_field(i, ty));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let source = provider_as_source(Arc::new(CteWorkTable::new(table, schema)));
            let reference = TableReference::bare(table.as_str());
            let plan = LogicalPlanBuilder::scan(reference.clone(), source, None)?.build()?;
            let exprs = columns
                .iter()
                .enumerate()
                .map(|(i, (id, _))| Df::Column(Column::new(Some(reference.clone()), format!("w{i}"))).alias(name(*id)));
            project(plan, exprs.collect())
        }
    }
}

fn scan(oid: Oid, columns: &[ScanColumn]) -> PgResult<LogicalPlan> {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.ty.storage.clone(), true)).collect();
    let provider = RelationProvider { oid, schema: Arc::new(Schema::new(fields)) };
    // Each use of a relation is called differently.
    let table = TableReference::bare(format!("r{}", columns.first().map_or(0, |c| c.id.0)));
    let plan = LogicalPlanBuilder::scan(table.clone(), provider_as_source(Arc::new(provider)), None)?.build()?;
    let exprs =
        columns.iter().map(|c| Df::Column(Column::new(Some(table.clone()), &c.name)).alias(name(c.id))).collect();
    project(plan, exprs)
}

fn values(columns: &[(ColId, ExprType)], rows: &[Vec<Expr>]) -> PgResult<LogicalPlan> {
    let rows =
        rows.iter().map(|r| r.iter().map(lower_expr).collect::<PgResult<Vec<_>>>()).collect::<PgResult<Vec<_>>>()?;
    if columns.is_empty() {
        return Err(PgError::unsupported("VALUES without columns"));
    }
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, (_, ty))| Field::new(format!("v{i}"), ty.storage.clone(), true)).collect();
    let schema = datafusion::common::DFSchema::try_from(Schema::new(fields))?;
    let plan = LogicalPlanBuilder::values_with_schema(rows, &Arc::new(schema))?.build()?;
    let made = plan.schema().columns();
    let exprs = made.into_iter().zip(columns).map(|(c, (id, _))| Df::Column(c).alias(name(*id))).collect();
    project(plan, exprs)
}

fn sort_keys(keys: &[SortKey]) -> PgResult<Vec<Sort>> {
    keys.iter().map(|k| Ok(Sort::new(key(&k.expr)?, !k.descending, k.nulls_first))).collect()
}

/// Ranks of a window function's rows need no more than this.
/// A key of PARTITION BY. Both zeros are one partition; DataFusion, which sorts by the keys, would make two.
fn partition_key(expr: &Expr) -> PgResult<Df> {
    let key = key(expr)?;
    Ok(match expr.ty.storage {
        DataType::Float32 => key + lit(0f32),
        DataType::Float64 => key + lit(0f64),
        _ => key,
    })
}

fn numbered(plan: LogicalPlan, id: ColId, partition_by: Vec<Df>, order_by: Vec<Sort>) -> PgResult<LogicalPlan> {
    let kept = all(&plan);
    let function = datafusion::functions_window::row_number::row_number_udwf();
    let mut call =
        datafusion::logical_expr::expr::WindowFunction::new(WindowFunctionDefinition::WindowUDF(function), Vec::new());
    call.params.partition_by = partition_by;
    call.params.order_by = order_by;
    call.params.window_frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    );
    let raw = format!("n{}", id.0);
    let plan = windowed(plan, vec![(Df::from(call), raw.clone())])?;
    let number = cast(Df::Column(Column::new_unqualified(raw)), &DataType::Int64).alias(name(id));
    project(plan, kept.into_iter().chain([number]).collect())
}

/// The plan's columns and the calls' under the given names. DataFusion groups calls by their windows, and names their
/// columns itself.
fn windowed(plan: LogicalPlan, calls: Vec<(Df, String)>) -> PgResult<LogicalPlan> {
    let mut exprs = all(&plan);
    for (call, name) in &calls {
        exprs.push(Df::Column(Column::new_unqualified(call.schema_name().to_string())).alias(name));
    }
    let plan = LogicalPlanBuilder::window_plan(plan, calls.into_iter().map(|(call, _)| call))?;
    project(plan, exprs)
}

fn window(call: &WindowCall) -> PgResult<Df> {
    let fun = match &call.function {
        WindowFunction::Aggregate(udf) => WindowFunctionDefinition::AggregateUDF(Arc::clone(udf)),
        WindowFunction::Window(udf) => WindowFunctionDefinition::WindowUDF(Arc::clone(udf)),
    };
    let params = WindowFunctionParams {
        args: or_one(call.args.iter().map(lower_expr).collect::<PgResult<_>>()?, &call.function),
        partition_by: call.partition_by.iter().map(partition_key).collect::<PgResult<_>>()?,
        order_by: sort_keys(&call.order_by)?,
        window_frame: frame(&call.frame, &call.order_by)?,
        filter: call.filter.as_ref().map(lower_expr).transpose()?.map(Box::new),
        null_treatment: None,
        distinct: false,
    };
    Ok(Df::from(datafusion::logical_expr::expr::WindowFunction { fun, params }))
}

/// DataFusion has no aggregate without arguments: count(*) is count(1).
fn or_one(args: Vec<Df>, function: &WindowFunction) -> Vec<Df> {
    match function {
        WindowFunction::Aggregate(_) if args.is_empty() => vec![lit(1i64)],
        _ => args,
    }
}

fn frame(frame: &Frame, order_by: &[SortKey]) -> PgResult<WindowFrame> {
    // Without an order all rows are peers: a RANGE or GROUPS frame is then the whole partition, which only ROWS says
    // without a sort key.
    if order_by.is_empty() && frame.units != FrameUnits::Rows {
        return Ok(WindowFrame::new_bounds(
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
            WindowFrameBound::Following(ScalarValue::UInt64(None)),
        ));
    }
    let units = match frame.units {
        FrameUnits::Rows => WindowFrameUnits::Rows,
        FrameUnits::Range => WindowFrameUnits::Range,
        FrameUnits::Groups => WindowFrameUnits::Groups,
    };
    // An untyped bound of a RANGE frame would be compared as something else, silently.
    let unbounded = match (frame.units, order_by.first()) {
        (FrameUnits::Range, Some(k)) => {
            let ty = expr::key_storage(&k.expr);
            ScalarValue::try_new_null(&ty)?
        }
        _ => ScalarValue::UInt64(None),
    };
    let bound = |b: &Bound| match b {
        Bound::UnboundedPreceding => WindowFrameBound::Preceding(unbounded.clone()),
        Bound::Preceding(v) => WindowFrameBound::Preceding(v.clone()),
        Bound::CurrentRow => WindowFrameBound::CurrentRow,
        Bound::Following(v) => WindowFrameBound::Following(v.clone()),
        Bound::UnboundedFollowing => WindowFrameBound::Following(unbounded.clone()),
    };
    Ok(WindowFrame::new_bounds(units, bound(&frame.start), bound(&frame.end)))
}

fn first_value(value: Df) -> Df {
    let udf = datafusion::functions_aggregate::first_last::first_value_udaf();
    Df::AggregateFunction(AggregateFunction::new_udf(udf, vec![value], false, None, Vec::new(), None))
}

fn aggregate(node: &Aggregate) -> PgResult<LogicalPlan> {
    let mut plan = rel(&node.input)?;
    // Group by plain columns: computed keys are computed first.
    let mut computed = Vec::new();
    let mut groups: Vec<Column> = Vec::new();
    let mut out: Vec<Df> = Vec::new();
    let mut calls: Vec<Df> = Vec::new();
    for (id, expr) in &node.keys {
        match crate::kernels::equality_key(&expr.ty) {
            Some(_) => {
                let group = format!("k{}", id.0);
                computed.push(key(expr)?.alias(&group));
                groups.push(Column::new_unqualified(&group));
                // Equal values may differ in how they are shown: one of them stands for all.
                calls.push(first_value(lower_expr(expr)?).alias(name(*id)));
                out.push(match node.sets.is_some() {
                    true => {
                        // In a grouping set without the key its rows have no value in common.
                        let grouped = Df::Column(Column::new_unqualified(group)).is_not_null();
                        let branch = vec![(Box::new(grouped), Box::new(column(*id)))];
                        Df::Case(Case::new(None, branch, None)).alias(name(*id))
                    }
                    false => column(*id),
                });
            }
            None => {
                let group = format!("k{}", id.0);
                computed.push(lower_expr(expr)?.alias(&group));
                groups.push(Column::new_unqualified(&group));
                out.push(Df::Column(Column::new_unqualified(group)).alias(name(*id)));
            }
        }
    }
    if !computed.is_empty() {
        let kept = all(&plan);
        plan = project(plan, kept.into_iter().chain(computed).collect())?;
    }
    for (id, _, call) in &node.calls {
        let keyed = call.distinct && call.args.iter().any(|a| crate::kernels::equality_key(&a.ty).is_some());
        let counts = matches!(call.proc, Oid(2147));
        if keyed && !counts {
            let message = "DISTINCT in an aggregate over values that may be equal and differ";
            return Err(PgError::unsupported(message));
        }
        let mut args =
            call.args.iter().map(|a| if keyed { key(a) } else { lower_expr(a) }).collect::<PgResult<Vec<_>>>()?;
        if args.is_empty() {
            args.push(lit(1i64));
        }
        let filter = call.filter.as_ref().map(lower_expr).transpose()?.map(Box::new);
        let order_by = sort_keys(&call.order_by)?;
        let function = AggregateFunction::new_udf(Arc::clone(&call.udf), args, call.distinct, filter, order_by, None);
        calls.push(Df::AggregateFunction(function).alias(name(*id)));
        out.push(column(*id));
    }
    let group_exprs: Vec<Df> = groups.iter().cloned().map(Df::Column).collect();
    let Some((sets, id)) = &node.sets else {
        if group_exprs.is_empty() && calls.is_empty() {
            // GROUP BY () without aggregates: one row.
            let udf = datafusion::functions_aggregate::count::count_udaf();
            let count = AggregateFunction::new_udf(udf, vec![lit(1i64)], false, None, Vec::new(), None);
            calls.push(Df::AggregateFunction(count).alias("only_row"));
        }
        let made = AggregatePlan::try_new(Arc::new(plan), group_exprs, calls)?;
        return project(LogicalPlan::Aggregate(made), out);
    };
    // A set that is listed several times gives its groups as often.
    let mut seen = BTreeSet::new();
    let (sets, again): (Vec<&Vec<usize>>, Vec<&Vec<usize>>) =
        sets.iter().partition(|set| seen.insert(set.iter().copied().collect::<BTreeSet<usize>>()));
    if groups.is_empty() {
        let made = AggregatePlan::try_new(Arc::new(plan), Vec::new(), calls)?;
        out.push(lit(0i64).alias(name(*id)));
        let once = project(LogicalPlan::Aggregate(made), out)?;
        return again.iter().try_fold(once.clone(), |all, _| union_all(all, once.clone()));
    }
    // DataFusion numbers the keys in the order in which the sets first name them.
    let mut order: Vec<usize> = Vec::new();
    for k in sets.iter().copied().flatten() {
        if !order.contains(k) {
            order.push(*k);
        }
    }
    let n = node.keys.len();
    let listed = sets.iter().map(|s| s.iter().map(|k| group_exprs[*k].clone()).collect()).collect();
    let group = vec![Df::GroupingSet(GroupingSet::GroupingSets(listed))];
    let made = AggregatePlan::try_new(Arc::new(plan), group, calls)?;
    let raw = Df::Column(Column::from_name(AggregatePlan::INTERNAL_GROUPING_ID));
    let raw = cast(raw, &DataType::Int64);
    let mut cases = Vec::new();
    let ours = |set: &[usize]| (0..n).fold(0i64, |bits, k| bits << 1 | i64::from(!set.contains(&k)));
    for set in &sets {
        let theirs = order.iter().fold(0i64, |bits, k| bits << 1 | i64::from(!set.contains(k)));
        cases.push((Box::new(raw.clone().eq(lit(theirs))), Box::new(lit(ours(set)))));
    }
    out.push(Df::Case(Case::new(None, cases, None)).alias(name(*id)));
    let once = project(LogicalPlan::Aggregate(made), out)?;
    again.iter().try_fold(once.clone(), |all, set| {
        let groups = LogicalPlanBuilder::from(once.clone()).filter(column(*id).eq(lit(ours(set))))?.build()?;
        union_all(all, groups)
    })
}

/// The rows of both plans, which have the same fields.
fn union_all(left: LogicalPlan, right: LogicalPlan) -> PgResult<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(left).union(right)?.build()?)
}

fn join(node: &Join) -> PgResult<LogicalPlan> {
    let left = rel(&node.left)?;
    let right = rel(&node.right)?;
    let mut on = guard::each(node.on.iter().map(lower_expr).collect::<PgResult<Vec<_>>>()?);
    let kind = match node.kind {
        JoinKind::Inner => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Right => JoinType::Right,
        JoinKind::Full => JoinType::Full,
        JoinKind::Semi => JoinType::LeftSemi,
        JoinKind::Anti => JoinType::LeftAnti,
        JoinKind::Mark(_) => JoinType::LeftMark,
    };
    let kept = all(&left);
    let builder = LogicalPlanBuilder::from(left);
    let joined = match node.same.is_empty() {
        true => {
            if on.is_empty() && kind == JoinType::Inner {
                builder.cross_join(right)?.build()?
            } else {
                if on.is_empty() {
                    on.push(lit(true));
                }
                builder.join_on(right, kind, on)?.build()?
            }
        }
        false => {
            let plain = |e: &Expr| match e.kind {
                super::tree::ExprKind::Column(id) => Ok(Column::new_unqualified(name(id))),
                _ => Err(PgError::internal("a null-safe join key must be a column")),
            };
            let lefts = node.same.iter().map(|(l, _)| plain(l)).collect::<PgResult<Vec<_>>>()?;
            let rights = node.same.iter().map(|(_, r)| plain(r)).collect::<PgResult<Vec<_>>>()?;
            // Equalities among the conditions may become join keys too, and these keys match NULLs: not so those.
            let mut guards = Vec::new();
            for condition in &on {
                if let Df::BinaryExpr(b) = condition
                    && b.op == datafusion::logical_expr::Operator::Eq
                {
                    guards.push(b.left.clone().is_not_null());
                }
            }
            on.extend(guards);
            let filter = on.into_iter().reduce(Df::and);
            let equality = NullEquality::NullEqualsNull;
            builder.join_detailed(right, kind, (lefts, rights), filter, equality)?.build()?
        }
    };
    match node.kind {
        JoinKind::Mark(id) => {
            let mark = joined
                .schema()
                .columns()
                .into_iter()
                .next_back()
                .ok_or_else(|| PgError::internal("a mark join without a mark"))?;
            project(joined, kept.into_iter().chain([Df::Column(mark).alias(name(id))]).collect())
        }
        _ => Ok(joined),
    }
}

fn distinct(plan: LogicalPlan, columns: &[(ColId, ExprType)], exact: bool) -> PgResult<LogicalPlan> {
    let listed: Vec<Df> = columns.iter().map(|(id, _)| column(*id)).collect();
    let keyed = !exact && columns.iter().any(|(_, ty)| crate::kernels::equality_key(ty).is_some());
    if !keyed {
        let plan = project(plan, listed)?;
        return Ok(LogicalPlanBuilder::from(plan).distinct()?.build()?);
    }
    let mut groups = Vec::new();
    let mut calls = Vec::new();
    let mut computed = listed;
    let mut out = Vec::new();
    for (id, ty) in columns {
        let group = format!("k{}", id.0);
        computed.push(key(&Expr::column(*id, ty.clone()))?.alias(&group));
        groups.push(Df::Column(Column::new_unqualified(group)));
        let value = format!("d{}", id.0);
        calls.push(first_value(column(*id)).alias(&value));
        out.push(Df::Column(Column::new_unqualified(value)).alias(name(*id)));
    }
    let plan = project(plan, computed)?;
    let made = AggregatePlan::try_new(Arc::new(plan), groups, calls)?;
    project(LogicalPlan::Aggregate(made), out)
}

type SetColumns = [(ColId, ExprType, ColId, ColId)];

fn set_operation(op: SetOp, all_rows: bool, left: &Rel, right: &Rel, columns: &SetColumns) -> PgResult<LogicalPlan> {
    if columns.is_empty() && op != SetOp::Union {
        // Rows without columns are all alike: as if each had the same one.
        let one = |input: &Rel, id: ColId| Rel::Project {
            input: Box::new(input.clone()),
            exprs: vec![(id, super::expr::constant::int4(1))],
        };
        let [out, l, r] = [2, 3, 4].map(|n| ColId(u32::MAX - n));
        let columns = [(out, super::expr::constant::int4(1).ty, l, r)];
        return project(set_operation(op, all_rows, &one(left, l), &one(right, r), &columns)?, Vec::new());
    }
    let outs: Vec<(ColId, ExprType)> = columns.iter().map(|(id, ty, _, _)| (*id, ty.clone())).collect();
    let left = rel(left)?;
    let right = rel(right)?;
    let lefts = columns.iter().map(|(id, _, l, _)| column(*l).alias(name(*id))).collect();
    let left = project(left, lefts)?;
    if op == SetOp::Union {
        let rights = columns.iter().map(|(id, _, _, r)| column(*r).alias(name(*id))).collect();
        let right = project(right, rights)?;
        let plan = LogicalPlanBuilder::from(left).union(right)?.build()?;
        return if all_rows { Ok(plan) } else { distinct(plan, &outs, false) };
    }
    // Rows are matched on keys; with ALL, the n-th of equal rows on one side matches the n-th on the other.
    let keyed = |plan: LogicalPlan, side: &str, ids: &dyn Fn(usize) -> ColId| -> PgResult<(LogicalPlan, Vec<Column>)> {
        let mut exprs = all(&plan);
        let mut keys = Vec::new();
        for (i, (_, ty, _, _)) in columns.iter().enumerate() {
            let key_name = format!("{side}{}", columns[i].0.0);
            exprs.push(key(&Expr::column(ids(i), ty.clone()))?.alias(&key_name));
            keys.push(Column::new_unqualified(key_name));
        }
        let mut plan = project(plan, exprs)?;
        if all_rows {
            let number = ColId(u32::MAX - u32::from(side == "x"));
            let partition = keys.iter().cloned().map(Df::Column).collect();
            plan = numbered(plan, number, partition, Vec::new())?;
            keys.push(Column::new_unqualified(name(number)));
        }
        Ok((plan, keys))
    };
    let (left, left_keys) = keyed(left, "x", &|i| columns[i].0)?;
    let (right, right_keys) = keyed(right, "y", &|i| columns[i].3)?;
    let kind = if op == SetOp::Intersect { JoinType::LeftSemi } else { JoinType::LeftAnti };
    let plan = LogicalPlanBuilder::from(left)
        .join_detailed(right, kind, (left_keys, right_keys), None, NullEquality::NullEqualsNull)?
        .build()?;
    let plan = project(plan, outs.iter().map(|(id, _)| column(*id)).collect())?;
    if all_rows { Ok(plan) } else { distinct(plan, &outs, false) }
}

fn unnest(input: &Rel, lists: &[(ColId, ExprType, Expr)], ordinality: Option<ColId>) -> PgResult<LogicalPlan> {
    let plan = rel(input)?;
    let kept = all(&plan);
    let raw = |id: &ColId| format!("u{}", id.0);
    let mut exprs = kept.clone();
    let lowered = lists.iter().map(|(_, _, e)| lower_expr(e)).collect::<PgResult<Vec<_>>>()?;
    exprs.extend(lists.iter().zip(&lowered).map(|((id, _, _), e)| e.clone().alias(raw(id))));
    let mut ids: Vec<ColId> = lists.iter().map(|(id, _, _)| *id).collect();
    if let Some(id) = ordinality {
        let udf = super::expr::lists::ordinality();
        exprs.push(udf.call(lowered).alias(raw(&id)));
        ids.push(id);
    }
    let plan = project(plan, exprs)?;
    let columns = ids.iter().map(|id| Column::new_unqualified(raw(id))).collect();
    let options = UnnestOptions { null_handling: NullHandling::Drop, ..Default::default() };
    let plan = LogicalPlanBuilder::from(plan).unnest_columns_with_options(columns, options)?.build()?;
    let outs = ids.iter().map(|id| Df::Column(Column::new_unqualified(raw(id))).alias(name(*id)));
    let exprs = kept.into_iter().chain(outs).collect();
    project(plan, exprs)
}

fn working_field(i: usize, ty: &ExprType) -> Field {
    Field::new(format!("w{i}"), ty.storage.clone(), true)
}

fn recursive(table: &str, columns: &SetColumns, start: &Rel, step: &Rel, distinct: bool) -> PgResult<LogicalPlan> {
    if distinct && columns.iter().any(|(_, ty, _, _)| crate::kernels::equality_key(ty).is_some()) {
        return Err(PgError::unsupported("UNION in a recursive query over values that may be equal and differ"));
    }
    let side = |plan: LogicalPlan, ids: Vec<ColId>| {
        let exprs = ids.into_iter().enumerate().map(|(i, id)| column(id).alias(format!("w{i}"))).collect();
        project(plan, exprs)
    };
    let start = side(rel(start)?, columns.iter().map(|c| c.2).collect())?;
    let step = side(rel(step)?, columns.iter().map(|c| c.3).collect())?;
    let plan = LogicalPlanBuilder::from(start).to_recursive_query(table.to_string(), step, distinct)?.build()?;
    let made = plan.schema().columns();
    let exprs = made.into_iter().zip(columns).map(|(c, (id, ..))| Df::Column(c).alias(name(*id))).collect();
    project(plan, exprs)
}
