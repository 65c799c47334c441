//! ORDER BY with LIMIT: all rows in order, each with its count; the output is the stretch that the limit names.

use super::delta::{Delta, nullable, with_count};
use super::linear::{evaluate, plain};
use super::operator::{Emit, Operator, Tick, line};
use super::ordered::{Key, Ordered};
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// Rows in their sort order's bytes, and how often each is there.
type Run = Vec<(Key, i64)>;

pub struct TopK {
    input: Box<dyn Operator>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    encoding: RowConverter,
    /// Which sort key is each column of the output.
    columns: Vec<usize>,
    skip: usize,
    fetch: usize,
    rows: Ordered<Key>,
    /// Bytes of rows that lie elsewhere.
    beside: isize,
    shown: Run,
    schema: SchemaRef,
}

impl TopK {
    /// `keys`: every column of the input is among them, so that equal keys are equal rows.
    pub fn new(
        input: Box<dyn Operator>,
        keys: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
        skip: usize,
        fetch: usize,
    ) -> PgResult<Self> {
        let schema = nullable(input.schema());
        let place = |column| keys.iter().position(|(key, _)| plain(key) == Some(column));
        let columns: Option<Vec<usize>> = (0..schema.fields().len()).map(place).collect();
        let columns = columns.ok_or_else(|| PgError::internal("a column that is not sorted by"))?;
        let fields =
            keys.iter().map(|(key, options)| Ok(SortField::new_with_options(key.data_type(&schema)?, *options)));
        let encoding = RowConverter::new(fields.collect::<PgResult<_>>()?)?;
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        let rows = Ordered::default();
        Ok(Self { input, keys, encoding, columns, skip, fetch, rows, beside: 0, shown: vec![], schema })
    }

    /// Takes rows in; whether any is not behind what is shown.
    fn take(&mut self, rows: &RecordBatch, weights: impl Fn(usize) -> i64) -> PgResult<bool> {
        let values = evaluate(&self.keys, rows)?;
        let encoded = self.encoding.convert_columns(&values)?;
        let full = self.shown.iter().map(|(_, count)| *count as usize).sum::<usize>() == self.fetch;
        let last = self.shown.last().filter(|_| full).map(|(row, _)| row);
        let mut touched = false;
        for row in 0..rows.num_rows() {
            let key = Key::from(encoded.row(row).data());
            touched |= last.is_none_or(|last| key <= *last);
            let weight = weights(row);
            self.beside += weight as isize * key.beside() as isize;
            self.rows.add(key, weight);
        }
        Ok(touched)
    }

    /// The stretch that the limit names.
    fn stretch(&self) -> PgResult<Run> {
        let rows = self.rows.stretch(self.skip, self.fetch);
        rows.map(|row| row.map(|(key, count)| (key.clone(), count as i64))).collect()
    }

    fn decode(&self, rows: &[(Key, i64)]) -> PgResult<RecordBatch> {
        let parser = self.encoding.parser();
        let keys = self.encoding.convert_rows(rows.iter().map(|(row, _)| parser.parse(row.bytes())))?;
        let columns: Vec<ArrayRef> = self.columns.iter().map(|place| Arc::clone(&keys[*place])).collect();
        with_count(&self.schema, columns, rows.len())
    }
}

/// What turns one run into another.
fn changes(old: &Run, new: &Run) -> Run {
    let mut out = Vec::new();
    let (mut o, mut n) = (0, 0);
    while o < old.len() || n < new.len() {
        let order = match (old.get(o), new.get(n)) {
            (Some(old), Some(new)) => old.0.cmp(&new.0),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Less => {
                out.push((old[o].0.clone(), -old[o].1));
                o += 1;
            }
            std::cmp::Ordering::Greater => {
                out.push(new[n].clone());
                n += 1;
            }
            std::cmp::Ordering::Equal => {
                if new[n].1 != old[o].1 {
                    out.push((new[n].0.clone(), new[n].1 - old[o].1));
                }
                (o, n) = (o + 1, n + 1);
            }
        }
    }
    out
}

impl Operator for TopK {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let mut input = std::mem::replace(&mut self.input, Box::new(super::linear::Taken));
        let result = input.hydrate(tick, &mut |rows| self.take(&rows, |_| 1).map(drop));
        self.input = input;
        result?;
        self.shown = self.stretch()?;
        let copies = self.shown.iter().flat_map(|(row, count)| std::iter::repeat_n((row.clone(), 1), *count as usize));
        emit(self.decode(&copies.collect::<Vec<_>>())?)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if delta.is_empty() || !self.take(&delta.rows, |row| delta.weights[row])? {
            return Ok(Delta::none(&self.schema));
        }
        let shown = self.stretch()?;
        let changes = changes(&self.shown, &shown);
        self.shown = shown;
        Ok(Delta { rows: self.decode(&changes)?, weights: changes.into_iter().map(|(_, weight)| weight).collect() })
    }

    fn bytes(&self) -> usize {
        self.rows.bytes() + self.beside.max(0) as usize + self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let offset = if self.skip > 0 { format!(" after {}", self.skip) } else { String::new() };
        line(depth, lines, format!("top {}{offset}: all rows in order", self.fetch));
        self.input.explain(depth + 1, lines);
    }
}
