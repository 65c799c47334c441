//! Functions of arrays. They are polymorphic, so kernels are made for the types of a call. Dimensions, subscripts and
//! slices are in [`super::array_shape`].

use super::adapt::*;
use super::facts::ProcRow;
use super::kernel::{Body, Call, ScalarKernel, kernel, no_kernel};
use super::keys::{KeyRows, element_type};
use super::registry::{Registry, nature_of, unique_name};
use crate::types::array::{ArrayValue, Arrays, Dimension, Shape, is_shaped, shaped};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, list_of, oid};
use arrow::array::{Array, ArrayRef, Int32Array, StringArray};
use std::sync::Arc;

fn is_array_like(oid: Oid) -> bool {
    matches!(oid, oid::ANYARRAY | oid::ANYCOMPATIBLEARRAY)
}

fn is_element_like(oid: Oid) -> bool {
    matches!(oid, oid::ANYELEMENT | oid::ANYCOMPATIBLE | oid::ANYNONARRAY | oid::ANYCOMPATIBLENONARRAY)
}

/// The types that a polymorphic call means: arrays keep their storage, elements take that of the array.
fn resolve(row: &ProcRow, args: &[ExprType]) -> PgResult<(Vec<ExprType>, ExprType)> {
    let unresolved = || no_kernel(row.name, args);
    let declared = || row.args.iter().zip(args);
    let arrays = || declared().filter(|(d, _)| is_array_like(**d)).map(|(_, given)| given);
    let array = arrays().next().map(|first| match arrays().any(|a| is_shaped(&a.storage)) {
        true => ExprType { pg: first.pg, storage: shaped(&first.storage).unwrap_or_else(|| first.storage.clone()) },
        false => first.clone(),
    });
    let element = match &array {
        Some(array) => element_type(array).ok_or_else(unresolved)?,
        None => declared().find(|(d, _)| is_element_like(**d)).map(|(_, g)| g.clone()).ok_or_else(unresolved)?,
    };
    let array = match array {
        Some(array) => array,
        None => ExprType {
            pg: PgType::new(oid::array_of(element.pg.oid).ok_or_else(unresolved)?),
            storage: list_of(element.storage.clone()),
        },
    };
    let of = |declared: Oid| match declared {
        d if is_array_like(d) => array.clone(),
        d if is_element_like(d) => element.clone(),
        d => ExprType::of(PgType::new(d)),
    };
    Ok((row.args.iter().map(|d| of(*d)).collect(), of(row.result)))
}

pub(super) fn polymorphic(row: &ProcRow, args: &[ExprType], body: Body) -> PgResult<ScalarKernel> {
    let (args, result) = resolve(row, args)?;
    Ok(kernel(&unique_name(row), nature_of(row), args, result, body))
}

/// The array of argument `arg` in row `row`; `None` where it is NULL.
pub(super) fn array_at(call: &Call<'_>, arg: usize, row: usize) -> PgResult<Option<ArrayValue>> {
    let column = &call.args[arg];
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(Arrays::new(column.array.as_ref())?.value(column.at(row))))
}

/// As [`array_at`], only the elements.
fn elements(call: &Call<'_>, arg: usize, row: usize) -> PgResult<Option<ArrayRef>> {
    let column = &call.args[arg];
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(List::column(&column.array)?.value(column.at(row))))
}

/// Argument `arg` of row `row` as an array of one.
pub(super) fn one(call: &Call<'_>, arg: usize, row: usize) -> ArrayRef {
    let column = &call.args[arg];
    column.array.slice(column.at(row), 1)
}

pub(super) fn concat(parts: &[ArrayRef]) -> PgResult<ArrayRef> {
    let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
    Ok(arrow::compute::concat(&parts)?)
}

/// The array with one more element at its end or, with `before`, at its beginning; the first subscript stays.
fn extended(array: Option<ArrayValue>, item: ArrayRef, before: bool) -> PgResult<ArrayValue> {
    let Some(array) = array.filter(|a| a.shape.dimensions() > 0) else { return Ok(ArrayValue::plain(item)) };
    let [one] = array.shape.0.as_slice() else {
        return Err(PgError::new(SqlState(*b"22000"), "argument must be empty or one-dimensional array"));
    };
    let one = Dimension { length: one.length + 1, lower: one.lower };
    if one.lower.checked_add(one.length).is_none() {
        return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, "integer out of range"));
    }
    let elements = if before { concat(&[item, array.elements])? } else { concat(&[array.elements, item])? };
    Ok(ArrayValue { elements, shape: Shape(vec![one]) })
}

