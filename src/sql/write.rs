//! Statements that write: their queries run in turn, and what they give goes into the transaction.
//!
//! Nothing is written before the statement has passed all its checks, so a statement that fails has changed nothing.

use super::OutputColumn;
use super::cascade::{Before, Change};
use super::foreign;
use super::interrupt::Operation;
use super::prepare::Preparation;
use super::query::{QueryPlan, ready};
use super::session::{Outcome, RowsTag, Session};
use super::transaction::{Phase, View};
use crate::bind::{self, BoundWrite, MergeAction, WriteKind};
use crate::catalog::Relation;
use crate::change::RowId;
use crate::engine::{Overlay, TableWrites, duplicate_key, indexed_columns, value_text};
use crate::store::earlier_twins;
use crate::types::{Oid, PgError, PgResult, PgType, SqlState, TableSchema};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{Field, Int32Type, Int64Type, Schema};
use datafusion::scalar::ScalarValue;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// ON CONFLICT: the columns of the constraint that it names, and what DO UPDATE computes.
type ConflictPlan = (Option<Vec<usize>>, Option<Arc<QueryPlan>>);

/// A statement that writes, planned.
#[derive(Debug)]
pub struct WritePlan {
    pub kind: WriteKind,
    pub target: Oid,
    pub source: Arc<QueryPlan>,
    finish: Option<Arc<QueryPlan>>,
    checks: Vec<String>,
    conflict: Option<ConflictPlan>,
    returning: Option<(Arc<QueryPlan>, Arc<[OutputColumn]>)>,
    assigned: Vec<usize>,
}

impl WritePlan {
    pub fn new(bound: BoundWrite, preparation: &Preparation, params: &[PgType]) -> PgResult<Self> {
        let plan = |query: &bind::BoundQuery| -> PgResult<(Arc<QueryPlan>, Arc<[OutputColumn]>)> {
            let mut query = query.clone();
            query.params = params.to_vec();
            preparation.plan(&query)
        };
        let only = |query: &Option<bind::BoundQuery>| query.as_ref().map(|q| plan(q).map(|p| p.0)).transpose();
        Ok(Self {
            kind: bound.kind,
            target: bound.target.oid,
            source: plan(&bound.source)?.0,
            finish: only(&bound.finish)?,
            checks: bound.checks,
            conflict: match &bound.conflict {
                Some(conflict) => Some((conflict.arbiter.clone(), only(&conflict.update)?)),
                None => None,
            },
            returning: bound.returning.as_ref().map(plan).transpose()?,
            assigned: bound.assigned,
        })
    }

    /// The columns of RETURNING.
    pub fn columns(&self) -> Option<Arc<[OutputColumn]>> {
        self.returning.as_ref().map(|(_, columns)| Arc::clone(columns))
    }

    fn word(&self) -> &'static str {
        match self.kind {
            WriteKind::Insert => "INSERT 0",
            WriteKind::Update => "UPDATE",
            WriteKind::Delete => "DELETE",
            WriteKind::Merge => "MERGE",
        }
    }
}

/// A statement with the statements in its WITH.
#[derive(Debug)]
pub struct WriteStatement {
    /// In their order, and as which relation the others read what they return.
    pub ctes: Vec<(WritePlan, Oid)>,
    pub main: Main,
}

#[derive(Debug)]
pub enum Main {
    Write(WritePlan),
    Query(Arc<QueryPlan>, Arc<[OutputColumn]>),
}

impl WriteStatement {
    fn plans(&self) -> impl Iterator<Item = &WritePlan> {
        let main = match &self.main {
            Main::Write(plan) => Some(plan),
            Main::Query(..) => None,
        };
        self.ctes.iter().map(|(plan, _)| plan).chain(main)
    }
}

/// How often a statement outside a block is tried again when another transaction was first.
const TRIES: usize = 32;

/// A statement while it runs.
pub(super) struct Run<'a> {
    session: &'a mut Session,
    operation: &'a Operation,
    plan: &'a WritePlan,
    view: View,
    relation: Arc<Relation>,
    schema: Arc<TableSchema>,
    params: Vec<ScalarValue>,
    ctes: Arc<Vec<(Oid, RecordBatch)>>,
}

/// What a statement did: the target's rows that it wrote or ended, and of each what else RETURNING may name.
struct Done {
    rows: RecordBatch,
    extras: Vec<ArrayRef>,
    count: usize,
}

