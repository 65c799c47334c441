//! Arithmetic with PostgreSQL's result scales (its numeric.c says where they come from).

use super::*;
use num_integer::Integer;
use num_traits::Pow;

/// PostgreSQL's least number of significant digits of a quotient or root.
pub(super) const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// PostgreSQL's largest scale that a quotient, root or power chooses.
pub(super) const MAX_RESULT_SCALE: i32 = 1000;

/// `a / b` rounded half away from zero.
fn divide_rounded(a: BigInt, b: &BigInt) -> BigInt {
    let (quotient, remainder) = a.div_rem(b);
    let twice = remainder.magnitude() * 2u32;
    if twice >= *b.magnitude() {
        if a.is_negative() != b.is_negative() { quotient - 1 } else { quotient + 1 }
    } else {
        quotient
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Toward {
    Nearest,
    Zero,
    Below,
    Above,
}

impl Unscaled {
    fn scaled_up(&self, by: u32) -> Unscaled {
        if by == 0 {
            return self.clone();
        }
        if let Unscaled::Small(v) = self
            && let Some(v) = small_pow10(by).and_then(|p| v.checked_mul(p))
        {
            return Unscaled::Small(v);
        }
        Unscaled::from_big(self.to_big() * pow10(by))
    }

    fn scaled_down(&self, by: u32, toward: Toward) -> Unscaled {
        if let (Unscaled::Small(v), Some(p)) = (self, small_pow10(by)) {
            let (quotient, remainder) = (v / p, v % p);
            let up = match toward {
                Toward::Nearest => remainder.unsigned_abs() >= (p.unsigned_abs()).div_ceil(2) && remainder != 0,
                Toward::Zero => false,
                Toward::Below => remainder < 0,
                Toward::Above => remainder > 0,
            };
            return Unscaled::Small(if up { quotient + v.signum() } else { quotient });
        }
        let (v, p) = (self.to_big(), pow10(by));
        Unscaled::from_big(match toward {
            Toward::Nearest => divide_rounded(v, &p),
            Toward::Zero => v / p,
            Toward::Below => v.div_floor(&p),
            Toward::Above => -((-v).div_floor(&p)),
        })
    }
}

impl Numeric {
    fn rescale(&self, scale: i32, toward: Toward) -> Numeric {
        let Repr::Finite(v, have) = &self.0 else { return self.clone() };
        if scale >= *have {
            return Self(Repr::Finite(v.scaled_up((scale - have) as u32), scale));
        }
        let down = v.scaled_down((have - scale) as u32, toward);
        if scale >= 0 {
            Self(Repr::Finite(down, scale))
        } else {
            Self(Repr::Finite(down.scaled_up(scale.unsigned_abs()), 0))
        }
    }

    /// `round(self, scale)`: half away from zero; a negative scale rounds before the point.
    pub fn round(&self, scale: i32) -> Numeric {
        self.rescale(scale.clamp(-2 * MAX_INTEGER_DIGITS as i32, MAX_SCALE), Toward::Nearest)
    }

    /// `trunc(self, scale)`.
    pub fn trunc(&self, scale: i32) -> Numeric {
        self.rescale(scale.clamp(-2 * MAX_INTEGER_DIGITS as i32, MAX_SCALE), Toward::Zero)
    }

    pub fn floor(&self) -> Numeric {
        self.rescale(0, Toward::Below)
    }

    pub fn ceil(&self) -> Numeric {
        self.rescale(0, Toward::Above)
    }

    /// `sign(self)`: -1, 0, 1 or NaN.
    pub fn sign(&self) -> Numeric {
        if self.is_nan() { Self::NAN } else { Self::from(self.signum()) }
    }

    pub fn neg(&self) -> Numeric {
        match &self.0 {
            Repr::NaN => Self::NAN,
            Repr::Infinity => Self::NEG_INFINITY,
            Repr::NegInfinity => Self::INFINITY,
            Repr::Finite(Unscaled::Small(v), scale) if *v != i128::MIN => Self::new(-v, *scale),
            Repr::Finite(v, scale) => Self::from_big(-v.to_big(), *scale),
        }
    }

    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 { self.neg() } else { self.clone() }
    }

    pub fn add(&self, other: &Numeric) -> PgResult<Numeric> {
        match (&self.0, &other.0) {
            (Repr::Finite(a, sa), Repr::Finite(b, sb)) => {
                let scale = *sa.max(sb);
                let sum = a.scaled_up((scale - sa) as u32) + b.scaled_up((scale - sb) as u32);
                Self::in_range(sum, scale)
            }
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Self::NAN),
            (Repr::Infinity, Repr::NegInfinity) | (Repr::NegInfinity, Repr::Infinity) => Ok(Self::NAN),
            (Repr::Finite(..), _) => Ok(other.clone()),
            _ => Ok(self.clone()),
        }
    }

    pub fn sub(&self, other: &Numeric) -> PgResult<Numeric> {
        self.add(&other.neg())
    }

    pub fn mul(&self, other: &Numeric) -> PgResult<Numeric> {
        match (&self.0, &other.0) {
            (Repr::Finite(a, sa), Repr::Finite(b, sb)) => {
                let scale = sa + sb;
                let product = match (a, b) {
                    (Unscaled::Small(x), Unscaled::Small(y)) => x.checked_mul(*y).map(Unscaled::Small),
                    _ => None,
                };
                let product = product.unwrap_or_else(|| Unscaled::from_big(a.to_big() * b.to_big()));
                if scale > MAX_SCALE {
                    return Ok(Self(Repr::Finite(product, scale)).round(MAX_SCALE));
                }
                Self::in_range(product, scale)
            }
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Self::NAN),
            _ => Ok(Self::infinity_of(self.signum() * other.signum())),
        }
    }

    /// ±infinity by sign; NaN for 0.
    fn infinity_of(sign: i32) -> Numeric {
        match sign {
            1 => Self::INFINITY,
            -1 => Self::NEG_INFINITY,
            _ => Self::NAN,
        }
    }

    fn in_range(value: Unscaled, scale: i32) -> PgResult<Numeric> {
        match value {
            Unscaled::Small(_) => Ok(Self(Repr::Finite(value, scale))),
            Unscaled::Big(v) => Self::checked(*v, scale),
        }
    }

    pub fn div(&self, other: &Numeric) -> PgResult<Numeric> {
        match (&self.0, &other.0) {
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Self::NAN),
            (_, Repr::Finite(b, _)) if b.is_zero() => Err(division_by_zero()),
            (Repr::Finite(..), Repr::Finite(..)) => self.div_scale(other, self.quotient_scale(other)),
            (Repr::Finite(..), _) => Ok(Self::ZERO),
            (_, Repr::Finite(..)) => Ok(Self::infinity_of(self.signum() * other.signum())),
            _ => Ok(Self::NAN),
        }
    }

    /// `self / other` rounded to `scale`; both finite, `other` not zero.
    fn div_scale(&self, other: &Numeric, scale: i32) -> PgResult<Numeric> {
        let (Repr::Finite(a, sa), Repr::Finite(b, sb)) = (&self.0, &other.0) else { return Ok(Self::NAN) };
        // a/10^sa ÷ b/10^sb = (a·10^(scale+sb-sa) ÷ b) / 10^scale
        let shift = scale + sb - sa;
        let (top, bottom) = if shift >= 0 {
            (a.scaled_up(shift as u32), b.clone())
        } else {
            (a.clone(), b.scaled_up(shift.unsigned_abs()))
        };
        if let (Unscaled::Small(x), Unscaled::Small(y)) = (&top, &bottom)
            && let Some(quotient) = x.checked_div(*y)
        {
            let remainder = x - quotient * y;
            let up = remainder.unsigned_abs() >= y.unsigned_abs() - remainder.unsigned_abs();
            let away = if (*x < 0) == (*y < 0) { 1 } else { -1 };
            return Ok(Self::new(if up { quotient + away } else { quotient }, scale));
        }
        Self::checked(divide_rounded(top.to_big(), &bottom.to_big()), scale)
    }

    /// PostgreSQL's weight (in digits of base 10000) and first such digit; (0, 0) for zero.
    fn weight_and_first_digit(&self) -> (i32, i32) {
        let Repr::Finite(v, scale) = &self.0 else { return (0, 0) };
        if v.is_zero() {
            return (0, 0);
        }
        // The exponent of the first decimal digit, then of the group of four it lies in, which may reach beyond the last one.
        let group = |digits: u32| {
            let exponent = digits as i32 - 1 - scale;
            (exponent.div_euclid(4), exponent.rem_euclid(4) as u32 + 1)
        };
        if let Unscaled::Small(small) = v {
            let magnitude = small.unsigned_abs();
            let digits = match u64::try_from(magnitude) {
                Ok(short) => short.ilog10() + 1,
                Err(_) => magnitude.ilog10() + 1,
            };
            let (weight, in_first) = group(digits);
            let first = match digits.checked_sub(in_first) {
                Some(more) => magnitude / 10u128.pow(more),
                None => magnitude * 10u128.pow(in_first - digits),
            };
            return (weight, first as i32);
        }
        let digits = v.digits();
        let (weight, in_first) = group(digits.len() as u32);
        let first = digits.bytes().take(in_first as usize).fold(0, |n, b| n * 10 + (b - b'0') as i32);
        (weight, first)
    }

    /// PostgreSQL's `select_div_scale`.
    fn quotient_scale(&self, other: &Numeric) -> i32 {
        let (weight1, first1) = self.weight_and_first_digit();
        let (weight2, first2) = other.weight_and_first_digit();
        let weight = weight1 - weight2 - (first1 <= first2) as i32;
        (MIN_SIGNIFICANT_DIGITS - weight * 4)
            .max(self.scale().unwrap_or(0))
            .max(other.scale().unwrap_or(0))
            .clamp(0, MAX_RESULT_SCALE)
    }

    /// `div(self, other)`: the quotient truncated to an integer.
    pub fn div_trunc(&self, other: &Numeric) -> PgResult<Numeric> {
        match (&self.0, &other.0) {
            (Repr::Finite(a, sa), Repr::Finite(b, sb)) if !b.is_zero() => {
                let scale = *sa.max(sb);
                let a = a.scaled_up((scale - sa) as u32).to_big();
                let b = b.scaled_up((scale - sb) as u32).to_big();
                Self::checked(a / b, 0)
            }
            _ => self.div(other),
        }
    }

    /// `self % other`, with the sign of `self`.
    pub fn rem(&self, other: &Numeric) -> PgResult<Numeric> {
        match (&self.0, &other.0) {
            (Repr::NaN, _) | (_, Repr::NaN) => Ok(Self::NAN),
            (_, Repr::Finite(b, _)) if b.is_zero() => Err(division_by_zero()),
            (Repr::Finite(a, sa), Repr::Finite(b, sb)) => {
                let scale = *sa.max(sb);
                let (a, b) = (a.scaled_up((scale - sa) as u32), b.scaled_up((scale - sb) as u32));
                if let (Unscaled::Small(x), Unscaled::Small(y)) = (&a, &b) {
                    return Ok(Self::new(x.checked_rem(*y).unwrap_or(0), scale));
                }
                Self::checked(a.to_big() % b.to_big(), scale)
            }
            (Repr::Finite(..), _) => Ok(self.clone()),
            _ => Ok(Self::NAN),
        }
    }

    pub fn sqrt(&self) -> PgResult<Numeric> {
        if self.signum() < 0 {
            return Err(PgError::new(SqlState(*b"2201F"), "cannot take square root of a negative number"));
        }
        let Repr::Finite(v, have) = &self.0 else { return Ok(self.clone()) };
        let (weight, _) = self.weight_and_first_digit();
        let root_weight = (weight + 1) * 4 / 2 - 1;
        let scale = (MIN_SIGNIFICANT_DIGITS - root_weight).max(*have).clamp(0, MAX_RESULT_SCALE);
        // One digit more than asked for decides the rounding: a root is never exactly half way unless exact.
        let shift = 2 * (scale + 1) - have;
        let radicand = if shift >= 0 { v.to_big() * pow10(shift as u32) } else { v.to_big() / pow10(-shift as u32) };
        Ok(Self::from_big(radicand.sqrt(), scale + 1).round(scale))
    }

    /// `power(self, exponent)` for an integer exponent.
    pub fn power_int(&self, exponent: i32) -> PgResult<Numeric> {
        let Repr::Finite(v, have) = &self.0 else {
            return match (exponent, &self.0) {
                (0, _) => Ok(Self::from(1)),
                (_, Repr::NaN) => Ok(Self::NAN),
                (e, _) if e < 0 => Ok(Self::ZERO),
                (e, Repr::NegInfinity) if e % 2 != 0 => Ok(Self::NEG_INFINITY),
                _ => Ok(Self::INFINITY),
            };
        };
        if v.is_zero() {
            if exponent < 0 {
                return Err(PgError::new(SqlState(*b"2201F"), "zero raised to a negative power is undefined"));
            }
            let one = Self::from(if exponent == 0 { 1 } else { 0 });
            return Ok(one.round((*have).max(MIN_SIGNIFICANT_DIGITS)));
        }
        let digits = v.digits();
        let lead: f64 = digits[..digits.len().min(17)].parse().unwrap_or(1.0);
        let log = lead.log10() + (digits.len() as i32 - digits.len().min(17) as i32 - have) as f64;
        let estimate = exponent as f64 * log;
        if estimate > MAX_INTEGER_DIGITS as f64 {
            return Err(overflow());
        }
        if estimate + 1.0 < -MAX_RESULT_SCALE as f64 {
            return Ok(Self::ZERO.round(MIN_SIGNIFICANT_DIGITS.max(*have).min(MAX_RESULT_SCALE)));
        }
        let scale = MIN_SIGNIFICANT_DIGITS.max(*have).min(MAX_RESULT_SCALE);
        if exponent == 0 {
            return Ok(Self::from(1).round(scale));
        }
        // Significant digits to carry: those of the result, and enough for the error of each multiplication.
        let carry = (scale as f64 + estimate.max(0.0)) as i64 + 40;
        let times = exponent.unsigned_abs();
        let (power, power_scale) = truncated_power(v.to_big(), *have as i64, times, carry);
        let result = if exponent > 0 {
            let shift = scale as i64 - power_scale;
            if shift >= 0 { power * pow10(shift as u32) } else { divide_rounded(power, &pow10(-shift as u32)) }
        } else {
            let shift = scale as i64 + power_scale;
            if shift >= 0 {
                divide_rounded(pow10(shift as u32), &power)
            } else {
                divide_rounded(BigInt::from(1), &(power * pow10(-shift as u32)))
            }
        };
        Self::checked(result, scale)
    }
}

/// `(base / 10^scale)^times` with at least `carry` significant digits.
fn truncated_power(base: BigInt, scale: i64, times: u32, carry: i64) -> (BigInt, i64) {
    let shorten = |v: BigInt, scale: i64| {
        let excess = (v.bits() as f64 * std::f64::consts::LOG10_2) as i64 - carry;
        if excess > 0 { (v / pow10(excess as u32), scale - excess) } else { (v, scale) }
    };
    let (mut power, mut power_scale) = (BigInt::from(1), 0);
    for bit in (0..32 - times.leading_zeros()).rev() {
        (power, power_scale) = shorten(Pow::pow(power, 2u32), power_scale * 2);
        if times >> bit & 1 == 1 {
            (power, power_scale) = shorten(power * &base, power_scale + scale);
        }
    }
    (power, power_scale)
}
