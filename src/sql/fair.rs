//! Long queries and the others: a plan that gives way, and that stops when nobody waits for it.
//!
//! A query's task can be stopped, and lets other tasks run, only where it yields. DataFusion yields at the leaves of a plan, but
//! a join can make billions of rows out of one batch of a leaf, and a nested loop whose condition admits nothing makes
//! none in all that time. So joins here yield by what they give, and a nested loop's condition looks around each
//! time it is evaluated: it ends when the query was dropped, and gives the thread's other tasks to another thread
//! when it has held it for long.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Set when nobody waits for the query's rows any more.
pub type Dropped = Arc<AtomicBool>;

/// How long an evaluation may hold its thread before other tasks get another one.
const LONG: Duration = Duration::from_millis(10);
/// Evaluations that are further apart than this are not one stretch of work.
const PAUSE: Duration = Duration::from_millis(2);

/// The plan, made to give way.
pub fn fair(plan: Arc<dyn ExecutionPlan>, dropped: &Dropped) -> Result<Arc<dyn ExecutionPlan>> {
    let change = |plan: Arc<dyn ExecutionPlan>| {
        let plan: Arc<dyn ExecutionPlan> = match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => watched(join, dropped)?,
            None if plan.is::<CrossJoinExec>() || plan.is::<HashJoinExec>() || plan.is::<SortMergeJoinExec>() => plan,
            None => return Ok(Transformed::no(plan)),
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>))
    };
    plan.transform_up(change).map(|changed| changed.data)
}

fn watched(join: &NestedLoopJoinExec, dropped: &Dropped) -> Result<Arc<dyn ExecutionPlan>> {
    let filter = join.filter().map(|filter| {
        let inner = Arc::clone(filter.expression());
        let watch = Arc::new(Watch { inner, dropped: Arc::clone(dropped) });
        JoinFilter::new(watch, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    });
    let projection = join.projection().as_ref().map(|columns| columns.to_vec());
    let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
    Ok(Arc::new(NestedLoopJoinExec::try_new(left, right, filter, join.join_type(), projection)?))
}

/// Does what holds its thread for long: the thread's other tasks go to another one meanwhile.
pub fn aside<T>(work: impl FnOnce() -> T) -> T {
    match on_many_threads() {
        true => tokio::task::block_in_place(work),
        false => work(),
    }
}

/// An expression that is what it holds, and looks around before it is evaluated.
#[derive(Debug)]
struct Watch {
    inner: Arc<dyn PhysicalExpr>,
    dropped: Dropped,
}

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Watch {}

impl Hash for Watch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

thread_local! {
    /// When this thread's stretch of evaluations began, and when its last one ended.
    static STRETCH: Cell<Option<(Instant, Instant)>> = const { Cell::new(None) };
}

/// Whether this thread has done nothing but evaluate for long.
fn held_for_long() -> bool {
    let now = Instant::now();
    let began = match STRETCH.get() {
        Some((began, last)) if now.duration_since(last) < PAUSE => began,
        _ => now,
    };
    let long = now.duration_since(began) >= LONG;
    STRETCH.set(Some((if long { now } else { began }, now)));
    long
}

impl PhysicalExpr for Watch {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.inner.data_type(input)
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.inner.nullable(input)
    }

    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.dropped.load(Ordering::Relaxed) {
            return Err(DataFusionError::Execution("nobody waits for this query".to_string()));
        }
        let value = match held_for_long() && on_many_threads() {
            // The other tasks of this thread go to another one; this poll ends on a thread of its own.
            true => aside(|| self.inner.evaluate(batch)),
            false => self.inner.evaluate(batch),
        };
        if let Some((began, _)) = STRETCH.get() {
            STRETCH.set(Some((began, Instant::now())));
        }
        value
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, dropped: Arc::clone(&self.dropped) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

fn on_many_threads() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
