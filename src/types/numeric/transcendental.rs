//! exp, ln, log and power with PostgreSQL's result scales.
//!
//! Values are computed in fixed point with guard digits beyond the result's scale, then rounded once.

use super::arithmetic::{MAX_RESULT_SCALE, MIN_SIGNIFICANT_DIGITS};
use super::*;

/// Digits beyond the scale that is asked for.
const GUARD: i32 = 24;
/// Beyond e to this power nothing fits a numeric.
const MAX_EXPONENT: f64 = 6000.0;

/// `a / b`, both scaled by `10^scale`.
fn divide(a: &BigInt, b: &BigInt, one: &BigInt) -> BigInt {
    a * one / b
}

/// `atanh(1/n)` scaled by `one`.
fn inverse_atanh(n: u32, one: &BigInt) -> BigInt {
    let square = BigInt::from(n) * n;
    let mut power = one / n;
    let mut sum = power.clone();
    let mut k = 1u32;
    while !power.is_zero() {
        power /= &square;
        k += 2;
        sum += &power / k;
    }
    sum
}

fn ln_2(one: &BigInt) -> BigInt {
    inverse_atanh(26, one) * 18 - inverse_atanh(4801, one) * 2 + inverse_atanh(8749, one) * 8
}

fn ln_10(one: &BigInt) -> BigInt {
    // ln 10 = 3 ln 2 + ln 1.25, and ln 1.25 = 2 atanh(1/9).
    ln_2(one) * 3 + inverse_atanh(9, one) * 2
}

/// `ln` of a positive value `unscaled / 10^have`, scaled by `10^scale`.
fn ln_fixed(unscaled: &BigInt, have: i32, scale: i32) -> BigInt {
    let work = scale + GUARD;
    let one = pow10(work as u32);
    let digits = unscaled.magnitude().to_string().len() as i32;
    let exponent = digits - have;
    // m in [0.1, 1), then in [0.7, 1.4] by powers of two.
    let shift = work - digits;
    let mut m = if shift >= 0 { unscaled * pow10(shift as u32) } else { unscaled / pow10(-shift as u32) };
    let mut twos = 0i32;
    while &m * 10 < &one * 7 {
        m *= 2;
        twos += 1;
    }
    // A value close to 1 has its logarithm in the digits that the shift would cut off.
    let exact = shift < 0 && exponent <= 1;
    let (top, bottom) = match exact {
        true => {
            let one_unscaled = pow10(have.max(0) as u32);
            (unscaled - &one_unscaled, unscaled + &one_unscaled)
        }
        false => (&m - &one, &m + &one),
    };
    let near_one = exact && (exponent == 1 || exponent == 0) && {
        let ratio = divide(&top, &bottom, &one);
        ratio.abs() < &one / 10
    };
    let (top, bottom, twos, exponent) = match near_one {
        true => (top, bottom, 0, 0),
        false => (&m - &one, &m + &one, twos, exponent),
    };
    let ratio = divide(&top, &bottom, &one);
    let square = &ratio * &ratio / &one;
    let mut power = ratio.clone();
    let mut sum = ratio;
    let mut k = 1u32;
    while !power.is_zero() {
        power = &power * &square / &one;
        k += 2;
        sum += &power / k;
    }
    let total = sum * 2 + ln_10(&one) * exponent - ln_2(&one) * twos;
    total / pow10(GUARD as u32)
}

/// `e^(value / 10^have)` rounded to `scale` digits.
fn exp_fixed(value: &BigInt, have: i32, scale: i32) -> PgResult<Numeric> {
    let estimate = to_f64(value, have) * std::f64::consts::LOG10_E;
    let whole = estimate.floor() as i32;
    let work = (scale + whole.max(0) + GUARD).max(GUARD);
    let one = pow10(work as u32);
    let fitted = if work >= have { value * pow10((work - have) as u32) } else { value / pow10((have - work) as u32) };
    let mut rest = fitted - ln_10(&one) * whole;
    const HALVINGS: u32 = 12;
    rest >>= HALVINGS;
    let (mut sum, mut term, mut k) = (one.clone(), one.clone(), 1u32);
    while !term.is_zero() {
        term = term * &rest / &one / k;
        sum += &term;
        k += 1;
    }
    for _ in 0..HALVINGS {
        sum = &sum * &sum / &one;
    }
    let made = match whole >= 0 {
        true => Numeric::from_big(sum * pow10(whole as u32), work),
        false => Numeric::from_big(sum, work - whole),
    };
    Ok(made.round(scale))
}

