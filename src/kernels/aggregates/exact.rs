//! Sums of floats without rounding: the same for every order of the rows, and rows can be taken back without drift.
//!
//! A fixed-point number over the whole range of a double, in digits of 32 bits, of which only those that are used are kept
//! (R. M. Neal, *Fast exact summation using small and large superaccumulators*, 2015). It is rounded once, when the
//! value is asked for.

use super::fold::Fold;
use super::udaf::{MakeFold, Plan};
use crate::kernels::adapt::downcast;
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::*;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// A sum of doubles, exact.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// Digits by place, ascending; place 0 ends at 2⁻¹⁰⁷⁴. Not yet carried: any 64-bit number.
    digits: Vec<(u8, i64)>,
    /// How much was added to a digit at most since carries were last made, in units of 2³².
    load: u32,
    nans: i64,
    plus_infinities: i64,
    minus_infinities: i64,
}

/// Additions after which carries are made: 2³² · 2²⁹ is well inside a digit.
const MOST: u32 = 1 << 29;

impl ExactSum {
    /// Adds `value` `times` times; below 0 takes it back.
    pub fn add(&mut self, value: f64, times: i64) {
        if value.is_nan() {
            self.nans += times;
        } else if value == f64::INFINITY {
            self.plus_infinities += times;
        } else if value == f64::NEG_INFINITY {
            self.minus_infinities += times;
        } else if value != 0.0 {
            match u32::try_from(times.unsigned_abs()) {
                Ok(load) if load <= MOST => self.add_finite(value, times, load),
                _ => {
                    // So many copies of one row at once: in parts.
                    let part = i64::from(MOST) * times.signum();
                    self.add(value, part);
                    self.add(value, times - part);
                }
            }
        }
    }

    fn add_finite(&mut self, value: f64, times: i64, load: u32) {
        if self.load + load > MOST {
            self.carry();
        }
        self.load += load;
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as u32;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, at) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let times = if value < 0.0 { -times } else { times };
        let (place, shift) = ((at / 32) as u8, at % 32);
        let shifted = u128::from(mantissa) << shift;
        for nth in 0..3u8 {
            let digit = (shifted >> (32 * u32::from(nth))) as u32;
            if digit != 0 {
                *self.digit(place + nth) += i64::from(digit) * times;
            }
        }
    }

    fn digit(&mut self, place: u8) -> &mut i64 {
        let at = match self.digits.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(at) => at,
            Err(at) => {
                self.digits.insert(at, (place, 0));
                at
            }
        };
        &mut self.digits[at].1
    }

    /// Brings all digits but the highest into 0 … 2³²−1, and drops zeros.
    fn carry(&mut self) {
        let mut carried: Vec<(u8, i64)> = Vec::with_capacity(self.digits.len() + 1);
        let mut over = 0i64;
        let mut next = 0u8;
        let digits = std::mem::take(&mut self.digits);
        let Some((last, _)) = digits.last().copied() else { return };
        for (place, digit) in digits {
            while over != 0 && next < place {
                carried.push((next, over & 0xffff_ffff));
                over >>= 32;
                next += 1;
            }
            let sum = digit + over;
            if place == last {
                carried.push((place, sum));
                break;
            }
            carried.push((place, sum & 0xffff_ffff));
            over = sum >> 32;
            next = place + 1;
        }
        // The highest digit may hold more than its 32 bits: spread it, sign in the last.
        while let Some((place, digit)) = carried.last().copied()
            && i32::try_from(digit).is_err()
        {
            let at = carried.len() - 1;
            carried[at].1 = digit & 0xffff_ffff;
            carried.push((place + 1, digit >> 32));
        }
        carried.retain(|(_, digit)| *digit != 0);
        self.digits = carried;
        self.load = 1;
    }

    /// The sum, rounded to the nearest double, ties to even; an infinity where finite values sum up to more than a
    /// double holds.
    pub fn value(&self) -> f64 {
        if self.nans > 0 || (self.plus_infinities > 0 && self.minus_infinities > 0) {
            return f64::NAN;
        }
        if self.plus_infinities > 0 {
            return f64::INFINITY;
        }
        if self.minus_infinities > 0 {
            return f64::NEG_INFINITY;
        }
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits.last().is_some_and(|(_, digit)| *digit < 0);
        if negative {
            sum.digits.iter_mut().for_each(|(_, digit)| *digit = -*digit);
            sum.carry();
        }
        let magnitude = rounded(&sum.digits);
        if negative { -magnitude } else { magnitude }
    }

    /// Whether an infinite value comes from finite ones.
    pub fn overflows(&self) -> bool {
        let infinities = self.plus_infinities > 0 || self.minus_infinities > 0;
        !infinities && self.nans <= 0 && self.value().is_infinite()
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.digits.capacity() * size_of::<(u8, i64)>()
    }

    fn merge(&mut self, other: &ExactSum) {
        self.carry();
        for (place, digit) in &other.digits {
            *self.digit(*place) += digit;
        }
        self.load = self.load.saturating_add(other.load).saturating_add(1);
        if self.load >= MOST {
            self.carry();
        }
        self.nans += other.nans;
        self.plus_infinities += other.plus_infinities;
        self.minus_infinities += other.minus_infinities;
    }

    fn write(&self) -> Vec<u8> {
        let mut carried = self.clone();
        carried.carry();
        let mut out = Vec::with_capacity(24 + carried.digits.len() * 9);
        for count in [self.nans, self.plus_infinities, self.minus_infinities] {
            out.extend(count.to_le_bytes());
        }
        for (place, digit) in carried.digits {
            out.push(place);
            out.extend(digit.to_le_bytes());
        }
        out
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_le_bytes);
        let (counts, digits) = bytes.split_at_checked(24)?;
        let digit = |part: &[u8]| Some((*part.first()?, number(part.get(1..)?)?));
        Some(Self {
            digits: digits.chunks(9).map(digit).collect::<Option<_>>()?,
            load: 1,
            nans: number(&counts[..8])?,
            plus_infinities: number(&counts[8..16])?,
            minus_infinities: number(&counts[16..])?,
        })
    }
}

