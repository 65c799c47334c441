//! `row_number()` of which only the first few are wanted: each partition's rows in order, each with its count.
//!
//! The usual "newest row of each key" (`row_number() OVER (PARTITION BY … ORDER BY …) = 1`) is this. A tick costs what it
//! changes in the partitions that it touches, not their sizes. All columns are among the order's keys (`canonical`), so
//! equal keys are equal rows, and a row can be made of its key.

use super::aggregate::positive_zero;
use super::delta::{Delta, nullable, with_count};
use super::groups::Groups;
use super::linear::{PIECE, Taken, evaluate, plain};
use super::operator::{Emit, Operator, Tick, line};
use super::ordered::{Key, Ordered};
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;
use std::ops::Range;
use std::sync::Arc;

#[derive(Default)]
struct Partition {
    /// In their sort order's bytes.
    rows: Ordered<Key>,
    /// Where it stands among those that the last batch touched.
    place: usize,
}

/// A partition as it was before a batch.
struct Touched {
    number: u32,
    /// Which of the keys of [`Before`] it showed.
    shown: Range<usize>,
    /// The rows shown may be others now.
    changed: bool,
}

/// The partitions that a batch touched, and the rows that they showed.
#[derive(Default)]
struct Before {
    touched: Vec<Touched>,
    keys: Vec<Key>,
}

pub struct Ranked {
    input: Box<dyn Operator>,
    partition: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<Arc<dyn PhysicalExpr>>,
    encoding: RowConverter,
    /// Which order key is each column of the input.
    columns: Vec<usize>,
    /// How many rows of a partition are shown.
    wanted: usize,
    groups: Groups,
    /// By the number of its group.
    partitions: Vec<Partition>,
    /// Rows there are, and bytes of them that lie elsewhere.
    count: i64,
    beside: i64,
    schema: SchemaRef,
}

impl Ranked {
    /// `order`: every column of the input is among it. `schema`: the columns of the input, then the number.
    pub fn new(
        input: Box<dyn Operator>,
        partition: Vec<Arc<dyn PhysicalExpr>>,
        order: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
        wanted: usize,
        schema: &Schema,
    ) -> PgResult<Self> {
        let of = Arc::clone(input.schema());
        let place = |column| order.iter().position(|(key, _)| plain(key) == Some(column));
        let columns: Option<Vec<usize>> = (0..of.fields().len()).map(place).collect();
        let columns = columns.ok_or_else(|| PgError::internal("a column that is not sorted by"))?;
        let fields = order.iter().map(|(key, options)| Ok(SortField::new_with_options(key.data_type(&of)?, *options)));
        let encoding = RowConverter::new(fields.collect::<PgResult<_>>()?)?;
        let fields: Vec<Field> =
            partition.iter().map(|key| Ok(Field::new("key", key.data_type(&of)?, true))).collect::<PgResult<_>>()?;
        Ok(Self {
            input,
            partition,
            groups: Groups::new(&Schema::new(fields))?,
            order: order.into_iter().map(|(key, _)| key).collect(),
            encoding,
            columns,
            wanted,
            partitions: vec![],
            count: 0,
            beside: 0,
            schema: nullable(schema),
        })
    }

    /// Takes rows in. Gives the partitions that they touched as those were.
    fn take(&mut self, rows: &RecordBatch, weights: impl Fn(usize) -> i64) -> PgResult<Before> {
        let encoded = self.encoding.convert_columns(&evaluate(&self.order, rows)?)?;
        let keys: Vec<ArrayRef> =
            evaluate(&self.partition, rows)?.into_iter().map(positive_zero).collect::<PgResult<_>>()?;
        let numbers = self.groups.numbers(&keys, rows.num_rows())?;
        self.partitions.resize_with(self.groups.len(), Partition::default);
        self.groups.step();
        let mut before = Before::default();
        for (row, number) in numbers.into_iter().enumerate() {
            let partition = &mut self.partitions[number as usize];
            if self.groups.touch(number) {
                partition.place = before.touched.len();
                let start = before.keys.len();
                first(&partition.rows, self.wanted, &mut before.keys)?;
                before.touched.push(Touched { number, shown: start..before.keys.len(), changed: false });
            }
            let Touched { shown, changed, .. } = &mut before.touched[partition.place];
            let key = Key::from(encoded.row(row).data());
            *changed |= shown.len() < self.wanted || before.keys[shown.clone()].last().is_some_and(|last| key <= *last);
            let weight = weights(row);
            self.groups.add_rows(number, weight);
            self.count += weight;
            self.beside += weight * key.beside() as i64;
            partition.rows.add(key, weight);
        }
        Ok(before)
    }

