//! What an operator of a maintained view is, and what it sees of a tick.

use super::delta::Delta;
use crate::bind::{Relations, RelationsExtension};
use crate::change::RowId;
use crate::memory;
use crate::store::{Changes, TableSnapshot};
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect, execute_stream};
use futures::StreamExt;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::runtime::Runtime;

/// A relation before and after a tick.
#[derive(Clone)]
pub enum Input {
    Hot(Arc<Changes>),
    /// Rows are only added: those of this tick.
    Appended {
        added: Arc<dyn Added>,
    },
}

impl Input {
    /// A hot table; `dead`: as for [`Changes::new`].
    pub fn hot(old: TableSnapshot, new: TableSnapshot, dead: Vec<RowId>) -> Self {
        Self::Hot(Arc::new(Changes::new(old, new, Arc::new(dead))))
    }
}

/// The rows that a tick added to an append-only relation.
pub trait Added: Send + Sync {
    fn is_empty(&self) -> bool;
    /// These columns of them.
    fn rows(&self, projection: &[usize]) -> PgResult<Vec<RecordBatch>>;
}

/// One tick, as the operators of a view see it.
pub struct Tick<'a> {
    pub inputs: &'a HashMap<Oid, Input>,
    /// Gives all relations as of after the tick, to who must run a plan over them.
    pub relations: &'a dyn Fn() -> Arc<dyn Relations>,
    pub session: &'a SessionState,
    pub runtime: &'a Runtime,
    /// Whoever looks on while a first run goes.
    pub watch: Option<&'a Watch>,
}

/// How far a first run is, and whether it is still wanted.
#[derive(Debug, Default)]
pub struct Watch {
    done: AtomicU64,
    cancelled: AtomicBool,
}

impl Watch {
    /// Rows of the inputs that have been read.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// See [`Tick::read`].
    pub fn read(&self, rows: usize) -> PgResult<()> {
        memory::check_far()?;
        self.done.fetch_add(rows as u64, Ordering::Relaxed);
        match self.cancelled.load(Ordering::Relaxed) {
            true => Err(PgError::new(SqlState::QUERY_CANCELED, "the first run of a materialized view was cancelled")),
            false => Ok(()),
        }
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Tick<'_> {
    pub fn input(&self, oid: Oid) -> PgResult<&Input> {
        self.inputs.get(&oid).ok_or_else(|| PgError::internal(format!("relation {oid} is no input of this tick")))
    }

    /// Notes that rows of an input were read by a first run. `57014` where it is no longer wanted, `53200` where the process
    /// has reached its memory limit.
    pub fn read(&self, rows: usize) -> PgResult<()> {
        match self.watch {
            Some(watch) => watch.read(rows),
            None => Ok(()),
        }
    }

    /// Runs what is asynchronous in DataFusion. The engine's thread waits.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn state(&self) -> SessionState {
        let mut state = self.session.clone();
        state.config_mut().set_extension(Arc::new(RelationsExtension((self.relations)())));
        state
    }

    /// Runs a plan over the relations as they are after the tick.
    pub fn run(&self, plan: &LogicalPlan) -> PgResult<Vec<RecordBatch>> {
        let state = self.state();
        self.wait(async {
            let physical = state.query_planner().create_physical_plan(plan, &state).await?;
            Ok(collect(physical, state.task_ctx()).await?)
        })
    }

    /// What physical plans run in.
    pub fn task(&self) -> Arc<TaskContext> {
        self.session.task_ctx()
    }

    /// Runs a plan and hands its batches on as they come.
    pub fn stream(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        each: &mut dyn FnMut(RecordBatch) -> PgResult<()>,
    ) -> PgResult<()> {
        let mut rows = execute_stream(plan, self.task())?;
        while let Some(batch) = self.wait(rows.next()) {
            each(batch?)?;
        }
        Ok(())
    }

    pub fn collect(&self, plan: Arc<dyn ExecutionPlan>) -> PgResult<Vec<RecordBatch>> {
        Ok(self.wait(collect(plan, self.task()))?)
    }
}

/// Which side of a tick a look-up sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Old,
    New,
}

/// An index of a hot table that a view needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexNeed {
    pub oid: Oid,
    pub columns: Vec<usize>,
}

/// Where the rows of a first run go, in pieces.
pub type Emit<'a> = &'a mut dyn FnMut(RecordBatch) -> PgResult<()>;

/// One operator of a view: it gives the changes of its output from the changes of its inputs.
///
/// The life of an operator: one [`Operator::hydrate`] or [`Operator::prepare`], over the newest state of its inputs, then one
/// [`Operator::step`] for each tick in which an input changed. After an error its state is worth nothing: the whole
/// tree is made anew.
pub trait Operator: Send + Sync {
    /// Its columns, all of which may be NULL.
    fn schema(&self) -> &SchemaRef;

    /// Builds its state and gives its whole output. Nothing that is given is taken back: a value that is in no state
    /// of the view is never computed.
    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()>;

    /// Builds its state only.
    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.hydrate(tick, &mut |_| Ok(()))
    }

    /// What a tick changes in its output.
    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta>;

    /// Can rows of the output be found by values in these columns, before and after a tick, without a pass over
    /// everything? If so, adds the indexes that it takes.
    fn seekable(&self, _columns: &[usize], _needs: &mut Vec<IndexNeed>) -> bool {
        false
    }

    /// The rows whose `columns` equal one of `keys`, and for each the number of its key, ascending. NULL equals NULL
    /// here. Only where [`Operator::seekable`] said so.
    fn seek(
        &self,
        _tick: &Tick<'_>,
        _when: When,
        _columns: &[usize],
        _keys: &[ArrayRef],
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        Err(PgError::internal("look-up in an operator that has no index"))
    }

    /// For each key whether [`Operator::seek`] finds a row.
    fn contains(&self, tick: &Tick<'_>, when: When, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        let mut found = vec![false; keys.first().map_or(0, |k| k.len())];
        for number in self.seek(tick, when, columns, keys)?.1 {
            found[number as usize] = true;
        }
        Ok(found)
    }

    /// Bytes of the state that is this operator's own, and of those under it.
    fn bytes(&self) -> usize {
        0
    }

    /// How it is maintained, one line for each operator, those under it further in.
    fn explain(&self, depth: usize, lines: &mut Vec<String>);
}

/// A line of a maintenance plan.
pub fn line(depth: usize, lines: &mut Vec<String>, text: impl std::fmt::Display) {
    lines.push(format!("{:depth$}{text}", "", depth = depth * 2));
}
