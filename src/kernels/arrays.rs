//! Arrays: one-dimensional, subscripts from 1. Their functions are polymorphic, so kernels are made for the types of a
//! call.

use super::adapt::*;
use super::facts::ProcRow;
use super::kernel::{Body, Call, ScalarKernel, kernel, no_kernel};
use super::keys::{KeyRows, element_type};
use super::registry::{Registry, nature_of, unique_name};
use super::text::invalid;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, list_of, oid};
use arrow::array::{Array, ArrayRef, Int32Array, ListArray, StringArray, new_empty_array, new_null_array};
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
    let array = declared().find(|(d, _)| is_array_like(**d)).map(|(_, given)| given.clone());
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

fn polymorphic(row: &ProcRow, args: &[ExprType], body: Body) -> PgResult<ScalarKernel> {
    let (args, result) = resolve(row, args)?;
    Ok(kernel(&unique_name(row), nature_of(row), args, result, body))
}

/// The elements of argument `arg` in row `row`; `None` where the array is NULL.
fn elements(call: &Call<'_>, arg: usize, row: usize) -> PgResult<Option<ArrayRef>> {
    let column = &call.args[arg];
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(downcast::<ListArray>(&column.array)?.value(column.at(row))))
}

/// Argument `arg` of row `row` as an array of one.
fn one(call: &Call<'_>, arg: usize, row: usize) -> ArrayRef {
    let column = &call.args[arg];
    column.array.slice(column.at(row), 1)
}

fn concat(parts: &[ArrayRef]) -> PgResult<ArrayRef> {
    let parts: Vec<&dyn Array> = parts.iter().map(|p| p.as_ref()).collect();
    Ok(arrow::compute::concat(&parts)?)
}

fn append(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<List>(call, |i| match elements(call, 0, i)? {
        Some(list) => concat(&[list, one(call, 1, i)]).map(Some),
        None => Ok(Some(one(call, 1, i))),
    })
}

fn prepend(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<List>(call, |i| match elements(call, 1, i)? {
        Some(list) => concat(&[one(call, 0, i), list]).map(Some),
        None => Ok(Some(one(call, 0, i))),
    })
}

fn cat(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<List>(call, |i| match (elements(call, 0, i)?, elements(call, 1, i)?) {
        (Some(a), Some(b)) => concat(&[a, b]).map(Some),
        (a, b) => Ok(a.or(b)),
    })
}

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
        let Some(list) = elements(call, 0, i)? else { return Ok(None) };
        let from = match call.args.get(2) {
            Some(column) if column.is_null(i) => {
                return Err(PgError::new(SqlState(*b"22004"), "initial position must not be null"));
            }
            Some(column) => Int4::column(&column.array)?.value(column.at(i)),
            None => 1,
        };
        let found = matching(call, &keys, &list, &one(call, 1, i))?;
        Ok(found.into_iter().map(|at| at as i32 + 1).find(|at| *at >= from))
    })
}

fn positions(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<List>(call, |i| {
        let Some(list) = elements(call, 0, i)? else { return Ok(None) };
        let found = matching(call, &keys, &list, &one(call, 1, i))?;
        Ok(Some(Arc::new(Int32Array::from_iter_values(found.into_iter().map(|at| at as i32 + 1))) as ArrayRef))
    })
}

fn remove(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<List>(call, |i| {
        let Some(list) = elements(call, 0, i)? else { return Ok(None) };
        let drop = matching(call, &keys, &list, &one(call, 1, i))?;
        let keep: arrow::array::BooleanArray = (0..list.len()).map(|at| Some(!drop.contains(&at))).collect();
        Ok(Some(arrow::compute::filter(&list, &keep)?))
    })
}