fn append(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<AnyArray>(call, |i| extended(array_at(call, 0, i)?, one(call, 1, i), false).map(Some))
}

fn prepend(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<AnyArray>(call, |i| extended(array_at(call, 1, i)?, one(call, 0, i), true).map(Some))
}

/// `0A000` for functions that look for elements in more than one dimension.
fn one_dimension(array: &ArrayValue, doing: &str) -> PgResult<()> {
    if array.shape.dimensions() <= 1 {
        return Ok(());
    }
    let message = format!("{doing} multidimensional arrays is not supported");
    Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
}

const SEARCHING: &str = "searching for elements in";

/// Positions of the elements that are equal to, or like it NULL as, the one sought.
fn matching(call: &Call<'_>, keys: &KeyRows, list: &ArrayRef, sought: &ArrayRef) -> PgResult<Vec<usize>> {
    debug_assert!(!call.args.is_empty());
    let (rows, wanted) = (keys.rows(list)?, keys.rows(sought)?);
    Ok((0..list.len()).filter(|&i| rows.row(i) == wanted.row(0)).collect())
}

fn element_keys(call: &Call<'_>) -> PgResult<KeyRows> {
    let element = call.arg_types.iter().find_map(element_type);
    KeyRows::new(&element.ok_or_else(|| PgError::internal("an array function without an array"))?)
}

fn position(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<Int4>(call, |i| {
        let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
        one_dimension(&array, SEARCHING)?;
        let Some(first) = array.shape.0.first().map(|d| d.lower) else { return Ok(None) };
        let from = match call.args.get(2) {
            Some(column) if column.is_null(i) => {
                return Err(PgError::new(SqlState(*b"22004"), "initial position must not be null"));
            }
            Some(column) => Int4::column(&column.array)?.value(column.at(i)),
            None => first,
        };
        let found = matching(call, &keys, &array.elements, &one(call, 1, i))?;
        Ok(found.into_iter().map(|at| first.wrapping_add(at as i32)).find(|at| *at >= from))
    })
}

fn positions(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<List>(call, |i| {
        let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
        one_dimension(&array, SEARCHING)?;
        let first = array.shape.0.first().map_or(1, |d| d.lower);
        let found = matching(call, &keys, &array.elements, &one(call, 1, i))?;
        let found = found.into_iter().map(|at| first.wrapping_add(at as i32));
        Ok(Some(Arc::new(Int32Array::from_iter_values(found)) as ArrayRef))
    })
}

fn remove(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<AnyArray>(call, |i| {
        let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
        one_dimension(&array, "removing elements from")?;
        let drop = matching(call, &keys, &array.elements, &one(call, 1, i))?;
        let keep: arrow::array::BooleanArray = (0..array.elements.len()).map(|at| Some(!drop.contains(&at))).collect();
        let elements = arrow::compute::filter(&array.elements, &keep)?;
        let lower = array.shape.0.first().map_or(1, |d| d.lower);
        let shape = Shape::new(vec![Dimension { length: elements.len() as i32, lower }])?;
        Ok(Some(ArrayValue { elements, shape }))
    })
}

fn replace(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<AnyArray>(call, |i| {
        let Some(ArrayValue { elements, shape }) = array_at(call, 0, i)? else { return Ok(None) };
        let changed = matching(call, &keys, &elements, &one(call, 1, i))?;
        let new = one(call, 2, i);
        let picks: Vec<(usize, usize)> =
            (0..elements.len()).map(|at| if changed.contains(&at) { (1, 0) } else { (0, at) }).collect();
        let elements = arrow::compute::interleave(&[elements.as_ref(), new.as_ref()], &picks)?;
        Ok(Some(ArrayValue { elements, shape }))
    })
}

/// `@>`, `<@` and `&&`: NULL elements match nothing.
fn sets(test: fn(&[bool]) -> bool, contained: usize) -> Body {
    Arc::new(move |call| {
        let keys = element_keys(call)?;
        let container = 1 - contained;
        strict_rows::<Bool>(call, |i| {
            let (Some(outer), Some(inner)) = (elements(call, container, i)?, elements(call, contained, i)?) else {
                return Ok(None);
            };
            let (o, n) = (keys.rows(&outer)?, keys.rows(&inner)?);
            let held =
                |at: usize| !inner.is_null(at) && (0..outer.len()).any(|k| !outer.is_null(k) && o.row(k) == n.row(at));
            let held: Vec<bool> = (0..inner.len()).map(held).collect();
            Ok(Some(test(&held)))
        })
    })
}

