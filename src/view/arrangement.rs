//! Rows of an operator's input kept by key: a bag of the hot store with an index.

use super::delta::{Delta, with_count};
use super::operator::When;
use crate::change::Tick;
use crate::store::{Table, TableSnapshot};
use crate::types::{PgResult, TableSchema};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// Rows that one step of background work may touch.
const MAINTENANCE_ROWS: usize = 16_384;
/// Steps between two pieces of background work.
const MAINTENANCE_STEPS: u32 = 16;

/// See the module. Before and after a step can both be read.
pub struct Arrangement {
    table: Table,
    /// The columns that rows are found by; none where only all of them are asked for.
    columns: Vec<usize>,
    old: TableSnapshot,
    new: TableSnapshot,
    /// A column is made up for rows without any.
    padded: bool,
    steps: u32,
}

impl Arrangement {
    pub fn new(schema: &Schema, columns: Vec<usize>) -> PgResult<Self> {
        let padded = schema.fields().is_empty();
        let stored = match padded {
            true => Schema::new(vec![Field::new("nothing", DataType::Boolean, true)]),
            false => schema.clone(),
        };
        let mut table = Table::bag(Arc::new(TableSchema::of_storage(&stored)));
        table.set_retractions(false);
        if !columns.is_empty() {
            table.ensure_index(&columns)?;
        }
        let new = table.publish(Tick(0));
        Ok(Self { table, columns, old: new.clone(), new, padded, steps: 0 })
    }

    fn stored(&self, rows: &RecordBatch) -> PgResult<RecordBatch> {
        let columns = match self.padded {
            true => vec![Arc::new(BooleanArray::from(vec![true; rows.num_rows()])) as ArrayRef],
            false => rows.columns().to_vec(),
        };
        with_count(self.table.schema().arrow(), columns, rows.num_rows())
    }

    /// Adds rows of a first run.
    pub fn append(&mut self, rows: &RecordBatch) -> PgResult<()> {
        let rows = self.stored(rows)?;
        self.table.append(&rows).map(|_| ())
    }

    /// Makes what was appended what there is, before the first step.
    pub fn settle(&mut self) {
        while self.table.maintain(usize::MAX) {}
        self.new = self.table.publish(Tick(0));
        self.old = self.new.clone();
    }

    /// One step: what was new is old.
    pub fn apply(&mut self, delta: &Delta) -> PgResult<()> {
        self.old = self.new.clone();
        if delta.is_empty() {
            return Ok(());
        }
        let rows = self.stored(&delta.rows)?;
        self.table.apply_weighted(&rows, &delta.weights)?;
        self.steps += 1;
        if self.steps.is_multiple_of(MAINTENANCE_STEPS) {
            self.table.maintain(MAINTENANCE_ROWS);
        }
        self.new = self.table.publish(Tick(0));
        Ok(())
    }

    pub fn at(&self, when: When) -> &TableSnapshot {
        match when {
            When::Old => &self.old,
            When::New => &self.new,
        }
    }

    /// The rows with these keys, of `width` columns, and for each the number of its key.
    pub fn seek(&self, when: When, keys: &[ArrayRef], schema: &SchemaRef) -> PgResult<(RecordBatch, Vec<u32>)> {
        let projection: Vec<usize> = (0..schema.fields().len()).collect();
        let (rows, numbers) = self.at(when).lookup_by(&self.columns, keys, Some(&projection))?;
        Ok((with_count(schema, rows.columns().to_vec(), numbers.len())?, numbers))
    }

    pub fn contains(&self, when: When, keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        self.at(when).contains(&self.columns, keys)
    }

    /// All rows, chunk by chunk.
    pub fn chunks(&self, when: When, schema: &SchemaRef) -> impl Iterator<Item = PgResult<RecordBatch>> {
        let snapshot = self.at(when).clone();
        let schema = Arc::clone(schema);
        let projection: Vec<usize> = (0..schema.fields().len()).collect();
        (0..snapshot.chunks()).map(move |i| {
            // A chunk without columns has lost its count to the projection only where there are none to project.
            let rows = snapshot.chunk(i, if projection.is_empty() { None } else { Some(&projection) })?;
            let columns = if projection.is_empty() { vec![] } else { rows.columns().to_vec() };
            with_count(&schema, columns, rows.num_rows())
        })
    }

    pub fn bytes(&self) -> usize {
        self.table.memory().total()
    }
}
