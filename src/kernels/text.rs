//! text: lengths, slices, padding, searching, quoting, encoding. Positions count characters, as in a UTF-8 database.

use super::adapt::*;
use super::integers::out_of_range;
use super::kernel::Body;
use super::registry::Registry;
use crate::types::{PgError, PgResult, SqlState};
use base64::Engine;
use std::fmt::Write;

/// PostgreSQL's limit for one value.
const MAX_VALUE: usize = 0x3fff_ffff;

pub fn invalid(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER, message)
}

fn too_large() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn characters(s: &str) -> usize {
    if s.is_ascii() { s.len() } else { s.chars().count() }
}

/// The byte where character `n` (from 0) begins; the end where there are fewer.
fn offset_of(s: &str, n: usize) -> usize {
    if s.is_ascii() {
        return n.min(s.len());
    }
    s.char_indices().nth(n).map_or(s.len(), |(at, _)| at)
}

/// `substring(s FROM start FOR count)`; `count` `None` is to the end.
pub fn substring(s: &str, start: i32, count: Option<i32>) -> PgResult<&str> {
    let start = i64::from(start);
    let end = match count {
        None => i64::MAX,
        Some(n) if n < 0 => {
            return Err(PgError::new(SqlState(*b"22011"), "negative substring length not allowed"));
        }
        Some(n) => start + i64::from(n),
    };
    if end <= 1 {
        return Ok("");
    }
    let from = offset_of(s, (start.max(1) - 1) as usize);
    let rest = &s[from..];
    Ok(&rest[..offset_of(rest, (end - start.max(1)).max(0) as usize)])
}

fn left(s: &str, n: i32) -> &str {
    let keep = if n >= 0 { n as usize } else { characters(s).saturating_sub(n.unsigned_abs() as usize) };
    &s[..offset_of(s, keep)]
}

fn right(s: &str, n: i32) -> &str {
    let length = characters(s);
    let skip = if n >= 0 { length.saturating_sub(n as usize) } else { n.unsigned_abs() as usize };
    &s[offset_of(s, skip)..]
}

fn pad(s: &str, length: i32, fill: &str, out: &mut String, before: bool) -> PgResult<()> {
    let length = length.max(0) as usize;
    if length > MAX_VALUE {
        return Err(too_large());
    }
    let have = characters(s);
    if have >= length || fill.is_empty() {
        out.push_str(&s[..offset_of(s, length)]);
        return Ok(());
    }
    let filling = fill.chars().cycle().take(length - have);
    if before {
        out.extend(filling);
        out.push_str(s);
    } else {
        out.push_str(s);
        out.extend(filling);
    }
    Ok(())
}

fn initcap(s: &str, out: &mut String) {
    let mut inside = false;
    for c in s.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphanumeric();
    }
}

/// Lower and upper case one character for one, as libc's do.
fn map_case(s: &str, out: &mut String, upper: bool) {
    if s.is_ascii() {
        out.push_str(s);
        if upper {
            out.make_ascii_uppercase()
        } else {
            out.make_ascii_lowercase()
        }
        return;
    }
    for c in s.chars() {
        let changed = if upper {
            let mut each = c.to_uppercase();
            (each.next(), each.next().is_none())
        } else {
            let mut each = c.to_lowercase();
            (each.next(), each.next().is_none())
        };
        out.push(match changed {
            (Some(one), true) => one,
            _ => c,
        });
    }
}

fn split_part<'a>(s: &'a str, delimiter: &str, n: i32) -> PgResult<&'a str> {
    if n == 0 {
        return Err(invalid("field position must not be zero"));
    }
    if delimiter.is_empty() {
        return Ok(if n == 1 || n == -1 { s } else { "" });
    }
    let found = if n > 0 {
        s.split(delimiter).nth(n as usize - 1)
    } else {
        let parts: Vec<&str> = s.split(delimiter).collect();
        parts.len().checked_sub(n.unsigned_abs() as usize).map(|i| parts[i])
    };
    Ok(found.unwrap_or(""))
}

