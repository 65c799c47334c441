//! From an optimised plan to operators.
//!
//! The optimised `LogicalPlan`, not the bound query: there own unnesting and DataFusion's optimizer have brought every shape
//! of SQL down to few operators, and the batch run, which an incremental view must equal, starts from the very same
//! plan. What has no rule is recomputed: the smallest part of the plan that holds it and whose own output is an
//! operator's input, or the whole view.

use super::aggregate::{Aggregate, Call, Grouping, Set};
use super::canonical::{orders_peers, window_call};
use super::delta::nullable;
use super::explain::Names;
use super::feed::Fed;
use super::join::{self, Join, Kind};
use super::keyed::Keyed;
use super::linear::{Constant, Filter, Project, Renamed, Scan, Union};
use super::numbered::numbered;
use super::operator::{IndexNeed, Operator};
use super::ranked::Ranked;
use super::recompute::Recompute;
use super::regroup::{EachRow, Regroup};
use super::tally::tally;
use super::topk::TopK;
use crate::bind::{RelationProvider, one_row};
use crate::catalog::{Catalog, RelationKind};
use crate::types::{Oid, PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{SortOptions, concat};
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::datasource::source_as_provider;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::expr::{GroupingSet, Sort as SortExpr};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{self as df, Expr, FetchType, LogicalPlan, SkipType};
use datafusion::physical_expr::aggregate::{LoweredAggregate, LoweredAggregateBuilder};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How a view is kept, ready to begin.
pub struct Plan {
    /// `None`: the whole view is recomputed and compared.
    pub root: Option<Box<dyn Operator>>,
    /// The indexes that it needs of hot tables.
    pub needs: Vec<IndexNeed>,
    /// The relations whose changes it reads.
    pub scans: BTreeSet<Oid>,
    /// Why a part, or all of it, is recomputed.
    pub reasons: Vec<String>,
    /// What its columns are called in SQL.
    pub names: Names,
}

/// Compiles a view's optimised plan. Nothing is refused: what cannot be compiled is recomputed.
pub fn compile(plan: &LogicalPlan, catalog: &Catalog, session: &SessionState) -> PgResult<Plan> {
    let scans = scanned(plan)?;
    let mut compiler = Compiler { catalog, session, needs: vec![], reasons: vec![], wanted: HashMap::new() };
    let root = match compiler.make(plan) {
        Ok(Made::Operator(root)) => Some(root),
        Ok(Made::Ruleless(reason)) => {
            compiler.reasons.push(reason);
            None
        }
        Err(error) => {
            compiler.reasons.push(error.message);
            None
        }
    };
    let needs = if root.is_some() { compiler.needs } else { vec![] };
    Ok(Plan { root, needs, scans, reasons: compiler.reasons, names: Names::of(plan) })
}

/// The relations that a plan reads.
fn scanned(plan: &LogicalPlan) -> PgResult<BTreeSet<Oid>> {
    let mut scans = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(oid) = relation(scan)
        {
            scans.insert(oid);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans)
}

fn relation(scan: &df::TableScan) -> Option<Oid> {
    let provider = source_as_provider(&scan.source).ok()?;
    (provider.as_ref() as &dyn Any).downcast_ref::<RelationProvider>().map(|relation| relation.oid)
}

enum Made {
    Operator(Box<dyn Operator>),
    /// There is no rule; what, and why.
    Ruleless(String),
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    session: &'a SessionState,
    needs: Vec<IndexNeed>,
    reasons: Vec<String>,
    /// The `row_number()`s of which few are wanted, and how many; by their nodes, which live as long as the plan.
    wanted: HashMap<*const df::Window, usize>,
}

impl Compiler<'_> {
    /// The operator of a plan. Where there is no rule for it, one that recomputes it.
    fn operator(&mut self, plan: &LogicalPlan) -> PgResult<Box<dyn Operator>> {
        let made = self.make(plan).unwrap_or_else(|error| Made::Ruleless(error.message));
        match made {
            Made::Operator(operator) => Ok(operator),
            Made::Ruleless(reason) => {
                self.reasons.push(reason.clone());
                let scans = scanned(plan)?.into_iter().collect();
                Ok(Box::new(Recompute::new(plan.clone(), scans, reason)?))
            }
        }
    }

    fn expr(&self, expr: &Expr, schema: &DFSchema) -> PgResult<Arc<dyn PhysicalExpr>> {
        Ok(create_physical_expr(expr, schema, self.session.execution_props(), &Default::default())?)
    }

    fn exprs(&self, exprs: &[Expr], schema: &DFSchema) -> PgResult<Vec<Arc<dyn PhysicalExpr>>> {
        exprs.iter().map(|expr| self.expr(expr, schema)).collect()
    }

    fn make(&mut self, plan: &LogicalPlan) -> PgResult<Made> {
        let operator: Box<dyn Operator> = match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan)?,
            LogicalPlan::SubqueryAlias(alias) => return self.make(&alias.input),
            LogicalPlan::Projection(node) => {
                let input = match self.make(&node.input)? {
                    Made::Operator(input) => input,
                    ruleless => return Ok(ruleless),
                };
                let exprs = self.exprs(&node.expr, node.input.schema())?;
                Box::new(Project::new(input, exprs, Arc::clone(node.schema.inner())))
            }
            LogicalPlan::Filter(node) => {
                if let Some((window, most)) = numbered(node) {
                    self.wanted.insert(std::ptr::from_ref(window), most);
                }
                let input = match self.make(&node.input)? {
                    Made::Operator(input) => input,
                    ruleless => return Ok(ruleless),
                };
                Box::new(Filter { input, predicate: self.expr(&node.predicate, node.input.schema())? })
            }
            // Rows of a view have no order.
            LogicalPlan::Sort(node) if node.fetch.is_none() => return self.make(&node.input),
            LogicalPlan::Union(node) => {
                let inputs = node.inputs.iter().map(|input| self.operator(input)).collect::<PgResult<Vec<_>>>()?;
                Box::new(Union { inputs, schema: nullable(node.schema.as_arrow()) })
            }
            LogicalPlan::EmptyRelation(node) => Box::new(Constant::new(empty(node)?)?),
            LogicalPlan::Values(node) => Box::new(Constant::new(self.values(node)?)?),
            LogicalPlan::Join(node) => self.join(node)?,
            LogicalPlan::Aggregate(node) => self.aggregate(node)?,
            LogicalPlan::Window(node) => self.window(node)?,
            LogicalPlan::Sort(node) => self.top(node, 0, node.fetch)?,
            LogicalPlan::Limit(node) => match (node.get_skip_type()?, node.get_fetch_type()?) {
                (SkipType::Literal(skip), FetchType::Literal(fetch)) => self.limit(&node.input, skip, fetch)?,
                _ => return Ok(Made::Ruleless("a computed LIMIT has no rule".to_string())),
            },
            LogicalPlan::Unnest(node) => {
                let input = match self.make(&node.input)? {
                    Made::Operator(input) => input,
                    ruleless => return Ok(ruleless),
                };
                let over = |feed| Ok(LogicalPlan::Unnest(df::Unnest { input: Arc::new(feed), ..node.clone() }));
                let plan = Fed::new(&node.input, over, self.session)?;
                Box::new(EachRow::new(input, plan, node.schema.as_arrow(), "set-returning function of each row".into()))
            }
            other => return Ok(Made::Ruleless(format!("{} has no rule", kind_of(other)))),
        };
        Ok(Made::Operator(operator))
    }

    fn scan(&mut self, scan: &df::TableScan) -> PgResult<Box<dyn Operator>> {
        let oid = relation(scan).ok_or_else(|| PgError::unsupported("a scan of what is no relation"))?;
        let relation =
            self.catalog.relation(oid).ok_or_else(|| PgError::internal(format!("no relation {oid} in the catalog")))?;
        let width = scan.source.schema().fields().len();
        let projection = scan.projection.clone().unwrap_or_else(|| (0..width).collect());
        let table = (relation.kind != RelationKind::Bronze).then(|| Arc::new(relation.table_schema()));
        let name = self.catalog.qualified_name(relation);
        let schema = nullable(scan.projected_schema.as_arrow());
        Ok(Box::new(Scan::new(oid, name, table, projection, schema)))
    }

    fn values(&self, node: &df::Values) -> PgResult<RecordBatch> {
        let one = one_row()?;
        let nothing = DFSchema::empty();
        let mut columns = Vec::with_capacity(node.schema.fields().len());
        for column in 0..node.schema.fields().len() {
            let value = |row: &Vec<Expr>| -> PgResult<ArrayRef> {
                Ok(self.expr(&row[column], &nothing)?.evaluate(&one)?.into_array(1)?)
            };
            let values = node.values.iter().map(value).collect::<PgResult<Vec<_>>>()?;
            columns.push(concat(&values.iter().map(|v| v.as_ref()).collect::<Vec<_>>())?);
        }
        Ok(RecordBatch::try_new(nullable(node.schema.as_arrow()), columns)?)
    }

    fn join(&mut self, node: &df::Join) -> PgResult<Box<dyn Operator>> {
        if node.null_aware {
            return Err(PgError::unsupported("NOT IN as one join has no rule"));
        }
        let kind = match node.join_type {
            JoinType::Inner => Kind::Pairs { keep: [false, false] },
            JoinType::Left => Kind::Pairs { keep: [true, false] },
            JoinType::Right => Kind::Pairs { keep: [false, true] },
            JoinType::Full => Kind::Pairs { keep: [true, true] },
            JoinType::LeftSemi => Kind::Semi { main: 0 },
            JoinType::RightSemi => Kind::Semi { main: 1 },
            JoinType::LeftAnti => Kind::Anti { main: 0 },
            JoinType::RightAnti => Kind::Anti { main: 1 },
            JoinType::LeftMark => Kind::Mark { main: 0 },
            JoinType::RightMark => Kind::Mark { main: 1 },
        };
        let (mut left_keys, mut right_keys) = (vec![], vec![]);
        for (left, right) in &node.on {
            left_keys.push(self.expr(left, node.left.schema())?);
            right_keys.push(self.expr(right, node.right.schema())?);
        }
        let residual = match &node.filter {
            None => None,
            Some(filter) => Some(self.expr(filter, &node.left.schema().join(node.right.schema())?)?),
        };
        let left = join::Input { operator: self.operator(&node.left)?, keys: left_keys };
        let right = join::Input { operator: self.operator(&node.right)?, keys: right_keys };
        let nulls_equal = node.null_equality == NullEquality::NullEqualsNull;
        let schema = Arc::clone(node.schema.inner());
        Ok(Box::new(Join::new(kind, [left, right], residual, nulls_equal, schema, &mut self.needs)?))
    }

    fn lowered(&self, call: &Expr, schema: &DFSchema) -> PgResult<LoweredAggregate> {
        let (physical, props) = (schema.as_arrow(), self.session.execution_props());
        Ok(LoweredAggregateBuilder::new(call, schema, physical, props, &Default::default()).build()?)
    }

    fn aggregate(&mut self, node: &df::Aggregate) -> PgResult<Box<dyn Operator>> {
        let input_schema = node.input.schema();
        let listed: Vec<Expr> = grouping_set_to_exprlist(&node.group_expr)?.into_iter().cloned().collect();
        let sets = match node.group_expr.first() {
            Some(Expr::GroupingSet(GroupingSet::GroupingSets(sets))) => {
                let has = |set: &Vec<Expr>| listed.iter().map(|key| set.contains(key)).collect();
                Some(Set::all(sets.iter().map(has).collect()))
            }
            Some(Expr::GroupingSet(_)) => return Err(PgError::unsupported("ROLLUP or CUBE has no rule")),
            _ => None,
        };
        let keys = self.exprs(&listed, input_schema)?;
        let mut calls = Vec::with_capacity(node.aggr_expr.len());
        for expr in &node.aggr_expr {
            let physical = input_schema.as_arrow();
            let distinct = is_distinct(expr)?;
            let LoweredAggregate { aggregate: call, filter, .. } =
                self.lowered(&without_distinct(expr.clone())?, input_schema)?;
            let args = call.expressions();
            let types = args.iter().map(|arg| Ok(arg.data_type(physical)?)).collect::<PgResult<Vec<_>>>()?;
            match tally(&call, distinct, &types)? {
                Ok(tally) => calls.push(Call { args, filter, tally, name: expr.schema_name().to_string() }),
                Err(reason) => {
                    let keys = if sets.is_some() { vec![] } else { keys };
                    let over = |feed| {
                        Ok(LogicalPlan::Aggregate(df::Aggregate::try_new_with_schema(
                            Arc::new(feed),
                            node.group_expr.clone(),
                            node.aggr_expr.clone(),
                            Arc::clone(&node.schema),
                        )?))
                    };
                    let title = format!("aggregate ({reason})");
                    return self.regroup(&node.input, keys, over, &node.schema, title);
                }
            }
        }
        let input = self.operator(&node.input)?;
        Ok(Box::new(Aggregate::new(input, Grouping { exprs: keys, sets }, calls, Arc::clone(node.schema.inner()))?))
    }

    /// An operator whose groups by `keys` are recomputed when they are touched. `over`: DataFusion's plan of it over rows of
    /// `input`.
    fn regroup(
        &mut self,
        input: &LogicalPlan,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        over: impl FnOnce(LogicalPlan) -> PgResult<LogicalPlan>,
        schema: &DFSchema,
        title: String,
    ) -> PgResult<Box<dyn Operator>> {
        let plan = Fed::new(input, over, self.session)?;
        let whole = keys.is_empty();
        let keyed = Keyed::new(self.operator(input)?, keys, whole, &mut self.needs)?;
        Ok(Box::new(Regroup::new(keyed, plan, schema.as_arrow(), title)?))
    }

    fn window(&mut self, node: &df::Window) -> PgResult<Box<dyn Operator>> {
        let (input, ordering) = match &*node.input {
            LogicalPlan::Window(below) if orders_peers(below) => (&below.input, Some(below)),
            _ => (&node.input, None),
        };
        let mut calls = node.window_expr.iter().filter_map(window_call);
        let first = calls.next().map_or(vec![], |call| call.params.partition_by.clone());
        let common = calls.fold(first, |mut keys, call| {
            keys.retain(|key| call.params.partition_by.contains(key));
            keys
        });
        let keys = self.exprs(&common, input.schema())?;
        let ordered = node.window_expr.first().and_then(window_call).filter(|call| !call.params.order_by.is_empty());
        if let (Some(most), Some(call)) = (self.wanted.remove(&std::ptr::from_ref(node)), ordered) {
            let order = self.sort_keys(&call.params.order_by, node.input.schema())?;
            let input = self.operator(&node.input)?;
            return Ok(Box::new(Ranked::new(input, keys, order, most, node.schema.as_arrow())?));
        }
        let over = |feed| {
            let input = match ordering {
                Some(below) => LogicalPlan::Window(df::Window { input: Arc::new(feed), ..below.clone() }),
                None => feed,
            };
            let input = Arc::new(input);
            Ok(LogicalPlan::Window(df::Window { input, ..node.clone() }))
        };
        self.regroup(input, keys, over, &node.schema, "window functions".to_string())
    }

    /// LIMIT over a sort, perhaps with projections between.
    fn limit(&mut self, plan: &LogicalPlan, skip: usize, fetch: Option<usize>) -> PgResult<Box<dyn Operator>> {
        match plan {
            LogicalPlan::Sort(sort) => {
                let fetch = match (fetch, sort.fetch) {
                    (fetch, Some(all)) => Some(fetch.unwrap_or(usize::MAX).min(all.saturating_sub(skip))),
                    (fetch, None) => fetch,
                };
                self.top(sort, skip, fetch)
            }
            LogicalPlan::SubqueryAlias(alias) => self.limit(&alias.input, skip, fetch),
            LogicalPlan::Projection(node) => {
                let input = self.limit(&node.input, skip, fetch)?;
                let exprs = self.exprs(&node.expr, node.input.schema())?;
                Ok(Box::new(Project::new(input, exprs, Arc::clone(node.schema.inner()))))
            }
            _ => Err(PgError::unsupported("LIMIT over this operator has no rule")),
        }
    }

    fn top(&mut self, sort: &df::Sort, skip: usize, fetch: Option<usize>) -> PgResult<Box<dyn Operator>> {
        let Some(fetch) = fetch else { return Err(PgError::unsupported("OFFSET without LIMIT has no rule")) };
        let keys = self.sort_keys(&sort.expr, sort.input.schema())?;
        let input = self.operator(&sort.input)?;
        Ok(Box::new(TopK::new(input, keys, skip, fetch)?))
    }

    fn sort_keys(&self, keys: &[SortExpr], schema: &DFSchema) -> PgResult<Vec<(Arc<dyn PhysicalExpr>, SortOptions)>> {
        let one = |key: &SortExpr| {
            let options = SortOptions { descending: !key.asc, nulls_first: key.nulls_first };
            Ok((self.expr(&key.expr, schema)?, options))
        };
        keys.iter().map(one).collect()
    }
}

