//! The rows of an operator, found by key: by look-ups in the operator itself where it can, else in an arrangement.

use super::arrangement::Arrangement;
use super::delta::{Delta, concat_rows, with_count};
use super::linear::{evaluate, plain};
use super::operator::{Emit, IndexNeed, Operator, Tick, When};
use crate::types::{PgError, PgResult};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// How rows are found.
pub enum Access {
    /// By look-ups in the input itself, in these columns.
    Seek(Vec<usize>),
    Arranged(Box<Arrangement>),
}

/// An operator and the way to its rows by key.
pub struct Keyed {
    pub input: Box<dyn Operator>,
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    pub access: Access,
    /// The keys that an arrangement keeps as columns of their own, behind those of the input.
    computed: Vec<usize>,
}

impl Keyed {
    /// `whole`: all rows will be asked for, too.
    pub fn new(
        input: Box<dyn Operator>,
        keys: Vec<Arc<dyn PhysicalExpr>>,
        whole: bool,
        needs: &mut Vec<IndexNeed>,
    ) -> PgResult<Self> {
        let columns: Option<Vec<usize>> = keys.iter().map(plain).collect();
        if let Some(columns) = columns
            && !whole
            && !columns.is_empty()
            && input.seekable(&columns, needs)
        {
            return Ok(Self { input, keys, access: Access::Seek(columns), computed: vec![] });
        }
        let mut fields: Vec<Field> = input.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut columns = Vec::with_capacity(keys.len());
        let mut computed = Vec::new();
        for (nth, key) in keys.iter().enumerate() {
            match plain(key) {
                Some(column) => columns.push(column),
                None => {
                    columns.push(fields.len());
                    fields.push(Field::new(format!("key {nth}"), key.data_type(input.schema())?, true));
                    computed.push(nth);
                }
            }
        }
        let arrangement = Arrangement::new(&Schema::new(fields), columns)?;
        Ok(Self { input, keys, access: Access::Arranged(Box::new(arrangement)), computed })
    }

    pub fn schema(&self) -> &SchemaRef {
        self.input.schema()
    }

    pub fn key_values(&self, rows: &RecordBatch) -> PgResult<Vec<ArrayRef>> {
        evaluate(&self.keys, rows)
    }

    /// The rows with these keys, and for each the number of its key, ascending. NULL equals NULL.
    pub fn seek(&self, tick: &Tick<'_>, when: When, keys: &[ArrayRef]) -> PgResult<(RecordBatch, Vec<u32>)> {
        match &self.access {
            Access::Seek(columns) => self.input.seek(tick, when, columns, keys),
            Access::Arranged(arrangement) => arrangement.seek(when, keys, self.schema()),
        }
    }

    /// For each key whether a row has it.
    pub fn contains(&self, tick: &Tick<'_>, when: When, keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        match &self.access {
            Access::Seek(columns) => self.input.contains(tick, when, columns, keys),
            Access::Arranged(arrangement) => arrangement.contains(when, keys),
        }
    }

    /// All rows, of one that is arranged.
    pub fn all(&self, when: When) -> PgResult<RecordBatch> {
        let Access::Arranged(arrangement) = &self.access else {
            return Err(PgError::internal("all rows of an operator that is not arranged"));
        };
        let chunks = arrangement.chunks(when, self.schema()).collect::<PgResult<Vec<_>>>()?;
        concat_rows(self.schema(), &chunks)
    }

    pub fn is_empty(&self, when: When) -> bool {
        matches!(&self.access, Access::Arranged(arrangement) if arrangement.at(when).is_empty())
    }

    /// What a tick changes in the input; the rows by key follow.
    pub fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if let Access::Arranged(arrangement) = &mut self.access {
            let rows = arranged_rows(&self.computed, &self.keys, &delta.rows)?;
            arrangement.apply(&Delta { rows, weights: delta.weights.clone() })?;
        }
        Ok(delta)
    }

    /// Builds the state, and gives the input's rows.
    pub fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let Self { input, keys, access, computed } = self;
        input.hydrate(tick, &mut |rows| {
            if let Access::Arranged(arrangement) = access {
                arrangement.append(&arranged_rows(computed, keys, &rows)?)?;
            }
            emit(rows)
        })?;
        if let Access::Arranged(arrangement) = access {
            arrangement.settle();
        }
        Ok(())
    }

    /// Builds the state only.
    pub fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        match self.access {
            Access::Seek(_) => self.input.prepare(tick),
            Access::Arranged(_) => self.hydrate(tick, &mut |_| Ok(())),
        }
    }

    pub fn bytes(&self) -> usize {
        match &self.access {
            Access::Seek(_) => self.input.bytes(),
            Access::Arranged(arrangement) => arrangement.bytes() + self.input.bytes(),
        }
    }

    /// How rows are found, for people.
    pub fn way(&self) -> &'static str {
        match (&self.access, self.keys.is_empty()) {
            (Access::Seek(_), _) => "look-ups in shared indexes",
            (Access::Arranged(_), false) => "arranged by key",
            (Access::Arranged(_), true) => "kept whole",
        }
    }
}

fn arranged_rows(computed: &[usize], keys: &[Arc<dyn PhysicalExpr>], rows: &RecordBatch) -> PgResult<RecordBatch> {
    if computed.is_empty() {
        return Ok(rows.clone());
    }
    let mut fields: Vec<Field> = rows.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns = rows.columns().to_vec();
    for nth in computed {
        let key = keys[*nth].evaluate(rows)?.into_array(rows.num_rows())?;
        fields.push(Field::new(format!("key {nth}"), key.data_type().clone(), true));
        columns.push(key);
    }
    with_count(&Arc::new(Schema::new(fields)), columns, rows.num_rows())
}
