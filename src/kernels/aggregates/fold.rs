//! One running state over batches of rows.

use crate::types::{PgError, PgResult};
use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Accumulator;
use std::fmt::Debug;

/// The state of an aggregate. `state` and `merge` speak of the columns that the aggregate declared.
pub trait Fold: Send + Sync + Debug {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()>;
    /// Takes rows back that were given before.
    fn retract(&mut self, _args: &[ArrayRef]) -> PgResult<()> {
        Err(PgError::unsupported("taking rows back from this aggregate"))
    }
    fn retracts(&self) -> bool {
        false
    }
    fn state(&self) -> PgResult<Vec<ScalarValue>>;
    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()>;
    fn evaluate(&self) -> PgResult<ScalarValue>;
    fn size(&self) -> usize;
}

/// A [`Fold`] as DataFusion runs it.
#[derive(Debug)]
pub struct FoldAccumulator(pub Box<dyn Fold>);

impl Accumulator for FoldAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Ok(self.0.update(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.0.evaluate()?)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(self.0.state()?)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        Ok(self.0.merge(states)?)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Ok(self.0.retract(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.retracts()
    }
}
