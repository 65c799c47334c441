//! jsonb: reading, testing and changing values, over `types::jsonb`'s form; building them of other values is `tojson`'s.

use super::adapt::*;
use super::kernel::Call;
use super::registry::Registry;
use super::text::invalid;
use crate::types::jsonb::{JsonKind, JsonbBuilder, JsonbRef};
use crate::types::{PgError, PgResult, SqlState};
use arrow::array::{Array, ArrayRef, StringArray};
use std::sync::Arc;

fn owned(value: JsonbRef<'_>) -> Vec<u8> {
    value.bytes().to_vec()
}

fn text_of(value: JsonbRef<'_>) -> Option<String> {
    value.text().map(|t| t.into_owned())
}

fn by_key<'a>(bytes: &'a [u8], key: &str) -> Option<JsonbRef<'a>> {
    let value = JsonbRef::new(bytes);
    if value.kind() == JsonKind::Object { value.get(key) } else { None }
}

fn by_index(bytes: &[u8], index: i32) -> Option<JsonbRef<'_>> {
    let value = JsonbRef::new(bytes);
    if value.kind() == JsonKind::Array { value.index(index.into()) } else { None }
}

/// The steps of a path; `None` where one is NULL.
fn steps(path: &ArrayRef) -> PgResult<Option<Vec<&str>>> {
    Ok(downcast::<StringArray>(path)?.iter().collect())
}

fn one_step<'a>(value: JsonbRef<'a>, step: &str) -> Option<JsonbRef<'a>> {
    match value.kind() {
        JsonKind::Object => value.get(step),
        JsonKind::Array => value.index(step.trim().parse().ok()?),
        _ => None,
    }
}

fn at_path<'a>(bytes: &'a [u8], path: &ArrayRef) -> PgResult<Option<JsonbRef<'a>>> {
    let Some(steps) = steps(path)? else { return Ok(None) };
    Ok(steps.into_iter().try_fold(JsonbRef::new(bytes), one_step))
}

fn has_key(bytes: &[u8], key: &str) -> bool {
    let value = JsonbRef::new(bytes);
    match value.kind() {
        JsonKind::Object => value.get(key).is_some(),
        JsonKind::Array => value.elements().any(|e| e.as_str() == Some(key)),
        JsonKind::String => value.as_str() == Some(key),
        _ => false,
    }
}

fn keys_of(keys: &ArrayRef) -> PgResult<Vec<&str>> {
    Ok(downcast::<StringArray>(keys)?.iter().flatten().collect())
}

fn built(build: impl FnOnce(&mut JsonbBuilder)) -> Vec<u8> {
    let mut out = JsonbBuilder::new();
    build(&mut out);
    out.finish()
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, JsonbRef<'a>)>) -> Vec<u8> {
    built(|out| {
        out.begin_object();
        for (key, value) in pairs {
            out.key(key);
            out.value(value);
        }
        out.end();
    })
}

fn array<'a>(elements: impl Iterator<Item = JsonbRef<'a>>) -> Vec<u8> {
    built(|out| {
        out.begin_array();
        elements.for_each(|e| out.value(e));
        out.end();
    })
}

fn concat(a: &[u8], b: &[u8]) -> PgResult<Vec<u8>> {
    let (left, right) = (JsonbRef::new(a), JsonbRef::new(b));
    let as_elements = |v: JsonbRef<'_>| -> Vec<Vec<u8>> {
        if v.kind() == JsonKind::Array { v.elements().map(owned).collect() } else { vec![owned(v)] }
    };
    Ok(match (left.kind(), right.kind()) {
        // Of equal keys the last one counts.
        (JsonKind::Object, JsonKind::Object) => object(left.pairs().chain(right.pairs())),
        _ => {
            let all: Vec<Vec<u8>> = as_elements(left).into_iter().chain(as_elements(right)).collect();
            array(all.iter().map(|e| JsonbRef::new(e)))
        }
    })
}

fn delete_keys(bytes: &[u8], keys: &[&str]) -> PgResult<Vec<u8>> {
    let value = JsonbRef::new(bytes);
    match value.kind() {
        JsonKind::Object => Ok(object(value.pairs().filter(|(k, _)| !keys.contains(k)))),
        JsonKind::Array => Ok(array(value.elements().filter(|e| !e.as_str().is_some_and(|s| keys.contains(&s))))),
        _ => Err(invalid("cannot delete from scalar")),
    }
}

