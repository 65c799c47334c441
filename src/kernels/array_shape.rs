//! Dimensions of arrays: constructors, subscripts, slices, and the functions that look at bounds.

use super::adapt::*;
use super::arrays::{array_at, concat, one, polymorphic};
use super::kernel::{Body, Call, Nature, ScalarKernel, kernel};
use super::keys::element_type;
use super::registry::Registry;
use crate::types::array::{ArrayValue, Arrays, Dimension, Shape, check_dimensions, shaped, shaped_of, subscript_error};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{Array, ArrayRef, Int32Array, UInt32Array, new_empty_array};
use arrow::datatypes::DataType;
use std::sync::Arc;

fn null_error(message: &str) -> PgError {
    PgError::new(SqlState(*b"22004"), message)
}

fn empty_of(ty: &ExprType) -> PgResult<ArrayValue> {
    let element = crate::types::array::element_field(&ty.storage);
    let element = element.ok_or_else(|| PgError::internal("an array has elements"))?;
    Ok(ArrayValue::plain(new_empty_array(element.data_type())))
}

fn cat(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<AnyArray>(call, |i| match (array_at(call, 0, i)?, array_at(call, 1, i)?) {
        (Some(a), Some(b)) => joined(a, b).map(Some),
        (a, b) => Ok(a.or(b)),
    })
}

/// `a || b`: of as many dimensions end to end, or one of them as one more part of the other.
fn joined(a: ArrayValue, b: ArrayValue) -> PgResult<ArrayValue> {
    let failed = |detail: String| subscript_error("cannot concatenate incompatible arrays").detail(detail);
    let (m, n) = (a.shape.dimensions(), b.shape.dimensions());
    if n == 0 {
        return Ok(a);
    }
    if m == 0 {
        return Ok(b);
    }
    let mut dimensions = if m >= n { a.shape.0.clone() } else { b.shape.0.clone() };
    if m == n {
        if a.shape.0[1..] != b.shape.0[1..] {
            let detail = "Arrays with differing element dimensions are not compatible for concatenation.";
            return Err(failed(detail.to_string()));
        }
        dimensions[0].length += b.shape.0[0].length;
    } else if m.abs_diff(n) == 1 {
        let inner = if m < n { &a.shape.0 } else { &b.shape.0 };
        if dimensions[1..] != inner[..] {
            return Err(failed("Arrays with differing dimensions are not compatible for concatenation.".to_string()));
        }
        dimensions[0].length += 1;
    } else {
        let detail = format!("Arrays of {m} and {n} dimensions are not compatible for concatenation.");
        return Err(failed(detail));
    }
    Ok(ArrayValue { elements: concat(&[a.elements, b.elements])?, shape: Shape::new(dimensions)? })
}

/// Several arrays as the parts of one with a dimension more; empty ones only where all are.
pub(super) fn stacked(parts: &[Option<ArrayValue>], empty: ArrayValue) -> PgResult<ArrayValue> {
    let uneven = || subscript_error("multidimensional arrays must have array expressions with matching dimensions");
    let full: Vec<&ArrayValue> = parts.iter().flatten().filter(|p| p.shape.dimensions() > 0).collect();
    let Some(first) = full.first() else { return Ok(empty) };
    check_dimensions(first.shape.dimensions() + 1)?;
    if full.len() < parts.len() || full.iter().any(|p| p.shape != first.shape) {
        return Err(uneven());
    }
    let mut dimensions = vec![Dimension { length: parts.len() as i32, lower: 1 }];
    dimensions.extend_from_slice(&first.shape.0);
    let elements: Vec<ArrayRef> = full.iter().map(|p| Arc::clone(&p.elements)).collect();
    Ok(ArrayValue { elements: concat(&elements)?, shape: Shape::new(dimensions)? })
}

/// `ARRAY[a, b, …]` of `count` arrays of one type.
pub fn make_stacked(array: &ExprType, count: usize) -> PgResult<ScalarKernel> {
    let storage = shaped(&array.storage).ok_or_else(|| PgError::internal("arrays are stacked"))?;
    let result = ExprType { pg: array.pg, storage };
    let body: Body = Arc::new(|call| {
        all_rows::<AnyArray>(call, |i| {
            let parts = (0..call.args.len()).map(|arg| array_at(call, arg, i)).collect::<PgResult<Vec<_>>>()?;
            stacked(&parts, empty_of(call.result)?).map(Some)
        })
    });
    Ok(kernel(&format!("array_of_arrays_{count}"), Nature::LENIENT, vec![array.clone(); count], result, body))
}

/// The elements of an array of any shape, one after the other, in the plain form.
pub fn flat(array: &ExprType) -> PgResult<ScalarKernel> {
    let element = element_type(array).ok_or_else(|| PgError::internal("an array has elements"))?;
    let result = ExprType { pg: array.pg, storage: crate::types::list_of(element.storage) };
    let body: Body = Arc::new(|call| {
        let column = &call.args[0];
        let lists: ArrayRef = Arc::new(Arrays::new(column.array.as_ref())?.lists()?);
        match column.constant && call.rows != 1 {
            false => Ok(lists),
            true => Ok(arrow::compute::take(&lists, &UInt32Array::from(vec![0; call.rows]), None)?),
        }
    });
    Ok(kernel("array_elements", Nature::STRICT, vec![array.clone()], result, body))
}

