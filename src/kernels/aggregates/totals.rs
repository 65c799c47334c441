//! sum and avg. Integers and decimals are summed exactly in 128 bits, floats as floats, other numerics as numerics;
//! nothing wraps.

use super::AggregateKernel;
use super::fold::Fold;
use super::numeric_sum::NumericSum;
use super::udaf::{MakeFold, MakeGroups, Plan, make};
use crate::kernels::adapt::{Fixed, Kind, downcast};
use crate::kernels::facts::ProcRow;
use crate::kernels::integers::out_of_range;
use crate::kernels::kernel::no_kernel;
use crate::kernels::keys::IntervalParts;
use crate::kernels::numerics::{Num, decimals_to_sortable, sortable};
use crate::kernels::registry::unique_name;
use crate::types::numeric::Numeric;
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::*;
use arrow::datatypes::*;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// A number that sums are kept in.
trait Sum: ArrowPrimitiveType {
    /// The sum, and whether it is wrong.
    fn plus(a: Self::Native, b: Self::Native) -> (Self::Native, bool);
    fn minus(a: Self::Native, b: Self::Native) -> (Self::Native, bool);
    /// Whether taking a value back restores what was before it.
    const EXACT: bool;
}

impl Sum for Decimal128Type {
    fn plus(a: i128, b: i128) -> (i128, bool) {
        a.overflowing_add(b)
    }
    fn minus(a: i128, b: i128) -> (i128, bool) {
        a.overflowing_sub(b)
    }
    const EXACT: bool = true;
}

macro_rules! float_sum {
    ($arrow:ty, $native:ty) => {
        impl Sum for $arrow {
            fn plus(a: $native, b: $native) -> ($native, bool) {
                let sum = a + b;
                (sum, sum.is_infinite() && a.is_finite() && b.is_finite())
            }
            fn minus(a: $native, b: $native) -> ($native, bool) {
                Self::plus(a, -b)
            }
            const EXACT: bool = false;
        }
    };
}
float_sum!(Float32Type, f32);
float_sum!(Float64Type, f64);

/// What is made of sum and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finish {
    /// sum(int2), sum(int4)
    Int8,
    /// sum(int8)
    Numeric,
    /// sum of decimals, as decimals of 38 digits.
    Decimal(i8),
    /// avg of integers and decimals of this scale.
    Average(i32),
    Float4,
    Float8,
    FloatAverage,
}

/// The sums of many groups.
#[derive(Debug)]
struct Totals<A: ArrowPrimitiveType, S: Sum> {
    sums: Vec<S::Native>,
    counts: Vec<i64>,
    finish: Finish,
    input: PhantomData<fn() -> A>,
}

fn overflow(finish: Finish) -> PgError {
    let message = match finish {
        Finish::Float4 | Finish::Float8 | Finish::FloatAverage => "value out of range: overflow",
        _ => "value overflows numeric format",
    };
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, message)
}