impl Session {
    /// Runs a statement that writes: within the transaction, or as one of its own.
    pub(super) async fn write(
        &mut self,
        statement: &WriteStatement,
        params: Vec<ScalarValue>,
        operation: &Operation,
    ) -> PgResult<Outcome> {
        self.writable("a statement that writes")?;
        if self.transaction.phase != Phase::Idle {
            return self.write_now(statement, params, operation).await;
        }
        if self.pipelined {
            self.begin(Phase::Implicit);
            return self.write_now(statement, params, operation).await;
        }
        let mut tries = 1;
        let targets = |session: &mut Self| -> Vec<Option<Arc<Relation>>> {
            let view = session.view();
            statement.plans().map(|plan| view.catalog.relation(plan.target).cloned()).collect()
        };
        let planned = targets(self);
        loop {
            self.begin(Phase::Implicit);
            if tries > 1 && targets(self) != planned {
                // The plan is for another form of the table.
                let error = crate::engine::lost_race("update");
                return Err(error);
            }
            let outcome = self.write_now(statement, params.clone(), operation).await?;
            let committed = self.commit().await;
            match committed {
                Ok(()) => return Ok(outcome),
                // Over the newer snapshot it comes to the same as if it had begun later.
                Err(error) if may_try_again(&error) && tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn write_now(
        &mut self,
        statement: &WriteStatement,
        params: Vec<ScalarValue>,
        operation: &Operation,
    ) -> PgResult<Outcome> {
        for plan in statement.plans() {
            let view = self.view();
            let target = target_of(&view, plan)?;
            self.open_writes(&view, &target)?;
        }
        // All parts of a statement read what there was before it.
        let view = self.view();
        let mut returned = Vec::with_capacity(statement.ctes.len());
        for (plan, oid) in &statement.ctes {
            let ctes = Arc::new(returned.clone());
            let (_, rows) = self.run(plan, &view, &params, ctes, operation).await?;
            returned.extend(rows.map(|rows| (*oid, rows)));
        }
        let ctes = Arc::new(returned);
        match &statement.main {
            Main::Write(plan) => {
                let (count, rows) = self.run(plan, &view, &params, ctes, operation).await?;
                let word = plan.word();
                Ok(match (rows, plan.columns()) {
                    (Some(rows), Some(columns)) => {
                        Outcome::Rows { columns, stream: ready(rows), tag: RowsTag::counted(word) }
                    }
                    _ => Outcome::Done { tag: format!("{word} {count}") },
                })
            }
            Main::Query(query, columns) => {
                let mut execution = self.execution(query, params);
                execution.view = view;
                execution.staged.ctes = ctes;
                let rows = operation.guard(execution.collect()).await??;
                let columns = Arc::clone(columns);
                Ok(Outcome::Rows { columns, stream: ready(rows), tag: RowsTag::counted("SELECT") })
            }
        }
    }

    /// Runs one plan: how many rows it wrote, and what it returns.
    async fn run(
        &mut self,
        plan: &WritePlan,
        view: &View,
        params: &[ScalarValue],
        ctes: Arc<Vec<(Oid, RecordBatch)>>,
        operation: &Operation,
    ) -> PgResult<(usize, Option<RecordBatch>)> {
        let relation = target_of(view, plan)?;
        let schema = Arc::new(relation.table_schema());
        let (view, params) = (view.clone(), params.to_vec());
        Run { session: self, operation, plan, view, relation, schema, params, ctes }.run().await
    }

    /// Begins to write to a table.
    pub(super) fn open_writes(&mut self, view: &View, relation: &Relation) -> PgResult<()> {
        if self.transaction.has_written(relation.oid) {
            return Ok(());
        }
        let base = view.snapshot.table(relation.oid);
        let schema = match &base {
            Some(base) => Arc::clone(base.schema()),
            None => Arc::new(relation.table_schema()),
        };
        let uniques = unique_indexes(relation);
        self.transaction.put_writes(relation.oid, TableWrites::new(base, &schema, uniques)?);
        Ok(())
    }

    /// The writes to a table that [`Session::open_writes`] has begun.
    pub(super) fn writes(&mut self, oid: Oid) -> PgResult<&mut TableWrites> {
        self.transaction.writes(oid).ok_or_else(|| PgError::internal("a table that was not opened for writing"))
    }

    pub(super) fn writable(&self, what: &str) -> PgResult<()> {
        if self.settings.lock().is_on("transaction_read_only") {
            let message = format!("cannot execute {what} in a read-only transaction");
            return Err(PgError::new(SqlState::READ_ONLY_TRANSACTION, message));
        }
        self.in_present(what)
    }

    /// Adds rows that came from elsewhere (COPY): `staged` are the columns that the plan's source reads.
    pub(super) async fn write_staged(
        &mut self,
        plan: &WritePlan,
        staged: RecordBatch,
        operation: &Operation,
    ) -> PgResult<u64> {
        let view = self.view();
        let relation = target_of(&view, plan)?;
        let schema = Arc::new(relation.table_schema());
        self.open_writes(&view, &relation)?;
        let view = self.view();
        let (params, ctes) = (Vec::new(), Arc::default());
        let mut run = Run { session: self, operation, plan, view, relation, schema, params, ctes };
        let source = run.query(&plan.source, Some(staged)).await?;
        run.insert(source).await.map(|done| done.count as u64)
    }
}

fn target_of(view: &View, plan: &WritePlan) -> PgResult<Arc<Relation>> {
    let gone = || PgError::internal("a statement was planned for a table that is not there");
    view.catalog.relation(plan.target).cloned().ok_or_else(gone)
}

/// The columns that must be unique and have an index of their own.
pub(super) fn unique_indexes(relation: &Relation) -> Vec<Vec<usize>> {
    let uniques: Vec<Vec<usize>> = relation.uniques().into_iter().map(|(columns, _)| columns).collect();
    indexed_columns(relation).into_iter().filter(|columns| uniques.contains(columns)).collect()
}

fn may_try_again(error: &PgError) -> bool {
    matches!(error.state, SqlState::SERIALIZATION_FAILURE | SqlState::UNIQUE_VIOLATION)
}

impl<'a> Run<'a> {
    /// A run of a plan's checks over rows that its source did not make.
    pub(super) fn new(
        session: &'a mut Session,
        operation: &'a Operation,
        plan: &'a WritePlan,
        view: View,
        relation: Arc<Relation>,
    ) -> Self {
        let schema = Arc::new(relation.table_schema());
        Self { session, operation, plan, view, relation, schema, params: Vec::new(), ctes: Arc::default() }
    }

    /// Rows that come in the place of others, with `changed` columns: finished and held against the table's constraints.
    pub(super) async fn amended(
        &mut self,
        ids: &[RowId],
        rows: RecordBatch,
        changed: &[usize],
    ) -> PgResult<RecordBatch> {
        let rows = self.finish(rows).await?;
        let replaced = ids.iter().copied().collect();
        let changed = self.with_generated(changed);
        self.check_unique(&rows, &replaced, Some(&changed))?;
        Ok(rows)
    }

    /// These columns, and those that are computed from others.
    fn with_generated(&self, columns: &[usize]) -> Vec<usize> {
        let generated = self.relation.columns.iter().enumerate().filter(|(_, c)| c.generated).map(|(i, _)| i);
        columns.iter().copied().chain(generated).collect()
    }
}

impl Run<'_> {
    async fn run(mut self) -> PgResult<(usize, Option<RecordBatch>)> {
        let plan = self.plan;
        let source = self.query(&plan.source, None).await?;
        let done = match plan.kind {
            WriteKind::Insert => self.insert(source).await?,
            WriteKind::Update => self.update(source).await?,
            WriteKind::Delete => self.delete(&source).await?,
            WriteKind::Merge => self.merge(source).await?,
        };
        let Some((returning, _)) = &plan.returning else { return Ok((done.count, None)) };
        let staged = with_columns(&done.rows, done.extras)?;
        // Computed now: an error in it is the statement's.
        let rows = self.query(returning, Some(staged)).await?;
        Ok((done.count, Some(rows)))
    }

    /// Runs one of the statement's queries, over what the transaction saw when the statement began.
    async fn query(&mut self, query: &Arc<QueryPlan>, staged: Option<RecordBatch>) -> PgResult<RecordBatch> {
        let mut execution = self.session.execution(query, self.params.clone());
        execution.view = self.view.clone();
        execution.staged.rows = staged;
        execution.staged.ctes = Arc::clone(&self.ctes);
        self.operation.guard(execution.collect()).await?
    }

    /// The table as it is now, with what earlier parts of the statement wrote.
    fn overlay(&mut self) -> PgResult<Overlay> {
        Ok(self.session.writes(self.relation.oid)?.overlay().clone())
    }

    /// Columns `from..` of a source as rows of the target.
    fn target_rows(&self, source: &RecordBatch, from: usize) -> PgResult<RecordBatch> {
        let columns = source.columns()[from..from + self.schema.columns.len()].to_vec();
        batch(&self.schema, columns, source.num_rows())
    }

    /// Computes generated columns and holds the rows against NOT NULL and the checks.
    async fn finish(&mut self, rows: RecordBatch) -> PgResult<RecordBatch> {
        let width = self.schema.columns.len();
        let Some(finish) = &self.plan.finish else {
            self.check_nulls(&rows)?;
            return Ok(rows);
        };
        let finished = self.query(finish, Some(rows)).await?;
        let rows = self.target_rows(&finished, 0)?;
        self.check_nulls(&rows)?;
        for (name, holds) in self.plan.checks.iter().zip(&finished.columns()[width..]) {
            let holds = holds.as_boolean();
            let failed = (0..holds.len()).find(|row| holds.is_valid(*row) && !holds.value(*row));
            if let Some(row) = failed {
                let table = &self.relation.name;
                let message = format!("new row for relation \"{table}\" violates check constraint \"{name}\"");
                let error = PgError::new(SqlState::CHECK_VIOLATION, message).constraint(name);
                return Err(self.failing_row(error, &rows, row));
            }
        }
        Ok(rows)
    }

    fn check_nulls(&self, rows: &RecordBatch) -> PgResult<()> {
        for (i, column) in self.relation.columns.iter().enumerate().filter(|(_, c)| c.not_null) {
            let array = rows.column(i);
            if array.null_count() == 0 {
                continue;
            }
            let row = (0..array.len()).find(|row| array.is_null(*row)).unwrap_or(0);
            let message = format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, self.relation.name
            );
            let error = PgError::new(SqlState::NOT_NULL_VIOLATION, message).column(&column.name);
            return Err(self.failing_row(error, rows, row));
        }
        Ok(())
    }

    fn failing_row(&self, error: PgError, rows: &RecordBatch, row: usize) -> PgError {
        let schema = self.view.catalog.namespace(self.relation.schema).map_or("", |n| n.name.as_str());
        let values = (0..rows.num_columns()).map(|c| value_text(&self.relation, c, rows, row).unwrap_or_default());
        let values = values.map(shortened).collect::<Vec<_>>().join(", ");
        error.table(schema, &self.relation.name).detail(format!("Failing row contains ({values})."))
    }

    fn duplicate(&self, name: &str, columns: &[usize], rows: &RecordBatch, row: usize) -> PgError {
        duplicate_key(&self.view.catalog, &self.relation, name, columns, rows, row)
    }

    /// `23505` where one of `rows` has the key of another, or of a stored row that is not among `replaced`. `changed`: the columns
    /// that may be other than in the rows that they replace; `None`: all.
    fn check_unique(
        &mut self,
        rows: &RecordBatch,
        replaced: &HashSet<RowId>,
        changed: Option<&[usize]>,
    ) -> PgResult<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let overlay = self.overlay()?;
        for (columns, name) in self.relation.uniques() {
            if changed.is_some_and(|changed| !columns.iter().any(|c| changed.contains(c))) {
                continue;
            }
            let twins = earlier_twins(&self.schema, &columns, rows)?;
            if let Some(row) = twins.iter().position(Option::is_some) {
                return Err(self.duplicate(&name, &columns, rows, row));
            }
            let found = overlay.find(&columns, &keys(rows, &columns))?;
            if let Some((row, _)) = found.iter().find(|(_, id)| !replaced.contains(id)) {
                return Err(self.duplicate(&name, &columns, rows, *row as usize));
            }
        }
        Ok(())
    }