fn subscripts_of(call: &Call<'_>, args: std::ops::Range<usize>, row: usize) -> PgResult<Vec<i32>> {
    args.map(|arg| Ok(Int4::column(&call.args[arg].array)?.value(call.args[arg].at(row)))).collect()
}

/// `a[i][j]…` with `count` subscripts: NULL outside the bounds or for another number of dimensions.
pub fn element(array: &ExprType, count: usize) -> PgResult<ScalarKernel> {
    let element = element_type(array).ok_or_else(|| PgError::internal("an array has elements"))?;
    let body: Body = Arc::new(|call| {
        let arrays = Arrays::new(call.args[0].array.as_ref())?;
        let valid = Valid::of(call);
        let mut picks: Vec<Option<u32>> = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            if !valid.is_valid(row) {
                picks.push(None);
                continue;
            }
            let at = call.args[0].at(row);
            let shape = arrays.shape(at);
            let wanted = subscripts_of(call, 1..call.args.len(), row)?;
            let mut place = (shape.dimensions() == wanted.len()).then_some(0i64);
            for (d, index) in shape.0.iter().zip(&wanted) {
                let offset = i64::from(*index) - i64::from(d.lower);
                place = place.filter(|_| (0..i64::from(d.length)).contains(&offset));
                place = place.map(|p| p * i64::from(d.length) + offset);
            }
            picks.push(place.map(|p| (arrays.range(at).start as i64 + p) as u32));
        }
        Ok(arrow::compute::take(arrays.list.values(), &UInt32Array::from(picks), None)?)
    });
    let mut args = vec![array.clone()];
    args.extend(std::iter::repeat_n(ExprType::of(PgType::new(oid::INT4)), count));
    Ok(kernel(&format!("array_subscript_{count}"), Nature::STRICT, args, element, body))
}

/// `a[low:high]…`, for each dimension a lower and an upper bound; `open` says which of these the array's own stands for.
pub fn slice(array: &ExprType, open: &[(bool, bool)]) -> PgResult<ScalarKernel> {
    let name = open.iter().map(|(l, h)| format!("_{}{}", u8::from(*l), u8::from(*h))).collect::<String>();
    let open = open.to_vec();
    let body: Body = Arc::new(move |call| {
        strict_rows::<AnyArray>(call, |i| {
            let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
            let bounds = subscripts_of(call, 1..call.args.len(), i)?;
            let asked = open
                .iter()
                .zip(bounds.chunks(2))
                .map(|((low, high), given)| ((!low).then_some(given[0]), (!high).then_some(given[1])));
            sliced(array, &asked.collect::<Vec<_>>(), call.result).map(Some)
        })
    });
    let mut args = vec![array.clone()];
    args.extend(std::iter::repeat_n(ExprType::of(PgType::new(oid::INT4)), name.len() / 3 * 2));
    Ok(kernel(&format!("array_slice{name}"), Nature::STRICT, args, array.clone(), body))
}

/// The part of an array within bounds; its subscripts begin at 1.
fn sliced(array: ArrayValue, bounds: &[(Option<i32>, Option<i32>)], ty: &ExprType) -> PgResult<ArrayValue> {
    if array.shape.dimensions() < bounds.len() || array.shape.dimensions() == 0 {
        return empty_of(ty);
    }
    // Within each dimension: the first place taken, and how many.
    let mut taken = Vec::with_capacity(array.shape.dimensions());
    for (i, d) in array.shape.0.iter().enumerate() {
        let (low, high) = bounds.get(i).copied().unwrap_or((None, None));
        let low = low.map_or(d.lower, |l| l.max(d.lower));
        let high = high.map_or(d.upper(), |h| h.min(d.upper()));
        if low > high {
            return empty_of(ty);
        }
        taken.push(((low - d.lower) as usize, (high - low + 1) as usize));
    }
    let dimensions = taken.iter().map(|(_, n)| Dimension { length: *n as i32, lower: 1 }).collect();
    let shape = Shape::new(dimensions)?;
    if let [(from, count)] = taken.as_slice() {
        return Ok(ArrayValue { elements: array.elements.slice(*from, *count), shape });
    }
    let mut places = vec![0usize];
    for (d, (from, count)) in array.shape.0.iter().zip(&taken) {
        let inner =
            |place: &usize| (*from..from + count).map(move |n| n + place * d.length as usize).collect::<Vec<_>>();
        places = places.iter().flat_map(inner).collect();
    }
    let places = UInt32Array::from_iter_values(places.into_iter().map(|p| p as u32));
    Ok(ArrayValue { elements: arrow::compute::take(&array.elements, &places, None)?, shape })
}

