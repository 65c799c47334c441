//! Values as Debezium writes them → the numbers and bytes of their storage form.
//!
//! The one place of this room that calls the codecs of `types`.

use crate::types::numeric::{Numeric, equality_prefix};
use crate::types::{PgType, jsonb as pg_jsonb};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use num_bigint::BigInt;
use std::borrow::Cow;

/// `NaN`, a special value or digits of a decimal number: `digits` / 10^`scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decimal {
    NaN,
    Infinity,
    NegativeInfinity,
    Finite { digits: BigInt, scale: i32 },
}

/// The unit of an integer that stands for a moment or a time of day.
///
/// A schema block names it. Without one it follows Debezium's default (`adaptive`): of a declared `timestamp(p)` or `time(p)`
/// milliseconds for p ≤ 3, microseconds for p ≤ 6. Where no precision is declared: microseconds for PostgreSQL,
/// milliseconds for all others. If a value in that unit would be after the year 9999 (or before the year 1, or outside a day), the
/// next finer unit is taken: so SQL Server's `datetime2(7)` (nanoseconds, a precision PostgreSQL cannot declare) is read right
/// under any declaration, but for moments within 8 years of 1970, which need a schema block. Under
/// `time.precision.mode=connect` without schema blocks the columns must be declared with a precision of 3 or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub fn finer(self) -> Self {
        match self {
            Self::Millis => Self::Micros,
            Self::Micros | Self::Nanos => Self::Nanos,
        }
    }

    /// Microseconds, rounded down.
    pub fn micros(self, value: i64) -> Option<i64> {
        match self {
            Self::Millis => value.checked_mul(1000),
            Self::Micros => Some(value),
            Self::Nanos => Some(value.div_euclid(1000)),
        }
    }
}

pub const DAY_MICROS: i64 = 86_400_000_000;
/// 0001-01-01 and 10000-01-01 in µs.
const YEAR_1: i64 = -62_135_596_800_000_000;
const YEAR_10000: i64 = 253_402_300_800_000_000;
/// PostgreSQL's first timestamp: 4713-11-24 BC. Its last is beyond what µs since 1970 can say.
const FIRST_TIMESTAMP: i64 = -210_866_803_200_000_000;

pub const TIMESTAMP_INFINITY: i64 = i64::MAX;
pub const TIMESTAMP_NEGATIVE_INFINITY: i64 = i64::MIN;

/// PostgreSQL's infinite timestamps as Debezium's PostgreSQL connector writes them, in the unit of the column.
fn infinite(value: i64, unit: Unit) -> Option<i64> {
    const POSITIVE: i64 = 9_223_372_036_825_200_000;
    const NEGATIVE: i64 = -9_223_372_036_832_400_000;
    match (value, unit) {
        (POSITIVE, Unit::Micros) | (i64::MAX, _) => Some(TIMESTAMP_INFINITY),
        (NEGATIVE, Unit::Micros) | (i64::MIN, _) => Some(TIMESTAMP_NEGATIVE_INFINITY),
        // The same in milliseconds.
        (9_223_372_036_825_200, Unit::Millis) => Some(TIMESTAMP_INFINITY),
        (-9_223_372_036_832_400, Unit::Millis) => Some(TIMESTAMP_NEGATIVE_INFINITY),
        _ => None,
    }
}

/// µs since 1970 from an integer in a known unit.
pub fn timestamp_from_int(value: i64, unit: Unit) -> Option<i64> {
    if let Some(infinite) = infinite(value, unit) {
        return Some(infinite);
    }
    unit.micros(value).filter(|us| (FIRST_TIMESTAMP..i64::MAX).contains(us))
}

/// µs since 1970 from an integer whose unit is only presumed.
pub fn timestamp_from_presumed(value: i64, mut unit: Unit) -> Option<i64> {
    loop {
        if let Some(infinite) = infinite(value, unit) {
            return Some(infinite);
        }
        match unit.micros(value) {
            Some(us) if (YEAR_1..YEAR_10000).contains(&us) => return Some(us),
            _ if unit != Unit::Nanos => unit = unit.finer(),
            us => return us,
        }
    }
}

/// µs of the day from an integer; 24:00:00 is a time.
pub fn time_from_int(value: i64, unit: Unit) -> Option<i64> {
    unit.micros(value).filter(|us| (0..=DAY_MICROS).contains(us))
}

pub fn time_from_presumed(value: i64, mut unit: Unit) -> Option<i64> {
    loop {
        match time_from_int(value, unit) {
            None if unit != Unit::Nanos => unit = unit.finer(),
            time => return time,
        }
    }
}