    /// Ends rows and adds others, and follows the foreign keys. `into`: for each of `dead` the place in `rows` of what it became.
    async fn write(&mut self, dead: &[RowId], rows: &RecordBatch, into: Vec<Option<u32>>) -> PgResult<()> {
        if !foreign::concerns(&self.view, &self.relation) {
            return self.session.writes(self.relation.oid)?.write(dead, rows);
        }
        let gone = self.overlay()?.rows_by_id(dead)?;
        // Foreign keys are looked at when all is written, and a statement that fails leaves nothing.
        let mut before = Before::default();
        before.note(self.session, &self.relation)?;
        self.session.writes(self.relation.oid)?.write(dead, rows)?;
        let change = Change { relation: Arc::clone(&self.relation), gone, into, rows: rows.clone() };
        let followed = self.session.follow(change, &mut before, self.operation).await;
        if followed.is_err() {
            before.restore(self.session)?;
        }
        followed
    }

    async fn insert(&mut self, source: RecordBatch) -> PgResult<Done> {
        let rows = self.target_rows(&source, 0)?;
        let rows = self.finish(rows).await?;
        let Some((arbiter, update)) = &self.plan.conflict else {
            self.check_unique(&rows, &HashSet::new(), None)?;
            self.write(&[], &rows, Vec::new()).await?;
            return Ok(Done { count: rows.num_rows(), rows, extras: Vec::new() });
        };
        let uniques = self.relation.uniques();
        let looked_at: Vec<Vec<usize>> = match arbiter {
            Some(columns) => uniques.iter().map(|(c, _)| c).filter(|c| *c == columns).cloned().collect(),
            None => uniques.into_iter().map(|(c, _)| c).collect(),
        };
        // For each row the stored row in its way.
        let mut stored: Vec<Option<RowId>> = vec![None; rows.num_rows()];
        for columns in &looked_at {
            for (row, id) in self.overlay()?.find(columns, &keys(&rows, columns))? {
                stored[row as usize] = Some(id);
            }
        }
        let mut free: Vec<bool> = stored.iter().map(Option::is_none).collect();
        for columns in &looked_at {
            // A row that is not inserted is in nobody's way, but then an equal one has the same stored row in its own.
            for (row, twin) in earlier_twins(&self.schema, columns, &rows)?.into_iter().enumerate() {
                if twin.is_some() && free[row] {
                    if update.is_some() {
                        return Err(twice("ON CONFLICT DO UPDATE").hint(
                            "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
                        ));
                    }
                    free[row] = false;
                }
            }
        }
        let new = filter_record_batch(&rows, &BooleanArray::from(free))?;
        self.check_unique(&new, &HashSet::new(), None)?;
        self.session.writes(self.relation.oid)?.looked_for_conflicts();
        let Some(update) = update else {
            self.write(&[], &new, Vec::new()).await?;
            return Ok(Done { count: new.num_rows(), rows: new, extras: Vec::new() });
        };
        let (at, ids): (Vec<u32>, Vec<RowId>) =
            stored.iter().enumerate().filter_map(|(i, id)| Some((i as u32, (*id)?))).unzip();
        let mut seen = HashSet::new();
        if !ids.iter().all(|id| seen.insert(*id)) {
            return Err(twice("ON CONFLICT DO UPDATE").hint(
                "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
            ));
        }
        let old = self.overlay()?.rows_by_id(&ids)?;
        let excluded = take_record_batch(&rows, &UInt32Array::from(at.clone()))?;
        let row_ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| id.0 as i64)));
        let extras = excluded.columns().iter().cloned().chain([row_ids]).collect();
        let changed = self.query(update, Some(with_columns(&old, extras)?)).await?;
        let places: HashMap<RowId, u32> = ids.iter().copied().zip(at).collect();
        let (ids, rows) = self.replaced(&changed, None).await?;
        let replaced: HashSet<RowId> = ids.iter().copied().collect();
        let all = arrow::compute::concat_batches(self.schema.arrow(), [&new, &rows])?;
        // In the order of the source, as RETURNING shows them.
        let inserted = stored.iter().enumerate().filter(|(_, id)| id.is_none()).map(|(row, _)| row as u32);
        let order: Vec<u32> = inserted.take(new.num_rows()).chain(ids.iter().map(|id| places[id])).collect();
        let sorted = arrow::compute::sort_to_indices(&UInt32Array::from(order), None, None)?;
        let all = take_record_batch(&all, &sorted)?;
        self.check_unique(&all, &replaced, None)?;
        let mut place = vec![0; all.num_rows()];
        sorted.values().iter().enumerate().for_each(|(to, from)| place[*from as usize] = to as u32);
        let into = (0..ids.len()).map(|nth| Some(place[new.num_rows() + nth])).collect();
        self.write(&ids, &all, into).await?;
        Ok(Done { count: all.num_rows(), rows: all, extras: Vec::new() })
    }

    /// A row id and the row that comes in its place, of each row of `source`; finished. `changed`: see
    /// [`Run::check_unique`].
    async fn replaced(
        &mut self,
        source: &RecordBatch,
        changed: Option<&[usize]>,
    ) -> PgResult<(Vec<RowId>, RecordBatch)> {
        let ids = row_ids(source)?;
        let rows = self.target_rows(source, 1)?;
        let rows = self.finish(rows).await?;
        if let Some(changed) = changed {
            let replaced = ids.iter().copied().collect();
            self.check_unique(&rows, &replaced, Some(changed))?;
        }
        Ok((ids, rows))
    }

    async fn update(&mut self, source: RecordBatch) -> PgResult<Done> {
        let source = one_of_each_row(source)?;
        let changed = self.with_generated(&self.plan.assigned);
        let (ids, rows) = self.replaced(&source, Some(&changed)).await?;
        let into = (0..ids.len() as u32).map(Some).collect();
        self.write(&ids, &rows, into).await?;
        let extras = source.columns()[1 + self.schema.columns.len()..].to_vec();
        Ok(Done { count: rows.num_rows(), rows, extras })
    }

    async fn delete(&mut self, source: &RecordBatch) -> PgResult<Done> {
        let source = one_of_each_row(source.clone())?;
        let ids = row_ids(&source)?;
        let rows = match self.plan.returning {
            Some(_) => self.overlay()?.rows_by_id(&ids)?,
            None => RecordBatch::new_empty(Arc::clone(self.schema.arrow())),
        };
        self.write(&ids, &RecordBatch::new_empty(Arc::clone(self.schema.arrow())), vec![None; ids.len()]).await?;
        Ok(Done { count: ids.len(), rows, extras: source.columns()[1..].to_vec() })
    }

    async fn merge(&mut self, source: RecordBatch) -> PgResult<Done> {
        let actions = source.column(1).as_primitive::<Int32Type>();
        let of = |action: MergeAction| {
            let wanted: BooleanArray = actions.iter().map(|a| Some(a == Some(action as i32))).collect();
            filter_record_batch(&source, &wanted)
        };
        let (inserted, updated, deleted) =
            (of(MergeAction::Insert)?, of(MergeAction::Update)?, of(MergeAction::Delete)?);
        let new = self.target_rows(&inserted, 2)?;
        let new = self.finish(new).await?;
        let changed = self.target_rows(&updated, 2)?;
        let changed = self.finish(changed).await?;
        let mut dead = row_ids(&updated)?;
        dead.extend(row_ids(&deleted)?);
        let replaced: HashSet<RowId> = dead.iter().copied().collect();
        if replaced.len() < dead.len() {
            let hint = "Ensure that not more than one source row matches any one target row.";
            return Err(twice("MERGE").hint(hint));
        }
        let rows = arrow::compute::concat_batches(self.schema.arrow(), [&new, &changed])?;
        self.check_unique(&rows, &replaced, None)?;
        let updates = 0..updated.num_rows() as u32;
        let into = updates.map(|nth| Some(new.num_rows() as u32 + nth));
        let into = into.chain((0..deleted.num_rows()).map(|_| None)).collect();
        self.write(&dead, &rows, into).await?;
        Ok(Done { count: rows.num_rows() + deleted.num_rows(), rows, extras: Vec::new() })
    }
}

