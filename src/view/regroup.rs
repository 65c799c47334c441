//! Recompute the touched groups: aggregates that cannot take rows back, and window functions.
//!
//! The input is kept by group key, or found by it in shared indexes. A tick names the groups that it touches; their rows as
//! they were and as they are go through DataFusion's own operator, and the difference of the two results is the change. The
//! cost is that of the touched groups. Without a key all rows are one group.

use super::aggregate::positive_zero;
use super::delta::{Delta, RowBytes, nullable, take_rows, with_count};
use super::feed::Fed;
use super::keyed::Keyed;
use super::linear::in_pieces;
use super::operator::{Emit, Operator, Tick, When, line};
use crate::types::PgResult;
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use foldhash::fast::RandomState;
use hashbrown::HashSet;

pub struct Regroup {
    input: Keyed,
    keys: Option<RowBytes>,
    plan: Fed,
    schema: SchemaRef,
    bytes: RowBytes,
    /// What is recomputed, and why.
    title: String,
}

impl Regroup {
    pub fn new(input: Keyed, plan: Fed, schema: &Schema, title: String) -> PgResult<Self> {
        let mut fields = Vec::new();
        for (nth, key) in input.keys.iter().enumerate() {
            fields.push(Field::new(format!("key {nth}"), key.data_type(input.schema())?, true));
        }
        let keys = (!fields.is_empty()).then(|| RowBytes::new(&Schema::new(fields))).transpose()?;
        let schema = nullable(schema);
        let bytes = RowBytes::new(&schema)?;
        Ok(Self { input, keys, plan, schema, bytes, title })
    }

    fn run(&self, tick: &Tick<'_>, rows: &[RecordBatch]) -> PgResult<Vec<RecordBatch>> {
        let named = |rows: RecordBatch| with_count(&self.schema, rows.columns().to_vec(), rows.num_rows());
        self.plan.run(tick, rows)?.into_iter().map(named).collect()
    }

    /// The rows of the touched groups.
    fn rows(&self, tick: &Tick<'_>, when: When, keys: &[ArrayRef]) -> PgResult<RecordBatch> {
        match self.keys {
            Some(_) => Ok(self.input.seek(tick, when, keys)?.0),
            None => self.input.all(when),
        }
    }

    fn touched(&self, delta: &Delta) -> PgResult<Vec<ArrayRef>> {
        let Some(bytes) = &self.keys else { return Ok(vec![]) };
        distinct(bytes, self.input.key_values(&delta.rows)?)
    }
}

/// Each key once; both zeros are one.
pub fn distinct(bytes: &RowBytes, keys: Vec<ArrayRef>) -> PgResult<Vec<ArrayRef>> {
    let keys = keys.into_iter().map(positive_zero).collect::<PgResult<Vec<_>>>()?;
    let rows = bytes.encode(&keys)?;
    let mut seen = HashSet::with_capacity_and_hasher(rows.num_rows(), RandomState::default());
    let first = (0..rows.num_rows()).filter(|row| seen.insert(rows.row(*row).data())).map(|row| row as u32);
    let first = UInt32Array::from_iter_values(first);
    keys.iter().map(|key| Ok(take(key, &first, None)?)).collect()
}

impl Operator for Regroup {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let mut all = Vec::new();
        self.input.hydrate(tick, &mut |rows| {
            all.push(rows);
            Ok(())
        })?;
        for rows in self.run(tick, &all)? {
            in_pieces(rows, emit)?;
        }
        Ok(())
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.input.prepare(tick)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if delta.is_empty() {
            return Ok(Delta::none(&self.schema));
        }
        let keys = self.touched(&delta)?;
        let mut parts = Vec::new();
        for (when, weight) in [(When::Old, -1), (When::New, 1)] {
            let rows = self.rows(tick, when, &keys)?;
            parts.extend(self.run(tick, &[rows])?.into_iter().map(|rows| Delta::all(rows, weight)));
        }
        self.bytes.consolidate(Delta::concat(&self.schema, parts)?)
    }

    fn bytes(&self) -> usize {
        self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let keys: Vec<String> = self.input.keys.iter().map(|key| key.to_string()).collect();
        let by = match keys.is_empty() {
            true => "all rows, which are one group".to_string(),
            false => format!("the touched groups of {}", keys.join(", ")),
        };
        line(depth, lines, format!("{}: recompute {by}; rows: {}", self.title, self.input.way()));
        self.input.input.explain(depth + 1, lines);
    }
}

/// An operator whose output is made of each row by itself, run by DataFusion: a set-returning function.
pub struct EachRow {
    input: Box<dyn Operator>,
    plan: Fed,
    schema: SchemaRef,
    title: String,
}

impl EachRow {
    pub fn new(input: Box<dyn Operator>, plan: Fed, schema: &Schema, title: String) -> Self {
        Self { input, plan, schema: nullable(schema), title }
    }

    fn run(plan: &Fed, schema: &SchemaRef, tick: &Tick<'_>, rows: RecordBatch) -> PgResult<Vec<RecordBatch>> {
        let named = |rows: RecordBatch| with_count(schema, rows.columns().to_vec(), rows.num_rows());
        plan.run(tick, &[rows])?.into_iter().map(named).collect()
    }
}

impl Operator for EachRow {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let (plan, schema) = (&self.plan, &self.schema);
        self.input.hydrate(tick, &mut |rows| Self::run(plan, schema, tick, rows)?.into_iter().try_for_each(&mut *emit))
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.input.prepare(tick)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        let mut parts = Vec::new();
        for sign in [-1, 1] {
            let picks: Vec<u32> = (0..delta.len() as u32)
                .flat_map(|row| std::iter::repeat_n(row, (delta.weights[row as usize] * sign).max(0) as usize))
                .collect();
            if !picks.is_empty() {
                let made = Self::run(&self.plan, &self.schema, tick, take_rows(&delta.rows, picks)?)?;
                parts.extend(made.into_iter().map(|rows| Delta::all(rows, sign)));
            }
        }
        Delta::concat(&self.schema, parts)
    }

    fn bytes(&self) -> usize {
        self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        line(depth, lines, &self.title);
        self.input.explain(depth + 1, lines);
    }
}
