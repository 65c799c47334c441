//! Operators whose change follows from the change of their input alone: scan, filter, projection, union, constants.

use super::blame::blaming;
use super::delta::{Delta, cancel, drop_unchanged, filter_rows, nullable, with_count};
use super::operator::{Emit, IndexNeed, Input, Operator, Tick, When, line};
use crate::store::TableSnapshot;
use crate::types::{Oid, PgError, PgResult, TableSchema, oid};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::expressions::Column;
use std::sync::Arc;

/// Rows that a first run hands on at a time.
pub const PIECE: usize = 8_192;

/// Hands rows on in pieces.
pub fn in_pieces(rows: RecordBatch, emit: Emit<'_>) -> PgResult<()> {
    for start in (0..rows.num_rows()).step_by(PIECE) {
        emit(rows.slice(start, PIECE.min(rows.num_rows() - start)))?;
    }
    Ok(())
}

/// The rows of one relation.
pub struct Scan {
    oid: Oid,
    name: String,
    /// What the relation is, where it is a hot table.
    table: Option<Arc<TableSchema>>,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl Scan {
    /// `table`: the columns and key of a hot table; `None` for an append-only one.
    pub fn new(
        oid: Oid,
        name: String,
        table: Option<Arc<TableSchema>>,
        projection: Vec<usize>,
        schema: SchemaRef,
    ) -> Self {
        Self { oid, name, table, projection, schema }
    }

    fn snapshot<'a>(&self, tick: &'a Tick<'_>, when: When) -> PgResult<&'a TableSnapshot> {
        match (tick.input(self.oid)?, when) {
            (Input::Hot(changes), When::Old) => Ok(changes.old()),
            (Input::Hot(changes), When::New) => Ok(changes.now()),
            (Input::Appended { .. }, _) => Err(PgError::internal("look-up in an append-only table")),
        }
    }

    fn named(&self, rows: RecordBatch) -> PgResult<RecordBatch> {
        with_count(&self.schema, rows.columns().to_vec(), rows.num_rows())
    }

    /// The table's columns in ascending order, and which of `columns` each is.
    fn table_columns(&self, columns: &[usize]) -> Vec<(usize, usize)> {
        let mut sorted: Vec<_> = columns.iter().enumerate().map(|(at, c)| (self.projection[*c], at)).collect();
        sorted.sort_unstable();
        sorted
    }

    /// Are these the key of the table, whatever the order?
    fn is_key(&self, sorted: &[(usize, usize)]) -> bool {
        let Some(table) = &self.table else { return false };
        let mut key = table.key.clone();
        key.sort_unstable();
        !key.is_empty() && key.into_iter().eq(sorted.iter().map(|(column, _)| *column))
    }

    /// The columns and keys as the table wants them: in the order of its key, or ascending.
    fn arranged(&self, columns: &[usize], keys: &[ArrayRef]) -> (bool, Vec<usize>, Vec<ArrayRef>) {
        let sorted = self.table_columns(columns);
        let is_key = self.is_key(&sorted);
        let wanted: Vec<usize> = match (&self.table, is_key) {
            (Some(table), true) => table.key.clone(),
            _ => sorted.iter().map(|(column, _)| *column).collect(),
        };
        let key_of = |column: &usize| sorted.iter().find(|(c, _)| c == column).map(|(_, at)| Arc::clone(&keys[*at]));
        let keys = wanted.iter().filter_map(key_of).collect();
        (is_key, wanted, keys)
    }
}

/// Does the store compare values of the column as a plan does, by their storage?
fn compared_as_stored(table: &TableSchema, column: usize) -> bool {
    let ty = table.columns[column].ty;
    match ty.oid {
        oid::BPCHAR | oid::INTERVAL | oid::TIMETZ => false,
        oid::NUMERIC => matches!(ty.storage(), DataType::Decimal128(..)),
        _ => !ty.storage().is_nested(),
    }
}

impl Operator for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        match tick.input(self.oid)? {
            Input::Hot(changes) => {
                let now = changes.now();
                for i in 0..now.chunks() {
                    let rows = self.named(now.chunk(i, Some(&self.projection))?)?;
                    in_pieces(rows, &mut |piece| {
                        tick.read(piece.num_rows())?;
                        emit(piece)
                    })?;
                }
            }
            Input::Appended { .. } => {
                let plan = (tick.relations)().scan(self.oid, Some(&self.projection), &[], None)?;
                tick.stream(plan, &mut |rows| {
                    tick.read(rows.num_rows())?;
                    in_pieces(self.named(rows)?, emit)
                })?;
            }
        }
        Ok(())
    }

    fn prepare(&mut self, _: &Tick<'_>) -> PgResult<()> {
        Ok(())
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let changes = match tick.input(self.oid)? {
            Input::Hot(changes) if changes.is_empty() => return Ok(Delta::none(&self.schema)),
            Input::Hot(changes) => changes,
            Input::Appended { added } => {
                let parts = added.rows(&self.projection)?.into_iter().map(|rows| Ok(Delta::all(self.named(rows)?, 1)));
                return Delta::concat(&self.schema, parts.collect::<PgResult<_>>()?);
            }
        };
        let (went, came) = (changes.went(), changes.came());
        let rows = with_count(&self.schema, changes.columns(&self.projection)?, went + came)?;
        let mut weights = vec![-1; went];
        weights.resize(went + came, 1);
        let delta = Delta { rows, weights };
        // A change of columns that nobody reads ends here.
        let by = changes.replaced_by();
        if by.is_empty() {
            return cancel(delta);
        }
        match changes.differing(&self.projection)? {
            Some(differs) => drop_unchanged(delta, went, by, &differs),
            None => Ok(delta),
        }
    }

    fn seekable(&self, columns: &[usize], needs: &mut Vec<IndexNeed>) -> bool {
        let Some(table) = &self.table else { return false };
        let sorted = self.table_columns(columns);
        let twice = sorted.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if columns.is_empty() || twice || !sorted.iter().all(|(column, _)| compared_as_stored(table, *column)) {
            return false;
        }
        if !self.is_key(&sorted) {
            let need = IndexNeed { oid: self.oid, columns: sorted.into_iter().map(|(column, _)| column).collect() };
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        true
    }

    fn seek(
        &self,
        tick: &Tick<'_>,
        when: When,
        columns: &[usize],
        keys: &[ArrayRef],
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        let snapshot = self.snapshot(tick, when)?;
        let (is_key, wanted, keys) = self.arranged(columns, keys);
        let (rows, numbers) = match is_key {
            true => snapshot.lookup_each(&keys, Some(&self.projection))?,
            false => snapshot.lookup_by(&wanted, &keys, Some(&self.projection))?,
        };
        Ok((self.named(rows)?, numbers))
    }

    fn contains(&self, tick: &Tick<'_>, when: When, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        let (_, wanted, keys) = self.arranged(columns, keys);
        self.snapshot(tick, when)?.contains(&wanted, &keys)
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let kind = if self.table.is_some() { "changed rows of" } else { "appended rows of" };
        line(depth, lines, format!("scan: {kind} {}", self.name));
    }
}

