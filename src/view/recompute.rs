//! A part of a view's plan that has no rule: run again when an input has changed, and compared with what it gave before.

use super::arrangement::Arrangement;
use super::delta::{Delta, difference, nullable, with_count};
use super::linear::in_pieces;
use super::operator::{Emit, Input, Operator, Tick, When, line};
use crate::types::{Oid, PgResult};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;

pub struct Recompute {
    plan: LogicalPlan,
    inputs: Vec<Oid>,
    held: Arrangement,
    schema: SchemaRef,
    /// What has no rule, and why.
    reason: String,
}

impl Recompute {
    pub fn new(plan: LogicalPlan, inputs: Vec<Oid>, reason: String) -> PgResult<Self> {
        let schema = nullable(plan.schema().as_arrow());
        let held = Arrangement::new(&schema, vec![])?;
        Ok(Self { plan, inputs, held, schema, reason })
    }

    fn run(&self, tick: &Tick<'_>) -> PgResult<Vec<RecordBatch>> {
        let named = |rows: RecordBatch| with_count(&self.schema, rows.columns().to_vec(), rows.num_rows());
        tick.run(&self.plan)?.into_iter().map(named).collect()
    }
}

/// Whether a tick changed one of these relations.
pub fn any_changed<'a>(tick: &Tick<'_>, inputs: impl IntoIterator<Item = &'a Oid>) -> PgResult<bool> {
    for oid in inputs {
        let changed = match tick.input(*oid)? {
            Input::Hot(changes) => !changes.is_empty(),
            Input::Appended { added } => !added.is_empty(),
        };
        if changed {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Operator for Recompute {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        for rows in self.run(tick)? {
            self.held.append(&rows)?;
            in_pieces(rows, emit)?;
        }
        self.held.settle();
        Ok(())
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        if !any_changed(tick, &self.inputs)? {
            return Ok(Delta::none(&self.schema));
        }
        let wanted = self.run(tick)?;
        let Some(delta) = difference(self.held.at(When::New), &wanted)? else { return Ok(Delta::none(&self.schema)) };
        self.held.apply(&delta)?;
        Ok(Delta { rows: with_count(&self.schema, delta.rows.columns().to_vec(), delta.weights.len())?, ..delta })
    }

    fn bytes(&self) -> usize {
        self.held.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        line(depth, lines, format!("recompute and compare: {}", self.reason));
    }
}