/// Is this a call with DISTINCT?
fn is_distinct(expr: &Expr) -> PgResult<bool> {
    Ok(expr.exists(|expr| Ok(matches!(expr, Expr::AggregateFunction(call) if call.params.distinct)))?)
}

/// The call over all rows.
fn without_distinct(expr: Expr) -> PgResult<Expr> {
    let name = expr.schema_name().to_string();
    let plain = expr.transform_up(|expr| match expr {
        Expr::AggregateFunction(mut call) if call.params.distinct => {
            call.params.distinct = false;
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(if plain.transformed { plain.data.alias(name) } else { plain.data })
}

fn empty(node: &df::EmptyRelation) -> PgResult<RecordBatch> {
    let rows = usize::from(node.produce_one_row);
    let schema = nullable(node.schema.as_arrow());
    let columns = schema.fields().iter().map(|f| arrow::array::new_null_array(f.data_type(), rows)).collect();
    Ok(RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))?)
}

/// An operator's name for people.
fn kind_of(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Distinct(_) => "DISTINCT ON",
        LogicalPlan::RecursiveQuery(_) => "a recursive query",
        LogicalPlan::Subquery(_) => "a subquery",
        _ => "an operator",
    }
}

/// The rows under the schema of the view.
pub fn renamed(input: Box<dyn Operator>, schema: &Schema) -> Box<dyn Operator> {
    Box::new(Renamed { input, schema: nullable(schema) })
}