/// The nearest double to carried digits that are not negative.
fn rounded(digits: &[(u8, i64)]) -> f64 {
    let Some((top_place, top)) = digits.last().copied() else { return 0.0 };
    let digit = |place: i32| -> u64 {
        match u8::try_from(place) {
            Ok(place) => digits.binary_search_by_key(&place, |(p, _)| *p).map_or(0, |at| digits[at].1 as u64),
            Err(_) => 0,
        }
    };
    let top_bit = i32::from(top_place) * 32 + 63 - (top as u64).leading_zeros() as i32;
    if top_bit <= 52 {
        return f64::from_bits(digit(0) | digit(1) << 32);
    }
    // 128 bits from the highest place down hold the 53 of the result and the bit after them.
    let low_place = i32::from(top_place) - 3;
    let window = (0..4).fold(0u128, |bits, nth| bits | u128::from(digit(low_place + nth)) << (32 * nth));
    let low_bit = low_place * 32;
    let drop = (top_bit - 52 - low_bit) as u32;
    let mantissa = (window >> drop) as u64;
    let half = window >> (drop - 1) & 1 == 1;
    let below = window & ((1u128 << (drop - 1)) - 1) != 0
        || digits.iter().any(|(place, digit)| i32::from(*place) < low_place && *digit != 0);
    let up = half && (below || mantissa & 1 == 1);
    let exponent = (top_bit - 51) as u64;
    if exponent >= 0x7ff {
        return f64::INFINITY;
    }
    f64::from_bits((exponent << 52) + (mantissa - (1 << 52)) + u64::from(up))
}

/// What is made of a sum and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatResult {
    Real,
    Double,
    Average,
}

impl FloatResult {
    /// Which of them `name`, an aggregate over `input`, has.
    fn of(average: bool, input: &DataType) -> Self {
        match (average, input) {
            (true, _) => Self::Average,
            (false, DataType::Float32) => Self::Real,
            (false, _) => Self::Double,
        }
    }

    /// `22003` where finite values sum up to more than the result's type holds.
    pub fn finish(self, sum: &ExactSum, count: i64) -> PgResult<Option<f64>> {
        if count <= 0 {
            return Ok(None);
        }
        let value = sum.value();
        let narrow_overflow = self == Self::Real && value.is_finite() && (value as f32).is_infinite();
        if sum.overflows() || narrow_overflow {
            return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value out of range: overflow"));
        }
        Ok(Some(if self == Self::Average { value / count as f64 } else { value }))
    }

