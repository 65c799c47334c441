//! Variances and standard deviations: floats by Youngs and Cramer's update, as PostgreSQL does; exact sums of squares for
//! integers and numerics.

use super::AggregateKernel;
use super::fold::Fold;
use super::numeric_sum::NumericSum;
use super::udaf::{MakeFold, Plan, make};
use crate::kernels::adapt::{Kind, downcast};
use crate::kernels::facts::ProcRow;
use crate::kernels::kernel::no_kernel;
use crate::kernels::numerics::{Num, sortable};
use crate::kernels::registry::unique_name;
use crate::types::numeric::Numeric;
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::*;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// Which of the six functions.
#[derive(Debug, Clone, Copy)]
struct Shape {
    sample: bool,
    root: bool,
}

#[derive(Debug)]
struct FloatMoment {
    shape: Shape,
    n: f64,
    sum: f64,
    squares: f64,
}

fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value out of range: overflow")
}

impl FloatMoment {
    fn step(&mut self, value: f64) -> PgResult<()> {
        let (old_sum, old_squares) = (self.sum, self.squares);
        self.n += 1.0;
        self.sum += value;
        if self.n > 1.0 {
            let distance = value * self.n - self.sum;
            self.squares += distance * distance / (self.n * (self.n - 1.0));
            if self.sum.is_infinite() || self.squares.is_infinite() {
                if old_sum.is_finite() && old_squares.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                self.squares = f64::NAN;
            }
        } else if !value.is_finite() {
            self.squares = f64::NAN;
        }
        Ok(())
    }

    fn join(&mut self, n: f64, sum: f64, squares: f64) -> PgResult<()> {
        if n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            (self.n, self.sum, self.squares) = (n, sum, squares);
            return Ok(());
        }
        let total = self.n + n;
        let distance = self.sum / self.n - sum / n;
        let joined = self.squares + squares + self.n * n * distance * distance / total;
        if joined.is_infinite() && self.squares.is_finite() && squares.is_finite() {
            return Err(overflow());
        }
        (self.n, self.sum, self.squares) = (total, self.sum + sum, joined);
        Ok(())
    }
}

impl Fold for FloatMoment {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        match args[0].data_type() {
            DataType::Float32 => {
                downcast::<Float32Array>(&args[0])?.iter().flatten().try_for_each(|v| self.step(v.into()))
            }
            _ => downcast::<Float64Array>(&args[0])?.iter().flatten().try_for_each(|v| self.step(v)),
        }
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        Ok([self.n, self.sum, self.squares].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        let [n, sum, squares] = states else { return Err(PgError::internal("a moment has three state columns")) };
        let column = |a| downcast::<Float64Array>(a);
        let (n, sum, squares) = (column(n)?, column(sum)?, column(squares)?);
        (0..n.len()).try_for_each(|i| self.join(n.value(i), sum.value(i), squares.value(i)))
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        let divisor = if self.shape.sample { self.n - 1.0 } else { self.n };
        let variance = (divisor > 0.0).then(|| self.squares / divisor);
        Ok(ScalarValue::Float64(variance.map(|v| if self.shape.root { v.sqrt() } else { v })))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[derive(Debug)]
struct NumericMoment {
    shape: Shape,
    n: i64,
    sum: NumericSum,
    squares: NumericSum,
}

impl NumericMoment {
    fn each(&mut self, array: &ArrayRef, sign: i64) -> PgResult<()> {
        let step = |s: &mut Self, value: Numeric| -> PgResult<()> {
            let square = value.mul(&value)?;
            if sign > 0 {
                s.sum.add(&value)?;
                s.squares.add(&square)?;
            } else {
                s.sum.remove(&value)?;
                s.squares.remove(&square)?;
            }
            s.n += sign;
            Ok(())
        };
        macro_rules! integers {
            ($array:ty) => {
                downcast::<$array>(array)?.iter().flatten().try_for_each(|v| step(self, Numeric::new(v.into(), 0)))
            };
        }
        match array.data_type() {
            DataType::Int16 => integers!(Int16Array),
            DataType::Int32 => integers!(Int32Array),
            DataType::Int64 => integers!(Int64Array),
            _ => {
                let column = Num::column(array)?;
                (0..array.len()).filter(|&i| array.is_valid(i)).try_for_each(|i| step(self, Num::item(&column, i)?))
            }
        }
    }
}

impl Fold for NumericMoment {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.each(&args[0], 1)
    }

    fn retract(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.each(&args[0], -1)
    }

    fn retracts(&self) -> bool {
        true
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        let numeric = |n: &Numeric| ScalarValue::Binary(Some(sortable(n)));
        Ok(vec![ScalarValue::Int64(Some(self.n)), numeric(&self.sum.value()), numeric(&self.squares.value())])
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        let [n, sum, squares] = states else { return Err(PgError::internal("a moment has three state columns")) };
        self.n += downcast::<Int64Array>(n)?.iter().flatten().sum::<i64>();
        let (sums, all) = (Num::column(sum)?, Num::column(squares)?);
        for i in 0..sum.len() {
            self.sum.add(&Num::item(&sums, i)?)?;
            self.squares.add(&Num::item(&all, i)?)?;
        }
        Ok(())
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        let divisor = if self.shape.sample { self.n - 1 } else { self.n };
        if divisor <= 0 {
            return Ok(ScalarValue::Binary(None));
        }
        let (n, sum) = (Numeric::from(self.n), self.sum.value());
        let spread = n.mul(&self.squares.value())?.sub(&sum.mul(&sum)?)?;
        let value = if spread.is_nan() {
            Numeric::NAN
        } else if spread.signum() <= 0 {
            Numeric::ZERO
        } else {
            let variance = spread.div(&n.mul(&Numeric::from(divisor))?)?;
            match (self.shape.root, variance.scale()) {
                (true, Some(scale)) => variance.sqrt()?.round(scale),
                _ => variance,
            }
        };
        Ok(ScalarValue::Binary(Some(sortable(&value))))
    }

    fn size(&self) -> usize {
        self.sum.bytes() + self.squares.bytes() + 16
    }
}

pub fn moment(row: &ProcRow, arg: &ExprType) -> PgResult<AggregateKernel> {
    let shape = Shape { sample: !row.name.ends_with("_pop"), root: row.name.starts_with("stddev") };
    let (fold, state): (MakeFold, _) = match arg.pg.oid {
        oid::FLOAT4 | oid::FLOAT8 => (
            Arc::new(move || Box::new(FloatMoment { shape, n: 0.0, sum: 0.0, squares: 0.0 })),
            vec![DataType::Float64; 3],
        ),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC => (
            Arc::new(move || Box::new(NumericMoment { shape, n: 0, sum: NumericSum::ZERO, squares: NumericSum::ZERO })),
            vec![DataType::Int64, DataType::Binary, DataType::Binary],
        ),
        _ => return Err(no_kernel(row.name, std::slice::from_ref(arg))),
    };
    let result = ExprType::of(PgType::new(row.result));
    Ok(make(&unique_name(row), vec![arg.clone()], result, Plan::Running { fold, groups: None, state }))
}
