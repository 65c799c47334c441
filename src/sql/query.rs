//! Running a query: planned and executed on the query runtime, its batches handed over one at a time.
//!
//! The stream holds at most [`AHEAD`] batches that nobody took: a slow reader stops the query. Dropping the stream
//! ends the task, and with it the query.

use super::context::StatementContext;
use super::database::Database;
use super::direct::Direct;
use super::effort::{Effort, effort};
use super::fair::{Dropped, fair};
use super::kept::{Keeper, Kept};
use super::past::Guest;
use super::relations::{SnapshotRelations, Staged};
use super::transaction::View;
use crate::bind::RelationsExtension;
use crate::kernels::context::SessionExtension;
use crate::types::{PgError, PgResult, PgType};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::scalar::ScalarValue;
use futures::{Stream, StreamExt};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Batches between the query and its reader.
const AHEAD: usize = 2;

/// A query without data.
#[derive(Debug)]
pub struct QueryPlan {
    pub plan: LogicalPlan,
    /// Whether `plan` went through the optimizer.
    pub optimized: bool,
    pub params: Vec<PgType>,
    /// How it runs without DataFusion, where it can.
    pub direct: Option<Direct>,
    /// Its last result, where that may be given again.
    pub kept: Option<Kept>,
    /// Tables of the past that it reads.
    pub guests: Vec<Guest>,
}

/// One execution of a query.
pub struct Execution {
    pub database: Arc<Database>,
    pub view: View,
    pub context: Arc<StatementContext>,
    pub query: Arc<QueryPlan>,
    pub params: Vec<ScalarValue>,
    /// The rows that a writing statement has made so far.
    pub staged: Staged,
    /// Whether the result may be kept.
    pub keep: bool,
}

impl Execution {
    /// Runs the query to its end: all its rows as one batch.
    pub async fn collect(self) -> PgResult<RecordBatch> {
        let schema: SchemaRef = Arc::clone(self.query.plan.schema().inner());
        let mut stream = self.start();
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        Ok(arrow::compute::concat_batches(&schema, &batches)?)
    }

    /// Starts the query; its errors come out of the stream.
    pub fn start(self) -> SendableRecordBatchStream {
        let schema: SchemaRef = Arc::clone(self.query.plan.schema().inner());
        let (sender, receiver) = mpsc::channel(AHEAD);
        let database = Arc::clone(&self.database);
        database.metrics.queries_started.fetch_add(1, Ordering::Relaxed);
        let dropped = Arc::clone(&self.context.dropped);
        let seen = Arc::clone(&dropped);
        let task = self.runtime().clone().spawn(async move {
            if let Err(error) = self.feed(&sender, &seen).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        let batches = Batches { receiver, task, dropped, ended: false };
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    /// The threads that it runs on. Tables of the past are read from files, however few rows they have.
    pub fn runtime(&self) -> &Handle {
        let effort = match self.query.guests.is_empty() {
            true => effort(&self.query.plan, &|oid| self.view.rows(oid)),
            false => Effort::Long,
        };
        self.database.runtime_for(effort)
    }

    async fn feed(
        self,
        sender: &mpsc::Sender<Result<RecordBatch, DataFusionError>>,
        dropped: &Dropped,
    ) -> Result<(), DataFusionError> {
        let (plan, task) = self.physical().await?;
        let mut stream = execute_stream(fair(plan, dropped)?, task)?;
        let mut keeper = Keeper::new();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            if self.keep {
                keeper.take(&batch)?;
            }
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
        // What system relations were made from is known when they were made.
        if self.keep
            && let Some(kept) = &self.query.kept
            && let Some(batches) = keeper.whole()
            && let Some(versions) = kept.versions(&self.view, &self.database.system_rows, || self.context.asker())
        {
            kept.put(versions, batches);
        }
        Ok(())
    }

    /// The plan over the snapshot, ready to run.
    pub async fn physical(&self) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>), DataFusionError> {
        let mut state = self.state();
        let mut plan = self.query.plan.clone();
        if !self.params.is_empty() {
            plan = plan.replace_params_with_values(&ParamValues::from(self.params.clone()))?;
        }
        if !self.query.optimized {
            plan = crate::bind::optimize(plan, &state)?;
        }
        // What is short gains nothing from a second thread, and pays for the exchange between them.
        if self.query.guests.is_empty() && effort(&plan, &|oid| self.view.rows(oid)) == Effort::Short {
            state.config_mut().options_mut().execution.target_partitions = 1;
        }
        let physical = state.query_planner().create_physical_plan(&plan, &state).await?;
        Ok((physical, state.task_ctx()))
    }

    /// The database's planning state with this statement's snapshot and session.
    fn state(&self) -> SessionState {
        let mut state = self.database.state.clone();
        let relations = SnapshotRelations::new(&self.database, &self.view, &self.context, self.staged.clone())
            .with_guests(self.query.guests.clone());
        let config = state.config_mut();
        config.set_extension(Arc::new(RelationsExtension(Arc::new(relations))));
        let context = Arc::clone(&self.context) as Arc<dyn crate::kernels::context::Context>;
        config.options_mut().extensions.insert(SessionExtension(context));
        let options = Arc::clone(state.config().options());
        state.execution_props_mut().mark_start_execution(options);
        state
    }
}

/// What the query's task sent so far; ends the task when it is dropped.
struct Batches {
    receiver: mpsc::Receiver<Result<RecordBatch, DataFusionError>>,
    task: JoinHandle<()>,
    dropped: Dropped,
    ended: bool,
}

impl Stream for Batches {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut next = std::task::ready!(self.receiver.poll_recv(cx));
        if next.is_none() {
            // Nothing more came: because that was all, or because the task broke.
            let ended = std::task::ready!(Pin::new(&mut self.task).poll(cx));
            next = ended.err().map(|error| Err(PgError::internal(format!("the query broke off: {error}")).into()));
        }
        self.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

/// Rows that are there already.
pub fn ready(batch: RecordBatch) -> SendableRecordBatchStream {
    ready_all(batch.schema(), vec![batch])
}

/// Batches that are there already.
pub fn ready_all(schema: SchemaRef, batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches.into_iter().map(Ok))))
}

/// The only value of a query of one row and one column.
pub async fn single_value(mut stream: SendableRecordBatchStream) -> PgResult<ScalarValue> {
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            return Ok(ScalarValue::try_from_array(batch.column(0), 0)?);
        }
    }
    Err(PgError::internal("an expression gave no row"))
}