fn to_f64(value: &BigInt, scale: i32) -> f64 {
    let digits = value.magnitude().to_string();
    let kept = digits.len().min(17);
    let lead: f64 = digits[..kept].parse().unwrap_or(0.0);
    let size = lead * 10f64.powi((digits.len() - kept) as i32 - scale);
    if value.is_negative() { -size } else { size }
}

fn wrong(message: &str) -> PgError {
    PgError::new(SqlState(*b"2201F"), message)
}

impl Numeric {
    fn parts(&self) -> Option<(BigInt, i32)> {
        match &self.0 {
            Repr::Finite(v, scale) => Some((v.to_big(), *scale)),
            _ => None,
        }
    }

    /// The decimal place of the first digit of `ln(self)`, as PostgreSQL estimates it.
    fn ln_weight(&self) -> i32 {
        let Some((v, scale)) = self.parts() else { return 0 };
        if !v.is_positive() {
            return 0;
        }
        let near = |hundredths: i64| self.cmp(&Self::new(hundredths.into(), 1));
        if near(9).is_ge() && near(11).is_le() {
            let x = &v - pow10(scale as u32);
            if x.is_zero() {
                return 0;
            }
            // The place of its first digit in groups of four, and within the group.
            let place = x.magnitude().to_string().len() as i32 - 1 - scale;
            return place.div_euclid(4) * 4 + place.rem_euclid(4);
        }
        let digits = v.magnitude().to_string();
        let kept = digits.len().min(17);
        let lead: f64 = digits[..kept].parse().unwrap_or(1.0);
        let ln = lead.ln() + ((digits.len() - kept) as f64 - f64::from(scale)) * std::f64::consts::LN_10;
        ln.abs().log10() as i32
    }

    fn scale_or_zero(&self) -> i32 {
        self.scale().unwrap_or(0)
    }

    fn ln_to(&self, scale: i32) -> Numeric {
        let Some((v, have)) = self.parts() else { return Self::NAN };
        Self::from_big(ln_fixed(&v, have, scale + 8), scale + 8).round(scale)
    }