impl<A, S> Totals<A, S>
where
    A: ArrowPrimitiveType + Debug,
    S: Sum + Debug,
    S::Native: From<A::Native>,
{
    fn new(finish: Finish) -> Self {
        Self { sums: Vec::new(), counts: Vec::new(), finish, input: PhantomData }
    }

    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, S::Native::default());
        self.counts.resize(groups, 0);
    }

    fn add(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> PgResult<()> {
        let values = downcast::<PrimitiveArray<A>>(values)?;
        let mut wrong = false;
        let mut step = |group: usize, value: A::Native| {
            let (sum, bad) = S::plus(self.sums[group], value.into());
            self.sums[group] = sum;
            self.counts[group] += 1;
            wrong |= bad;
        };
        if values.null_count() == 0 && filter.is_none() {
            for (&group, &value) in groups.iter().zip(values.values()) {
                step(group, value);
            }
        } else {
            for (i, &group) in groups.iter().enumerate() {
                if values.is_valid(i) && filter.is_none_or(|f| f.is_valid(i) && f.value(i)) {
                    step(group, values.value(i));
                }
            }
        }
        if wrong { Err(overflow(self.finish)) } else { Ok(()) }
    }

    fn merge_states(&mut self, states: &[ArrayRef], groups: &[usize]) -> PgResult<()> {
        let [sums, counts] = states else { return Err(PgError::internal("a total has two state columns")) };
        let (sums, counts) = (downcast::<PrimitiveArray<S>>(sums)?, downcast::<Int64Array>(counts)?);
        for (i, &group) in groups.iter().enumerate() {
            let (sum, bad) = S::plus(self.sums[group], sums.value(i));
            if bad {
                return Err(overflow(self.finish));
            }
            self.sums[group] = sum;
            self.counts[group] += counts.value(i);
        }
        Ok(())
    }

    fn state_of(&self, sums: Vec<S::Native>, counts: Vec<i64>) -> Vec<ArrayRef> {
        let sums = PrimitiveArray::<S>::from_iter_values(sums).with_data_type(sum_storage::<S>());
        vec![Arc::new(sums), Arc::new(Int64Array::from(counts))]
    }

    fn results(&self, sums: Vec<S::Native>, counts: &[i64]) -> PgResult<ArrayRef> {
        let nulls = arrow::buffer::NullBuffer::from_iter(counts.iter().map(|c| *c > 0));
        let array: ArrayRef = Arc::new(PrimitiveArray::<S>::new(sums.into(), Some(nulls)));
        match self.finish {
            Finish::Float4 | Finish::Float8 => Ok(array),
            Finish::FloatAverage => {
                let sums = downcast::<Float64Array>(&array)?;
                let averages = sums.iter().zip(counts).map(|(sum, n)| sum.map(|s| s / *n as f64));
                Ok(Arc::new(averages.collect::<Float64Array>()))
            }
            Finish::Int8 => {
                let sums = downcast::<Decimal128Array>(&array)?;
                let narrow = |v: i128| i64::try_from(v).map_err(|_| out_of_range("bigint"));
                let values = sums.iter().map(|v| v.map(narrow).transpose());
                Ok(Arc::new(values.collect::<PgResult<Int64Array>>()?))
            }
            Finish::Numeric => Ok(decimals_to_sortable(downcast(&array)?, 0)),
            Finish::Decimal(scale) => {
                let sums = downcast::<Decimal128Array>(&array)?;
                let limit = 10u128.pow(38);
                if sums.iter().flatten().any(|v| v.unsigned_abs() >= limit) {
                    return Err(overflow(self.finish));
                }
                Ok(Arc::new(sums.clone().with_data_type(DataType::Decimal128(38, scale))))
            }
            Finish::Average(scale) => {
                let sums = downcast::<Decimal128Array>(&array)?;
                let mut out = BinaryBuilder::with_capacity(sums.len(), sums.len() * 16);
                for (sum, count) in sums.iter().zip(counts) {
                    match sum {
                        Some(sum) => {
                            let average = Numeric::new(sum, scale).div(&Numeric::from(*count))?;
                            out.append_value(sortable(&average));
                        }
                        None => out.append_null(),
                    }
                }
                Ok(Arc::new(out.finish()))
            }
        }
    }
}

fn sum_storage<S: Sum>() -> DataType {
    // 128-bit sums travel between stages as plain integers.
    if S::DATA_TYPE.is_floating() { S::DATA_TYPE } else { DataType::Decimal128(38, 0) }
}

impl<A, S> GroupsAccumulator for Totals<A, S>
where
    A: ArrowPrimitiveType + Debug,
    S: Sum + Debug,
    S::Native: From<A::Native>,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.resize(total);
        Ok(self.add(&values[0], groups, filter)?)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (sums, counts) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.counts));
        Ok(self.results(sums, &counts)?)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.counts));
        Ok(self.state_of(sums, counts))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.resize(total);
        Ok(self.merge_states(states, groups)?)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Self::new(self.finish);
        let groups: Vec<usize> = (0..values[0].len()).collect();
        each.resize(groups.len());
        each.add(&values[0], &groups, filter)?;
        let (sums, counts) = (std::mem::take(&mut each.sums), std::mem::take(&mut each.counts));
        Ok(self.state_of(sums, counts))
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<S::Native>() + self.counts.capacity() * size_of::<i64>()
    }
}

