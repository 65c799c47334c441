//! Floor 4: a bound query and the maintenance of its result.
//!
//! Promise 2: at every tick the rows of a gold view are the rows that its query gives over the same snapshot. The
//! mechanism here is the general one, *recompute and diff*: when an input changed, run the query over the tick's snapshot, compare
//! with the rows held, and apply the difference. It is right for every query and costs what the query costs, whatever
//! changed. (Incremental maintenance comes beside it; this stays as the fallback.)
//!
//! Called by the engine, inside a tick. Knows no sources and no wire.

mod context;

use crate::bind::{self, BindContext, BoundQuery, Relations, RelationsExtension};
use crate::catalog::{Catalog, RelationKind};
use crate::kernels::{self, CastKernel, SessionExtension};
use crate::store::TableSnapshot;
use crate::types::{Column, ExprType, Oid, PgError, PgResult, SqlState, TableSchema};
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Column as DfColumn;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::collect;
use hashbrown::HashMap;
use pg_query::NodeEnum;
use std::collections::HashSet;
use std::sync::Arc;

/// The DataFusion session that gold views are planned and run in.
pub fn session() -> SessionState {
    let mut config = bind::session_config(1);
    config.options_mut().extensions.insert(SessionExtension(Arc::new(context::ViewContext)));
    let mut state = bind::session_state(config, Arc::default());
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
        columns.push(Column::new(name, column.ty.pg, true));
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
        let plan = bind::optimize(plan, state)?;
        let schema = Arc::new(relation.table_schema());
        Ok(Self { oid, inputs: definition.query.relations, schema, plan })
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
    let target = |column: &bind::OutputColumn| ExprType::of(column.ty.pg);
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

/// A Z-set: rows and how often each comes (> 0) or goes (< 0).
pub struct Difference {
    pub rows: RecordBatch,
    pub weights: Vec<i64>,
}

/// What must be applied to the rows held to make them the rows wanted. `None` where they are equal as multisets.
///
/// Rows are compared by their storage bytes, so that a numeric that only changes its display scale is replaced too.
/// Cost: one encoding of every row on both sides.
pub fn difference(held: &TableSnapshot, wanted: &[RecordBatch]) -> PgResult<Option<Difference>> {
    let schema = held.schema().arrow();
    if schema.fields().is_empty() {
        let count = wanted.iter().map(|b| b.num_rows() as i64).sum::<i64>() - held.len() as i64;
        return match count {
            0 => Ok(None),
            _ => Err(PgError::unsupported("a materialized view without columns")),
        };
    }
    let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut old = Vec::with_capacity(held.chunks());
    for i in 0..held.chunks() {
        old.push(held.chunk(i, None)?);
    }
    let encode = |batch: &RecordBatch| converter.convert_columns(batch.columns());
    let old_rows = old.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let new_rows = wanted.iter().map(encode).collect::<Result<Vec<_>, _>>()?;

    // Weight of each distinct row, and where it can be copied from (batch number, row).
    let mut weights: HashMap<&[u8], (i64, usize, usize), foldhash::fast::RandomState> = HashMap::default();
    let old_first = wanted.len();
    for (b, rows) in new_rows.iter().enumerate() {
        for r in 0..rows.num_rows() {
            weights.entry(rows.row(r).data()).or_insert((0, b, r)).0 += 1;
        }
    }
    for (b, rows) in old_rows.iter().enumerate() {
        for r in 0..rows.num_rows() {
            weights.entry(rows.row(r).data()).or_insert((0, old_first + b, r)).0 -= 1;
        }
    }
    let changed: Vec<(i64, usize, usize)> = weights.into_values().filter(|(weight, ..)| *weight != 0).collect();
    if changed.is_empty() {
        return Ok(None);
    }
    let batches: Vec<&RecordBatch> = wanted.iter().chain(&old).collect();
    let picks: Vec<(usize, usize)> = changed.iter().map(|(_, batch, row)| (*batch, *row)).collect();
    let rows = interleave_record_batch(&batches, &picks)?;
    Ok(Some(Difference { rows, weights: changed.into_iter().map(|(weight, ..)| weight).collect() }))
}