fn delete_index(bytes: &[u8], index: i32) -> PgResult<Vec<u8>> {
    let value = JsonbRef::new(bytes);
    match value.kind() {
        JsonKind::Array => {
            let index = i64::from(index);
            let drop = if index < 0 { index + value.len() as i64 } else { index };
            Ok(array(value.elements().enumerate().filter(|(i, _)| *i as i64 != drop).map(|(_, e)| e)))
        }
        JsonKind::Object => Err(invalid("cannot delete from object using integer index")),
        _ => Err(invalid("cannot delete from scalar")),
    }
}

/// What `jsonb_set` and its kin do at the end of a path.
#[derive(Clone, Copy)]
enum Change<'a> {
    /// Sets; `true` also where nothing is there yet.
    Set(JsonbRef<'a>, bool),
    /// Inserts; `true` after the place.
    Insert(JsonbRef<'a>, bool),
    Delete,
}

fn path_index(step: &str, position: usize) -> PgResult<i64> {
    step.trim().parse().map_err(|_| {
        let message = format!("path element at position {position} is not an integer: \"{step}\"");
        PgError::new(SqlState::INVALID_TEXT, message)
    })
}

fn change(out: &mut JsonbBuilder, value: JsonbRef<'_>, path: &[&str], depth: usize, how: Change<'_>) -> PgResult<()> {
    let Some((step, rest)) = path.split_first() else {
        out.value(value);
        return Ok(());
    };
    match value.kind() {
        JsonKind::Object => {
            out.begin_object();
            let there = value.get(step).is_some();
            for (key, inner) in value.pairs() {
                if key != *step {
                    out.key(key);
                    out.value(inner);
                    continue;
                }
                match (rest.is_empty(), how) {
                    (false, _) => {
                        out.key(key);
                        change(out, inner, rest, depth + 1, how)?;
                    }
                    (true, Change::Set(new, _)) => {
                        out.key(key);
                        out.value(new);
                    }
                    (true, Change::Insert(..)) => {
                        return Err(invalid("cannot replace existing key")
                            .hint("Try using the function jsonb_set to replace key value."));
                    }
                    (true, Change::Delete) => {}
                }
            }
            if let (false, true, Change::Set(new, true) | Change::Insert(new, _)) = (there, rest.is_empty(), how) {
                out.key(step);
                out.value(new);
            }
            out.end();
        }
        JsonKind::Array => {
            let index = path_index(step, depth + 1)?;
            let length = value.len() as i64;
            let place = if index < 0 { index + length } else { index };
            out.begin_array();
            if let (true, Change::Set(new, true) | Change::Insert(new, _)) = (rest.is_empty() && place < 0, how) {
                out.value(new);
            }
            for (i, inner) in value.elements().enumerate() {
                if i as i64 != place {
                    out.value(inner);
                    continue;
                }
                match (rest.is_empty(), how) {
                    (false, _) => change(out, inner, rest, depth + 1, how)?,
                    (true, Change::Set(new, _)) => out.value(new),
                    (true, Change::Insert(new, after)) => {
                        let (first, second) = if after { (inner, new) } else { (new, inner) };
                        out.value(first);
                        out.value(second);
                    }
                    (true, Change::Delete) => {}
                }
            }
            if let (true, Change::Set(new, true) | Change::Insert(new, _)) = (rest.is_empty() && place >= length, how) {
                out.value(new);
            }
            out.end();
        }
        _ => out.value(value),
    }
    Ok(())
}

fn changed(bytes: &[u8], path: &ArrayRef, how: Change<'_>) -> PgResult<Vec<u8>> {
    let value = JsonbRef::new(bytes);
    let steps = steps(path)?.ok_or_else(|| PgError::new(SqlState(*b"22004"), "path element at position 1 is null"))?;
    if !matches!(value.kind(), JsonKind::Object | JsonKind::Array) {
        return Err(invalid(match how {
            Change::Delete => "cannot delete path in scalar",
            _ => "cannot set path in scalar",
        }));
    }
    let mut out = JsonbBuilder::with_capacity(bytes.len() + 32);
    change(&mut out, value, &steps, 0, how)?;
    Ok(out.finish())
}

fn strip_nulls(out: &mut JsonbBuilder, value: JsonbRef<'_>) {
    match value.kind() {
        JsonKind::Object => {
            out.begin_object();
            for (key, inner) in value.pairs().filter(|(_, v)| !v.is_null()) {
                out.key(key);
                strip_nulls(out, inner);
            }
            out.end();
        }
        JsonKind::Array => {
            out.begin_array();
            value.elements().for_each(|e| strip_nulls(out, e));
            out.end();
        }
        _ => out.value(value),
    }
}

fn pretty(out: &mut Vec<u8>, value: JsonbRef<'_>, depth: usize) {
    let indent = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 4));
    };
    match value.kind() {
        JsonKind::Object => {
            out.push(b'{');
            for (i, (key, inner)) in value.pairs().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                indent(out, depth + 1);
                crate::types::jsonb::write_json_string(key.as_bytes(), out);
                out.extend_from_slice(b": ");
                pretty(out, inner, depth + 1);
            }
            indent(out, depth);
            out.push(b'}');
        }
        JsonKind::Array => {
            out.push(b'[');
            for (i, inner) in value.elements().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                indent(out, depth + 1);
                pretty(out, inner, depth + 1);
            }
            indent(out, depth);
            out.push(b']');
        }
        _ => value.write_text(out),
    }
}

