//! PostgreSQL's `numeric`: arbitrary precision with a display scale, NaN and the infinities.
//!
//! A finite value is `unscaled / 10^scale`; `scale` is also how many fraction digits are shown. Equality and order are
//! numeric (`1.0 = 1.00`; NaN equals itself and is above everything), as PostgreSQL's btree has them. Values up to 38
//! digits stay in an `i128`; beyond that a big integer takes over. Arithmetic follows PostgreSQL's result scales.
//!
//! [`sortable`] is the storage form, [`wire`] PostgreSQL's binary format.

mod arithmetic;
pub mod sortable;
mod text;
mod transcendental;
pub mod wire;

#[cfg(test)]
mod tests;

pub use sortable::{decimal_to_sortable, equality_prefix, sortable_length};
pub use text::write_decimal;

use super::{PgError, PgResult, SqlState};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// PostgreSQL's largest scale of a stored value.
pub const MAX_SCALE: i32 = 16383;
/// PostgreSQL's largest number of digits before the point.
pub const MAX_INTEGER_DIGITS: i64 = 131_072;

/// The integer of a finite numeric.
#[derive(Debug, Clone)]
pub(super) enum Unscaled {
    Small(i128),
    /// Only what does not fit `Small`.
    Big(Box<BigInt>),
}

/// A PostgreSQL numeric.
#[derive(Debug, Clone)]
pub struct Numeric(pub(super) Repr);

#[derive(Debug, Clone)]
pub(super) enum Repr {
    NegInfinity,
    Finite(Unscaled, i32),
    Infinity,
    NaN,
}

impl Unscaled {
    fn from_big(big: BigInt) -> Self {
        match big.to_i128() {
            Some(small) => Self::Small(small),
            None => Self::Big(Box::new(big)),
        }
    }

    fn to_big(&self) -> BigInt {
        match self {
            Self::Small(v) => BigInt::from(*v),
            Self::Big(v) => (**v).clone(),
        }
    }

    fn signum(&self) -> i32 {
        match self {
            Self::Small(v) => v.signum() as i32,
            Self::Big(v) => {
                if v.is_negative() {
                    -1
                } else {
                    1
                }
            }
        }
    }

    /// The decimal digits of the absolute value, without leading zeros ("0" for zero).
    fn digits(&self) -> String {
        match self {
            Self::Small(v) => v.unsigned_abs().to_string(),
            Self::Big(v) => v.magnitude().to_string(),
        }
    }
}

pub(super) fn pow10(n: u32) -> BigInt {
    BigInt::from(10).pow(n)
}

/// `10^n` where it fits.
pub(super) fn small_pow10(n: u32) -> Option<i128> {
    (n <= 38).then(|| 10i128.pow(n))
}

pub(super) fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "value overflows numeric format")
}