/// Days since 1970; PostgreSQL's range, and the connector's sentinels of ±infinity.
pub fn date_from_int(days: i64) -> Option<i32> {
    match days {
        // What becomes of 'infinity' and '-infinity' in the stream and in the snapshot of PostgreSQL connector 3.6: all far
        // outside PostgreSQL's dates.
        -2_147_472_692 | -622_191_234 => Some(i32::MAX),
        -2_147_472_691 | -625_821_272 | -2_147_483_648 => Some(i32::MIN),
        2_147_483_647 => Some(i32::MAX),
        _ => (-2_440_588..2_145_031_949).contains(&days).then_some(days as i32),
    }
}

pub fn parse_int(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 digits stay below 2^64.
        value = value * 10 + digit as u64;
    }
    match negative {
        true if value <= 1 << 63 => Some((value as i64).wrapping_neg()),
        false if value < 1 << 63 => Some(value as i64),
        _ => None,
    }
}

/// `[-+]digits[.digits][e[-+]digits]` → digits and scale, as long as both stay small: the way of almost all numbers.
pub fn parse_small_decimal(text: &str) -> Option<(i128, i32)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let negative = match bytes.first()? {
        b'-' => {
            at = 1;
            true
        }
        b'+' => {
            at = 1;
            false
        }
        _ => false,
    };
    let (mut digits, mut count, mut scale, mut point) = (0i128, 0, 0i32, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits = digits.checked_mul(10)?.checked_add((byte - b'0') as i128)?;
                count += 1;
                scale += point as i32;
            }
            b'.' if !point => point = true,
            b'e' | b'E' => break,
            _ => return None,
        }
        at += 1;
    }
    if count == 0 {
        return None;
    }
    if at < bytes.len() {
        let exponent: i32 = text[at + 1..].parse().ok()?;
        scale = scale.checked_sub(exponent)?;
    }
    Some((if negative { -digits } else { digits }, scale))
}

/// A number literal or decimal text of any size.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    match text {
        // Debezium's decimal strings have it in capitals.
        "NaN" | "NAN" => return Some(Decimal::NaN),
        "Infinity" => return Some(Decimal::Infinity),
        "-Infinity" => return Some(Decimal::NegativeInfinity),
        _ => (),
    }
    if let Some((digits, scale)) = parse_small_decimal(text) {
        return Decimal::finite(digits.into(), scale);
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if fraction.starts_with(['-', '+']) || whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    let digits = BigInt::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10)?;
    Decimal::finite(digits, (fraction.len() as i32).checked_sub(exponent)?)
}

/// PostgreSQL's numeric has at most 131072 digits before and 16383 after the point.
const MAX_DIGITS: usize = 131_072 + 16_383;

impl Decimal {
    /// A number that PostgreSQL's numeric can hold; checked before anything is as long as the exponent says.
    pub fn finite(digits: BigInt, scale: i32) -> Option<Self> {
        let longest = digits.bits() as i64 * 30_103 / 100_000 + 1;
        let whole = longest - scale as i64;
        (scale <= 16_383 && whole <= 131_073).then_some(Self::Finite { digits, scale })
    }
}

/// Big-endian two's complement, as in Connect's `Decimal`; no bytes are 0.
pub fn unscaled(bytes: &[u8]) -> Option<i128> {
    if bytes.len() > 16 {
        return None;
    }
    let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [sign; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

pub fn unscaled_big(bytes: &[u8], scale: i32) -> Option<Decimal> {
    // More bytes than numeric has digits.
    (bytes.len() <= MAX_DIGITS).then(|| BigInt::from_signed_bytes_be(bytes)).and_then(|b| Decimal::finite(b, scale))
}

/// `digits / 10^scale` as the integer of a decimal column of `to` fraction digits; `None` where digits would be lost or
/// `precision` is exceeded.
pub fn rescale(digits: i128, scale: i32, to: i32, precision: u32) -> Option<i128> {
    let scaled = match to.checked_sub(scale)? {
        0 => digits,
        _ if digits == 0 => 0,
        up @ 1.. => digits.checked_mul(10i128.checked_pow(up as u32)?)?,
        down => {
            let power = 10i128.checked_pow(down.unsigned_abs())?;
            (digits % power == 0).then(|| digits / power)?
        }
    };
    (scaled.unsigned_abs() < 10u128.pow(precision)).then_some(scaled)
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

/// Base64 in either alphabet, appended to `out`.
pub fn base64_into(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let safe = text.bytes().any(|b| matches!(b, b'-' | b'_'));
    let engine = if safe { &URL_SAFE } else { &STANDARD };
    engine.decode_vec(text, out).ok()
}

pub fn hex_into(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    for pair in bytes.chunks_exact(2) {
        let high = (pair[0] as char).to_digit(16)?;
        let low = (pair[1] as char).to_digit(16)?;
        out.push((high << 4 | low) as u8);
    }
    Some(())
}

pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    // The crate also takes braces and URNs, which PostgreSQL partly does too.
    uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes)
}

pub fn interval_bytes(months: i32, days: i32, micros: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&months.to_be_bytes());
    bytes[4..8].copy_from_slice(&days.to_be_bytes());
    bytes[8..].copy_from_slice(&micros.to_be_bytes());
    bytes
}

