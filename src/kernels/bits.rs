//! Bit strings: bit and bit varying, kept as their digits.

use super::adapt::*;
use super::registry::Registry;
use super::text::invalid;
use crate::types::{PgError, PgResult, SqlState};

const LENGTH_MISMATCH: SqlState = SqlState(*b"22026");

/// bit(n) of any bit string: cut or filled with zeros on the right by an explicit cast, refused by an assignment.
pub fn fixed_length(digits: &str, length: usize, explicit: bool) -> PgResult<String> {
    if digits.len() != length && !explicit {
        let message = format!("bit string length {} does not match type bit({length})", digits.len());
        return Err(PgError::new(LENGTH_MISMATCH, message));
    }
    let kept = &digits[..digits.len().min(length)];
    Ok(format!("{kept}{}", "0".repeat(length - kept.len())))
}

/// bit varying(n) of any bit string: cut by an explicit cast, refused by an assignment where it is longer.
pub fn limited_length(digits: &str, length: usize, explicit: bool) -> PgResult<String> {
    if digits.len() > length && !explicit {
        let message = format!("bit string too long for type bit varying({length})");
        return Err(PgError::new(SqlState::STRING_TRUNCATION, message));
    }
    Ok(digits[..digits.len().min(length)].to_string())
}

/// The lowest `length` bits of an integer; its sign fills more of them.
pub fn of_integer(value: i64, length: usize) -> String {
    (0..length).rev().map(|bit| if value >> bit.min(63) & 1 == 1 { '1' } else { '0' }).collect()
}

/// The bits as an integer of `width` bits; `22003` for more of them.
pub fn to_integer(digits: &str, width: usize) -> PgResult<i64> {
    if digits.len() > width {
        let name = if width == 32 { "integer" } else { "bigint" };
        return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("{name} out of range")));
    }
    let value = digits.bytes().fold(0u64, |v, d| v << 1 | u64::from(d == b'1'));
    Ok(if width == 32 { i64::from(value as u32 as i32) } else { value as i64 })
}

fn combined(name: &'static str, bit: fn(bool, bool) -> bool) -> impl Fn(&str, &str) -> PgResult<String> {
    move |a, b| {
        if a.len() != b.len() {
            return Err(PgError::new(LENGTH_MISMATCH, format!("cannot {name} bit strings of different sizes")));
        }
        let each = a.bytes().zip(b.bytes()).map(|(x, y)| bit(x == b'1', y == b'1'));
        Ok(each.map(|on| if on { '1' } else { '0' }).collect())
    }
}

/// Shifts to the left, by less than nothing to the right.
fn shifted(digits: &str, by: i64) -> String {
    let length = digits.len();
    let lost = usize::try_from(by.unsigned_abs()).unwrap_or(length).min(length);
    let zeros = "0".repeat(lost);
    match by >= 0 {
        true => format!("{}{zeros}", &digits[lost..]),
        false => format!("{zeros}{}", &digits[..length - lost]),
    }
}

fn substring(digits: &str, from: i32, count: Option<i32>) -> PgResult<String> {
    let start = i64::from(from) - 1;
    let end = match count {
        Some(count) if count < 0 => {
            return Err(PgError::new(SqlState(*b"22011"), "negative substring length not allowed"));
        }
        Some(count) => start + i64::from(count),
        None => i64::MAX,
    };
    let clamp = |at: i64| at.clamp(0, digits.len() as i64) as usize;
    Ok(digits[clamp(start)..clamp(end).max(clamp(start))].to_string())
}

fn overlay(digits: &str, by: &str, from: i32, count: i32) -> PgResult<String> {
    if from <= 0 {
        return Err(PgError::new(SqlState(*b"22011"), "negative substring length not allowed"));
    }
    let after = from.checked_add(count).ok_or_else(|| super::integers::out_of_range("integer"))?;
    Ok(format!("{}{by}{}", substring(digits, 1, Some(from - 1))?, substring(digits, after, None)?))
}

fn place(digits: &str, at: i32) -> PgResult<usize> {
    usize::try_from(at).ok().filter(|at| *at < digits.len()).ok_or_else(|| {
        let message = format!("bit index {at} out of valid range (0..{})", digits.len() as i64 - 1);
        PgError::new(SqlState(*b"2202E"), message)
    })
}

fn set_bit(digits: &str, at: i32, value: i32) -> PgResult<String> {
    let at = place(digits, at)?;
    if !matches!(value, 0 | 1) {
        return Err(invalid("new bit must be 0 or 1"));
    }
    Ok(format!("{}{value}{}", &digits[..at], &digits[at + 1..]))
}

pub fn declare(r: &mut Registry) {
    r.fun("bitand(bit,bit)", attempt2::<Text, Text, Text>(combined("AND", |a, b| a & b)));
    r.fun("bitor(bit,bit)", attempt2::<Text, Text, Text>(combined("OR", |a, b| a | b)));
    r.fun("bitxor(bit,bit)", attempt2::<Text, Text, Text>(combined("XOR", |a, b| a ^ b)));
    let not = |digits: &str| digits.chars().map(|d| if d == '1' { '0' } else { '1' }).collect::<String>();
    r.fun("bitnot(bit)", map1::<Text, Text>(not));
    r.fun("bitcat(varbit,varbit)", map2::<Text, Text, Text>(|a, b| format!("{a}{b}")));
    r.fun("bitshiftleft(bit,int4)", map2::<Text, Int4, Text>(|a, n| shifted(a, i64::from(n))));
    r.fun("bitshiftright(bit,int4)", map2::<Text, Int4, Text>(|a, n| shifted(a, -i64::from(n))));
    r.fun("length(bit)", map1::<Text, Int4>(|a| a.len() as i32));
    r.fun("bit_length(bit)", map1::<Text, Int4>(|a| a.len() as i32));
    r.fun("octet_length(bit)", map1::<Text, Int4>(|a| a.len().div_ceil(8) as i32));
    r.fun("bit_count(bit)", map1::<Text, Int8>(|a| a.bytes().filter(|d| *d == b'1').count() as i64));
    let position = |text: &str, part: &str| text.find(part).filter(|_| !text.is_empty()).map_or(0, |at| at as i32 + 1);
    r.fun("position(bit,bit)", map2::<Text, Text, Int4>(position));
    r.fun("substring(bit,int4)", attempt2::<Text, Int4, Text>(|a, from| substring(a, from, None)));
    r.fun("substring(bit,int4,int4)", attempt3::<Text, Int4, Int4, Text>(|a, from, n| substring(a, from, Some(n))));
    r.fun(
        "overlay(bit,bit,int4)",
        attempt3::<Text, Text, Int4, Text>(|a, b, from| overlay(a, b, from, b.len() as i32)),
    );
    r.fun("overlay(bit,bit,int4,int4)", attempt4::<Text, Text, Int4, Int4, Text>(overlay));
    r.fun(
        "get_bit(bit,int4)",
        attempt2::<Text, Int4, Int4>(|a, at| Ok(i32::from(a.as_bytes()[place(a, at)?] == b'1'))),
    );
    r.fun("set_bit(bit,int4,int4)", attempt3::<Text, Int4, Int4, Text>(set_bit));
    r.fun("int4(bit)", attempt1::<Text, Int4>(|a| Ok(to_integer(a, 32)? as i32)));
    r.fun("int8(bit)", attempt1::<Text, Int8>(|a| to_integer(a, 64)));
}