/// The rows that a predicate is true for.
pub struct Filter {
    pub input: Box<dyn Operator>,
    pub predicate: Arc<dyn PhysicalExpr>,
}

/// Where a predicate is true.
pub fn passing(predicate: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> PgResult<BooleanArray> {
    let mask = blaming(rows, |rows| Ok(predicate.evaluate(rows)?.into_array(rows.num_rows())?))?;
    let mask = mask.as_boolean_opt().ok_or_else(|| PgError::internal("a condition is not boolean"))?;
    Ok(if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() })
}

fn keep<T: Copy>(values: &[T], mask: &BooleanArray) -> Vec<T> {
    mask.values().set_indices().map(|i| values[i]).collect()
}

impl Operator for Filter {
    fn schema(&self) -> &SchemaRef {
        self.input.schema()
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let predicate = &self.predicate;
        self.input.hydrate(tick, &mut |rows| {
            let rows = filter_rows(&rows, &passing(predicate, &rows)?)?;
            if rows.num_rows() > 0 { emit(rows) } else { Ok(()) }
        })
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.input.prepare(tick)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if delta.is_empty() {
            return Ok(delta);
        }
        let mask = passing(&self.predicate, &delta.rows)?;
        Ok(Delta { rows: filter_rows(&delta.rows, &mask)?, weights: keep(&delta.weights, &mask) })
    }

