//! Aggregates by group, also by several grouping sets and over all rows: the state of each group takes rows and gives
//! them back.

use super::delta::{Delta, concat_rows, differing, filter_rows, nullable, with_count};
use super::groups::Groups;
use super::linear::{PIECE, evaluate, passing};
use super::operator::{Emit, Operator, Tick, line};
use super::tally::Tally;
use crate::types::{PgError, PgResult};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// One aggregate call.
pub struct Call {
    pub args: Vec<Arc<dyn PhysicalExpr>>,
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    pub tally: Box<dyn Tally>,
    /// What it is called in the plan.
    pub name: String,
}

/// By what rows are grouped.
pub struct Grouping {
    pub exprs: Vec<Arc<dyn PhysicalExpr>>,
    /// `None` for GROUP BY of all of them.
    pub sets: Option<Vec<Set>>,
}

/// A grouping set.
#[derive(Debug, Clone)]
pub struct Set {
    /// Which of the expressions it has.
    pub has: Vec<bool>,
    /// DataFusion's number of it: a bit for each expression that it lacks, above them how often the same set came before.
    pub id: u64,
}

impl Set {
    /// The sets of a GROUPING SETS, in order.
    pub fn all(sets: Vec<Vec<bool>>) -> Vec<Set> {
        let mut made: Vec<Set> = Vec::with_capacity(sets.len());
        for has in sets {
            let before = made.iter().filter(|set| set.has == has).count() as u64;
            let lacks = has.iter().fold(0u64, |bits, has| bits << 1 | u64::from(!has));
            let id = lacks | before.checked_shl(has.len() as u32).unwrap_or(0);
            made.push(Set { has, id });
        }
        made
    }
}

impl Grouping {
    /// One group of all rows.
    fn is_total(&self) -> bool {
        self.exprs.is_empty() && self.sets.is_none()
    }
}

pub struct Aggregate {
    input: Box<dyn Operator>,
    grouping: Grouping,
    calls: Vec<Call>,
    groups: Groups,
    /// The groups of all rows, which are there without any too.
    always: Vec<u32>,
    schema: SchemaRef,
}

impl Aggregate {
    /// `schema`: the group columns, the grouping id where there are sets, the calls.
    pub fn new(input: Box<dyn Operator>, grouping: Grouping, calls: Vec<Call>, schema: SchemaRef) -> PgResult<Self> {
        let schema = nullable(&schema);
        let keys = schema.fields().len() - calls.len();
        let groups = Groups::new(&schema.project(&(0..keys).collect::<Vec<_>>())?)?;
        let mut made = Self { input, grouping, calls, groups, always: vec![], schema };
        made.always = made.groups_of_all()?;
        let groups = made.groups.len();
        made.calls.iter_mut().for_each(|call| call.tally.grow(groups));
        Ok(made)
    }

    /// Makes the group of an aggregate without GROUP BY, or those of the empty grouping sets.
    fn groups_of_all(&mut self) -> PgResult<Vec<u32>> {
        if self.grouping.is_total() {
            return self.groups.numbers(&[], 1);
        }
        let sets = self.grouping.sets.clone().unwrap_or_default();
        let mut groups = Vec::new();
        for set in sets.iter().filter(|set| !set.has.contains(&true)) {
            let nulls: Vec<ArrayRef> =
                (0..set.has.len()).map(|i| new_null_array(self.schema.field(i).data_type(), 1)).collect();
            groups.extend(self.groups.numbers(&self.set_columns(&nulls, set, 1)?, 1)?);
        }
        Ok(groups)
    }

    fn key_width(&self) -> usize {
        self.schema.fields().len() - self.calls.len()
    }

    /// The group columns of rows under one grouping set.
    fn set_columns(&self, values: &[ArrayRef], set: &Set, rows: usize) -> PgResult<Vec<ArrayRef>> {
        let mut columns: Vec<ArrayRef> = values
            .iter()
            .zip(&set.has)
            .map(|(value, member)| if *member { Arc::clone(value) } else { new_null_array(value.data_type(), rows) })
            .collect();
        let ids: ArrayRef = Arc::new(UInt64Array::from(vec![set.id; rows]));
        columns.push(cast(&ids, self.schema.field(values.len()).data_type())?);
        Ok(columns)
    }

    /// The group of each row, under each grouping set.
    fn assign(&mut self, rows: &RecordBatch) -> PgResult<Vec<Vec<u32>>> {
        let count = rows.num_rows();
        if self.grouping.is_total() {
            return Ok(vec![vec![0; count]]);
        }
        let values: Vec<ArrayRef> =
            evaluate(&self.grouping.exprs, rows)?.into_iter().map(positive_zero).collect::<PgResult<_>>()?;
        let keyed: Vec<Vec<ArrayRef>> = match &self.grouping.sets {
            None => vec![values],
            Some(sets) => sets.iter().map(|set| self.set_columns(&values, set, count)).collect::<PgResult<_>>()?,
        };
        let mut all = Vec::with_capacity(keyed.len());
        for columns in keyed {
            all.push(self.groups.numbers(&columns, count)?);
        }
        let groups = self.groups.len();
        self.calls.iter_mut().for_each(|call| call.tally.grow(groups));
        Ok(all)
    }

