//! json: text that stays as it was written. Parts of a value are spans of its text.

use super::adapt::*;
use super::registry::Registry;
use super::text::invalid;
use crate::types::jsonb::{JsonbRef, from_text, write_json_string};
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::{Array, ArrayRef, StringArray};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Null,
    String,
    Number,
    Bool,
    Array,
    Object,
}

/// What kind of value a valid JSON text is.
pub fn kind(json: &str) -> Kind {
    match json.trim_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

fn spaces(json: &str, at: usize) -> usize {
    json[at..].bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count() + at
}

/// The end of the value that begins at `at`.
fn end_of(json: &str, at: usize) -> usize {
    let bytes = json.as_bytes();
    let mut depth = 0usize;
    let mut i = at;
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'"' => {
                i += 1;
                while let Some(b) = bytes.get(i) {
                    match b {
                        b'\\' => i += 2,
                        b'"' => break,
                        _ => i += 1,
                    }
                }
                i += 1;
                if depth == 0 {
                    return i.min(bytes.len());
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                if depth == 0 {
                    return i;
                }
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' | b':' if depth == 0 => return i,
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

/// The text that a JSON string stands for.
pub fn unquoted(json: &str) -> PgResult<String> {
    let stored = from_text(json.as_bytes())?;
    Ok(JsonbRef::new(&stored).as_str().unwrap_or_default().to_string())
}

/// The elements of an array.
pub fn elements(json: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = spaces(json, spaces(json, 0) + 1);
    while !json[at..].starts_with(']') && at < json.len() {
        let end = end_of(json, at);
        found.push(&json[at..end]);
        at = spaces(json, end);
        if !json[at..].starts_with(',') {
            break;
        }
        at = spaces(json, at + 1);
    }
    found
}

/// The keys of an object, still quoted, and their values.
pub fn members(json: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut at = spaces(json, spaces(json, 0) + 1);
    while json[at..].starts_with('"') {
        let key_end = end_of(json, at);
        let colon = spaces(json, key_end);
        let from = spaces(json, colon + 1);
        let end = end_of(json, from);
        found.push((&json[at..key_end], &json[from..end]));
        at = spaces(json, end);
        if !json[at..].starts_with(',') {
            break;
        }
        at = spaces(json, at + 1);
    }
    found
}

/// A value as text: strings without quotes, null as NULL.
pub fn as_text(json: &str) -> PgResult<Option<String>> {
    match kind(json) {
        Kind::Null => Ok(None),
        Kind::String => unquoted(json).map(Some),
        _ => Ok(Some(json.trim().to_string())),
    }
}

/// Of equal keys the last one counts.
fn field<'a>(json: &'a str, key: &str) -> PgResult<Option<&'a str>> {
    if kind(json) != Kind::Object {
        return Ok(None);
    }
    for (name, value) in members(json).into_iter().rev() {
        if unquoted(name)? == key {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn element(json: &str, index: i64) -> Option<&str> {
    if kind(json) != Kind::Array {
        return None;
    }
    let all = elements(json);
    let at = if index < 0 { index + all.len() as i64 } else { index };
    all.get(usize::try_from(at).ok()?).copied()
}

fn at_path<'a>(json: &'a str, path: &ArrayRef) -> PgResult<Option<&'a str>> {
    let mut at = json;
    for step in downcast::<StringArray>(path)? {
        let Some(step) = step else { return Ok(None) };
        let next = match kind(at) {
            Kind::Object => field(at, step)?,
            Kind::Array => step.trim().parse::<i32>().ok().and_then(|i| element(at, i.into())),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn owned(json: Option<&str>) -> Option<String> {
    json.map(str::to_string)
}

fn text_of(json: Option<&str>) -> PgResult<Option<String>> {
    json.map_or(Ok(None), as_text)
}

fn length(json: &str) -> PgResult<i32> {
    match kind(json) {
        Kind::Array => Ok(elements(json).len() as i32),
        Kind::Object => Err(invalid("cannot get array length of a non-array")),
        _ => Err(invalid("cannot get array length of a scalar")),
    }
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    write_json_string(text.as_bytes(), out);
}

/// Without object members that are null, and without white space.
fn strip_nulls(json: &str, out: &mut Vec<u8>) -> PgResult<()> {
    match kind(json) {
        Kind::Object => {
            out.push(b'{');
            let kept = members(json).into_iter().filter(|(_, v)| kind(v) != Kind::Null);
            for (i, (key, value)) in kept.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                put_string(&unquoted(key)?, out);
                out.push(b':');
                strip_nulls(value, out)?;
            }
            out.push(b'}');
        }
        Kind::Array => {
            out.push(b'[');
            for (i, value) in elements(json).into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                strip_nulls(value, out)?;
            }
            out.push(b']');
        }
        Kind::String => put_string(&unquoted(json)?, out),
        _ => out.extend_from_slice(json.trim().as_bytes()),
    }
    Ok(())
}

/// `json_object(keys, values)` as JSON text.
fn object_of(keys: &ArrayRef, values: &ArrayRef) -> PgResult<String> {
    let (keys, values) = (downcast::<StringArray>(keys)?, downcast::<StringArray>(values)?);
    if keys.len() != values.len() {
        return Err(PgError::new(SqlState(*b"2202E"), "mismatched array dimensions"));
    }
    let mut out = b"{".to_vec();
    for (i, (key, value)) in keys.iter().zip(values).enumerate() {
        let key = key.ok_or_else(|| PgError::new(SqlState(*b"22004"), "null value not allowed for object key"))?;
        if i > 0 {
            out.extend_from_slice(b", ");
        }
        put_string(key, &mut out);
        out.extend_from_slice(b" : ");
        match value {
            Some(value) => put_string(value, &mut out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    String::from_utf8(out).map_err(|_| PgError::internal("JSON is not UTF-8"))
}

/// Keys and values by turns.
fn object_of_pairs(list: &ArrayRef) -> PgResult<String> {
    let all = downcast::<StringArray>(list)?;
    if !all.len().is_multiple_of(2) {
        return Err(PgError::new(SqlState(*b"2202E"), "array must have even number of elements"));
    }
    let every =
        |from: usize| -> ArrayRef { std::sync::Arc::new(all.iter().skip(from).step_by(2).collect::<StringArray>()) };
    object_of(&every(0), &every(1))
}

pub fn declare(r: &mut Registry) {
    type J = Text;
    r.fun("json_object_field(json,text)", maybe2::<J, Text, J>(|j, k| Ok(owned(field(j, k)?))));
    r.fun("json_object_field_text(json,text)", maybe2::<J, Text, Text>(|j, k| text_of(field(j, k)?)));
    r.fun("json_array_element(json,int4)", maybe2::<J, Int4, J>(|j, i| Ok(owned(element(j, i.into())))));
    r.fun("json_array_element_text(json,int4)", maybe2::<J, Int4, Text>(|j, i| text_of(element(j, i.into()))));
    r.fun("json_extract_path(json,_text)", maybe2::<J, List, J>(|j, p| Ok(owned(at_path(j, &p)?))));
    r.fun("json_extract_path_text(json,_text)", maybe2::<J, List, Text>(|j, p| text_of(at_path(j, &p)?)));
    r.fun("json_array_length(json)", attempt1::<J, Int4>(length));
    r.fun(
        "json_typeof(json)",
        map1::<J, Text>(|j| {
            match kind(j) {
                Kind::Null => "null",
                Kind::String => "string",
                Kind::Number => "number",
                Kind::Bool => "boolean",
                Kind::Array => "array",
                Kind::Object => "object",
            }
            .to_string()
        }),
    );
    r.fun(
        "json_strip_nulls(json)",
        attempt1::<J, J>(|j| {
            let mut out = Vec::with_capacity(j.len());
            strip_nulls(j, &mut out)?;
            String::from_utf8(out).map_err(|_| PgError::internal("JSON is not UTF-8"))
        }),
    );
    r.fun("json_object(_text)", attempt1::<List, J>(|l| object_of_pairs(&l)));
    r.fun("json_object(_text,_text)", attempt2::<List, List, J>(|k, v| object_of(&k, &v)));
    r.fun("jsonb_object(_text)", attempt1::<List, JsonbBytes>(|l| from_text(object_of_pairs(&l)?.as_bytes())));
    r.fun(
        "jsonb_object(_text,_text)",
        attempt2::<List, List, JsonbBytes>(|k, v| from_text(object_of(&k, &v)?.as_bytes())),
    );
}
