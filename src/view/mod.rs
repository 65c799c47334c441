//! Floor 4: a bound query and the maintenance of its result.
//!
//! Promise 2: at every tick the rows of a gold view are the rows that its query gives over the same snapshot.
//!
//! ```text
//! bound query ─ lower, optimize ─► LogicalPlan ─ compile ─► operators ─┬─ hydrate: the first rows
//!                                      │                               └─ step: Δ inputs ─► Δ rows, each tick
//!                                      └─ compute: a batch run (the oracle, and for what has no rule)
//! ```
//!
//! [`View::compile`] makes [`Operator`]s that give the change of the view from the changes of its inputs: work in
//! proportion to the change. What has no rule is *recomputed and compared*, as a part of the plan ([`recompute`]) or as
//! the whole view ([`View::compute`] and [`difference`]): right for every query, at the query's cost.
//!
//! Called by the engine, inside a tick. Knows no sources and no wire.

mod aggregate;
mod arrangement;
mod blame;
mod canonical;
mod compile;
mod context;
mod delta;
mod explain;
mod feed;
mod folds;
mod groups;
mod join;
mod keyed;
mod linear;
mod numbered;
mod operator;
mod ordered;
mod ranked;
mod recompute;
mod regroup;
mod tally;
#[cfg(test)]
mod tests;
mod topk;

pub use compile::Plan;
pub use delta::{Delta, difference};
pub use explain::Names;
pub use operator::{Added, IndexNeed, Input, Operator, Tick, Watch};
pub use recompute::any_changed;

use crate::bind::{self, BindContext, BoundQuery, Relations, RelationsExtension};
use crate::catalog::{Catalog, RelationKind};
use crate::kernels::{self, CastKernel, SessionExtension};
use crate::types::array::is_shaped;
use crate::types::schema::column_storage;
use crate::types::{Column, ExprType, Oid, PgError, PgResult, SqlState, TableSchema};
use arrow::array::RecordBatch;
use datafusion::common::Column as DfColumn;
use datafusion::execution::context::SessionState;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use pg_query::NodeEnum;
use std::collections::HashSet;
use std::sync::Arc;

/// The DataFusion session that gold views are planned and run in.
pub fn session() -> SessionState {
    let mut config = bind::session_config(1);
    config.options_mut().extensions.insert(SessionExtension(Arc::new(context::ViewContext)));
    let environment =
        RuntimeEnvBuilder::new().with_memory_pool(bind::memory_pool(None)).build_arc().unwrap_or_default();
    let mut state = bind::session_state(config, environment);
    // Functions find their session in the options of the execution, not in those of the state.
    let options = Arc::clone(state.config().options());
    state.execution_props_mut().mark_start_execution(options);
    state
}

/// A gold view's query, ready to run.
pub struct View {
    pub oid: Oid,
    /// The relations that it reads, plain views expanded.
    pub inputs: Vec<Oid>,
    /// Its columns; no key.
    pub schema: Arc<TableSchema>,
    plan: LogicalPlan,
}

/// What a view's definition says of itself, before it has a name: for `CREATE MATERIALIZED VIEW`.
pub struct Definition {
    pub query: BoundQuery,
    pub schema: TableSchema,
}

