//! Array literals and binary arrays, taken apart.

use super::text_input::trimmed;
use super::{PgError, PgResult};
use crate::types::SqlState;
use crate::types::array::{Dimension, MAX_DIMENSIONS, Shape, check_dimensions, subscript_error};

/// What stands before the cursor of an array literal.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Nothing,
    /// `{`
    Open,
    /// A part of an unquoted element.
    Element,
    /// A closed quote.
    Quoted,
    /// `,` after an element.
    ElementComma,
    /// `}`
    Close,
    /// `,` after a `}`.
    CloseComma,
}

fn malformed(text: &str, detail: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_TEXT, format!("malformed array literal: \"{text}\"")).detail(detail)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The elements of an array literal, row by row, and its shape.
pub(super) fn array_literal(text: &str) -> PgResult<(Vec<Option<String>>, Shape)> {
    let (given, rest) = leading_bounds(text)?;
    if given.is_empty() && !rest.starts_with('{') {
        return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
    }
    let body = match given.is_empty() {
        true => rest,
        false => {
            let after = rest
                .strip_prefix('=')
                .ok_or_else(|| malformed(text, "Missing \"=\" after array dimensions."))?
                .trim_start_matches(is_space);
            if !after.starts_with('{') {
                return Err(malformed(text, "Array contents must start with \"{\"."));
            }
            after
        }
    };
    let (items, lengths) = braces(text, body)?;
    if given.is_empty() {
        let shape = lengths.iter().map(|length| Dimension { length: *length, lower: 1 }).collect();
        return Ok((items, Shape::new(shape)?));
    }
    if given.iter().map(|d| d.length).ne(lengths.iter().copied()) {
        return Err(malformed(text, "Specified array dimensions do not match array contents."));
    }
    Ok((items, Shape::new(given)?))
}

/// `[1:2][3]`, and what follows.
fn leading_bounds(text: &str) -> PgResult<(Vec<Dimension>, &str)> {
    let mut rest = text.trim_start_matches(is_space);
    let mut dimensions = Vec::new();
    let number = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')).len();
    while let Some(inner) = rest.strip_prefix('[') {
        check_dimensions(dimensions.len() + 1)?;
        let end = number(inner);
        if end == 0 {
            return Err(malformed(text, "\"[\" must introduce explicitly-specified array dimensions."));
        }
        // As C's atoi reads it: what is no number counts as 0.
        let read = |s: &str| s.parse::<i64>().map_or(0, |v| v as i32);
        let (lower, upper, after) = match inner[end..].strip_prefix(':') {
            Some(second) => {
                let to = number(second);
                if to == 0 {
                    return Err(malformed(text, "Missing array dimension value."));
                }
                (read(&inner[..end]), read(&second[..to]), &second[to..])
            }
            None => (1, read(&inner[..end]), &inner[end..]),
        };
        rest = after
            .strip_prefix(']')
            .ok_or_else(|| malformed(text, "Missing \"]\" after array dimensions."))?
            .trim_start_matches(is_space);
        if upper < lower {
            return Err(subscript_error("upper bound cannot be less than lower bound"));
        }
        let length = i64::from(upper) - i64::from(lower) + 1;
        let length = i32::try_from(length)
            .map_err(|_| PgError::new(SqlState(*b"54000"), "array size exceeds the maximum allowed (134217727)"))?;
        dimensions.push(Dimension { length, lower });
    }
    Ok((dimensions, rest))
}