fn twice(command: &str) -> PgError {
    let message = format!("{command} command cannot affect row a second time");
    PgError::new(SqlState::CARDINALITY_VIOLATION, message)
}

/// A value in the detail of an error is cut as in PostgreSQL.
fn shortened(text: String) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn keys(rows: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|c| Arc::clone(rows.column(*c))).collect()
}

fn row_ids(source: &RecordBatch) -> PgResult<Vec<RowId>> {
    let ids = source.column(0).as_primitive_opt::<Int64Type>();
    let ids = ids.ok_or_else(|| PgError::internal("a source without row ids"))?;
    Ok(ids.values().iter().map(|id| RowId(*id as u64)).collect())
}

/// The rows in the order of the table, as RETURNING shows them; of the rows with one row id the first.
fn one_of_each_row(source: RecordBatch) -> PgResult<RecordBatch> {
    let ids = row_ids(&source)?;
    if ids.is_sorted_by(|a, b| a < b) {
        return Ok(source);
    }
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|row| ids[*row as usize]);
    order.dedup_by_key(|row| ids[*row as usize]);
    Ok(take_record_batch(&source, &UInt32Array::from(order))?)
}

fn batch(schema: &TableSchema, columns: Vec<ArrayRef>, rows: usize) -> PgResult<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema.arrow()), columns, &options)?)
}

/// Staged rows: the batch's columns and more of them.
fn with_columns(rows: &RecordBatch, more: Vec<ArrayRef>) -> PgResult<RecordBatch> {
    let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(more).collect();
    let field = |(i, array): (usize, &ArrayRef)| Field::new(format!("s{i}"), array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}