    /// Adds rows to their groups. `values`: see [`Aggregate::arguments`].
    fn update(&mut self, values: &[Argument], groups: &[Vec<u32>], weights: &[i64]) -> PgResult<()> {
        for numbers in groups {
            for (number, weight) in numbers.iter().zip(weights) {
                self.groups.add_rows(*number, *weight);
            }
            for (call, argument) in self.calls.iter_mut().zip(values) {
                match &argument.rows {
                    None => call.tally.update(&argument.columns, numbers, weights)?,
                    Some(rows) => {
                        let numbers: Vec<u32> = rows.iter().map(|row| numbers[*row as usize]).collect();
                        let weights: Vec<i64> = rows.iter().map(|row| weights[*row as usize]).collect();
                        call.tally.update(&argument.columns, &numbers, &weights)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The arguments of each call, of the rows that its FILTER lets pass.
    fn arguments(&self, rows: &RecordBatch) -> PgResult<Vec<Argument>> {
        let one = |call: &Call| {
            let Some(filter) = &call.filter else {
                return Ok(Argument { columns: evaluate(&call.args, rows)?, rows: None });
            };
            // Arguments of rows that the filter drops are never computed.
            let mask = passing(filter, rows)?;
            let kept = filter_rows(rows, &mask)?;
            let numbers = mask.values().set_indices().map(|row| row as u32).collect();
            Ok(Argument { columns: evaluate(&call.args, &kept)?, rows: Some(numbers) })
        };
        self.calls.iter().map(one).collect()
    }

    fn call_columns(&self, groups: &[u32]) -> PgResult<Vec<ArrayRef>> {
        self.calls.iter().map(|call| call.tally.evaluate(groups)).collect()
    }

    fn key_columns(&self, groups: &[u32]) -> PgResult<Vec<ArrayRef>> {
        if self.key_width() == 0 {
            return Ok(vec![]);
        }
        self.groups.columns(groups)
    }

    fn exists(&self, group: u32) -> bool {
        self.groups.rows(group) > 0 || self.always.contains(&group)
    }
}

/// What a call is given of a batch.
struct Argument {
    columns: Vec<ArrayRef>,
    /// Which rows of the batch, where not all.
    rows: Option<Vec<u32>>,
}

/// Both zeros are one group.
pub fn positive_zero(values: ArrayRef) -> PgResult<ArrayRef> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Float32Type, Float64Type};
    Ok(match values.data_type() {
        DataType::Float64 => {
            Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(|v| if v == 0.0 { 0.0 } else { v }))
        }
        DataType::Float32 => {
            Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| if v == 0.0 { 0.0 } else { v }))
        }
        _ => values,
    })
}

impl Operator for Aggregate {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        self.prepare(tick)?;
        let alive: Vec<u32> = (0..self.groups.len() as u32).filter(|group| self.exists(*group)).collect();
        for groups in alive.chunks(PIECE) {
            let columns = [self.key_columns(groups)?, self.call_columns(groups)?].concat();
            emit(with_count(&self.schema, columns, groups.len())?)?;
        }
        Ok(())
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        // The input is taken out while its rows come in.
        let mut input = std::mem::replace(&mut self.input, Box::new(super::linear::Taken));
        let result = input.hydrate(tick, &mut |rows| {
            let groups = self.assign(&rows)?;
            let values = self.arguments(&rows)?;
            self.update(&values, &groups, &vec![1; rows.num_rows()])
        });
        self.input = input;
        result
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let delta = self.input.step(tick)?;
        if delta.is_empty() {
            return Ok(Delta::none(&self.schema));
        }
        self.groups.step();
        let groups = self.assign(&delta.rows)?;
        let values = self.arguments(&delta.rows)?;
        let touched: Vec<u32> = groups.iter().flatten().copied().filter(|group| self.groups.touch(*group)).collect();
        let existed: Vec<bool> = touched.iter().map(|group| self.exists(*group)).collect();
        let old = self.call_columns(&touched)?;
        self.update(&values, &groups, &delta.weights)?;
        if touched.iter().any(|group| self.groups.rows(*group) < 0) {
            return Err(PgError::internal("a group has lost more rows than it had"));
        }
        let exists: Vec<bool> = touched.iter().map(|group| self.exists(*group)).collect();
        let new = self.call_columns(&touched)?;
        let keys = self.key_columns(&touched)?;
        let differs = differing(&old, &new, touched.len())?;
        let mask = |here: &[bool], there: &[bool]| -> BooleanArray {
            (0..touched.len()).map(|row| Some(here[row] && (differs[row] || !there[row]))).collect()
        };
        let whole = |calls: Vec<ArrayRef>| with_count(&self.schema, [keys.clone(), calls].concat(), touched.len());
        let gone = filter_rows(&whole(old)?, &mask(&existed, &exists))?;
        let come = filter_rows(&whole(new)?, &mask(&exists, &existed))?;
        let weights = [vec![-1; gone.num_rows()], vec![1; come.num_rows()]].concat();
        let rows = concat_rows(&self.schema, [&gone, &come])?;
        for group in touched.iter().zip(&exists).filter(|(_, exists)| !**exists).map(|(group, _)| *group) {
            self.calls.iter_mut().for_each(|call| call.tally.forget(group as usize));
            self.groups.forget(group);
        }
        Ok(Delta { rows, weights })
    }

    fn bytes(&self) -> usize {
        self.groups.bytes() + self.calls.iter().map(|call| call.tally.bytes()).sum::<usize>() + self.input.bytes()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let keys: Vec<String> = self.grouping.exprs.iter().map(|e| e.to_string()).collect();
        let by = match (&self.grouping.sets, keys.is_empty()) {
            (Some(sets), _) => format!(" by {} sets of {}", sets.len(), keys.join(", ")),
            (None, true) => String::new(),
            (None, false) => format!(" by {}", keys.join(", ")),
        };
        line(depth, lines, format!("aggregate{by}: a state for each group"));
        for call in &self.calls {
            line(depth + 1, lines, format!("kept for {}: {}", call.name, call.tally.kept()));
        }
        self.input.explain(depth + 1, lines);
    }
}
