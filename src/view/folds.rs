//! A tally of any aggregate of ours whose running state takes rows back: variance and stddev, sums of numerics and intervals.

use super::tally::Tally;
use crate::kernels::{Fold, MakeFold};
use crate::types::PgResult;
use arrow::array::{ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// A running state for each group.
pub struct Folds {
    make: MakeFold,
    result: DataType,
    folds: Vec<Option<Box<dyn Fold>>>,
}

impl Folds {
    pub fn new(make: MakeFold, result: DataType) -> Self {
        Self { make, result, folds: vec![] }
    }
}

impl Tally for Folds {
    fn kept(&self) -> &'static str {
        "a running state that takes rows back"
    }

    fn grow(&mut self, groups: usize) {
        self.folds.resize_with(groups, || None);
    }

    fn forget(&mut self, group: usize) {
        self.folds[group] = None;
    }

    fn update(&mut self, args: &[ArrayRef], groups: &[u32], weights: &[i64]) -> PgResult<()> {
        // Rows of one group and one weight go in together.
        let mut order: Vec<u32> = (0..groups.len() as u32).collect();
        order.sort_by_key(|row| (groups[*row as usize], std::cmp::Reverse(weights[*row as usize])));
        let picks = UInt32Array::from(order.clone());
        let sorted = args.iter().map(|arg| take(arg, &picks, None)).collect::<Result<Vec<_>, _>>()?;
        let of = |at: usize| (groups[order[at] as usize], weights[order[at] as usize]);
        let mut start = 0;
        while start < order.len() {
            let (group, weight) = of(start);
            let end = (start + 1..order.len()).find(|at| of(*at) != (group, weight)).unwrap_or(order.len());
            let rows: Vec<ArrayRef> = sorted.iter().map(|column| column.slice(start, end - start)).collect();
            let fold = self.folds[group as usize].get_or_insert_with(|| (self.make)());
            for _ in 0..weight.unsigned_abs() {
                if weight > 0 { fold.update(&rows)? } else { fold.retract(&rows)? }
            }
            start = end;
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[u32]) -> PgResult<ArrayRef> {
        if groups.is_empty() {
            return Ok(new_empty_array(&self.result));
        }
        let value = |group: &u32| match &self.folds[*group as usize] {
            Some(fold) => fold.evaluate(),
            None => (self.make)().evaluate(),
        };
        Ok(ScalarValue::iter_to_array(groups.iter().map(value).collect::<PgResult<Vec<_>>>()?)?)
    }

    fn bytes(&self) -> usize {
        let folds: usize = self.folds.iter().flatten().map(|fold| fold.size()).sum();
        folds + self.folds.capacity() * size_of::<Option<Box<dyn Fold>>>()
    }
}