impl<A, S> Fold for Totals<A, S>
where
    A: ArrowPrimitiveType + Debug,
    S: Sum + Debug,
    S::Native: From<A::Native>,
{
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.resize(1);
        self.add(&args[0], &vec![0; args[0].len()], None)
    }

    fn retract(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.resize(1);
        for value in downcast::<PrimitiveArray<A>>(&args[0])?.iter().flatten() {
            let (sum, bad) = S::minus(self.sums[0], value.into());
            if bad {
                return Err(overflow(self.finish));
            }
            (self.sums[0], self.counts[0]) = (sum, self.counts[0] - 1);
        }
        Ok(())
    }

    fn retracts(&self) -> bool {
        S::EXACT
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        let (sum, count) = (self.sums.first().copied().unwrap_or_default(), self.counts.first().copied().unwrap_or(0));
        let state = self.state_of(vec![sum], vec![count]);
        state.iter().map(|a| Ok(ScalarValue::try_from_array(a, 0)?)).collect()
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        self.resize(1);
        self.merge_states(states, &vec![0; states[0].len()])
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        let (sum, count) = (self.sums.first().copied().unwrap_or_default(), self.counts.first().copied().unwrap_or(0));
        let result = self.results(vec![sum], &[count])?;
        Ok(ScalarValue::try_from_array(&result, 0)?)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(self)
    }
}

/// sum and avg of numerics in the sortable form.
#[derive(Debug)]
struct NumericTotal {
    sum: NumericSum,
    count: i64,
    average: bool,
}

impl NumericTotal {
    fn each(&mut self, array: &ArrayRef, step: impl Fn(&mut Self, Numeric) -> PgResult<()>) -> PgResult<()> {
        let column = Num::column(array)?;
        (0..array.len()).filter(|&i| array.is_valid(i)).try_for_each(|i| step(self, Num::item(&column, i)?))
    }
}

impl Fold for NumericTotal {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.each(&args[0], |s, v| {
            s.count += 1;
            s.sum.add(&v)
        })
    }

    fn retract(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.each(&args[0], |s, v| {
            s.count -= 1;
            s.sum.remove(&v)
        })
    }

    fn retracts(&self) -> bool {
        true
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(sortable(&self.sum.value()))), ScalarValue::Int64(Some(self.count))])
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        self.each(&states[0], |s, v| s.sum.add(&v))?;
        self.count += downcast::<Int64Array>(&states[1])?.iter().flatten().sum::<i64>();
        Ok(())
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        let value = match (self.count, self.average) {
            (0, _) => None,
            (_, false) => Some(sortable(&self.sum.value())),
            (n, true) => Some(sortable(&self.sum.value().div(&Numeric::from(n))?)),
        };
        Ok(ScalarValue::Binary(value))
    }

    fn size(&self) -> usize {
        self.sum.bytes() + 16
    }
}

/// sum and avg of intervals.
#[derive(Debug, Default)]
struct IntervalTotal {
    months: i64,
    days: i64,
    micros: i128,
    count: i64,
    average: bool,
}

impl IntervalTotal {
    fn step(&mut self, array: &ArrayRef, sign: i64) -> PgResult<()> {
        let column = Fixed::<16>::column(array)?;
        for i in (0..array.len()).filter(|&i| array.is_valid(i)) {
            let value = IntervalParts::read(Fixed::<16>::item(&column, i)?);
            self.months += sign * i64::from(value.months);
            self.days += sign * i64::from(value.days);
            self.micros += i128::from(sign) * i128::from(value.micros);
            self.count += sign;
        }
        Ok(())
    }
}

impl Fold for IntervalTotal {
    fn update(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.step(&args[0], 1)
    }

    fn retract(&mut self, args: &[ArrayRef]) -> PgResult<()> {
        self.step(&args[0], -1)
    }

    fn retracts(&self) -> bool {
        true
    }