/// The elements between braces, and the lengths of the dimensions.
fn braces(text: &str, body: &str) -> PgResult<(Vec<Option<String>>, Vec<i32>)> {
    let uneven = || malformed(text, "Multidimensional arrays must have sub-arrays with matching dimensions.");
    let unexpected = |c: char| malformed(text, format!("Unexpected \"{c}\" character."));
    let mut items: Vec<Option<String>> = Vec::new();
    // How many parts each open level has, and how many every closed one of a level had.
    let mut open: Vec<i32> = Vec::new();
    let mut lengths: Vec<Option<i32>> = Vec::new();
    // The level at which elements stand.
    let mut depth = None;
    let mut after = After::Nothing;
    let (mut item, mut escaped, mut kept) = (String::new(), false, 0);
    let mut chars = body.char_indices();
    let end = || malformed(text, "Unexpected end of input.");
    let finish = |item: &mut String, escaped: &mut bool, kept: &mut usize, items: &mut Vec<Option<String>>| {
        item.truncate((*kept).max(item.trim_end_matches(is_space).len()));
        let null = !*escaped && item.eq_ignore_ascii_case("null");
        let value = std::mem::take(item);
        items.push((!null).then_some(value));
        (*escaped, *kept) = (false, 0);
    };
    loop {
        let (at, c) = chars.next().ok_or_else(end)?;
        match c {
            '{' => {
                if !matches!(after, After::Nothing | After::Open | After::CloseComma) {
                    return Err(unexpected('{'));
                }
                check_dimensions(open.len() + 1)?;
                open.push(0);
                after = After::Open;
            }
            '}' => {
                let empty = after == After::Open && open.len() == 1;
                if !matches!(after, After::Element | After::Quoted | After::Close) && !empty {
                    return Err(unexpected('}'));
                }
                let level = open.len();
                if after == After::Element {
                    finish(&mut item, &mut escaped, &mut kept, &mut items);
                }
                if matches!(after, After::Element | After::Quoted) && *depth.get_or_insert(level) != level {
                    return Err(uneven());
                }
                let parts = open.pop().ok_or_else(|| malformed(text, "Unmatched \"}\" character."))?;
                let parts = parts + i32::from(!empty);
                lengths.resize(lengths.len().max(level), None);
                if *lengths[level - 1].get_or_insert(parts) != parts {
                    return Err(uneven());
                }
                after = After::Close;
                if open.is_empty() {
                    if !trimmed(&body[at + 1..]).is_empty() {
                        return Err(malformed(text, "Junk after closing right brace."));
                    }
                    if items.is_empty() {
                        return Ok((items, Vec::new()));
                    }
                    debug_assert!(lengths.len() <= MAX_DIMENSIONS);
                    return Ok((items, lengths.into_iter().flatten().collect()));
                }
            }
            '"' => {
                if !matches!(after, After::Open | After::ElementComma) {
                    return Err(malformed(text, "Unexpected array element."));
                }
                loop {
                    match chars.next().ok_or_else(end)?.1 {
                        '"' => break,
                        '\\' => item.push(chars.next().ok_or_else(end)?.1),
                        other => item.push(other),
                    }
                }
                items.push(Some(std::mem::take(&mut item)));
                after = After::Quoted;
            }
            ',' => {
                if !matches!(after, After::Element | After::Quoted | After::Close) {
                    return Err(unexpected(','));
                }
                if after == After::Element {
                    finish(&mut item, &mut escaped, &mut kept, &mut items);
                }
                let level = open.len();
                if after != After::Close && *depth.get_or_insert(level) != level {
                    return Err(uneven());
                }
                *open.last_mut().ok_or_else(end)? += 1;
                after = if after == After::Close { After::CloseComma } else { After::ElementComma };
            }
            c if is_space(c) => {
                if after == After::Element {
                    item.push(c);
                }
            }
            c => {
                if !matches!(after, After::Open | After::Element | After::ElementComma) {
                    return Err(match c {
                        '\\' => unexpected('\\'),
                        _ => malformed(text, "Unexpected array element."),
                    });
                }
                after = After::Element;
                if c == '\\' {
                    item.push(chars.next().ok_or_else(end)?.1);
                    (escaped, kept) = (true, item.len());
                } else {
                    item.push(c);
                }
            }
        }
    }
}

/// The elements of a binary array, and its shape.
pub(super) fn array_binary(bytes: &[u8]) -> PgResult<(Vec<Option<&[u8]>>, Shape)> {
    let wrong = || PgError::new(SqlState::INVALID_BINARY, "incorrect binary data format");
    let word = |at: usize| -> PgResult<i32> {
        let bytes = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).ok_or_else(wrong)?;
        Ok(i32::from_be_bytes(bytes))
    };
    let count = word(0)?;
    let count = usize::try_from(count)
        .map_err(|_| PgError::new(SqlState::INVALID_BINARY, format!("invalid number of dimensions: {count}")))?;
    check_dimensions(count)?;
    let dimensions = (0..count).map(|i| Ok(Dimension { length: word(12 + i * 8)?, lower: word(16 + i * 8)? }));
    let shape = Shape::new(dimensions.collect::<PgResult<_>>()?)?;
    let mut items = Vec::new();
    let mut at = 12 + count * 8;
    for _ in 0..shape.elements() {
        let length = word(at)?;
        at += 4;
        if length < 0 {
            items.push(None);
            continue;
        }
        items.push(Some(bytes.get(at..at + length as usize).ok_or_else(wrong)?));
        at += length as usize;
    }
    if at == bytes.len() { Ok((items, shape)) } else { Err(wrong()) }
}