    fn positive(&self) -> PgResult<()> {
        match self.signum() {
            0 if !self.is_nan() => Err(PgError::new(SqlState(*b"2201E"), "cannot take logarithm of zero")),
            s if s < 0 => Err(PgError::new(SqlState(*b"2201E"), "cannot take logarithm of a negative number")),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// 2201E for what has no logarithm.
    pub fn ln(&self) -> PgResult<Numeric> {
        if self.is_nan() {
            return Ok(Self::NAN);
        }
        self.positive()?;
        if self.is_infinite() {
            return Ok(Self::INFINITY);
        }
        let scale = (MIN_SIGNIFICANT_DIGITS - self.ln_weight()).max(self.scale_or_zero());
        Ok(self.ln_to(scale.clamp(0, MAX_RESULT_SCALE)))
    }

    /// The logarithm of `self` to `base`.
    pub fn log(&self, base: &Numeric) -> PgResult<Numeric> {
        if self.is_nan() || base.is_nan() {
            return Ok(Self::NAN);
        }
        base.positive()?;
        self.positive()?;
        match (base.is_infinite(), self.is_infinite()) {
            (true, true) => return Ok(Self::NAN),
            (true, false) => return Ok(Self::ZERO),
            (false, true) => return Ok(Self::INFINITY),
            (false, false) => {}
        }
        let weight = self.ln_weight() - base.ln_weight();
        let scale = (MIN_SIGNIFICANT_DIGITS - weight).max(self.scale_or_zero()).max(base.scale_or_zero());
        let scale = scale.clamp(0, MAX_RESULT_SCALE);
        let work = scale + GUARD + base.ln_weight().abs() + self.ln_weight().abs();
        let (Some((v, have)), Some((b, base_have))) = (self.parts(), base.parts()) else { return Ok(Self::NAN) };
        let (top, bottom) = (ln_fixed(&v, have, work), ln_fixed(&b, base_have, work));
        if bottom.is_zero() {
            return Err(division_by_zero());
        }
        let one = pow10(work as u32);
        Ok(Self::from_big(divide(&top, &bottom, &one), work).round(scale))
    }

    /// # Errors
    /// 22003 where the value does not fit.
    pub fn exp(&self) -> PgResult<Numeric> {
        let Some((v, have)) = self.parts() else {
            return Ok(match self.0 {
                Repr::NegInfinity => Self::ZERO,
                _ => self.clone(),
            });
        };
        let size = to_f64(&v, have);
        let weight = (size * std::f64::consts::LOG10_E).clamp(-2000.0, 2000.0) as i32;
        let scale = (MIN_SIGNIFICANT_DIGITS - weight).max(have).clamp(0, MAX_RESULT_SCALE);
        if size.abs() >= MAX_EXPONENT {
            return if size > 0.0 { Err(overflow()) } else { Ok(Self::ZERO.round(scale)) };
        }
        exp_fixed(&v, have, scale)
    }

    /// # Errors
    /// 2201F where there is no real result, 22003 where it does not fit.
    pub fn power(&self, exponent: &Numeric) -> PgResult<Numeric> {
        let one = Self::from(1);
        let whole = exponent.round(0) == *exponent;
        if !self.is_finite() || !exponent.is_finite() {
            return self.power_special(exponent, whole);
        }
        if whole && let Ok(n) = exponent.to_i32() {
            let power = self.power_int(n)?;
            let scale = power.scale_or_zero().max(exponent.scale_or_zero().min(MAX_RESULT_SCALE));
            return match scale > power.scale_or_zero() {
                true => self.power_int_to(n, scale),
                false => Ok(power),
            };
        }
        if self.is_zero() {
            return match exponent.signum() < 0 {
                true => Err(wrong("zero raised to a negative power is undefined")),
                false => Ok(Self::ZERO.round(MIN_SIGNIFICANT_DIGITS)),
            };
        }
        if self.signum() < 0 && !whole {
            return Err(wrong("a negative number raised to a non-integer power yields a complex result"));
        }
        let odd = whole && !exponent.rem(&Self::from(2))?.is_zero();
        let base = self.abs();
        if base == one {
            let scale = MIN_SIGNIFICANT_DIGITS.max(base.scale_or_zero()).max(exponent.scale_or_zero());
            let result = one.round(scale.min(MAX_RESULT_SCALE));
            return Ok(if self.signum() < 0 && odd { result.neg() } else { result });
        }
        let rough = (8 - base.ln_weight()).clamp(0, MAX_RESULT_SCALE);
        let size = base.ln_to(rough).mul(exponent)?;
        let size = size.parts().map_or(0.0, |(v, s)| to_f64(&v, s));
        if size.abs() > 2000.0 * 3.01 {
            return if size > 0.0 { Err(overflow()) } else { Ok(Self::ZERO.round(MAX_RESULT_SCALE)) };
        }
        let weight = (size * std::f64::consts::LOG10_E) as i32;
        let scale = (MIN_SIGNIFICANT_DIGITS - weight).max(base.scale_or_zero()).max(exponent.scale_or_zero());
        let scale = scale.clamp(0, MAX_RESULT_SCALE);
        let (Some((v, have)), Some((e, e_have))) = (base.parts(), exponent.parts()) else { return Ok(Self::NAN) };
        let e_digits = (e.magnitude().to_string().len() as i32 - e_have).max(0);
        let work = scale + weight.max(0) + e_digits + GUARD;
        let ln = ln_fixed(&v, have, work);
        let result = exp_fixed(&(ln * e), work + e_have, scale)?;
        Ok(if self.signum() < 0 && odd { result.neg() } else { result })
    }

    /// An integer power shown with more digits than the base asks for.
    fn power_int_to(&self, exponent: i32, scale: i32) -> PgResult<Numeric> {
        self.round(scale.max(self.scale_or_zero())).power_int(exponent)
    }

    /// Powers with NaN or an infinity on one side.
    fn power_special(&self, exponent: &Numeric, whole: bool) -> PgResult<Numeric> {
        let one = Self::from(1);
        if self.is_nan() {
            return Ok(if exponent.is_zero() && exponent.is_finite() { one } else { Self::NAN });
        }
        if exponent.is_nan() {
            return Ok(if *self == one { one } else { Self::NAN });
        }
        if self.is_zero() && self.is_finite() && exponent.signum() < 0 {
            return Err(wrong("zero raised to a negative power is undefined"));
        }
        if self.signum() < 0 && exponent.is_finite() && !whole {
            return Err(wrong("a negative number raised to a non-integer power yields a complex result"));
        }
        if *self == one || (exponent.is_finite() && exponent.is_zero()) {
            return Ok(one);
        }
        if exponent.is_infinite() {
            let size = self.abs().cmp(&one);
            return Ok(match (size, exponent.signum() > 0) {
                (Ordering::Equal, _) => one,
                (Ordering::Greater, true) | (Ordering::Less, false) => Self::INFINITY,
                _ => Self::ZERO,
            });
        }
        if exponent.signum() < 0 {
            return Ok(Self::ZERO);
        }
        let odd = whole && !exponent.rem(&Self::from(2))?.is_zero();
        Ok(if self.signum() < 0 && odd { Self::NEG_INFINITY } else { Self::INFINITY })
    }
}
