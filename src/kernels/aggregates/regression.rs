//! Statistics of pairs (`corr`, `covar_*`, `regr_*`) by Youngs and Cramer's update, as PostgreSQL does.

use super::AggregateKernel;
use super::fold::Fold;
use super::udaf::{Plan, make};
use crate::kernels::adapt::downcast;
use crate::kernels::facts::ProcRow;
use crate::kernels::kernel::no_kernel;
use crate::kernels::registry::unique_name;
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::*;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::sync::Arc;

#[derive(Debug, Clone, Copy)]
enum Statistic {
    Count,
    Sxx,
    Syy,
    Sxy,
    MeanX,
    MeanY,
    Determination,
    Slope,
    Intercept,
    CovariancePopulation,
    CovarianceSample,
    Correlation,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

#[derive(Debug)]
struct Regression {
    statistic: Statistic,
    sums: Sums,
}

fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value out of range: overflow")
}

impl Sums {
    fn step(&mut self, y: f64, x: f64) -> PgResult<()> {
        let before = *self;
        self.n += 1.0;
        self.x += x;
        self.y += y;
        if before.n > 0.0 {
            let (dx, dy) = (x * self.n - self.x, y * self.n - self.y);
            let scale = 1.0 / (self.n * before.n);
            self.xx += dx * dx * scale;
            self.yy += dy * dy * scale;
            self.xy += dx * dy * scale;
            let infinite = |s: &Self| [s.x, s.xx, s.y, s.yy, s.xy].iter().any(|v| v.is_infinite());
            if infinite(self) {
                if !infinite(&before) && x.is_finite() && y.is_finite() {
                    return Err(overflow());
                }
                for sum in [&mut self.xx, &mut self.yy, &mut self.xy] {
                    if sum.is_infinite() {
                        *sum = f64::NAN;
                    }
                }
            }
        } else {
            if !x.is_finite() {
                (self.xx, self.xy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.yy, self.xy) = (f64::NAN, f64::NAN);
            }
        }
        Ok(())
    }

    fn join(&mut self, other: Sums) -> PgResult<()> {
        if other.n == 0.0 {
            return Ok(());
        }
        if self.n == 0.0 {
            *self = other;
            return Ok(());
        }
        let n = self.n + other.n;
        let (dx, dy) = (self.x / self.n - other.x / other.n, self.y / self.n - other.y / other.n);
        let weight = self.n * other.n / n;
        *self = Sums {
            n,
            x: self.x + other.x,
            xx: self.xx + other.xx + weight * dx * dx,
            y: self.y + other.y,
            yy: self.yy + other.yy + weight * dy * dy,
            xy: self.xy + other.xy + weight * dx * dy,
        };
        Ok(())
    }

    fn value(&self, statistic: Statistic) -> Option<f64> {
        let Sums { n, x, xx, y, yy, xy } = *self;
        if n < 1.0 {
            return None;
        }
        Some(match statistic {
            Statistic::Count => n,
            Statistic::Sxx => xx,
            Statistic::Syy => yy,
            Statistic::Sxy => xy,
            Statistic::MeanX => x / n,
            Statistic::MeanY => y / n,
            Statistic::CovariancePopulation => xy / n,
            Statistic::CovarianceSample if n < 2.0 => return None,
            Statistic::CovarianceSample => xy / (n - 1.0),
            Statistic::Correlation if xx == 0.0 || yy == 0.0 => return None,
            Statistic::Correlation => xy / (xx * yy).sqrt(),
            _ if xx == 0.0 => return None,
            Statistic::Determination if yy == 0.0 => 1.0,
            Statistic::Determination => (xy * xy) / (xx * yy),
            Statistic::Slope => xy / xx,
            Statistic::Intercept => (y - x * xy / xx) / n,
        })
    }
}

impl Fold for Regression {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        let (y, x) = (downcast::<Float64Array>(&args[0])?, downcast::<Float64Array>(&args[1])?);
        for (y, x) in y.iter().zip(x) {
            if let (Some(y), Some(x)) = (y, x) {
                self.sums.step(y, x)?;
            }
        }
        Ok(())
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        let Sums { n, x, xx, y, yy, xy } = self.sums;
        Ok([n, x, xx, y, yy, xy].map(|v| ScalarValue::Float64(Some(v))).to_vec())
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        let columns = states.iter().map(downcast::<Float64Array>).collect::<PgResult<Vec<_>>>()?;
        let [n, x, xx, y, yy, xy] = columns.as_slice() else {
            return Err(PgError::internal("a regression has six state columns"));
        };
        (0..n.len()).try_for_each(|i| {
            let at = |c: &Float64Array| c.value(i);
            self.sums.join(Sums { n: at(n), x: at(x), xx: at(xx), y: at(y), yy: at(yy), xy: at(xy) })
        })
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        Ok(match self.statistic {
            Statistic::Count => ScalarValue::Int64(Some(self.sums.n as i64)),
            statistic => ScalarValue::Float64(self.sums.value(statistic)),
        })
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

pub fn regression(row: &ProcRow, args: &[ExprType]) -> PgResult<AggregateKernel> {
    let statistic = match row.name {
        "regr_count" => Statistic::Count,
        "regr_sxx" => Statistic::Sxx,
        "regr_syy" => Statistic::Syy,
        "regr_sxy" => Statistic::Sxy,
        "regr_avgx" => Statistic::MeanX,
        "regr_avgy" => Statistic::MeanY,
        "regr_r2" => Statistic::Determination,
        "regr_slope" => Statistic::Slope,
        "regr_intercept" => Statistic::Intercept,
        "covar_pop" => Statistic::CovariancePopulation,
        "covar_samp" => Statistic::CovarianceSample,
        "corr" => Statistic::Correlation,
        _ => return Err(no_kernel(row.name, args)),
    };
    let float = ExprType::of(PgType::new(oid::FLOAT8));
    let result = ExprType::of(PgType::new(row.result));
    let fold: super::udaf::MakeFold = Arc::new(move || Box::new(Regression { statistic, sums: Sums::default() }));
    let plan = Plan::Running { fold, groups: None, state: vec![DataType::Float64; 6] };
    Ok(make(&unique_name(row), vec![float; 2], result, plan))
}