/// Binds the query of a view to be. `names` are the column names given in CREATE, if any.
///
/// Errors: as for any query; `42701` for two columns of one name; `0A000` where the query depends on more than the
/// snapshot (`now()`, `random()`, session functions, system relations).
pub fn define(sql: &str, search_path: &[String], catalog: &Catalog, names: &[String]) -> PgResult<Definition> {
    let statements = bind::parse(sql)?;
    let [bind::Statement { node: NodeEnum::SelectStmt(select), .. }] = statements.as_slice() else {
        return Err(PgError::internal("a view's definition is not one query"));
    };
    let mut context = BindContext::new(catalog, search_path);
    let query = bind::bind_query(select, &mut context)?;
    if !query.params.is_empty() {
        let message = "materialized views may not be defined using bound parameters";
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    refuse_unsteady(&query.volatile_functions)?;
    let system = |oid: &&Oid| catalog.relation(**oid).is_some_and(|r| r.kind == RelationKind::System);
    if let Some(oid) = query.relations.iter().find(system) {
        let name = catalog.relation(*oid).map_or("?", |r| r.name.as_str());
        return Err(PgError::unsupported(format!("a materialized view over system relation \"{name}\"")));
    }
    if names.len() > query.columns.len() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut seen = HashSet::new();
    let mut columns = Vec::with_capacity(query.columns.len());
    for (i, column) in query.columns.iter().enumerate() {
        let name = names.get(i).unwrap_or(&column.name).clone();
        if !seen.insert(name.clone()) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        columns.push(Column::new(name, column.ty.pg, true).of_any_shape(is_shaped(&column.ty.storage)));
    }
    Ok(Definition { schema: TableSchema::new(columns, vec![]), query })
}

/// Refuses a gold view that calls functions whose answer depends on the time, the session, the catalog or chance.
///
/// `functions`: as [`BoundQuery::volatile_functions`]. What depends on the session's *formats* only (a `date_trunc` of a
/// timestamptz needs a time zone) is not among them: it is computed as in a fresh session, in UTC.
pub fn refuse_unsteady(functions: &[String]) -> PgResult<()> {
    let Some(function) = functions.first() else { return Ok(()) };
    let message = format!("a materialized view cannot call {function}()");
    Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .detail("Its rows would depend on more than the tables that it reads.")
        .hint("Compare with a column that the source sends, or put the call into a plain view over this one."))
}

impl View {
    /// Makes a view from its catalog entry.
    pub fn bind(oid: Oid, catalog: &Catalog, state: &SessionState) -> PgResult<Self> {
        let relation = catalog.relation(oid).ok_or_else(|| PgError::internal(format!("no relation {oid}")))?;
        let sql = relation.definition.as_deref().ok_or_else(|| PgError::internal("a view without a definition"))?;
        let definition = define(sql, &relation.search_path, catalog, &[])?;
        let plan = in_column_storage(&definition.query, bind::lower(&definition.query)?)?;
        let plan = canonical::canonical(bind::optimize(plan, state)?)?;
        let schema = Arc::new(relation.table_schema());
        Ok(Self { oid, inputs: definition.query.relations, schema, plan })
    }

    /// The operators that keep it, without any state yet.
    pub fn compile(&self, catalog: &Catalog, state: &SessionState) -> PgResult<Plan> {
        let mut plan = compile::compile(&self.plan, catalog, state)?;
        plan.root = plan.root.map(|root| compile::renamed(root, self.schema.arrow()));
        Ok(plan)
    }

    /// The rows of its query over the relations of one snapshot.
    pub async fn compute(&self, relations: Arc<dyn Relations>, state: &SessionState) -> PgResult<Vec<RecordBatch>> {
        let mut state = state.clone();
        state.config_mut().set_extension(Arc::new(RelationsExtension(relations)));
        let physical = state.query_planner().create_physical_plan(&self.plan, &state).await?;
        let batches = collect(physical, state.task_ctx()).await?;
        let renamed =
            batches.into_iter().map(|b| RecordBatch::try_new(Arc::clone(self.schema.arrow()), b.columns().to_vec()));
        Ok(renamed.collect::<Result<_, _>>()?)
    }
}

/// Brings each output column into the storage form that a table has for its type.
fn in_column_storage(query: &BoundQuery, plan: LogicalPlan) -> PgResult<LogicalPlan> {
    let target = |column: &bind::OutputColumn| ExprType {
        storage: column_storage(column.ty.pg, is_shaped(&column.ty.storage)),
        pg: column.ty.pg,
    };
    if query.columns.iter().all(|c| c.ty.storage == target(c).storage) {
        return Ok(plan);
    }
    let outputs: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let mut projected = Vec::with_capacity(outputs.len());
    for (column, output) in query.columns.iter().zip(outputs) {
        let name = match &output {
            Expr::Column(DfColumn { name, .. }) => name.clone(),
            other => other.to_string(),
        };
        let to = target(column);
        let cast = match column.ty.storage == to.storage {
            true => output,
            false => match kernels::cast(&column.ty, &to, true)? {
                CastKernel::Nothing => output,
                CastKernel::Native => {
                    Expr::Cast(datafusion::logical_expr::Cast::new(Box::new(output), to.storage.clone()))
                }
                CastKernel::Scalar(kernel) => kernel.udf.call(vec![output]),
            },
        };
        projected.push(cast.alias(name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(projected)?.build()?)
}