fn replace(call: &Call<'_>) -> PgResult<ArrayRef> {
    let keys = element_keys(call)?;
    all_rows::<List>(call, |i| {
        let Some(list) = elements(call, 0, i)? else { return Ok(None) };
        let changed = matching(call, &keys, &list, &one(call, 1, i))?;
        let new = one(call, 2, i);
        let picks: Vec<(usize, usize)> =
            (0..list.len()).map(|at| if changed.contains(&at) { (1, 0) } else { (0, at) }).collect();
        Ok(Some(arrow::compute::interleave(&[list.as_ref(), new.as_ref()], &picks)?))
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

fn length(dimension: i32, list: &ArrayRef) -> Option<i32> {
    (dimension == 1 && !list.is_empty()).then_some(list.len() as i32)
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

fn fill(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<List>(call, |i| {
        let Some(sizes) = elements(call, 1, i)? else {
            return Err(PgError::new(SqlState(*b"22004"), "dimension array or low bound array cannot be null"));
        };
        let sizes = downcast::<Int32Array>(&sizes)?;
        match sizes.len() {
            0 => Ok(Some(new_empty_array(call.args[0].array.data_type()))),
            1 => {
                let count =
                    usize::try_from(sizes.value(0)).map_err(|_| invalid("array size exceeds the maximum allowed"))?;
                let at = Int32Array::from(vec![0; count]);
                Ok(Some(arrow::compute::take(&one(call, 0, i), &at, None)?))
            }
            _ => Err(PgError::unsupported("an array of several dimensions")),
        }
    })
}

/// `ARRAY[…]`: a list of the arguments' values, all of one storage.
pub fn make_array(element: &ExprType, count: usize) -> PgResult<ScalarKernel> {
    let array = oid::array_of(element.pg.oid)
        .ok_or_else(|| PgError::new(SqlState::UNDEFINED_OBJECT, "could not find array type for data type"))?;
    let result =
        ExprType { pg: PgType { oid: array, typmod: element.pg.typmod }, storage: list_of(element.storage.clone()) };
    let body: Body = Arc::new(|call| {
        let empty = match &call.result.storage {
            arrow::datatypes::DataType::List(field) => new_empty_array(field.data_type()),
            other => new_null_array(other, 0),
        };
        all_rows::<List>(call, |i| {
            let parts: Vec<ArrayRef> = (0..call.args.len()).map(|arg| one(call, arg, i)).collect();
            if parts.is_empty() { Ok(Some(Arc::clone(&empty))) } else { concat(&parts).map(Some) }
        })
    });
    let nature = super::kernel::Nature::LENIENT;
    Ok(kernel(&format!("make_array_{count}"), nature, vec![element.clone(); count], result, body))
}

/// `a[i]`: NULL outside the bounds.
pub fn subscript(array: &ExprType) -> PgResult<ScalarKernel> {
    let element = element_type(array).ok_or_else(|| {
        let message = format!(
            "cannot subscript type {} because it does not support subscripting",
            super::type_name(array.pg.oid)
        );
        PgError::new(SqlState::DATATYPE_MISMATCH, message)
    })?;
    // The vectors of the catalogs count from 0.
    let first = if matches!(array.pg.oid, oid::OIDVECTOR | oid::INT2VECTOR) { 0 } else { 1 };
    let body: Body = Arc::new(move |call| {
        let list = downcast::<ListArray>(&call.args[0].array)?;
        let index = Int4::column(&call.args[1].array)?;
        let valid = Valid::of(call);
        let at = |i: usize| -> Option<u32> {
            if !valid.is_valid(i) {
                return None;
            }
            let offsets = &list.offsets()[call.args[0].at(i)..];
            let wanted = i64::from(index.value(call.args[1].at(i))) - first + i64::from(offsets[0]);
            (wanted >= i64::from(offsets[0]) && wanted < i64::from(offsets[1])).then_some(wanted as u32)
        };
        let picks: arrow::array::UInt32Array = (0..call.rows).map(at).collect();
        Ok(arrow::compute::take(list.values(), &picks, None)?)
    });
    let args = vec![array.clone(), ExprType::of(PgType::new(oid::INT4))];
    Ok(kernel("array_subscript", super::kernel::Nature::STRICT, args, element, body))
}

/// `a[low:high]`.
pub fn slice(array: &ExprType) -> PgResult<ScalarKernel> {
    element_type(array).ok_or_else(|| PgError::unsupported("slicing this type"))?;
    let body: Body = Arc::new(move |call| {
        strict_rows::<List>(call, |i| {
            let Some(list) = elements(call, 0, i)? else { return Ok(None) };
            let bound = |arg: usize| -> PgResult<i64> {
                let column = &call.args[arg];
                Ok(i64::from(Int4::column(&column.array)?.value(column.at(i))))
            };
            let (low, high) = (bound(1)?.max(1), bound(2)?.min(list.len() as i64));
            let length = (high - low + 1).max(0) as usize;
            Ok(Some(list.slice((low as usize - 1).min(list.len()), length)))
        })
    });
    let int4 = ExprType::of(PgType::new(oid::INT4));
    let args = vec![array.clone(), int4.clone(), int4];
    Ok(kernel("array_slice", super::kernel::Nature::STRICT, args, array.clone(), body))
}

pub fn declare(r: &mut Registry) {
    r.make(&["array_append(anycompatiblearray,anycompatible)"], |row, args| polymorphic(row, args, Arc::new(append)));
    r.make(&["array_prepend(anycompatible,anycompatiblearray)"], |row, args| polymorphic(row, args, Arc::new(prepend)));
    r.make(&["array_cat(anycompatiblearray,anycompatiblearray)"], |row, args| polymorphic(row, args, Arc::new(cat)));
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
    r.make(&["array_length(anyarray,int4)", "array_upper(anyarray,int4)"], |row, args| {
        let vector = args.first().is_some_and(|a| matches!(a.pg.oid, oid::OIDVECTOR | oid::INT2VECTOR));
        let less = i32::from(vector && row.name == "array_upper");
        polymorphic(row, args, maybe2::<List, Int4, Int4>(move |list, n| Ok(length(n, &list).map(|l| l - less))))
    });
    r.make(&["array_lower(anyarray,int4)"], |row, args| {
        let vector = args.first().is_some_and(|a| matches!(a.pg.oid, oid::OIDVECTOR | oid::INT2VECTOR));
        let first = i32::from(!vector);
        polymorphic(row, args, maybe2::<List, Int4, Int4>(move |list, n| Ok(length(n, &list).map(|_| first))))
    });
    r.make(&["array_ndims(anyarray)"], |row, args| {
        polymorphic(row, args, maybe1::<List, Int4>(|list| Ok((!list.is_empty()).then_some(1))))
    });
    r.make(&["cardinality(anyarray)"], |row, args| {
        polymorphic(row, args, map1::<List, Int4>(|list| list.len() as i32))
    });
    r.make(&["array_dims(anyarray)"], |row, args| {
        polymorphic(
            row,
            args,
            maybe1::<List, Text>(|list| Ok((!list.is_empty()).then(|| format!("[1:{}]", list.len())))),
        )
    });
    r.make(&["trim_array(anyarray,int4)"], |row, args| {
        polymorphic(
            row,
            args,
            attempt2::<List, Int4, List>(|list, n| {
                let drop = usize::try_from(n).ok().filter(|n| *n <= list.len());
                let drop = drop.ok_or_else(|| {
                    let message = format!("number of elements to trim must be between 0 and {}", list.len());
                    PgError::new(SqlState(*b"2202E"), message)
                })?;
                Ok(list.slice(0, list.len() - drop))
            }),
        )
    });
    r.make(&["array_fill(anyelement,_int4)"], |row, args| polymorphic(row, args, Arc::new(fill)));
    r.funs(&["string_to_array(text,text)", "string_to_array(text,text,text)"], Arc::new(string_to_array));
}