pub(super) fn division_by_zero() -> PgError {
    PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

impl Numeric {
    pub const NAN: Numeric = Numeric(Repr::NaN);
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    pub const NEG_INFINITY: Numeric = Numeric(Repr::NegInfinity);
    pub const ZERO: Numeric = Numeric(Repr::Finite(Unscaled::Small(0), 0));

    /// `unscaled / 10^scale`; a negative scale multiplies (and shows as scale 0).
    pub fn new(unscaled: i128, scale: i32) -> Self {
        if scale >= 0 {
            return Self(Repr::Finite(Unscaled::Small(unscaled), scale));
        }
        let up = scale.unsigned_abs();
        match small_pow10(up).and_then(|p| unscaled.checked_mul(p)) {
            Some(v) => Self(Repr::Finite(Unscaled::Small(v), 0)),
            None => Self::from_big(BigInt::from(unscaled) * pow10(up), 0),
        }
    }

    /// `unscaled / 10^scale` with `scale ≥ 0`.
    pub fn from_big(unscaled: BigInt, scale: i32) -> Self {
        Self(Repr::Finite(Unscaled::from_big(unscaled), scale))
    }

    /// As [`Numeric::from_big`], 22003 where PostgreSQL's format cannot hold it.
    pub(super) fn checked(unscaled: BigInt, scale: i32) -> PgResult<Self> {
        let digits = (unscaled.bits() as f64 * std::f64::consts::LOG10_2) as i64;
        if digits - scale as i64 > MAX_INTEGER_DIGITS || scale > MAX_SCALE {
            return Err(overflow());
        }
        Ok(Self::from_big(unscaled, scale))
    }

    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity | Repr::NegInfinity)
    }

    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Finite(..))
    }

    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Finite(Unscaled::Small(0), _))
    }

    /// The display scale; `None` for NaN and the infinities.
    pub fn scale(&self) -> Option<i32> {
        match self.0 {
            Repr::Finite(_, scale) => Some(scale),
            _ => None,
        }
    }

    /// -1, 0 or 1; 0 for NaN.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::NegInfinity => -1,
            Repr::Infinity => 1,
            Repr::NaN => 0,
            Repr::Finite(v, _) => v.signum(),
        }
    }

    /// The unscaled integer and scale where the integer fits an `i128`.
    pub fn as_small(&self) -> Option<(i128, i32)> {
        match self.0 {
            Repr::Finite(Unscaled::Small(v), scale) => Some((v, scale)),
            _ => None,
        }
    }

    /// The unscaled integer at `scale`, rounded half away from zero. 22003 with PostgreSQL's text where
    /// `numeric(precision, scale)` cannot hold it; precision ≤ 38. NaN has no Decimal128 form: 22003 too.
    pub fn to_decimal128(&self, precision: u8, scale: i8) -> PgResult<i128> {
        let fitted = self.apply_typmod(precision as i32, scale as i32)?;
        match fitted.0 {
            Repr::Finite(Unscaled::Small(v), have) => {
                let shift = scale as i32 - have;
                if shift == 0 {
                    Ok(v)
                } else if shift < 0 {
                    Ok(v / 10i128.pow(shift.unsigned_abs()))
                } else {
                    small_pow10(shift as u32)
                        .and_then(|p| v.checked_mul(p))
                        .ok_or_else(|| field_overflow(precision as i32, scale as i32))
                }
            }
            Repr::NaN => Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "numeric field overflow").detail(format!(
                "A field with precision {precision}, scale {scale} cannot hold NaN in its decimal form."
            ))),
            _ => Err(field_overflow(precision as i32, scale as i32)),
        }
    }

    /// What assigning to `numeric(precision, scale)` gives: rounded to `scale` (which may be negative), 22003 where the
    /// digits before the point do not fit.
    pub fn apply_typmod(&self, precision: i32, scale: i32) -> PgResult<Numeric> {
        match &self.0 {
            Repr::NaN => Ok(self.clone()),
            Repr::Infinity | Repr::NegInfinity => {
                Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "numeric field overflow").detail(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )))
            }
            Repr::Finite(..) => {
                let rounded = self.round(scale);
                let Repr::Finite(unscaled, have) = &rounded.0 else { return Err(overflow()) };
                let limit = precision - scale + have;
                let fits = match unscaled {
                    Unscaled::Small(0) => true,
                    _ if limit <= 0 => false,
                    Unscaled::Small(v) => small_pow10(limit as u32).is_none_or(|p| v.unsigned_abs() < p.unsigned_abs()),
                    Unscaled::Big(v) => v.magnitude() < pow10(limit as u32).magnitude(),
                };
                if fits { Ok(rounded) } else { Err(field_overflow(precision, scale)) }
            }
        }
    }

    /// Rounds half away from zero to an integer type's range.
    fn to_integer(&self, type_name: &str) -> PgResult<i128> {
        match &self.0 {
            Repr::NaN => {
                Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert NaN to {type_name}")))
            }
            Repr::Infinity | Repr::NegInfinity => {
                Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert infinity to {type_name}")))
            }
            Repr::Finite(..) => match self.round(0).0 {
                Repr::Finite(Unscaled::Small(v), _) => Ok(v),
                _ => Err(out_of_range(type_name)),
            },
        }
    }

    pub fn to_i16(&self) -> PgResult<i16> {
        i16::try_from(self.to_integer("smallint")?).map_err(|_| out_of_range("smallint"))
    }

    pub fn to_i32(&self) -> PgResult<i32> {
        i32::try_from(self.to_integer("integer")?).map_err(|_| out_of_range("integer"))
    }

    pub fn to_i64(&self) -> PgResult<i64> {
        i64::try_from(self.to_integer("bigint")?).map_err(|_| out_of_range("bigint"))
    }

    /// The nearest double; 22003 where there is none.
    pub fn to_f64(&self) -> PgResult<f64> {
        self.to_float::<f64>("double precision", f64::is_infinite)
    }

    pub fn to_f32(&self) -> PgResult<f32> {
        self.to_float::<f32>("real", f32::is_infinite)
    }

    fn to_float<F: std::str::FromStr + num_traits::Float>(
        &self,
        type_name: &str,
        infinite: fn(F) -> bool,
    ) -> PgResult<F> {
        match &self.0 {
            Repr::NaN => Ok(F::nan()),
            Repr::Infinity => Ok(F::infinity()),
            Repr::NegInfinity => Ok(F::neg_infinity()),
            Repr::Finite(unscaled, _) => {
                let text = self.to_string();
                let failed = || {
                    PgError::new(
                        SqlState::NUMERIC_OUT_OF_RANGE,
                        format!("\"{text}\" is out of range for type {type_name}"),
                    )
                };
                let value: F = text.parse().map_err(|_| failed())?;
                if infinite(value) || (value.is_zero() && unscaled.signum() != 0) {
                    return Err(failed());
                }
                Ok(value)
            }
        }
    }

    /// As PostgreSQL's float8 → numeric: fifteen significant digits.
    pub fn from_f64(value: f64) -> Self {
        Self::from_float_text(value.is_nan(), value, format!("{value:.14e}"))
    }

    /// As PostgreSQL's float4 → numeric: six significant digits.
    pub fn from_f32(value: f32) -> Self {
        Self::from_float_text(value.is_nan(), value as f64, format!("{value:.5e}"))
    }

    fn from_float_text(nan: bool, value: f64, scientific: String) -> Self {
        if nan {
            return Self::NAN;
        }
        if value.is_infinite() {
            return if value > 0.0 { Self::INFINITY } else { Self::NEG_INFINITY };
        }
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        Self::parse(&format!("{mantissa}e{exponent}")).unwrap_or(Self::ZERO)
    }
}