fn number<T>(bytes: &[u8], name: &str, to: impl Fn(crate::types::numeric::Numeric) -> PgResult<T>) -> PgResult<T> {
    let value = JsonbRef::new(bytes);
    match value.as_numeric() {
        Some(number) => to(number?),
        None => Err(cannot_cast(value.kind(), name)),
    }
}

fn cannot_cast(kind: JsonKind, name: &str) -> PgError {
    let what = match kind {
        JsonKind::Null => "null",
        JsonKind::String => "string",
        JsonKind::Number => "numeric",
        JsonKind::Bool => "boolean",
        JsonKind::Array => "array",
        JsonKind::Object => "object",
    };
    invalid(format!("cannot cast jsonb {what} to type {name}"))
}

/// `jsonb_set`, which says what a NULL to set does.
fn set_lax(call: &Call<'_>) -> PgResult<ArrayRef> {
    let (json, new) = (JsonbBytes::column(&call.args[0].array)?, JsonbBytes::column(&call.args[2].array)?);
    let paths = List::column(&call.args[1].array)?;
    let create = Bool::column(&call.args[3].array)?;
    let treatments = Text::column(&call.args[4].array)?;
    all_rows::<JsonbBytes>(call, |row| {
        let null = |arg: usize| call.args[arg].array.is_null(call.args[arg].at(row));
        if null(0) || null(1) || null(3) {
            return Ok(None);
        }
        let treatment = match null(4) {
            true => None,
            false => Some(treatments.value(call.args[4].at(row))),
        };
        let treatment = treatment.ok_or_else(|| {
            let message = "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"";
            invalid(message)
        })?;
        let old = json.value(call.args[0].at(row));
        let path = List::item(&paths, call.args[1].at(row))?;
        let create = create.value(call.args[3].at(row));
        if !null(2) {
            let new = new.value(call.args[2].at(row));
            return changed(old, &path, Change::Set(JsonbRef::new(new), create)).map(Some);
        }
        match treatment {
            "raise_exception" => Err(PgError::new(SqlState::NULL_NOT_ALLOWED, "JSON value must not be null")
                .detail("Exception was raised because null_value_treatment is \"raise_exception\".")
                .hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")),
            "use_json_null" => {
                let null = built(|out| out.null());
                changed(old, &path, Change::Set(JsonbRef::new(&null), create)).map(Some)
            }
            "delete_key" => changed(old, &path, Change::Delete).map(Some),
            "return_target" => Ok(Some(old.to_vec())),
            _ => Err(invalid(
                "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
            )),
        }
    })
}

pub fn declare(r: &mut Registry) {
    type J = JsonbBytes;
    r.funs(&["jsonb_object_field(jsonb,text)"], maybe2::<J, Text, J>(|j, k| Ok(by_key(j, k).map(owned))));
    r.funs(
        &["jsonb_object_field_text(jsonb,text)"],
        maybe2::<J, Text, Text>(|j, k| Ok(by_key(j, k).and_then(text_of))),
    );
    r.fun("jsonb_array_element(jsonb,int4)", maybe2::<J, Int4, J>(|j, i| Ok(by_index(j, i).map(owned))));
    r.fun("jsonb_array_element_text(jsonb,int4)", maybe2::<J, Int4, Text>(|j, i| Ok(by_index(j, i).and_then(text_of))));
    r.funs(&["jsonb_extract_path(jsonb,_text)"], maybe2::<J, List, J>(|j, p| Ok(at_path(j, &p)?.map(owned))));
    r.funs(
        &["jsonb_extract_path_text(jsonb,_text)"],
        maybe2::<J, List, Text>(|j, p| Ok(at_path(j, &p)?.and_then(text_of))),
    );
    r.fun("jsonb_contains(jsonb,jsonb)", map2::<J, J, Bool>(|a, b| JsonbRef::new(a).contains(&JsonbRef::new(b))));
    r.fun("jsonb_contained(jsonb,jsonb)", map2::<J, J, Bool>(|a, b| JsonbRef::new(b).contains(&JsonbRef::new(a))));
    r.fun("jsonb_exists(jsonb,text)", map2::<J, Text, Bool>(has_key));
    r.fun(
        "jsonb_exists_any(jsonb,_text)",
        attempt2::<J, List, Bool>(|j, k| Ok(keys_of(&k)?.into_iter().any(|k| has_key(j, k)))),
    );
    r.fun(
        "jsonb_exists_all(jsonb,_text)",
        attempt2::<J, List, Bool>(|j, k| Ok(keys_of(&k)?.into_iter().all(|k| has_key(j, k)))),
    );
    r.fun("jsonb_concat(jsonb,jsonb)", attempt2::<J, J, J>(concat));
    r.fun("jsonb_delete(jsonb,text)", attempt2::<J, Text, J>(|j, k| delete_keys(j, &[k])));
    r.fun("jsonb_delete(jsonb,_text)", attempt2::<J, List, J>(|j, k| delete_keys(j, &keys_of(&k)?)));
    r.fun("jsonb_delete(jsonb,int4)", attempt2::<J, Int4, J>(delete_index));
    r.fun("jsonb_delete_path(jsonb,_text)", attempt2::<J, List, J>(|j, p| changed(j, &p, Change::Delete)));
    r.fun(
        "jsonb_set(jsonb,_text,jsonb,bool)",
        attempt4::<J, List, J, Bool, J>(|j, p, new, create| changed(j, &p, Change::Set(JsonbRef::new(new), create))),
    );
    r.fun("jsonb_set_lax(jsonb,_text,jsonb,bool,text)", Arc::new(set_lax));
    r.fun(
        "jsonb_insert(jsonb,_text,jsonb,bool)",
        attempt4::<J, List, J, Bool, J>(|j, p, new, after| changed(j, &p, Change::Insert(JsonbRef::new(new), after))),
    );
    r.fun("jsonb_typeof(jsonb)", map1::<J, Text>(|j| JsonbRef::new(j).kind().name().to_string()));
    r.fun(
        "jsonb_array_length(jsonb)",
        attempt1::<J, Int4>(|j| {
            let value = JsonbRef::new(j);
            match value.kind() {
                JsonKind::Array => Ok(value.len() as i32),
                JsonKind::Object => Err(invalid("cannot get array length of a non-array")),
                _ => Err(invalid("cannot get array length of a scalar")),
            }
        }),
    );
    r.fun("jsonb_strip_nulls(jsonb)", map1::<J, J>(|j| built(|out| strip_nulls(out, JsonbRef::new(j)))));
    r.fun(
        "jsonb_pretty(jsonb)",
        map1::<J, Text>(|j| {
            let mut out = Vec::new();
            pretty(&mut out, JsonbRef::new(j), 0);
            String::from_utf8(out).unwrap_or_default()
        }),
    );
    r.fun(
        "bool(jsonb)",
        attempt1::<J, Bool>(|j| {
            let value = JsonbRef::new(j);
            value.as_bool().ok_or_else(|| cannot_cast(value.kind(), "boolean"))
        }),
    );
    r.fun("numeric(jsonb)", attempt1::<J, super::numerics::Num>(|j| number(j, "numeric", Ok)));
    r.fun("int2(jsonb)", attempt1::<J, Int2>(|j| number(j, "smallint", |n| n.to_i16())));
    r.fun("int4(jsonb)", attempt1::<J, Int4>(|j| number(j, "integer", |n| n.to_i32())));
    r.fun("int8(jsonb)", attempt1::<J, Int8>(|j| number(j, "bigint", |n| n.to_i64())));
    r.fun("float4(jsonb)", attempt1::<J, Float4>(|j| number(j, "real", |n| n.to_f32())));
    r.fun("float8(jsonb)", attempt1::<J, Float8>(|j| number(j, "double precision", |n| n.to_f64())));
}
