//! PostgreSQL's binary format: ndigits, weight, sign, dscale (all i16), then digits of base 10000.

use super::*;
use bytes::BufMut;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEG_INFINITY: u16 = 0xf000;

fn malformed(what: &str) -> PgError {
    PgError::new(SqlState::INVALID_BINARY, format!("invalid {what} in external \"numeric\" value"))
}

fn put(out: &mut impl BufMut, weight: i32, sign: u16, scale: i32, groups: impl ExactSizeIterator<Item = u16>) {
    out.put_u16(groups.len() as u16);
    out.put_i16(weight as i16);
    out.put_u16(sign);
    out.put_u16(scale as u16);
    groups.for_each(|g| out.put_u16(g));
}

/// Sends `unscaled / 10^scale` without allocation; `scale ≤ 38`.
pub fn send_decimal(unscaled: i128, scale: i32, out: &mut impl BufMut) {
    let sign = if unscaled < 0 { NEGATIVE } else { 0 };
    // Groups of four from the last to the first, aligned on the decimal point; 39 digits and 3 of padding at most,
    // plus up to 9 groups of zeros after the point.
    let mut groups = [0u16; 24];
    let mut count = 0;
    let mut rest = unscaled.unsigned_abs();
    let odd = scale.rem_euclid(4) as u32;
    let mut exponent = -scale.div_euclid(4);
    if odd > 0 {
        exponent -= 1;
        let unit = 10u128.pow(odd);
        groups[0] = ((rest % unit) as u16) * 10u16.pow(4 - odd);
        rest /= unit;
        count = 1;
    }
    while rest > u64::MAX as u128 {
        groups[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        groups[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    while count > 0 && groups[count - 1] == 0 {
        count -= 1;
    }
    let weight = if count == 0 { 0 } else { exponent + count as i32 - 1 };
    let trailing = groups[..count].iter().take_while(|g| **g == 0).count();
    put(out, weight, sign, scale, groups[trailing..count].iter().rev().copied());
}

impl Numeric {
    /// Appends the binary format.
    pub fn send(&self, out: &mut impl BufMut) {
        match &self.0 {
            Repr::NaN => put(out, 0, NAN, 0, [].into_iter()),
            Repr::Infinity => put(out, 0, INFINITY, 0, [].into_iter()),
            Repr::NegInfinity => put(out, 0, NEG_INFINITY, 0, [].into_iter()),
            Repr::Finite(Unscaled::Small(v), scale) if *scale <= 38 => send_decimal(*v, *scale, out),
            Repr::Finite(v, scale) => {
                let mut digits = v.digits();
                digits.extend(std::iter::repeat_n('0', (4 - scale.rem_euclid(4)) as usize % 4));
                let fraction_groups = (scale + 3) / 4;
                let padded = format!("{}{digits}", "0".repeat((4 - digits.len() % 4) % 4));
                let groups: Vec<u16> =
                    padded.as_bytes().chunks(4).map(|c| c.iter().fold(0, |n, b| n * 10 + (b - b'0') as u16)).collect();
                let leading = groups.iter().take_while(|g| **g == 0).count();
                let mut end = groups.len();
                while end > leading && groups[end - 1] == 0 {
                    end -= 1;
                }
                let weight =
                    if end == leading { 0 } else { groups.len() as i32 - fraction_groups - 1 - leading as i32 };
                let sign = if v.signum() < 0 { NEGATIVE } else { 0 };
                put(out, weight, sign, *scale, groups[leading..end].iter().copied());
            }
        }
    }

    /// Reads the binary format.
    pub fn receive(bytes: &[u8]) -> PgResult<Numeric> {
        let word = |i: usize| bytes.get(2 * i..2 * i + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        let short = || malformed("length");
        let (count, weight) = (word(0).ok_or_else(short)? as usize, word(1).ok_or_else(short)? as i16 as i32);
        let (sign, scale) = (word(2).ok_or_else(short)?, word(3).ok_or_else(short)? as i32);
        if bytes.len() != 8 + 2 * count {
            return Err(short());
        }
        let negative = match sign {
            0 => false,
            NEGATIVE => true,
            NAN => return Ok(Self::NAN),
            INFINITY => return Ok(Self::INFINITY),
            NEG_INFINITY => return Ok(Self::NEG_INFINITY),
            _ => return Err(malformed("sign")),
        };
        if scale > MAX_SCALE {
            return Err(malformed("scale"));
        }
        let mut digits = Vec::with_capacity(4 * count);
        for i in 0..count {
            let group = word(4 + i).ok_or_else(short)?;
            if group > 9999 {
                return Err(malformed("digit"));
            }
            digits.extend([group / 1000, group / 100 % 10, group / 10 % 10, group % 10].map(|d| b'0' + d as u8));
        }
        if digits.is_empty() {
            return Ok(Self::new(0, scale));
        }
        let unscaled = BigInt::parse_bytes(&digits, 10).ok_or_else(|| malformed("digit"))?;
        let unscaled = if negative { -unscaled } else { unscaled };
        // Digits beyond the display scale are cut, as PostgreSQL's numeric_recv does.
        let have = 4 * (count as i32 - 1 - weight);
        let value =
            if have >= 0 { Self::from_big(unscaled, have) } else { Self::checked(unscaled * pow10(-have as u32), 0)? };
        Ok(value.trunc(scale))
    }
}