    fn state(&self) -> PgResult<Vec<ScalarValue>> {
        let int = |v| ScalarValue::Int64(Some(v));
        Ok(vec![int(self.months), int(self.days), ScalarValue::Decimal128(Some(self.micros), 38, 0), int(self.count)])
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        let total = |i: usize| -> PgResult<i64> { Ok(downcast::<Int64Array>(&states[i])?.iter().flatten().sum()) };
        self.months += total(0)?;
        self.days += total(1)?;
        self.micros += downcast::<Decimal128Array>(&states[2])?.iter().flatten().sum::<i128>();
        self.count += total(3)?;
        Ok(())
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::FixedSizeBinary(16, None));
        }
        let out = || PgError::new(SqlState::DATETIME_OVERFLOW, "interval out of range");
        let sum = IntervalParts {
            months: i32::try_from(self.months).map_err(|_| out())?,
            days: i32::try_from(self.days).map_err(|_| out())?,
            micros: i64::try_from(self.micros).map_err(|_| out())?,
        };
        let result = if self.average { sum.divide(self.count as f64)? } else { sum };
        Ok(ScalarValue::FixedSizeBinary(16, Some(result.write().to_vec())))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

fn running<A, S>(finish: Finish) -> Plan
where
    A: ArrowPrimitiveType + Debug,
    S: Sum + Debug,
    S::Native: From<A::Native>,
{
    let fold: MakeFold = Arc::new(move || Box::new(Totals::<A, S>::new(finish)));
    let groups: MakeGroups = Arc::new(move || Box::new(Totals::<A, S>::new(finish)));
    Plan::Running { fold, groups: Some(groups), state: vec![sum_storage::<S>(), DataType::Int64] }
}

/// sum or avg of `arg`.
pub fn total(row: &ProcRow, arg: &ExprType) -> PgResult<AggregateKernel> {
    let average = row.name == "avg";
    let own = ExprType::of(PgType::new(row.result));
    let finish = |sum| if average { Finish::Average(0) } else { sum };
    let mut result = own.clone();
    let mut input = arg.clone();
    let plan = match (arg.pg.oid, &arg.storage) {
        (oid::INT2, _) => running::<Int16Type, Decimal128Type>(finish(Finish::Int8)),
        (oid::INT4, _) => running::<Int32Type, Decimal128Type>(finish(Finish::Int8)),
        (oid::INT8, _) => running::<Int64Type, Decimal128Type>(finish(Finish::Numeric)),
        (oid::FLOAT4, _) if average => running::<Float32Type, Float64Type>(Finish::FloatAverage),
        (oid::FLOAT4, _) => running::<Float32Type, Float32Type>(Finish::Float4),
        (oid::FLOAT8, _) if average => running::<Float64Type, Float64Type>(Finish::FloatAverage),
        (oid::FLOAT8, _) => running::<Float64Type, Float64Type>(Finish::Float8),
        // Ten digits of room: no table has 10^10 rows of the largest value.
        (oid::NUMERIC, DataType::Decimal128(p, s)) if *p <= 28 => {
            if average {
                running::<Decimal128Type, Decimal128Type>(Finish::Average(i32::from(*s)))
            } else {
                result = ExprType { pg: own.pg, storage: DataType::Decimal128(38, *s) };
                running::<Decimal128Type, Decimal128Type>(Finish::Decimal(*s))
            }
        }
        (oid::NUMERIC, _) => {
            input = ExprType::of(PgType::new(oid::NUMERIC));
            let fold: MakeFold = Arc::new(move || Box::new(NumericTotal { sum: NumericSum::ZERO, count: 0, average }));
            Plan::Running { fold, groups: None, state: vec![DataType::Binary, DataType::Int64] }
        }
        (oid::INTERVAL, _) => {
            let fold: MakeFold = Arc::new(move || Box::new(IntervalTotal { average, ..IntervalTotal::default() }));
            let state = vec![DataType::Int64, DataType::Int64, DataType::Decimal128(38, 0), DataType::Int64];
            Plan::Running { fold, groups: None, state }
        }
        _ => return Err(no_kernel(row.name, std::slice::from_ref(arg))),
    };
    Ok(make(&unique_name(row), vec![input], result, plan))
}
