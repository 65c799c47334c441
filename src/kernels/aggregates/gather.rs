//! Aggregates of all rows at once: the rows are kept, sorted where the call has an ORDER BY, made distinct where it says
//! so, and handed over whole.

use super::super::keys;
use crate::types::{ExprType, PgError, PgResult};
use arrow::array::{Array, ArrayRef, ListArray, UInt32Array, new_empty_array};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow_row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use std::fmt;
use std::sync::Arc;

/// Makes the result of all rows: one array for each argument.
pub type Whole = Arc<dyn Fn(&[ArrayRef]) -> PgResult<ScalarValue> + Send + Sync>;

pub struct Gather {
    args: Vec<ExprType>,
    /// Storage and direction of the sort keys that follow the arguments.
    order: Vec<(DataType, SortOptions)>,
    distinct: bool,
    finish: Whole,
    /// One list of arrays for each column: arguments, then sort keys.
    columns: Vec<Vec<ArrayRef>>,
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("args", &self.args).field("distinct", &self.distinct).finish_non_exhaustive()
    }
}

impl Gather {
    pub fn new(args: Vec<ExprType>, order: Vec<(DataType, SortOptions)>, distinct: bool, finish: Whole) -> Self {
        let columns = vec![Vec::new(); args.len() + order.len()];
        Self { args, order, distinct, finish, columns }
    }

    fn storage(&self, column: usize) -> &DataType {
        match column.checked_sub(self.args.len()) {
            None => &self.args[column].storage,
            Some(key) => &self.order[key].0,
        }
    }

    fn whole_column(&self, column: usize) -> PgResult<ArrayRef> {
        let parts: Vec<&dyn Array> = self.columns[column].iter().map(|a| a.as_ref()).collect();
        match parts.is_empty() {
            true => Ok(new_empty_array(self.storage(column))),
            false => Ok(arrow::compute::concat(&parts)?),
        }
    }

    /// The arguments' rows in order, without repetitions where DISTINCT was said.
    fn rows(&self) -> PgResult<Vec<ArrayRef>> {
        let columns = (0..self.columns.len()).map(|c| self.whole_column(c)).collect::<PgResult<Vec<_>>>()?;
        let args = self.args.len();
        if !self.distinct && self.order.is_empty() {
            return Ok(columns);
        }
        // A distinct aggregate sees its values sorted; an ORDER BY can only name arguments there, so it comes first.
        let mut fields: Vec<SortField> =
            self.order.iter().map(|(ty, options)| SortField::new_with_options(ty.clone(), *options)).collect();
        let mut sort_columns: Vec<ArrayRef> = columns[args..].to_vec();
        let last = SortOptions { descending: false, nulls_first: false };
        if self.distinct {
            for (ty, column) in self.args.iter().zip(&columns) {
                let key = keys::keys(ty, column)?;
                fields.push(SortField::new_with_options(key.data_type().clone(), last));
                sort_columns.push(key);
            }
        }
        let rows = RowConverter::new(fields)?.convert_columns(&sort_columns)?;
        let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
        order.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
        if self.distinct {
            order.dedup_by(|a, b| rows.row(*a as usize) == rows.row(*b as usize));
        }
        let order = UInt32Array::from(order);
        columns[..args].iter().map(|c| Ok(arrow::compute::take(c, &order, None)?)).collect()
    }
}

impl Accumulator for Gather {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.len() < self.columns.len() {
            return Err(PgError::internal("an ordered aggregate got no sort keys").into());
        }
        if values.first().is_some_and(|v| v.is_empty()) {
            return Ok(());
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(Arc::clone(value));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok((self.finish)(&self.rows()?)?)
    }

    fn size(&self) -> usize {
        let arrays = self.columns.iter().flatten().map(|a| a.get_array_memory_size());
        size_of_val(self) + arrays.sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        (0..self.columns.len())
            .map(|c| Ok(SingleRowListArrayBuilder::new(self.whole_column(c)?).with_nullable(true).build_list_scalar()))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (column, state) in self.columns.iter_mut().zip(states) {
            let lists = state.as_any().downcast_ref::<ListArray>();
            let lists = lists.ok_or_else(|| PgError::internal("a gathered state is a list"))?;
            column.extend((0..lists.len()).filter(|i| lists.is_valid(*i)).map(|i| lists.value(i)));
        }
        Ok(())
    }
}