    /// Rows with their numbers in their partitions.
    fn rows(&self, rows: &[(Key, u64)]) -> PgResult<RecordBatch> {
        let parser = self.encoding.parser();
        let keys = self.encoding.convert_rows(rows.iter().map(|(row, _)| parser.parse(row.bytes())))?;
        let mut columns: Vec<ArrayRef> = self.columns.iter().map(|place| Arc::clone(&keys[*place])).collect();
        let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, number)| *number)));
        columns.push(cast(&numbers, self.schema.field(columns.len()).data_type())?);
        with_count(&self.schema, columns, rows.len())
    }
}

/// Adds the first rows of a partition, each as often as it is there, to `to`.
fn first(partition: &Ordered<Key>, wanted: usize, to: &mut Vec<Key>) -> PgResult<()> {
    for row in partition.stretch(0, wanted) {
        let (key, count) = row?;
        to.extend(std::iter::repeat_n(key, count).cloned());
    }
    Ok(())
}

impl Operator for Ranked {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        self.prepare(tick)?;
        let (mut piece, mut keys) = (Vec::with_capacity(PIECE), Vec::new());
        for partition in &self.partitions {
            first(&partition.rows, self.wanted, &mut keys)?;
            piece.extend(keys.drain(..).zip(1..));
            if piece.len() >= PIECE {
                emit(self.rows(&piece)?)?;
                piece.clear();
            }
        }
        if piece.is_empty() { Ok(()) } else { emit(self.rows(&piece)?) }
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        // The input is taken out while its rows come in.
        let mut input = std::mem::replace(&mut self.input, Box::new(Taken));
        let result = input.hydrate(tick, &mut |rows| self.take(&rows, |_| 1).map(drop));
        self.input = input;
        result
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if delta.is_empty() {
            return Ok(Delta::none(&self.schema));
        }
        let before = self.take(&delta.rows, |row| delta.weights[row])?;
        let most = 2 * before.touched.len() * self.wanted.min(2);
        let (mut changes, mut weights) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut now = Vec::new();
        for Touched { number, shown, changed } in before.touched {
            let partition = &mut self.partitions[number as usize];
            if changed {
                now.clear();
                first(&partition.rows, self.wanted, &mut now)?;
                let old = &before.keys[shown];
                for at in 0..old.len().max(now.len()) {
                    let (was, is) = (old.get(at), now.get(at));
                    if was == is {
                        continue;
                    }
                    for (row, weight) in [(was, -1), (is, 1)] {
                        if let Some(row) = row {
                            changes.push((row.clone(), at as u64 + 1));
                            weights.push(weight);
                        }
                    }
                }
            }
            if partition.rows.is_empty() {
                self.groups.forget(number);
            }
        }
        Ok(Delta { rows: self.rows(&changes)?, weights })
    }

    fn bytes(&self) -> usize {
        let entry = (size_of::<Key>() + size_of::<i64>()) * 3 / 2;
        let partitions = self.partitions.capacity() * size_of::<Partition>();
        self.count.max(0) as usize * entry
            + self.beside.max(0) as usize
            + partitions
            + self.groups.bytes()
            + self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let keys: Vec<String> = self.partition.iter().map(|key| key.to_string()).collect();
        let by = if keys.is_empty() { String::new() } else { format!(" of each {}", keys.join(", ")) };
        line(depth, lines, format!("row_number up to {}{by}: all rows in order", self.wanted));
        self.input.explain(depth + 1, lines);
    }
}
