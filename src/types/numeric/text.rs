//! numeric as text: PostgreSQL 15's input syntax, its messages, and its plain decimal output.

use super::*;
use std::fmt;

impl Numeric {
    /// Parses as PostgreSQL 15's numeric input does.
    pub fn parse(text: &str) -> PgResult<Self> {
        let invalid =
            || PgError::new(SqlState::INVALID_TEXT, format!("invalid input syntax for type numeric: \"{text}\""));
        let s = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b').as_bytes();
        match Self::parse_finite(s) {
            Some(result) => result,
            None => special(s).ok_or_else(invalid),
        }
    }

    /// `None`: not the syntax of a finite number.
    fn parse_finite(s: &[u8]) -> Option<PgResult<Self>> {
        let (negative, mut rest) = match s.first()? {
            b'-' => (true, &s[1..]),
            b'+' => (false, &s[1..]),
            _ => (false, s),
        };
        let whole = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let digits_from = rest;
        rest = &rest[whole..];
        let mut fraction = 0;
        if rest.first() == Some(&b'.') {
            rest = &rest[1..];
            fraction = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            rest = &rest[fraction..];
        }
        if whole + fraction == 0 {
            return None;
        }
        let mut exponent = 0i64;
        if let Some(b'e' | b'E') = rest.first() {
            rest = &rest[1..];
            let minus = match rest.first()? {
                b'-' => true,
                b'+' => false,
                _ => {
                    // No sign: the digits begin here.
                    false
                }
            };
            if matches!(rest.first(), Some(b'-' | b'+')) {
                rest = &rest[1..];
            }
            if !rest.first()?.is_ascii_digit() {
                return None;
            }
            while let Some(b) = rest.first().filter(|b| b.is_ascii_digit()) {
                exponent = (exponent * 10 + (b - b'0') as i64).min(1 << 32);
                rest = &rest[1..];
            }
            if minus {
                exponent = -exponent;
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let digits = digits_from[..whole].iter().chain(digits_from[whole..].iter().skip(1).take(fraction));
        Some(Self::assemble(negative, digits, whole + fraction, fraction as i64 - exponent))
    }

    fn assemble<'a>(
        negative: bool,
        digits: impl Iterator<Item = &'a u8> + Clone,
        count: usize,
        scale: i64,
    ) -> PgResult<Self> {
        let significant = digits.clone().skip_while(|b| **b == b'0').count();
        if scale > MAX_SCALE as i64 || (significant > 0 && significant as i64 - scale > MAX_INTEGER_DIGITS) {
            return Err(overflow());
        }
        let up = (-scale).max(0) as usize;
        let scale = scale.max(0) as i32;
        if significant == 0 {
            return Ok(Self(Repr::Finite(Unscaled::Small(0), scale)));
        }
        if significant + up <= 18 {
            let v = digits.fold(0i64, |v, b| v * 10 + (b - b'0') as i64) * 10i64.pow(up as u32);
            return Ok(Self::new(if negative { -v } else { v } as i128, scale));
        }
        if significant + up <= 38 {
            let v = digits.fold(0i128, |v, b| v * 10 + (b - b'0') as i128) * 10i128.pow(up as u32);
            return Ok(Self::new(if negative { -v } else { v }, scale));
        }
        let mut plain = Vec::with_capacity(count + up);
        plain.extend(digits);
        plain.resize(count + up, b'0');
        let v = BigInt::parse_bytes(&plain, 10).ok_or_else(|| PgError::internal("decimal digits did not parse"))?;
        Ok(Self::from_big(if negative { -v } else { v }, scale))
    }

    /// Appends the text form.
    pub fn write_text(&self, out: &mut impl bytes::BufMut) {
        match &self.0 {
            Repr::NaN => out.put_slice(b"NaN"),
            Repr::Infinity => out.put_slice(b"Infinity"),
            Repr::NegInfinity => out.put_slice(b"-Infinity"),
            Repr::Finite(Unscaled::Small(v), scale) => write_decimal(*v, *scale, |part| out.put_slice(part)),
            Repr::Finite(big, scale) => {
                if big.signum() < 0 {
                    out.put_u8(b'-');
                }
                write_digits(big.digits().as_bytes(), *scale as usize, &mut |part| out.put_slice(part));
            }
        }
    }
}

fn special(s: &[u8]) -> Option<Numeric> {
    if s.eq_ignore_ascii_case(b"nan") {
        return Some(Numeric::NAN);
    }
    let (negative, name) = match s.first()? {
        b'-' => (true, &s[1..]),
        b'+' => (false, &s[1..]),
        _ => (false, s),
    };
    (name.eq_ignore_ascii_case(b"infinity") || name.eq_ignore_ascii_case(b"inf")).then_some(if negative {
        Numeric::NEG_INFINITY
    } else {
        Numeric::INFINITY
    })
}

/// Writes `unscaled / 10^scale` as PostgreSQL shows it, in a few parts and without allocation; `scale ≥ 0`.
pub fn write_decimal(unscaled: i128, scale: i32, mut put: impl FnMut(&[u8])) {
    if unscaled < 0 {
        put(b"-");
    }
    let magnitude = unscaled.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    let digits = match u64::try_from(magnitude) {
        Ok(v) => buffer.format(v),
        Err(_) => buffer.format(magnitude),
    };
    write_digits(digits.as_bytes(), scale as usize, &mut put);
}

fn write_digits(digits: &[u8], scale: usize, put: &mut impl FnMut(&[u8])) {
    const ZEROS: &[u8] = &[b'0'; 64];
    if scale == 0 {
        return put(digits);
    }
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        put(whole);
        put(b".");
        put(fraction);
        return;
    }
    put(b"0.");
    let mut missing = scale - digits.len();
    while missing > 0 {
        let n = missing.min(ZEROS.len());
        put(&ZEROS[..n]);
        missing -= n;
    }
    put(digits);
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(40);
        self.write_text(&mut out);
        f.pad(&String::from_utf8_lossy(&out))
    }
}

impl std::str::FromStr for Numeric {
    type Err = PgError;
    fn from_str(s: &str) -> PgResult<Self> {
        Self::parse(s)
    }
}
