//! Intervals in the forms of ISO 8601: with designators (`P1Y2M3DT4H5M6S`), and the alternative ones, basic (`P00010203T040506`) and extended
//! (`P0001-02-03T04:05:06`).

use super::interval::{Sum, Unit};

/// Why a text is no interval.
pub enum Fault {
    Syntax,
    /// A field is too large for any interval.
    Range,
}

const YEAR: Unit = Unit::Months(12);
const MONTH: Unit = Unit::Months(1);
const WEEK: Unit = Unit::Days(7);
const DAY: Unit = Unit::Days(1);
const SECOND: Unit = Unit::Micros(1_000_000);
const MINUTE: Unit = Unit::Micros(60_000_000);
const HOUR: Unit = Unit::Micros(3_600_000_000);

/// A number as C reads one, and what follows it; its whole part and the rest, both with its sign.
fn number(text: &str) -> Result<(i128, f64, &str), Fault> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        return Err(Fault::Syntax);
    }
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = usize::from(bytes[0] == b'-');
    let whole = digits(end);
    end += whole;
    let mut fraction = 0;
    if bytes.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return Err(Fault::Syntax);
    }
    if matches!(bytes.get(end), Some(b'e')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = bytes.get(end + 1 + sign..).map_or(0, |_| digits(end + 1 + sign));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let value: f64 = text[..end].parse().map_err(|_| Fault::Syntax)?;
    if !(-1.0e15..=1.0e15).contains(&value) {
        return Err(Fault::Range);
    }
    Ok((value.trunc() as i128, value.fract(), &text[end..]))
}

/// How many digits a field's whole part has.
fn width(field: &str) -> usize {
    field.strip_prefix('-').unwrap_or(field).bytes().take_while(u8::is_ascii_digit).count()
}

/// Reads what stands behind the `P`, in lower case.
pub fn parse(text: &str) -> Result<Sum, Fault> {
    let mut sum = Sum::default();
    let (mut rest, mut in_time, mut has_field) = (text, false, false);
    if text.is_empty() {
        return Err(Fault::Syntax);
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('t') {
            (rest, in_time, has_field) = (after, true, false);
            continue;
        }
        let field = rest;
        let (whole, fraction, after) = number(rest)?;
        let designator = after.chars().next();
        rest = designator.map_or("", |c| &after[c.len_utf8()..]);
        let unit = match (designator, in_time) {
            (Some('y'), false) => YEAR,
            (Some('m'), false) => MONTH,
            (Some('w'), false) => WEEK,
            (Some('d'), false) => DAY,
            (Some('h'), true) => HOUR,
            (Some('m'), true) => MINUTE,
            (Some('s'), true) => SECOND,
            (None | Some('t'), false) if width(field) == 8 && !has_field => {
                for (part, unit) in [(whole / 10_000, &YEAR), (whole / 100 % 100, &MONTH), (whole % 100, &DAY)] {
                    sum.add(part, 0.0, unit);
                }
                sum.add(0, fraction, &DAY);
                (in_time, has_field) = (true, false);
                continue;
            }
            (None, true) if width(field) == 6 && !has_field => {
                for (part, unit) in [(whole / 10_000, &HOUR), (whole / 100 % 100, &MINUTE), (whole % 100, &SECOND)] {
                    sum.add(part, 0.0, unit);
                }
                sum.add(0, fraction, &SECOND);
                return Ok(sum);
            }
            (None | Some('t' | '-'), false) if !has_field => {
                sum.add(whole, fraction, &YEAR);
                let mut open = designator == Some('-');
                for unit in [&MONTH, &DAY] {
                    if !open {
                        break;
                    }
                    let (whole, fraction, after) = number(rest)?;
                    sum.add(whole, fraction, unit);
                    open = after.starts_with('-');
                    rest = after.strip_prefix(['-', 't']).unwrap_or(after);
                    if !open && rest.len() == after.len() && !after.is_empty() {
                        return Err(Fault::Syntax);
                    }
                }
                if open {
                    return Err(Fault::Syntax);
                }
                (in_time, has_field) = (true, false);
                continue;
            }
            (None | Some(':'), true) if !has_field => {
                sum.add(whole, fraction, &HOUR);
                let mut open = designator == Some(':');
                for unit in [&MINUTE, &SECOND] {
                    if !open {
                        break;
                    }
                    let (whole, fraction, after) = number(rest)?;
                    sum.add(whole, fraction, unit);
                    open = after.starts_with(':');
                    rest = after.strip_prefix(':').unwrap_or(after);
                    if !open && !after.is_empty() {
                        return Err(Fault::Syntax);
                    }
                }
                return if open { Err(Fault::Syntax) } else { Ok(sum) };
            }
            _ => return Err(Fault::Syntax),
        };
        sum.add(whole, fraction, &unit);
        has_field = true;
    }
    Ok(sum)
}