fn strpos(s: &str, what: &str) -> i32 {
    s.find(what).map_or(0, |at| characters(&s[..at]) as i32 + 1)
}

fn translate(s: &str, from: &str, to: &str, out: &mut String) {
    for c in s.chars() {
        match from.chars().position(|f| f == c) {
            None => out.push(c),
            Some(i) => out.extend(to.chars().nth(i)),
        }
    }
}

fn chr(code: i32) -> PgResult<String> {
    if code == 0 {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    if code < 0 {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "character number must be positive"));
    }
    let error = || {
        let message = format!("requested character too large for encoding: {code}");
        PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
    };
    char::from_u32(code as u32).map(String::from).ok_or_else(error)
}

/// A name as SQL text: quoted where it is not a plain lower-case identifier or is a keyword.
pub fn quote_identifier(name: &str) -> String {
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && !super::keywords::needs_quotes(name) {
        return name.to_string();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as an SQL literal.
pub fn quote_literal(s: &str) -> String {
    let doubled = s.replace('\'', "''");
    if s.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

fn unrecognized_encoding(name: &str) -> PgError {
    invalid(format!("unrecognized encoding: \"{name}\""))
}

pub fn encode(bytes: &[u8], format: &str) -> PgResult<String> {
    let mut out = String::with_capacity(bytes.len() * 2);
    match format.to_ascii_lowercase().as_str() {
        "hex" => bytes.iter().for_each(|b| {
            out.push(char::from_digit(u32::from(b >> 4), 16).unwrap_or('0'));
            out.push(char::from_digit(u32::from(b & 15), 16).unwrap_or('0'));
        }),
        "base64" => {
            let whole = base64::engine::general_purpose::STANDARD.encode(bytes);
            for (i, c) in whole.chars().enumerate() {
                if i > 0 && i % 76 == 0 {
                    out.push('\n');
                }
                out.push(c);
            }
        }
        "escape" => bytes.iter().for_each(|&b| match b {
            b'\\' => out.push_str("\\\\"),
            0 | 0x80.. => {
                let _ = write!(out, "\\{b:03o}");
            }
            b => out.push(char::from(b)),
        }),
        _ => return Err(unrecognized_encoding(format)),
    }
    Ok(out)
}

pub fn decode(text: &str, format: &str) -> PgResult<Vec<u8>> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text),
        "base64" => {
            let compact: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
            let decoded = base64::engine::general_purpose::STANDARD.decode(&compact);
            decoded.map_err(|e| match e {
                base64::DecodeError::InvalidByte(at, _) => invalid(format!(
                    "invalid symbol \"{}\" found while decoding base64 sequence",
                    char::from(compact[at])
                )),
                _ => invalid("invalid base64 end sequence")
                    .hint("Input data is missing padding, is truncated, or is otherwise corrupted."),
            })
        }
        "escape" => decode_escape(text),
        _ => Err(unrecognized_encoding(format)),
    }
}

pub fn decode_hex(text: &str) -> PgResult<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut high: Option<u32> = None;
    for c in text.chars() {
        if high.is_none() && c.is_ascii_whitespace() {
            continue;
        }
        let digit = c.to_digit(16).ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")))?;
        match high.take() {
            None => high = Some(digit),
            Some(h) => out.push((h * 16 + digit) as u8),
        }
    }
    match high {
        None => Ok(out),
        Some(_) => Err(invalid("invalid hexadecimal data: odd number of digits")),
    }
}

fn decode_escape(text: &str) -> PgResult<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                at += 2;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            [b'\\', ..] => {
                return Err(PgError::new(SqlState::INVALID_TEXT, "invalid input syntax for type bytea"));
            }
            [b, ..] => {
                out.push(*b);
                at += 1;
            }
            [] => break,
        }
    }
    Ok(out)
}