fn text_parts(s: &str, delimiter: Option<&str>, null: Option<&str>) -> ArrayRef {
    let parts: Vec<String> = match delimiter {
        _ if s.is_empty() => Vec::new(),
        None => s.chars().map(String::from).collect(),
        Some("") => vec![s.to_string()],
        Some(delimiter) => s.split(delimiter).map(str::to_string).collect(),
    };
    let parts = parts.into_iter().map(|p| if Some(p.as_str()) == null { None } else { Some(p) });
    Arc::new(parts.collect::<StringArray>())
}

/// The pieces of `string_to_array` and `string_to_table`, for one row of their arguments.
pub fn string_parts(args: &[ArrayRef], row: usize) -> PgResult<Option<ArrayRef>> {
    let at = |arg: usize| -> PgResult<Option<&str>> {
        let Some(array) = args.get(arg) else { return Ok(None) };
        Ok((!array.is_null(row)).then(|| Text::column(array)).transpose()?.map(|c| c.value(row)))
    };
    at(0)?.map(|s| Ok(text_parts(s, at(1)?, at(2)?))).transpose()
}

fn string_to_array(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<List>(call, |i| {
        let at: Vec<ArrayRef> = (0..call.args.len()).map(|arg| one(call, arg, i)).collect();
        string_parts(&at, 0)
    })
}

/// How many thresholds are not above the value.
fn bucket(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    strict_rows::<Int4>(call, |i| {
        let Some(array) = array_at(call, 1, i)? else { return Ok(None) };
        if array.shape.dimensions() > 1 {
            return Err(crate::types::array::subscript_error("thresholds must be one-dimensional array"));
        }
        if array.elements.null_count() > 0 {
            return Err(PgError::new(SqlState(*b"22004"), "thresholds array must not contain NULLs"));
        }
        let (thresholds, value) = (keys.rows(&array.elements)?, keys.rows(&one(call, 0, i))?);
        let (mut low, mut high) = (0, array.elements.len());
        while low < high {
            let middle = (low + high) / 2;
            if value.row(0) < thresholds.row(middle) { high = middle } else { low = middle + 1 }
        }
        Ok(Some(low as i32))
    })
}

pub fn declare(r: &mut Registry) {
    r.make(&["width_bucket(anycompatible,anycompatiblearray)"], |row, args| polymorphic(row, args, Arc::new(bucket)));
    r.make(&["array_append(anycompatiblearray,anycompatible)"], |row, args| polymorphic(row, args, Arc::new(append)));
    r.make(&["array_prepend(anycompatible,anycompatiblearray)"], |row, args| polymorphic(row, args, Arc::new(prepend)));
    r.make(
        &["array_position(anycompatiblearray,anycompatible)", "array_position(anycompatiblearray,anycompatible,int4)"],
        |row, args| polymorphic(row, args, Arc::new(position)),
    );
    r.make(&["array_positions(anycompatiblearray,anycompatible)"], |row, args| {
        polymorphic(row, args, Arc::new(positions))
    });
    r.make(&["array_remove(anycompatiblearray,anycompatible)"], |row, args| polymorphic(row, args, Arc::new(remove)));
    r.make(&["array_replace(anycompatiblearray,anycompatible,anycompatible)"], |row, args| {
        polymorphic(row, args, Arc::new(replace))
    });
    r.make(&["arraycontains(anyarray,anyarray)"], |row, args| {
        polymorphic(row, args, sets(|held| held.iter().all(|h| *h), 1))
    });
    r.make(&["arraycontained(anyarray,anyarray)"], |row, args| {
        polymorphic(row, args, sets(|held| held.iter().all(|h| *h), 0))
    });
    r.make(&["arrayoverlap(anyarray,anyarray)"], |row, args| {
        polymorphic(row, args, sets(|held| held.iter().any(|h| *h), 1))
    });
    r.funs(&["string_to_array(text,text)", "string_to_array(text,text,text)"], Arc::new(string_to_array));
}
