//! A plan of DataFusion over rows that are put in by hand, made once and run at each tick.

use super::delta::with_count;
use super::operator::Tick;
use crate::types::PgResult;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, reset_plan_states};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::stream;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

/// Where the rows of the next run lie.
type Rows = Arc<Mutex<Vec<RecordBatch>>>;

/// A plan whose one input is given with each run.
pub struct Fed {
    rows: Rows,
    input: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
}

impl Fed {
    /// `over`: makes the plan of its input, which has the schema of `input`.
    pub fn new(
        input: &LogicalPlan,
        over: impl FnOnce(LogicalPlan) -> PgResult<LogicalPlan>,
        session: &SessionState,
    ) -> PgResult<Self> {
        let schema = Arc::clone(input.schema().inner());
        let rows = Rows::default();
        let provider = Feed { schema: Arc::clone(&schema), rows: Arc::clone(&rows) };
        let scan = TableScan {
            table_name: TableReference::bare("feed"),
            source: provider_as_source(Arc::new(provider)),
            projection: None,
            projected_schema: Arc::clone(input.schema()),
            filters: vec![],
            fetch: None,
            statistics_requests: Default::default(),
        };
        let logical = over(LogicalPlan::TableScan(scan))?;
        // Nothing in such a plan waits: a task that is polled here ends here.
        let planned = session.query_planner().create_physical_plan(&logical, session);
        let plan = futures::executor::block_on(planned)?;
        Ok(Self { rows, input: schema, plan })
    }

    pub fn run(&self, tick: &Tick<'_>, rows: &[RecordBatch]) -> PgResult<Vec<RecordBatch>> {
        let named = |rows: &RecordBatch| with_count(&self.input, rows.columns().to_vec(), rows.num_rows());
        *self.rows.lock() = rows.iter().map(named).collect::<PgResult<_>>()?;
        let result = reset_plan_states(Arc::clone(&self.plan)).map_err(Into::into).and_then(|plan| tick.collect(plan));
        self.rows.lock().clear();
        result
    }
}

#[derive(Debug)]
struct Feed {
    schema: SchemaRef,
    rows: Rows,
}

#[async_trait]
impl TableProvider for Feed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&self.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Arc::new(FeedScan { rows: Arc::clone(&self.rows), properties: Arc::new(properties) }))
    }
}

#[derive(Debug)]
struct FeedScan {
    rows: Rows,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for FeedScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FeedScan")
    }
}

impl ExecutionPlan for FeedScan {
    fn name(&self) -> &str {
        "FeedScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows: Vec<Result<RecordBatch>> = self.rows.lock().iter().cloned().map(Ok).collect();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::iter(rows))))
    }
}