fn trim_set(set: &str) -> impl Fn(char) -> bool + '_ {
    move |c| set.contains(c)
}

fn overlay(s: &str, new: &str, start: i32, count: i32, out: &mut String) -> PgResult<()> {
    if start <= 0 {
        return Err(PgError::new(SqlState(*b"22011"), "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(|| out_of_range("integer"))?;
    out.push_str(substring(s, 1, Some(start - 1))?);
    out.push_str(new);
    out.push_str(substring(s, after, None)?);
    Ok(())
}

fn byte_slice(bytes: &[u8], start: i32, count: Option<i32>) -> PgResult<Vec<u8>> {
    let start = i64::from(start);
    let end = match count {
        None => i64::MAX,
        Some(n) if n < 0 => {
            return Err(PgError::new(SqlState(*b"22011"), "negative substring length not allowed"));
        }
        Some(n) => start + i64::from(n),
    };
    let length = bytes.len() as i64;
    let (from, to) = ((start.max(1) - 1).min(length), (end - 1).clamp(0, length));
    Ok(bytes.get(from as usize..to.max(from) as usize).unwrap_or_default().to_vec())
}

/// A table entry for a function of text that cannot fail.
fn writes(f: fn(&str, &mut String)) -> Body {
    write1::<Text>(move |s, out| {
        f(s, out);
        Ok(())
    })
}

fn copies(f: fn(&str) -> &str) -> Body {
    write1::<Text>(move |s, out| {
        out.push_str(f(s));
        Ok(())
    })
}

fn trims(f: for<'a> fn(&'a str, &str) -> &'a str) -> Body {
    write2::<Text, Text>(move |s, set, out| {
        out.push_str(f(s, set));
        Ok(())
    })
}

pub fn declare(r: &mut Registry) {
    let length = || map1::<Text, Int4>(|s| characters(s) as i32);
    r.funs(&["length(text)", "char_length(text)", "character_length(text)", "textlen(text)"], length());
    let bpchar_length = || map1::<Text, Int4>(|s| characters(s.trim_end_matches(' ')) as i32);
    r.funs(&["length(bpchar)", "char_length(bpchar)", "character_length(bpchar)"], bpchar_length());
    r.funs(&["octet_length(text)", "octet_length(bpchar)"], map1::<Text, Int4>(|s| s.len() as i32));
    r.funs(&["octet_length(bytea)", "length(bytea)"], map1::<Bytea, Int4>(|b| b.len() as i32));
    r.fun("bit_length(text)", map1::<Text, Int4>(|s| s.len() as i32 * 8));
    r.fun("bit_length(bytea)", map1::<Bytea, Int4>(|b| b.len() as i32 * 8));
    r.fun("lower(text)", writes(|s, out| map_case(s, out, false)));
    r.fun("upper(text)", writes(|s, out| map_case(s, out, true)));
    r.fun("initcap(text)", writes(initcap));
    r.fun("reverse(text)", writes(|s, out| out.extend(s.chars().rev())));
    r.fun(
        "textcat(text,text)",
        write2::<Text, Text>(|a, b, out| {
            out.push_str(a);
            out.push_str(b);
            Ok(())
        }),
    );
    r.fun("byteacat(bytea,bytea)", map2::<Bytea, Bytea, Bytea>(|a, b| [a, b].concat()));
    r.funs(
        &["substring(text,int4,int4)", "substr(text,int4,int4)"],
        write3::<Text, Int4, Int4>(|s, from, count, out| {
            out.push_str(substring(s, from, Some(count))?);
            Ok(())
        }),
    );
    r.funs(
        &["substring(text,int4)", "substr(text,int4)"],
        write2::<Text, Int4>(|s, from, out| {
            out.push_str(substring(s, from, None)?);
            Ok(())
        }),
    );
    r.funs(
        &["substring(bytea,int4,int4)", "substr(bytea,int4,int4)"],
        attempt3::<Bytea, Int4, Int4, Bytea>(|b, from, count| byte_slice(b, from, Some(count))),
    );
    r.funs(
        &["substring(bytea,int4)", "substr(bytea,int4)"],
        attempt2::<Bytea, Int4, Bytea>(|b, from| byte_slice(b, from, None)),
    );
    r.fun("btrim(text)", copies(|s| s.trim_matches(' ')));
    r.fun("ltrim(text)", copies(|s| s.trim_start_matches(' ')));
    r.fun("rtrim(text)", copies(|s| s.trim_end_matches(' ')));
    r.fun("btrim(text,text)", trims(|s, set| s.trim_matches(trim_set(set))));
    r.fun("ltrim(text,text)", trims(|s, set| s.trim_start_matches(trim_set(set))));
    r.fun("rtrim(text,text)", trims(|s, set| s.trim_end_matches(trim_set(set))));
    r.fun(
        "replace(text,text,text)",
        write3::<Text, Text, Text>(|s, from, to, out| {
            if from.is_empty() {
                out.push_str(s);
                return Ok(());
            }
            let mut rest = s;
            while let Some(at) = rest.find(from) {
                out.push_str(&rest[..at]);
                out.push_str(to);
                rest = &rest[at + from.len()..];
            }
            out.push_str(rest);
            Ok(())
        }),
    );
    r.fun(
        "split_part(text,text,int4)",
        write3::<Text, Text, Int4>(|s, by, n, out| {
            out.push_str(split_part(s, by, n)?);
            Ok(())
        }),
    );
    r.funs(&["strpos(text,text)", "position(text,text)"], map2::<Text, Text, Int4>(strpos));
    r.fun(
        "left(text,int4)",
        write2::<Text, Int4>(|s, n, out| {
            out.push_str(left(s, n));
            Ok(())
        }),
    );
    r.fun(
        "right(text,int4)",
        write2::<Text, Int4>(|s, n, out| {
            out.push_str(right(s, n));
            Ok(())
        }),
    );
    r.fun("lpad(text,int4,text)", write3::<Text, Int4, Text>(|s, n, fill, out| pad(s, n, fill, out, true)));
    r.fun("rpad(text,int4,text)", write3::<Text, Int4, Text>(|s, n, fill, out| pad(s, n, fill, out, false)));
    r.fun("lpad(text,int4)", write2::<Text, Int4>(|s, n, out| pad(s, n, " ", out, true)));
    r.fun("rpad(text,int4)", write2::<Text, Int4>(|s, n, out| pad(s, n, " ", out, false)));
    r.fun(
        "repeat(text,int4)",
        write2::<Text, Int4>(|s, n, out| {
            let n = n.max(0) as usize;
            if s.len().saturating_mul(n) > MAX_VALUE {
                return Err(too_large());
            }
            (0..n).for_each(|_| out.push_str(s));
            Ok(())
        }),
    );
    r.fun("starts_with(text,text)", map2::<Text, Text, Bool>(|s, prefix| s.starts_with(prefix)));
    r.fun("chr(int4)", attempt1::<Int4, Text>(chr));
    r.fun("ascii(text)", map1::<Text, Int4>(|s| s.chars().next().map_or(0, |c| c as i32)));
    r.fun(
        "translate(text,text,text)",
        write3::<Text, Text, Text>(|s, from, to, out| {
            translate(s, from, to, out);
            Ok(())
        }),
    );
    r.fun("overlay(text,text,int4,int4)", write4::<Text, Text, Int4, Int4>(overlay));
    r.fun(
        "overlay(text,text,int4)",
        write3::<Text, Text, Int4>(|s, new, start, out| overlay(s, new, start, characters(new) as i32, out)),
    );
    r.fun("quote_ident(text)", map1::<Text, Text>(quote_identifier));
    r.fun("quote_literal(text)", map1::<Text, Text>(quote_literal));
    r.fun(
        "quote_nullable(text)",
        std::sync::Arc::new(|call| {
            let column = Text::column(&call.args[0].array)?;
            all_rows::<Text>(call, |i| match call.args[0].is_null(i) {
                true => Ok(Some("NULL".to_string())),
                false => Ok(Some(quote_literal(column.value(call.args[0].at(i))))),
            })
        }),
    );
    r.fun("encode(bytea,text)", attempt2::<Bytea, Text, Text>(encode));
    r.fun("decode(text,text)", attempt2::<Text, Text, Bytea>(decode));
    r.fun(
        "convert_from(bytea,name)",
        attempt2::<Bytea, Text, Text>(|bytes, encoding| {
            utf8_only(encoding)?;
            let error = |_| PgError::new(SqlState(*b"22021"), "invalid byte sequence for encoding \"UTF8\"");
            std::str::from_utf8(bytes).map(str::to_string).map_err(error)
        }),
    );
    r.fun(
        "convert_to(text,name)",
        attempt2::<Text, Text, Bytea>(|s, encoding| {
            utf8_only(encoding)?;
            Ok(s.as_bytes().to_vec())
        }),
    );
    r.fun("md5(text)", map1::<Text, Text>(|s| super::digest::md5_hex(s.as_bytes())));
    r.fun("md5(bytea)", map1::<Bytea, Text>(super::digest::md5_hex));
    r.fun("sha224(bytea)", map1::<Bytea, Bytea>(super::digest::sha224));
    r.fun("sha256(bytea)", map1::<Bytea, Bytea>(super::digest::sha256));
    r.fun("sha384(bytea)", map1::<Bytea, Bytea>(super::digest::sha384));
    r.fun("sha512(bytea)", map1::<Bytea, Bytea>(super::digest::sha512));
    r.fun("parse_ident(text,bool)", attempt2::<Text, Bool, List>(super::names::parse_ident));
    let trim = |left: bool, right: bool| {
        map2::<Bytea, Bytea, Bytea>(move |bytes, set| {
            let outside = |b: &u8| !set.contains(b);
            let from = if left { bytes.iter().position(outside).unwrap_or(bytes.len()) } else { 0 };
            let to = if right { bytes.iter().rposition(outside).map_or(from, |at| at + 1) } else { bytes.len() };
            bytes[from..to.max(from)].to_vec()
        })
    };
    r.fun("btrim(bytea,bytea)", trim(true, true));
    r.fun("ltrim(bytea,bytea)", trim(true, false));
    r.fun("rtrim(bytea,bytea)", trim(false, true));
    r.fun(
        "get_byte(bytea,int4)",
        attempt2::<Bytea, Int4, Int4>(|b, n| {
            let found = usize::try_from(n).ok().and_then(|n| b.get(n));
            found.map(|&b| i32::from(b)).ok_or_else(|| {
                PgError::new(SqlState(*b"2202E"), format!("index {n} out of valid range, 0..{}", b.len() as i64 - 1))
            })
        }),
    );
    r.fun("unistr(text)", attempt1::<Text, Text>(unistr));
}

fn utf8_only(encoding: &str) -> PgResult<()> {
    match encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(PgError::unsupported(format!("encoding \"{encoding}\""))),
    }
}

fn unistr(s: &str) -> PgResult<String> {
    let wrong = || PgError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape");
    let mut out = String::with_capacity(s.len());
    let mut rest = s;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (skip, digits) = match after.as_bytes().first() {
            Some(b'\\') => {
                out.push('\\');
                rest = &after[1..];
                continue;
            }
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            Some(b'+') => (1, 6),
            _ => (0, 4),
        };
        let code = after.get(skip..skip + digits).and_then(|h| u32::from_str_radix(h, 16).ok()).ok_or_else(wrong)?;
        out.push(char::from_u32(code).ok_or_else(wrong)?);
        rest = &after[skip + digits..];
    }
    out.push_str(rest);
    Ok(out)
}