/// `array_fill(value, lengths, lower bounds)`
fn fill(call: &Call<'_>) -> PgResult<ArrayRef> {
    all_rows::<AnyArray>(call, |i| {
        let bounds = |arg: usize| -> PgResult<Vec<i32>> {
            let list = array_at(call, arg, i)?;
            let list = list.ok_or_else(|| null_error("dimension array or low bound array cannot be null"))?;
            if list.shape.dimensions() > 1 {
                let what = if arg == 1 { "Dimension" } else { "Low bound" };
                let error = subscript_error("wrong number of array subscripts");
                return Err(error.detail(format!("{what} array must be one dimensional.")));
            }
            if list.elements.null_count() > 0 {
                return Err(null_error("dimension values cannot be null"));
            }
            Ok(downcast::<Int32Array>(&list.elements)?.values().to_vec())
        };
        let lengths = bounds(1)?;
        let lowers = if call.args.len() > 2 { bounds(2)? } else { vec![1; lengths.len()] };
        if lowers.len() != lengths.len() {
            let error = subscript_error("wrong number of array subscripts");
            return Err(error.detail("Low bound array has different size than dimensions array."));
        }
        let dimensions = lengths.iter().zip(lowers).map(|(length, lower)| Dimension { length: *length, lower });
        let shape = Shape::new(dimensions.collect())?;
        let places = UInt32Array::from(vec![0; shape.elements()]);
        Ok(Some(ArrayValue { elements: arrow::compute::take(&one(call, 0, i), &places, None)?, shape }))
    })
}

fn dimension(shape: &Shape, n: i32) -> Option<Dimension> {
    shape.0.get(usize::try_from(n).ok()?.checked_sub(1)?).copied()
}

/// A function of one dimension; the vectors of the catalogs count from 0.
fn of_dimension(r: &mut Registry, signature: &'static str) {
    r.make(&[signature], |row, args| {
        let vector = args.first().is_some_and(|a| matches!(a.pg.oid, oid::OIDVECTOR | oid::INT2VECTOR));
        let less = i32::from(vector);
        let value: fn(Dimension, i32) -> i32 = match row.name {
            "array_length" => |d, _| d.length,
            "array_upper" => |d, less| d.upper() - less,
            _ => |d, less| d.lower - less,
        };
        let body =
            maybe2::<AnyArray, Int4, Int4>(move |array, n| Ok(dimension(&array.shape, n).map(|d| value(d, less))));
        polymorphic(row, args, body)
    });
}

pub fn declare(r: &mut Registry) {
    r.make(&["array_cat(anycompatiblearray,anycompatiblearray)"], |row, args| polymorphic(row, args, Arc::new(cat)));
    of_dimension(r, "array_length(anyarray,int4)");
    of_dimension(r, "array_upper(anyarray,int4)");
    of_dimension(r, "array_lower(anyarray,int4)");
    r.make(&["array_ndims(anyarray)"], |row, args| {
        let count = |n: usize| (n > 0).then_some(n as i32);
        polymorphic(row, args, maybe1::<AnyArray, Int4>(move |array| Ok(count(array.shape.dimensions()))))
    });
    r.make(&["cardinality(anyarray)"], |row, args| {
        polymorphic(row, args, map1::<List, Int4>(|list| list.len() as i32))
    });
    r.make(&["array_dims(anyarray)"], |row, args| {
        let bounds = |shape: &Shape| (shape.dimensions() > 0).then(|| shape.bounds());
        polymorphic(row, args, maybe1::<AnyArray, Text>(move |array| Ok(bounds(&array.shape))))
    });
    r.make(&["trim_array(anyarray,int4)"], |row, args| {
        let body: Body = Arc::new(|call| {
            strict_rows::<AnyArray>(call, |i| {
                let Some(array) = array_at(call, 0, i)? else { return Ok(None) };
                let n = Int4::column(&call.args[1].array)?.value(call.args[1].at(i));
                let first = array.shape.0.first().copied();
                let length = first.map_or(0, |d| d.length);
                if !(0..=length).contains(&n) {
                    let message = format!("number of elements to trim must be between 0 and {length}");
                    return Err(PgError::new(SqlState(*b"2202E"), message));
                }
                let upper = first.map(|d| d.upper() - n);
                sliced(array, &[(None, upper)], call.result).map(Some)
            })
        });
        polymorphic(row, args, body)
    });
    r.make(&["array_fill(anyelement,_int4)", "array_fill(anyelement,_int4,_int4)"], |row, args| {
        let mut made = polymorphic(row, args, Arc::new(fill))?;
        let element = &args.first().ok_or_else(|| PgError::internal("array_fill of nothing"))?.storage;
        let result = ExprType { storage: shaped_of(element.clone()), ..made.result };
        let bounds = ExprType {
            pg: PgType::new(oid::array_of(oid::INT4).unwrap_or(oid::ANYARRAY)),
            storage: shaped_of(DataType::Int32),
        };
        let mut types = vec![args[0].clone()];
        types.extend(std::iter::repeat_n(bounds, args.len() - 1));
        made =
            kernel(&super::registry::unique_name(row), super::registry::nature_of(row), types, result, Arc::new(fill));
        Ok(made)
    });
}
