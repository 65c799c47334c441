//! `row_number()` of which only the first few are wanted: each partition's rows in order, each with its count.
//!
//! The usual "newest row of each key" (`row_number() OVER (PARTITION BY … ORDER BY …) = 1`) is this. A tick costs what it
//! changes in the partitions that it touches, not their sizes. All columns are among the order's keys (`canonical`), so
//! equal keys are equal rows, and a row can be made of its key.

use super::aggregate::positive_zero;
use super::delta::{Delta, RowBytes, nullable, with_count};
use super::linear::{PIECE, Taken, evaluate, plain};
use super::operator::{Emit, Operator, Tick, line};
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::physical_expr::PhysicalExpr;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row in its sort order's bytes.
type Key = Arc<[u8]>;
/// The key of a partition, and the rows that it showed.
type Before = (Box<[u8]>, Vec<Key>);
/// The rows of a partition, and how often each is there.
type Rows = BTreeMap<Key, i64>;

#[derive(Default)]
struct Partition {
    rows: Rows,
    /// The batch of rows that last touched it, and where it stands among those that this one touches.
    batch: u64,
    place: usize,
}

/// A partition as it was before a batch.
struct Touched {
    /// A row of the batch that has its key.
    row: usize,
    shown: Vec<Key>,
    /// The rows shown may be others now.
    changed: bool,
}

/// What an entry of the maps costs beside its bytes, about.
const ENTRY: usize = 48;

pub struct Ranked {
    input: Box<dyn Operator>,
    partition: Vec<Arc<dyn PhysicalExpr>>,
    partition_bytes: Option<RowBytes>,
    order: Vec<Arc<dyn PhysicalExpr>>,
    encoding: RowConverter,
    /// Which order key is each column of the input.
    columns: Vec<usize>,
    /// How many rows of a partition are shown.
    wanted: usize,
    partitions: HashMap<Box<[u8]>, Partition, RandomState>,
    held: usize,
    /// Counts what was taken in.
    batch: u64,
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
        let partition_bytes = (!fields.is_empty()).then(|| RowBytes::new(&Schema::new(fields))).transpose()?;
        Ok(Self {
            input,
            partition,
            partition_bytes,
            order: order.into_iter().map(|(key, _)| key).collect(),
            encoding,
            columns,
            wanted,
            partitions: HashMap::default(),
            held: 0,
            batch: 0,
            schema: nullable(schema),
        })
    }

    /// Takes rows in. Gives the partitions of which the rows shown may have changed, each with those that were.
    fn take(&mut self, rows: &RecordBatch, weights: impl Fn(usize) -> i64) -> PgResult<Vec<Before>> {
        let encoded = self.encoding.convert_columns(&evaluate(&self.order, rows)?)?;
        let keys: Vec<ArrayRef> =
            evaluate(&self.partition, rows)?.into_iter().map(positive_zero).collect::<PgResult<_>>()?;
        let keys = self.partition_bytes.as_ref().map(|bytes| bytes.encode(&keys)).transpose()?;
        let key_of = |row: usize| keys.as_ref().map_or(&[][..], |keys| keys.row(row).data());
        self.batch += 1;
        let mut touched: Vec<Touched> = Vec::new();
        for row in 0..rows.num_rows() {
            let key = key_of(row);
            let partition = match self.partitions.get_mut(key) {
                Some(partition) => partition,
                None => {
                    self.held += key.len() + ENTRY;
                    self.partitions.entry(key.into()).or_default()
                }
            };
            if partition.batch != self.batch {
                (partition.batch, partition.place) = (self.batch, touched.len());
                touched.push(Touched { row, shown: first(&partition.rows, self.wanted)?, changed: false });
            }
            let Touched { shown, changed, .. } = &mut touched[partition.place];
            let bytes = encoded.row(row);
            let bytes = bytes.data();
            *changed |= shown.len() < self.wanted || shown.last().is_some_and(|last| bytes <= &**last);
            let weight = weights(row);
            match partition.rows.get_mut(bytes) {
                Some(count) => {
                    *count += weight;
                    if *count == 0 {
                        partition.rows.remove(bytes);
                        self.held -= bytes.len() + ENTRY;
                    }
                }
                None => {
                    partition.rows.insert(bytes.into(), weight);
                    self.held += bytes.len() + ENTRY;
                }
            }
        }
        let changed = touched.into_iter().filter(|touched| touched.changed);
        Ok(changed.map(|touched| (Box::from(key_of(touched.row)), touched.shown)).collect())
    }

    /// Rows with their numbers in their partitions.
    fn rows(&self, rows: &[(Key, u64)]) -> PgResult<RecordBatch> {
        let parser = self.encoding.parser();
        let keys = self.encoding.convert_rows(rows.iter().map(|(row, _)| parser.parse(row)))?;
        let mut columns: Vec<ArrayRef> = self.columns.iter().map(|place| Arc::clone(&keys[*place])).collect();
        let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, number)| *number)));
        columns.push(cast(&numbers, self.schema.field(columns.len()).data_type())?);
        with_count(&self.schema, columns, rows.len())
    }
}

/// The first rows of a partition, each as often as it is there.
fn first(partition: &Rows, wanted: usize) -> PgResult<Vec<Key>> {
    let mut run = Vec::with_capacity(wanted.min(partition.len()));
    for (row, count) in partition {
        if *count < 0 {
            return Err(PgError::internal("more rows are gone than there were"));
        }
        let room = wanted - run.len();
        run.extend(std::iter::repeat_n(Arc::clone(row), room.min(*count as usize)));
        if run.len() == wanted {
            break;
        }
    }
    Ok(run)
}

impl Operator for Ranked {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        self.prepare(tick)?;
        let mut piece = Vec::with_capacity(PIECE);
        for partition in self.partitions.values() {
            piece.extend(first(&partition.rows, self.wanted)?.into_iter().zip(1..));
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
        let (mut changes, mut weights) = (Vec::new(), Vec::new());
        for (key, old) in self.take(&delta.rows, |row| delta.weights[row])? {
            let Some(partition) = self.partitions.get(&key) else { continue };
            let new = first(&partition.rows, self.wanted)?;
            for at in 0..old.len().max(new.len()) {
                let (before, after) = (old.get(at), new.get(at));
                if before == after {
                    continue;
                }
                for (row, weight) in [(before, -1), (after, 1)] {
                    if let Some(row) = row {
                        changes.push((Arc::clone(row), at as u64 + 1));
                        weights.push(weight);
                    }
                }
            }
            if partition.rows.is_empty() {
                self.held -= key.len() + ENTRY;
                self.partitions.remove(&key);
            }
        }
        Ok(Delta { rows: self.rows(&changes)?, weights })
    }

    fn bytes(&self) -> usize {
        self.held + self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let keys: Vec<String> = self.partition.iter().map(|key| key.to_string()).collect();
        let by = if keys.is_empty() { String::new() } else { format!(" of each {}", keys.join(", ")) };
        line(depth, lines, format!("row_number up to {}{by}: all rows in order", self.wanted));
        self.input.explain(depth + 1, lines);
    }
}