fn out_of_range(type_name: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("{type_name} out of range"))
}

fn field_overflow(precision: i32, scale: i32) -> PgError {
    let digits = precision - scale;
    let bound = if digits == 0 { "1".to_string() } else { format!("10^{digits}") };
    PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "numeric field overflow").detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
    ))
}

macro_rules! from_integers {
    ($($int:ty),*) => {
        $(impl From<$int> for Numeric {
            fn from(value: $int) -> Self {
                Numeric::new(value as i128, 0)
            }
        })*
    };
}
from_integers!(i16, i32, i64, i128, u32);

impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        fn class(v: &Numeric) -> u8 {
            match v.0 {
                Repr::NegInfinity => 0,
                Repr::Finite(..) => 1,
                Repr::Infinity => 2,
                Repr::NaN => 3,
            }
        }
        let (Repr::Finite(a, sa), Repr::Finite(b, sb)) = (&self.0, &other.0) else {
            return class(self).cmp(&class(other));
        };
        match a.signum().cmp(&b.signum()) {
            Ordering::Equal => {}
            different => return different,
        }
        if let (Unscaled::Small(x), Unscaled::Small(y)) = (a, b) {
            if sa == sb {
                return x.cmp(y);
            }
            let up = |v: i128, by: i32| small_pow10(by as u32).and_then(|p| v.checked_mul(p));
            if sa < sb {
                if let Some(x) = up(*x, sb - sa) {
                    return x.cmp(y);
                }
            } else if let Some(y) = up(*y, sa - sb) {
                return x.cmp(&y);
            }
        }
        let (x, y) = (a.to_big(), b.to_big());
        if sa < sb { (x * pow10((sb - sa) as u32)).cmp(&y) } else { x.cmp(&(y * pow10((sa - sb) as u32))) }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl std::hash::Hash for Numeric {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let mut key = Vec::new();
        self.to_sortable(&mut key);
        equality_prefix(&key).hash(state);
    }
}

impl Zero for Unscaled {
    fn zero() -> Self {
        Self::Small(0)
    }
    fn is_zero(&self) -> bool {
        matches!(self, Self::Small(0))
    }
}

impl std::ops::Add for Unscaled {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        if let (Self::Small(a), Self::Small(b)) = (&self, &other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Self::Small(sum);
        }
        Self::from_big(self.to_big() + other.to_big())
    }
}