    fn seekable(&self, columns: &[usize], needs: &mut Vec<IndexNeed>) -> bool {
        self.input.seekable(columns, needs)
    }

    fn seek(
        &self,
        tick: &Tick<'_>,
        when: When,
        columns: &[usize],
        keys: &[ArrayRef],
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        let (rows, numbers) = self.input.seek(tick, when, columns, keys)?;
        if rows.num_rows() == 0 {
            return Ok((rows, numbers));
        }
        let mask = passing(&self.predicate, &rows)?;
        Ok((filter_rows(&rows, &mask)?, keep(&numbers, &mask)))
    }

    fn bytes(&self) -> usize {
        self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        line(depth, lines, format!("filter: {}", self.predicate));
        self.input.explain(depth + 1, lines);
    }
}

/// Columns computed from each row.
pub struct Project {
    input: Box<dyn Operator>,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Project {
    pub fn new(input: Box<dyn Operator>, exprs: Vec<Arc<dyn PhysicalExpr>>, schema: SchemaRef) -> Self {
        Self { input, exprs, schema: nullable(&schema) }
    }

    fn columns_of_input(&self, columns: &[usize]) -> Option<Vec<usize>> {
        columns.iter().map(|c| plain(&self.exprs[*c])).collect()
    }
}

/// The column that an expression is, unchanged.
pub fn plain(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expr.downcast_ref::<Column>().map(Column::index)
}

/// Evaluates expressions over a batch.
pub fn evaluate(exprs: &[Arc<dyn PhysicalExpr>], rows: &RecordBatch) -> PgResult<Vec<ArrayRef>> {
    let one = |expr: &Arc<dyn PhysicalExpr>| match plain(expr) {
        Some(column) => Ok(Arc::clone(rows.column(column))),
        None => blaming(rows, |rows| Ok(expr.evaluate(rows)?.into_array(rows.num_rows())?)),
    };
    exprs.iter().map(one).collect()
}

fn project(exprs: &[Arc<dyn PhysicalExpr>], schema: &SchemaRef, rows: &RecordBatch) -> PgResult<RecordBatch> {
    if rows.num_rows() == 0 {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    }
    with_count(schema, evaluate(exprs, rows)?, rows.num_rows())
}

impl Operator for Project {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let (exprs, schema) = (&self.exprs, &self.schema);
        self.input.hydrate(tick, &mut |rows| emit(project(exprs, schema, &rows)?))
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.input.prepare(tick)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        Ok(Delta { rows: project(&self.exprs, &self.schema, &delta.rows)?, weights: delta.weights })
    }

    fn seekable(&self, columns: &[usize], needs: &mut Vec<IndexNeed>) -> bool {
        self.columns_of_input(columns).is_some_and(|columns| self.input.seekable(&columns, needs))
    }

    fn seek(
        &self,
        tick: &Tick<'_>,
        when: When,
        columns: &[usize],
        keys: &[ArrayRef],
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        let columns = self.columns_of_input(columns).unwrap_or_default();
        let (rows, numbers) = self.input.seek(tick, when, &columns, keys)?;
        Ok((project(&self.exprs, &self.schema, &rows)?, numbers))
    }

