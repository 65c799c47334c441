//! The storage form of a numeric without a Decimal128 form.
//!
//! ```text
//! header, 3 bytes    0 = -infinity | negative: 0x400000 - e | 0x600000 = zero | positive: 0x800000 + e
//!                    0xFFFFFE = infinity | 0xFFFFFF = NaN          (e = decimal exponent + 131072)
//! digits             pairs of decimal digits from the first significant one, each 1 + pair; then 0.
//!                    Trailing zeros are not kept. Negative numbers complement digits and terminator.
//! scale, 2 bytes     the display scale
//! ```
//!
//! `memcmp` orders as numeric does, and everything before the scale is the same for equal numbers.

use super::*;

const BIAS: i32 = 131_072;
const NEGATIVE: i32 = 0x40_0000;
const ZERO: i32 = 0x60_0000;
const POSITIVE: i32 = 0x80_0000;

/// The part of a sortable form that equal numbers share.
pub fn equality_prefix(sortable: &[u8]) -> &[u8] {
    &sortable[..sortable.len().saturating_sub(2)]
}

/// How many bytes the sortable form at the beginning of `bytes` has.
pub fn sortable_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..3)?;
    let terminator = match i32::from_be_bytes([0, header[0], header[1], header[2]]) {
        0 | ZERO | 0xff_fffe | 0xff_ffff => return Some(5),
        h if h < ZERO => 0xff,
        _ => 0,
    };
    let digits = bytes[3..].iter().position(|b| *b == terminator)?;
    Some(3 + digits + 1 + 2)
}

fn put_header(out: &mut Vec<u8>, header: i32) {
    out.extend_from_slice(&header.to_be_bytes()[1..]);
}

fn corrupted() -> PgError {
    PgError::new(SqlState::DATA_CORRUPTED, "stored numeric is not well formed")
}

/// Appends the sortable form of `unscaled / 10^scale`.
pub fn decimal_to_sortable(unscaled: i128, scale: i32, out: &mut Vec<u8>) {
    let magnitude = unscaled.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    let digits = match u64::try_from(magnitude) {
        Ok(v) => buffer.format(v),
        Err(_) => buffer.format(magnitude),
    };
    put_digits(unscaled.signum() as i32, digits.as_bytes(), scale, out);
}

fn put_digits(sign: i32, digits: &[u8], scale: i32, out: &mut Vec<u8>) {
    if sign == 0 {
        put_header(out, ZERO);
    } else {
        let exponent = digits.len() as i32 - scale + BIAS;
        put_header(out, if sign > 0 { POSITIVE + exponent } else { NEGATIVE - exponent });
        let kept = digits.len() - digits.iter().rev().take_while(|b| **b == b'0').count();
        let mask = if sign > 0 { 0 } else { 0xff };
        for pair in digits[..kept].chunks(2) {
            let low = pair.get(1).map_or(0, |b| b - b'0');
            out.push((1 + (pair[0] - b'0') * 10 + low) ^ mask);
        }
        out.push(mask);
    }
    out.extend_from_slice(&(scale as u16).to_be_bytes());
}

impl Numeric {
    /// Appends the sortable form.
    pub fn to_sortable(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::NegInfinity => out.extend_from_slice(&[0; 5]),
            Repr::Infinity => out.extend_from_slice(&[0xff, 0xff, 0xfe, 0, 0]),
            Repr::NaN => out.extend_from_slice(&[0xff, 0xff, 0xff, 0, 0]),
            Repr::Finite(Unscaled::Small(v), scale) => decimal_to_sortable(*v, *scale, out),
            Repr::Finite(v, scale) => put_digits(v.signum(), v.digits().as_bytes(), *scale, out),
        }
    }

    /// Reads a sortable form; XX001 where it is not one.
    pub fn from_sortable(bytes: &[u8]) -> PgResult<Numeric> {
        if bytes.len() < 5 {
            return Err(corrupted());
        }
        let (body, scale) = bytes.split_at(bytes.len() - 2);
        let scale = u16::from_be_bytes([scale[0], scale[1]]) as i32;
        let header = i32::from_be_bytes([0, body[0], body[1], body[2]]);
        let negative = match header {
            0 => return Ok(Self::NEG_INFINITY),
            0xff_fffe => return Ok(Self::INFINITY),
            0xff_ffff => return Ok(Self::NAN),
            ZERO => return Ok(Self::new(0, scale)),
            h => h < ZERO,
        };
        let exponent = if negative { NEGATIVE - header } else { header - POSITIVE } - BIAS;
        let mask = if negative { 0xff } else { 0 };
        let Some((_, pairs)) = body[3..].split_last() else { return Err(corrupted()) };
        // digits · 10^(exponent - 2·pairs), to be brought to 10^-scale
        let shift = exponent - 2 * pairs.len() as i32 + scale;
        if pairs.iter().any(|b| !(1..=100).contains(&(b ^ mask))) || !(-1..=2 * BIAS).contains(&shift) {
            return Err(corrupted());
        }
        let total = 2 * pairs.len() as i32 + shift;
        if total <= 38 {
            let mut v = if pairs.len() <= 9 {
                pairs.iter().fold(0u64, |v, b| v * 100 + ((b ^ mask) - 1) as u64) as i128
            } else {
                pairs.iter().fold(0i128, |v, b| v.wrapping_mul(100).wrapping_add(((b ^ mask) - 1) as i128))
            };
            v = if shift < 0 { v / 10 } else { v * 10i128.pow(shift as u32) };
            return Ok(Self::new(if negative { -v } else { v }, scale));
        }
        let mut digits = Vec::with_capacity(total as usize);
        for b in pairs {
            let pair = (b ^ mask) - 1;
            digits.extend_from_slice(&[b'0' + pair / 10, b'0' + pair % 10]);
        }
        digits.resize(total as usize, b'0');
        let v = BigInt::parse_bytes(&digits, 10).ok_or_else(corrupted)?;
        Ok(Self::from_big(if negative { -v } else { v }, scale))
    }
}
