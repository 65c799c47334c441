//! EXPLAIN: DataFusion's plan as text, a line for each row, or as JSON.
//!
//! Both have the form that tools read: `(cost=0.00..12.50 rows=100 width=8)` behind each operator, or the members of PostgreSQL's JSON. A cost is
//! an estimate of the rows that pass an operator and all below it, a hundredth for each; it compares plans here, not with PostgreSQL's.

use super::OutputColumn;
use super::fair::Dropped;
use super::query::{Execution, ready};
use super::session::{Outcome, RowsTag, text_batch};
use crate::types::{PgError, PgResult, SqlState};
use arrow::datatypes::DataType;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, StatisticsArgs, StatisticsContext, execute_stream,
};
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
    costs: bool,
    pub json: bool,
}

impl Options {
    pub fn read(statement: &ExplainStmt) -> PgResult<Self> {
        let mut options = Self { costs: true, ..Self::default() };
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
                "costs" => options.costs = on(),
                "settings" | "buffers" | "wal" | "timing" => {}
                "format" => match value.as_deref() {
                    Some("text") => options.json = false,
                    Some("json") => options.json = true,
                    other @ (Some("xml" | "yaml") | None) => {
                        let format = other.unwrap_or_default();
                        return Err(PgError::unsupported(format!("EXPLAIN (FORMAT {format})")));
                    }
                    Some(other) => {
                        let message = format!("unrecognized value for EXPLAIN option \"format\": \"{other}\"");
                        return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
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
    let mut ran = None;
    if options.analyze {
        let began = Instant::now();
        let mut stream = execute_stream(Arc::clone(&plan), task)?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch?.num_rows();
        }
        ran = Some((rows, began.elapsed()));
    }
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let node = Node::of(&plan, options, &StatisticsContext::new());
    if options.json {
        let mut out = String::from("[\n  {\n    \"Plan\": ");
        node.write_json(4, options, &mut out);
        if options.summary {
            out.push_str(&format!(",\n    \"Planning Time\": {:.3}", milliseconds(planned)));
        }
        if let (Some((_, took)), true) = (ran, options.summary) {
            out.push_str(&format!(",\n    \"Execution Time\": {:.3}", milliseconds(took)));
        }
        out.push_str("\n  }\n]");
        return Ok(vec![out]);
    }
    let mut lines = Vec::new();
    node.write_text(0, options, &mut lines);
    if let Some((rows, _)) = ran {
        lines.push(format!("Rows: {rows}"));
    }
    if options.summary {
        lines.push(format!("Planning Time: {:.3} ms", milliseconds(planned)));
    }
    if let (Some((_, took)), true) = (ran, options.summary) {
        lines.push(format!("Execution Time: {:.3} ms", milliseconds(took)));
    }
    Ok(lines)
}

/// An operator with its estimates.
struct Node {
    /// `Hash Join`
    name: String,
    /// What the operator says of itself.
    detail: String,
    rows: u64,
    width: u64,
    startup: f64,
    total: f64,
    /// Rows that came out, and ms that it took, where it has run.
    actual: Option<(u64, f64)>,
    inputs: Vec<Node>,
}

impl Node {
    fn of(plan: &Arc<dyn ExecutionPlan>, options: Options, statistics: &StatisticsContext) -> Self {
        let inputs: Vec<Node> = plan.children().into_iter().map(|child| Node::of(child, options, statistics)).collect();
        let below = inputs.iter().map(|input| input.rows).max();
        let known = statistics
            .compute(plan.as_ref(), &StatisticsArgs::new())
            .ok()
            .and_then(|known| known.num_rows.get_value().copied());
        let rows = known.map(|rows| rows as u64).or(below).unwrap_or(1000);
        let startup = inputs.iter().map(|input| input.total).sum::<f64>();
        // What reads all of its input before it gives a row.
        let blocks = plan.pipeline_behavior() == EmissionType::Final;
        let own = 0.01 * (rows + below.unwrap_or(0)) as f64;
        let display = match options.analyze {
            true => DisplayableExecutionPlan::with_metrics(plan.as_ref()),
            false => DisplayableExecutionPlan::new(plan.as_ref()),
        };
        let metrics = options.analyze.then(|| plan.metrics()).flatten();
        let took = |m: &MetricsSet| m.elapsed_compute().unwrap_or(0) as f64 / 1e6;
        Self {
            name: readable(plan.name()),
            detail: display.one_line().to_string().trim_end().to_owned(),
            rows,
            width: plan.schema().fields().iter().map(|field| width(field.data_type())).sum(),
            startup: if blocks { startup } else { 0.0 },
            total: startup + own,
            actual: metrics.map(|m| (m.output_rows().unwrap_or(0) as u64, took(&m))),
            inputs,
        }
    }

    fn write_text(&self, depth: usize, options: Options, lines: &mut Vec<String>) {
        let lead = if depth == 0 { String::new() } else { format!("{}->  ", " ".repeat(depth * 6 - 4)) };
        let costs = match options.costs {
            true => format!("  (cost={:.2}..{:.2} rows={} width={})", self.startup, self.total, self.rows, self.width),
            false => String::new(),
        };
        lines.push(format!("{lead}{}{costs}", self.detail));
        self.inputs.iter().for_each(|input| input.write_text(depth + 1, options, lines));
    }

    fn write_json(&self, indent: usize, options: Options, out: &mut String) {
        let pad = " ".repeat(indent + 2);
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut members = vec![
            ("Node Type", quoted(&self.name)),
            ("Parallel Aware", "false".into()),
            ("Async Capable", "false".into()),
        ];
        if options.costs {
            members.push(("Startup Cost", format!("{:.2}", self.startup)));
            members.push(("Total Cost", format!("{:.2}", self.total)));
            members.push(("Plan Rows", self.rows.to_string()));
            members.push(("Plan Width", self.width.to_string()));
        }
        if let Some((rows, took)) = self.actual {
            members.push(("Actual Startup Time", "0.000".into()));
            members.push(("Actual Total Time", format!("{took:.3}")));
            members.push(("Actual Rows", rows.to_string()));
            members.push(("Actual Loops", "1".into()));
        }
        members.push(("Detail", quoted(&self.detail)));
        out.push_str("{\n");
        for (nth, (name, value)) in members.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ",\n" };
            out.push_str(&format!("{comma}{pad}\"{name}\": {value}"));
        }
        if !self.inputs.is_empty() {
            out.push_str(&format!(",\n{pad}\"Plans\": [\n{pad}  "));
            for (nth, input) in self.inputs.iter().enumerate() {
                if nth > 0 {
                    out.push_str(&format!(",\n{pad}  "));
                }
                input.write_json(indent + 4, options, out);
            }
            out.push_str(&format!("\n{pad}]"));
        }
        out.push_str(&format!("\n{}}}", " ".repeat(indent)));
    }
}

/// `HashJoinExec` → `Hash Join`
fn readable(name: &str) -> String {
    let mut out = String::new();
    for c in name.strip_suffix("Exec").unwrap_or(name).chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// Bytes that a value takes, more or less.
fn width(storage: &DataType) -> u64 {
    match storage.primitive_width() {
        Some(bytes) => bytes as u64,
        None if *storage == DataType::Boolean => 1,
        None => 32,
    }
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