    fn contains(&self, tick: &Tick<'_>, when: When, columns: &[usize], keys: &[ArrayRef]) -> PgResult<Vec<bool>> {
        let columns = self.columns_of_input(columns).unwrap_or_default();
        self.input.contains(tick, when, &columns, keys)
    }

    fn bytes(&self) -> usize {
        self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        self.input.explain(depth, lines);
    }
}

/// UNION ALL.
pub struct Union {
    pub inputs: Vec<Box<dyn Operator>>,
    pub schema: SchemaRef,
}

impl Operator for Union {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let schema = &self.schema;
        for input in &mut self.inputs {
            input.hydrate(tick, &mut |rows| emit(with_count(schema, rows.columns().to_vec(), rows.num_rows())?))?;
        }
        Ok(())
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.inputs.iter_mut().try_for_each(|input| input.prepare(tick))
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let mut parts = Vec::with_capacity(self.inputs.len());
        for input in &mut self.inputs {
            let delta = input.step(tick)?;
            let rows = with_count(&self.schema, delta.rows.columns().to_vec(), delta.len())?;
            parts.push(Delta { rows, weights: delta.weights });
        }
        Delta::concat(&self.schema, parts)
    }

    fn bytes(&self) -> usize {
        self.inputs.iter().map(|input| input.bytes()).sum()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        line(depth, lines, "union all");
        self.inputs.iter().for_each(|input| input.explain(depth + 1, lines));
    }
}

/// Rows that never change: VALUES, and the one row of a query without FROM.
pub struct Constant {
    rows: RecordBatch,
}

impl Constant {
    pub fn new(rows: RecordBatch) -> PgResult<Self> {
        let schema = nullable(rows.schema_ref());
        Ok(Self { rows: with_count(&schema, rows.columns().to_vec(), rows.num_rows())? })
    }
}

impl Operator for Constant {
    fn schema(&self) -> &SchemaRef {
        self.rows.schema_ref()
    }

    fn hydrate(&mut self, _: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        emit(self.rows.clone())
    }

    fn prepare(&mut self, _: &Tick<'_>) -> PgResult<()> {
        Ok(())
    }

    fn step(&mut self, _: &Tick<'_>) -> PgResult<Delta> {
        Ok(Delta::none(self.rows.schema_ref()))
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        line(depth, lines, format!("constant: {} rows", self.rows.num_rows()));
    }
}

/// The same rows under another schema of the same storage.
pub struct Renamed {
    pub input: Box<dyn Operator>,
    pub schema: SchemaRef,
}

impl Renamed {
    fn rename(schema: &SchemaRef, rows: RecordBatch) -> PgResult<RecordBatch> {
        with_count(schema, rows.columns().to_vec(), rows.num_rows())
    }
}

impl Operator for Renamed {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let schema = &self.schema;
        self.input.hydrate(tick, &mut |rows| emit(Self::rename(schema, rows)?))
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.input.prepare(tick)
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        Ok(Delta { rows: Self::rename(&self.schema, delta.rows)?, weights: delta.weights })
    }

    fn bytes(&self) -> usize {
        self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        self.input.explain(depth, lines);
    }
}

/// Stands where an operator has been taken out for the time of a call.
pub struct Taken;

impl Operator for Taken {
    fn schema(&self) -> &SchemaRef {
        static NOTHING: std::sync::LazyLock<SchemaRef> =
            std::sync::LazyLock::new(|| Arc::new(arrow::datatypes::Schema::empty()));
        &NOTHING
    }

    fn hydrate(&mut self, _: &Tick<'_>, _: Emit<'_>) -> PgResult<()> {
        Err(PgError::internal("an operator runs inside itself"))
    }

    fn step(&mut self, _: &Tick<'_>) -> PgResult<Delta> {
        Err(PgError::internal("an operator runs inside itself"))
    }

    fn explain(&self, _: usize, _: &mut Vec<String>) {}
}