/// ISO 8601 duration (`P1Y2M3DT4H5M6.789S`, each part with its own sign) as an interval.
pub fn parse_duration(text: &str) -> Option<[u8; 16]> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut rest = rest.strip_prefix('P')?;
    let (mut months, mut days, mut micros, mut in_time, mut parts) = (0i64, 0i64, 0i64, false, 0);
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time {
                return None;
            }
            in_time = true;
            rest = time;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (&rest[..end], rest.as_bytes()[end]);
        rest = &rest[end + 1..];
        parts += 1;
        let (digits, scale) = parse_small_decimal(number)?;
        let whole = |digits: i128| if scale <= 0 { rescale(digits, scale, 0, 18).map(|v| v as i64) } else { None };
        match (in_time, unit) {
            (false, b'Y') => months = months.checked_add(whole(digits)?.checked_mul(12)?)?,
            (false, b'M') => months = months.checked_add(whole(digits)?)?,
            (false, b'W') => days = days.checked_add(whole(digits)?.checked_mul(7)?)?,
            (false, b'D') => days = days.checked_add(whole(digits)?)?,
            (true, b'H') => micros = micros.checked_add(whole(digits)?.checked_mul(3_600_000_000)?)?,
            (true, b'M') => micros = micros.checked_add(whole(digits)?.checked_mul(60_000_000)?)?,
            (true, b'S') => {
                // Fractions beyond microseconds are cut.
                let us = match scale {
                    ..=6 => rescale(digits, scale, 6, 19)?,
                    _ => digits / 10i128.checked_pow((scale - 6) as u32)?,
                };
                micros = micros.checked_add(i64::try_from(us).ok()?)?;
            }
            _ => return None,
        }
    }
    if parts == 0 {
        return None;
    }
    let months = i32::try_from(months.checked_mul(sign)?).ok()?;
    let days = i32::try_from(days.checked_mul(sign)?).ok()?;
    Some(interval_bytes(months, days, micros.checked_mul(sign)?))
}

/// Days since 1970 of a day of the proleptic Gregorian calendar; year 0 is 1 BC.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Hinnant's algorithm: years from March, eras of 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Reads a text from its front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let hit = self.0.first() == Some(&byte);
        if hit {
            self.0 = &self.0[1..];
        }
        hit
    }

    /// A number of `min` to `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let count = self.0.iter().take(max).take_while(|b| b.is_ascii_digit()).count();
        if count < min {
            return None;
        }
        let value = self.0[..count].iter().fold(0, |value, digit| value * 10 + (digit - b'0') as i64);
        self.0 = &self.0[count..];
        Some(value)
    }

    fn date(&mut self) -> Option<i64> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let year = self.number(4, 9)?;
        let year = if negative { -year } else { year };
        if !self.take(b'-') {
            return None;
        }
        let month = self.number(2, 2)?;
        if !self.take(b'-') {
            return None;
        }
        let day = self.number(2, 2)?;
        let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        (1..=length).contains(&day).then(|| days_from_civil(year, month, day))
    }

    /// µs of the day, digits beyond µs cut; 24:00:00 is the end of the day.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2, 2)?;
        let minute = if self.take(b':') { self.number(2, 2)? } else { return None };
        let second = if self.take(b':') { self.number(2, 2)? } else { 0 };
        let mut micros = 0;
        if self.take(b'.') {
            let mut unit = 100_000;
            let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            for digit in &self.0[..digits] {
                micros += (digit - b'0') as i64 * unit;
                unit /= 10;
            }
            self.0 = &self.0[digits..];
        }
        if hour > 24 || minute > 59 || second > 59 {
            return None;
        }
        let time = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
        (time <= DAY_MICROS).then_some(time)
    }

    /// Seconds east of UTC; nothing or `Z` is 0.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.take(b'Z') {
            return Some(0);
        }
        let sign = if self.take(b'+') {
            1
        } else if self.take(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let colon = self.take(b':');
        let minutes = if colon || !self.0.is_empty() { self.number(2, 2)? } else { 0 };
        let seconds = if self.take(b':') { self.number(2, 2)? } else { 0 };
        (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * ((hours * 60 + minutes) * 60 + seconds))
    }

    fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// `YYYY-MM-DD`, a `Z` behind it, or ±infinity.
