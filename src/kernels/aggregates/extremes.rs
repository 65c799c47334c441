//! min and max of types whose storage does not sort as PostgreSQL's values do.

use super::AggregateKernel;
use super::fold::Fold;
use super::udaf::{MakeFold, Plan, make};
use crate::kernels::facts::ProcRow;
use crate::kernels::keys::KeyRows;
use crate::kernels::registry::unique_name;
use crate::types::{ExprType, PgResult};
use arrow::array::ArrayRef;
use arrow_row::OwnedRow;
use datafusion::common::ScalarValue;
use std::fmt;
use std::sync::Arc;

struct Extreme {
    keys: Arc<KeyRows>,
    greatest: bool,
    empty: ScalarValue,
    best: Option<(OwnedRow, ScalarValue)>,
}

impl fmt::Debug for Extreme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extreme").field("best", &self.best.as_ref().map(|b| &b.1)).finish_non_exhaustive()
    }
}

impl Fold for Extreme {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        let values = &args[0];
        let rows = self.keys.rows(values)?;
        let valid = (0..values.len()).filter(|&i| values.is_valid(i));
        let best = if self.greatest {
            valid.max_by(|a, b| rows.row(*a).cmp(&rows.row(*b)))
        } else {
            valid.min_by(|a, b| rows.row(*a).cmp(&rows.row(*b)))
        };
        let Some(found) = best else { return Ok(()) };
        let row = rows.row(found);
        let better = match &self.best {
            None => true,
            Some((old, _)) if self.greatest => row > old.row(),
            Some((old, _)) => row < old.row(),
        };
        if better {
            self.best = Some((row.owned(), ScalarValue::try_from_array(values, found)?));
        }
        Ok(())
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        self.update(states)
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        Ok(self.best.as_ref().map_or_else(|| self.empty.clone(), |(_, value)| value.clone()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.best.as_ref().map_or(0, |(row, value)| row.row().as_ref().len() + value.size())
    }
}

pub fn extreme(row: &ProcRow, arg: &ExprType, result: ExprType) -> PgResult<AggregateKernel> {
    let keys = Arc::new(KeyRows::new(arg)?);
    let empty = ScalarValue::try_from(&arg.storage)?;
    let greatest = row.name == "max";
    let fold: MakeFold =
        Arc::new(move || Box::new(Extreme { keys: Arc::clone(&keys), greatest, empty: empty.clone(), best: None }));
    let plan = Plan::Running { fold, groups: None, state: vec![arg.storage.clone()] };
    Ok(make(&unique_name(row), vec![arg.clone()], result, plan))
}