    fn scalar(self, value: Option<f64>) -> ScalarValue {
        match self {
            Self::Real => ScalarValue::Float32(value.map(|v| v as f32)),
            _ => ScalarValue::Float64(value),
        }
    }

    /// Values as a column of the result's type.
    pub fn column(self, values: Vec<Option<f64>>) -> ArrayRef {
        match self {
            Self::Real => Arc::new(values.into_iter().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()),
            _ => Arc::new(Float64Array::from(values)),
        }
    }
}

#[derive(Debug)]
struct ExactTotal {
    sum: ExactSum,
    count: i64,
    result: FloatResult,
}

impl ExactTotal {
    fn step(&mut self, values: &ArrayRef, times: i64) -> PgResult<()> {
        match values.data_type() {
            DataType::Float32 => {
                downcast::<Float32Array>(values)?.iter().flatten().for_each(|v| self.sum.add(v.into(), times));
            }
            _ => downcast::<Float64Array>(values)?.iter().flatten().for_each(|v| self.sum.add(v, times)),
        }
        self.count += times * (values.len() - values.null_count()) as i64;
        Ok(())
    }
}

impl Fold for ExactTotal {
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
        Ok(vec![ScalarValue::Binary(Some(self.sum.write())), ScalarValue::Int64(Some(self.count))])
    }

    fn merge(&mut self, states: &[ArrayRef]) -> PgResult<()> {
        for bytes in downcast::<BinaryArray>(&states[0])?.iter().flatten() {
            let sum = ExactSum::read(bytes).ok_or_else(|| PgError::internal("a sum's state is cut off"))?;
            self.sum.merge(&sum);
        }
        self.count += downcast::<Int64Array>(&states[1])?.iter().flatten().sum::<i64>();
        Ok(())
    }

    fn evaluate(&self) -> PgResult<ScalarValue> {
        Ok(self.result.scalar(self.result.finish(&self.sum, self.count)?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sum.bytes()
    }
}

/// The exact form of a sum or an average over floats of type `input`.
pub fn exact(average: bool, input: &DataType) -> Plan {
    let result = FloatResult::of(average, input);
    let fold: MakeFold = Arc::new(move || Box::new(ExactTotal { sum: ExactSum::default(), count: 0, result }));
    Plan::Running { fold, groups: None, state: vec![DataType::Binary, DataType::Int64] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_rounded_once_whatever_the_order() {
        let values = [1e100, 1.0, -1e100, 0.1, 0.2, 0.3, 5e-324, -2.5, 1e16, 1.0, 1.0];
        let sum = |values: &mut dyn Iterator<Item = &f64>| {
            let mut sum = ExactSum::default();
            values.for_each(|v| sum.add(*v, 1));
            sum.value()
        };
        let forth = sum(&mut values.iter());
        assert_eq!(forth, sum(&mut values.iter().rev()));
        assert_eq!(forth, 1e16 + 2.0);
        assert_eq!(sum(&mut [0.1, 0.2, 0.3].iter()), 0.6);
        assert_eq!(sum(&mut [5e-324, 5e-324].iter()), 1e-323);
        assert_eq!(sum(&mut [f64::MAX, f64::MAX].iter()), f64::INFINITY);
        assert_eq!(sum(&mut [f64::MAX, f64::MAX, -f64::MAX].iter()), f64::MAX);
        assert_eq!(sum(&mut [-1.5, 0.25].iter()), -1.25);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing() {
        let mut sum = ExactSum::default();
        let mut seed = 7u64;
        let mut given = Vec::new();
        for _ in 0..2_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let value = f64::from_bits(seed);
            if value.is_finite() {
                sum.add(value, 3);
                given.push(value);
            }
        }
        sum.add(1.25, 1);
        given.iter().for_each(|v| sum.add(*v, -3));
        assert_eq!(sum.value(), 1.25);
        let read = ExactSum::read(&sum.write()).expect("what was written");
        assert_eq!(read.value(), 1.25);
    }
}
