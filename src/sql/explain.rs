//! EXPLAIN: DataFusion's plan as text, a line for each row.

use super::OutputColumn;
use super::fair::Dropped;
use super::query::{Execution, ready};
use super::session::{Outcome, RowsTag, text_batch};
use crate::types::{PgError, PgResult, SqlState};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use pg_query::NodeEnum;
use pg_query::protobuf::ExplainStmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    analyze: bool,
    verbose: bool,
    summary: bool,
}

impl Options {
    pub fn read(statement: &ExplainStmt) -> PgResult<Self> {
        let mut options = Self::default();
        let mut summary = None;
        for node in &statement.options {
            let Some(NodeEnum::DefElem(element)) = &node.node else { continue };
            let arg = element.arg.as_deref().and_then(|n| n.node.as_ref());
            let value = match arg {
                None => Some("on".to_owned()),
                Some(NodeEnum::String(s)) => Some(s.sval.clone()),
                Some(NodeEnum::Integer(i)) => Some(i.ival.to_string()),
                Some(NodeEnum::Boolean(b)) => Some(b.boolval.to_string()),
                Some(_) => None,
            };
            let on = || value.as_deref().and_then(super::parameters::boolean).unwrap_or(true);
            match element.defname.as_str() {
                "analyze" => options.analyze = on(),
                "verbose" => options.verbose = on(),
                "summary" => summary = Some(on()),
                // What they ask for is either always or never shown.
                "costs" | "settings" | "buffers" | "wal" | "timing" => {}
                "format" => match value.as_deref() {
                    Some("text") => {}
                    other => {
                        let format = other.unwrap_or_default();
                        return Err(PgError::unsupported(format!("EXPLAIN (FORMAT {format})")));
                    }
                },
                other => {
                    let message = format!("unrecognized EXPLAIN option \"{other}\"");
                    let error = PgError::new(SqlState::SYNTAX_ERROR, message);
                    return Err(error.at(usize::try_from(element.location).unwrap_or(0)));
                }
            }
        }
        options.summary = summary.unwrap_or(options.analyze);
        Ok(options)
    }
}

/// The plan's lines; with ANALYZE after running it on the threads that the query would run on.
pub async fn run(execution: Execution, columns: Arc<[OutputColumn]>, options: Options) -> PgResult<Outcome> {
    let runtime = execution.runtime().clone();
    let dropped = Arc::clone(&execution.context.dropped);
    let task = runtime.spawn(async move { lines(&execution, options).await });
    let task = AbortOnDrop { task, dropped };
    let lines = task.join().await?;
    let batch = text_batch(&columns, lines.into_iter().map(|line| vec![Some(line)]).collect())?;
    Ok(Outcome::Rows { columns, stream: ready(batch), tag: RowsTag::plain("EXPLAIN") })
}

async fn lines(execution: &Execution, options: Options) -> PgResult<Vec<String>> {
    let began = Instant::now();
    let (plan, task) = execution.physical().await?;
    let planned = began.elapsed();
    let mut footer = Vec::new();
    if options.summary {
        footer.push(format!("Planning Time: {:.3} ms", planned.as_secs_f64() * 1e3));
    }
    let shown = if options.analyze {
        let began = Instant::now();
        let mut stream = execute_stream(Arc::clone(&plan), task)?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch?.num_rows();
        }
        footer.insert(0, format!("Rows: {rows}"));
        if options.summary {
            footer.push(format!("Execution Time: {:.3} ms", began.elapsed().as_secs_f64() * 1e3));
        }
        DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(options.verbose).to_string()
    } else {
        DisplayableExecutionPlan::new(plan.as_ref()).indent(options.verbose).to_string()
    };
    Ok(shown.lines().map(str::to_owned).chain(footer).collect())
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T> {
    task: tokio::task::JoinHandle<PgResult<T>>,
    dropped: Dropped,
}

impl<T> AbortOnDrop<T> {
    async fn join(mut self) -> PgResult<T> {
        (&mut self.task).await.map_err(|e| PgError::internal(format!("the task of a statement failed: {e}")))?
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}