pub fn parse_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => return Some(i32::MAX),
        "-infinity" => return Some(i32::MIN),
        _ => (),
    }
    let mut reader = Reader(text.as_bytes());
    let days = reader.date()?;
    reader.take(b'Z');
    match reader.end(days)? {
        // The ends of Java's milliseconds, years ±290 million: infinity under time.precision.mode=isostring.
        100_000_000_000.. => Some(i32::MAX),
        ..=-100_000_000_000 => Some(i32::MIN),
        days => date_from_int(days),
    }
}

/// `hh:mm[:ss[.f…]]`, a `Z` behind it.
pub fn parse_time(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let time = reader.time()?;
    reader.take(b'Z');
    reader.end(time)
}

/// A time with any offset: µs as big-endian i64, then seconds *west* of UTC.
pub fn parse_timetz(text: &str) -> Option<[u8; 12]> {
    let mut reader = Reader(text.as_bytes());
    let time = reader.time()?;
    let offset = reader.offset()?;
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&reader.end(time)?.to_be_bytes());
    bytes[8..].copy_from_slice(&(-offset as i32).to_be_bytes());
    Some(bytes)
}

/// ISO 8601 date and time with any offset or none, as an instant (or wall clock, where there is none).
pub fn parse_timestamp(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(TIMESTAMP_INFINITY),
        "-infinity" => return Some(TIMESTAMP_NEGATIVE_INFINITY),
        _ => (),
    }
    let mut reader = Reader(text.as_bytes());
    let days = reader.date()?;
    let time = if reader.take(b'T') || reader.take(b' ') { reader.time()? } else { 0 };
    let offset = reader.offset()?;
    // Wider than i64: the day of '-infinity' begins before the first µs that i64 can say.
    let us = reader.end(days)? as i128 * DAY_MICROS as i128 + time as i128 - offset as i128 * 1_000_000;
    let us = i64::try_from(us).ok()?;
    if let Some(infinite) = infinite(us, Unit::Micros) {
        return Some(infinite);
    }
    (FIRST_TIMESTAMP..i64::MAX).contains(&us).then_some(us)
}

/// `digits / 10^scale` as PostgreSQL writes it.
pub fn decimal_text(digits: &BigInt, scale: i32) -> String {
    let magnitude = digits.magnitude().to_string();
    let sign = if digits.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{magnitude}"),
        Ok(scale) => {
            let padded = format!("{magnitude:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!("{sign}{magnitude}{}", "0".repeat(scale.unsigned_abs() as usize)),
    }
}

/// A JSON number, or one of the three strings for what JSON cannot write.
pub fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) => {
            text.parse().ok().filter(|f: &f64| f.is_finite())
        }
        _ => None,
    }
}

/// Debezium's bits: little-endian bytes, the lowest bit first; PostgreSQL's text has the highest first. `length` of bit(n).
pub fn bits_text(bytes: &[u8], length: Option<usize>) -> Option<String> {
    let all = bytes.len() * 8;
    let length = length.unwrap_or(all);
    let bit = |n: usize| bytes.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
    if (length..all).any(bit) {
        return None;
    }
    Some((0..length).rev().map(|n| if bit(n) { '1' } else { '0' }).collect())
}

/// The sortable form of a numeric column that is no Decimal128; `None` where the typmod would change the value.
pub fn sortable_numeric(decimal: &Decimal, ty: PgType) -> Option<Vec<u8>> {
    let numeric = match decimal {
        Decimal::NaN => Numeric::parse("NaN").ok()?,
        Decimal::Infinity => Numeric::parse("Infinity").ok()?,
        Decimal::NegativeInfinity => Numeric::parse("-Infinity").ok()?,
        Decimal::Finite { digits, scale } => {
            let (digits, scale) = match u32::try_from(scale.checked_neg()?) {
                Ok(zeros) => (digits * BigInt::from(10).pow(zeros), 0),
                Err(_) => (digits.clone(), *scale),
            };
            Numeric::from_big(digits, scale)
        }
    };
    let mut bytes = Vec::with_capacity(24);
    let Some((precision, scale)) = ty.numeric_typmod() else {
        numeric.to_sortable(&mut bytes);
        return Some(bytes);
    };
    let mut before = Vec::with_capacity(24);
    numeric.to_sortable(&mut before);
    numeric.apply_typmod(precision, scale).ok()?.to_sortable(&mut bytes);
    (equality_prefix(&before) == equality_prefix(&bytes)).then_some(bytes)
}

/// JSON text in jsonb's storage form.
pub fn jsonb(text: &str) -> Option<Vec<u8>> {
    pg_jsonb::from_text(text.as_bytes()).ok()
}

/// Shortens what goes into a message.
pub fn cut(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
