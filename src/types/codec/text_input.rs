//! Scalars from PostgreSQL text, with its messages.

use super::*;
use crate::types::SqlState;

pub(super) fn invalid(type_name: &str, text: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

pub fn parse_bool(text: &str) -> PgResult<bool> {
    let word = trimmed(text).to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if begins("true", 1) || begins("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid("boolean", text))
    }
}

/// An integer type from text; `type_name` is for the message.
pub fn parse_integer<T: TryFrom<i64>>(text: &str, type_name: &str) -> PgResult<T> {
    let digits = trimmed(text);
    let out_of_range = || {
        PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {type_name}"))
    };
    match digits.parse::<i64>() {
        Ok(value) => T::try_from(value).map_err(|_| out_of_range()),
        Err(_) => {
            let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
            let number = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit());
            Err(if number { out_of_range() } else { invalid(type_name, text) })
        }
    }
}

macro_rules! float_input {
    ($name:ident, $float:ty, $type_name:literal) => {
        pub fn $name(text: &str) -> PgResult<$float> {
            let digits = trimmed(text);
            let value: $float = digits.parse().map_err(|_| invalid($type_name, text))?;
            let mantissa = digits.split(['e', 'E']).next().unwrap_or("");
            let spelled = digits.bytes().any(|b| b.is_ascii_digit());
            let lost = value == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
            if spelled && (value.is_infinite() || lost) {
                return Err(PgError::new(
                    SqlState::NUMERIC_OUT_OF_RANGE,
                    format!("\"{digits}\" is out of range for type {}", $type_name),
                ));
            }
            Ok(value)
        }
    };
}
float_input!(parse_f32, f32, "real");
float_input!(parse_f64, f64, "double precision");

/// Thirty-two hex digits, a hyphen allowed after each four, braces around all.
pub fn parse_uuid(text: &str) -> PgResult<[u8; 16]> {
    let failed = || invalid("uuid", text);
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(failed)?,
        None => text,
    };
    let mut bytes = [0; 16];
    let mut count = 0;
    let mut hyphen = false;
    for c in inner.bytes() {
        if c == b'-' && count > 0 && count < 32 && count % 4 == 0 && !hyphen {
            hyphen = true;
            continue;
        }
        hyphen = false;
        let digit = (c as char).to_digit(16).filter(|_| count < 32).ok_or_else(failed)?;
        bytes[count / 2] = bytes[count / 2] << 4 | digit as u8;
        count += 1;
    }
    if count == 32 { Ok(bytes) } else { Err(failed()) }
}

/// bytea in hex (`\x…`) or escape form.
pub fn parse_bytea(text: &str) -> PgResult<Vec<u8>> {
    let Some(hex) = text.strip_prefix("\\x") else { return parse_escaped(text) };
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut high = None;
    for c in hex.chars() {
        if high.is_none() && c.is_ascii_whitespace() {
            continue;
        }
        let digit = c
            .to_digit(16)
            .ok_or_else(|| PgError::new(SqlState::INVALID_PARAMETER, format!("invalid hexadecimal digit: \"{c}\"")))?
            as u8;
        match high.take() {
            None => high = Some(digit),
            Some(first) => out.push(first << 4 | digit),
        }
    }
    match high {
        None => Ok(out),
        Some(_) => Err(PgError::new(SqlState::INVALID_PARAMETER, "invalid hexadecimal data: odd number of digits")),
    }
}

fn parse_escaped(text: &str) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\\' {
            out.push(byte);
            rest = after;
            continue;
        }
        match after {
            [b'\\', tail @ ..] => {
                out.push(b'\\');
                rest = tail;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => return Err(PgError::new(SqlState::INVALID_TEXT, "invalid input syntax for type bytea")),
        }
    }
    Ok(out)
}
