//! Aggregates of all rows at once: lists, strings, JSON, ordered sets.

use super::AggregateKernel;
use super::gather::Whole;
use super::udaf::{Plan, make};
use crate::kernels::adapt::{AnyArray, Bytea, Kind, Text, downcast};
use crate::kernels::facts::ProcRow;
use crate::kernels::kernel::no_kernel;
use crate::kernels::keys::KeyRows;
use crate::kernels::registry::unique_name;
use crate::kernels::tojson::{aggregate_array, aggregate_object};
use crate::types::array::{ArrayValue, Arrays, Dimension, Shape, shaped, subscript_error};
use crate::types::range::RangeType;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, list_of, oid};
use arrow::array::*;
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use std::sync::Arc;

fn string_agg(rows: &[ArrayRef]) -> PgResult<ScalarValue> {
    let (values, delimiters) = (Text::column(&rows[0])?, Text::column(&rows[1])?);
    let mut out: Option<String> = None;
    for (i, value) in values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v))) {
        match &mut out {
            None => out = Some(value.to_string()),
            Some(text) => {
                // The delimiter of a row comes before its value.
                if delimiters.is_valid(i) {
                    text.push_str(delimiters.value(i));
                }
                text.push_str(value);
            }
        }
    }
    Ok(ScalarValue::Utf8(out))
}

fn bytes_agg(rows: &[ArrayRef]) -> PgResult<ScalarValue> {
    let (values, delimiters) = (Bytea::column(&rows[0])?, Bytea::column(&rows[1])?);
    let mut out: Option<Vec<u8>> = None;
    for (i, value) in values.iter().enumerate().filter_map(|(i, v)| v.map(|v| (i, v))) {
        match &mut out {
            None => out = Some(value.to_vec()),
            Some(bytes) => {
                if delimiters.is_valid(i) {
                    bytes.extend_from_slice(delimiters.value(i));
                }
                bytes.extend_from_slice(value);
            }
        }
    }
    Ok(ScalarValue::Binary(out))
}

/// NULL for no rows; NULL elements are kept.
fn array_agg(rows: &[ArrayRef], element: &ExprType) -> PgResult<ScalarValue> {
    if rows[0].is_empty() {
        return Ok(ScalarValue::try_from(&list_of(element.storage.clone()))?);
    }
    Ok(SingleRowListArrayBuilder::new(Arc::clone(&rows[0])).with_nullable(true).build_list_scalar())
}

/// Arrays as the parts of one with a dimension more; NULL for no rows.
fn arrays_agg(rows: &[ArrayRef], result: &ExprType) -> PgResult<ScalarValue> {
    let arrays = Arrays::new(rows[0].as_ref())?;
    let uneven = |message: &str| Err(subscript_error(message));
    let mut parts: Vec<ArrayValue> = Vec::with_capacity(arrays.len());
    for row in 0..arrays.len() {
        if arrays.is_null(row) {
            return Err(PgError::new(SqlState(*b"22004"), "cannot accumulate null arrays"));
        }
        let part = arrays.value(row);
        match parts.first() {
            _ if part.shape.dimensions() == 0 => return uneven("cannot accumulate empty arrays"),
            Some(first) if first.shape != part.shape => {
                return uneven("cannot accumulate arrays of different dimensionality");
            }
            _ => parts.push(part),
        }
    }
    let Some(first) = parts.first() else { return Ok(ScalarValue::try_from(&result.storage)?) };
    let mut dimensions = vec![Dimension { length: parts.len() as i32, lower: 1 }];
    dimensions.extend_from_slice(&first.shape.0);
    let elements: Vec<&dyn Array> = parts.iter().map(|p| p.elements.as_ref()).collect();
    let value = ArrayValue { elements: arrow::compute::concat(&elements)?, shape: Shape::new(dimensions)? };
    let mut builder = AnyArray::builder(1, &result.storage);
    AnyArray::push(&mut builder, Some(value))?;
    Ok(ScalarValue::try_from_array(&AnyArray::finish(builder), 0)?)
}

fn fraction(rows: &[ArrayRef]) -> PgResult<Option<f64>> {
    let fractions = downcast::<Float64Array>(&rows[0])?;
    let Some(fraction) = fractions.iter().next().flatten() else { return Ok(None) };
    if !(0.0..=1.0).contains(&fraction) {
        let message = format!("percentile value {fraction} is not between 0 and 1");
        return Err(PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, message));
    }
    Ok(Some(fraction))
}

fn without_nulls(values: &ArrayRef) -> PgResult<ArrayRef> {
    Ok(arrow::compute::filter(values, &arrow::compute::is_not_null(values)?)?)
}

fn percentile_cont(rows: &[ArrayRef]) -> PgResult<ScalarValue> {
    let values = without_nulls(&rows[1])?;
    let values = downcast::<Float64Array>(&values)?;
    let Some(fraction) = fraction(rows)?.filter(|_| !values.is_empty()) else { return Ok(ScalarValue::Float64(None)) };
    let at = fraction * (values.len() - 1) as f64;
    let (low, high) = (values.value(at.floor() as usize), values.value(at.ceil() as usize));
    let value = if at.floor() == at.ceil() { low } else { low + (at - at.floor()) * (high - low) };
    Ok(ScalarValue::Float64(Some(value)))
}

fn percentile_disc(rows: &[ArrayRef]) -> PgResult<ScalarValue> {
    let values = without_nulls(&rows[1])?;
    let empty = ScalarValue::try_from(values.data_type())?;
    let Some(fraction) = fraction(rows)?.filter(|_| !values.is_empty()) else { return Ok(empty) };
    let at = ((fraction * values.len() as f64).ceil() as usize).max(1) - 1;
    Ok(ScalarValue::try_from_array(&values, at)?)
}

/// A percentile for each of an array of fractions.
fn each_fraction(rows: &[ArrayRef], one: fn(&[ArrayRef]) -> PgResult<ScalarValue>) -> PgResult<ScalarValue> {
    let lists = downcast::<ListArray>(&rows[0])?;
    let element = rows[1].data_type().clone();
    if lists.is_empty() || lists.is_null(0) || without_nulls(&rows[1])?.is_empty() {
        return Ok(ScalarValue::try_from(&list_of(element))?);
    }
    let fractions = lists.value(0);
    let mut values = Vec::with_capacity(fractions.len());
    for i in 0..fractions.len() {
        values.push(one(&[fractions.slice(i, 1), Arc::clone(&rows[1])])?);
    }
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &element)))
}

/// The most frequent value; of several the first in order.
fn mode(rows: &[ArrayRef], ty: &ExprType) -> PgResult<ScalarValue> {
    let values = without_nulls(&rows[0])?;
    if values.is_empty() {
        return Ok(ScalarValue::try_from(values.data_type())?);
    }
    let keys = KeyRows::new(ty)?.rows(&values)?;
    let (mut best, mut best_count) = (0, 0);
    let mut start = 0;
    for i in 1..=values.len() {
        if i == values.len() || keys.row(i) != keys.row(start) {
            if i - start > best_count {
                (best, best_count) = (start, i - start);
            }
            start = i;
        }
    }
    Ok(ScalarValue::try_from_array(&values, best)?)
}

fn json_value(value: Option<Vec<u8>>, target: Oid) -> PgResult<ScalarValue> {
    if target == oid::JSONB {
        return Ok(ScalarValue::LargeBinary(value));
    }
    let text = value.map(String::from_utf8).transpose();
    text.map(ScalarValue::Utf8).map_err(|_| PgError::internal("JSON is not UTF-8"))
}

pub fn collect(row: &ProcRow, args: &[ExprType]) -> PgResult<AggregateKernel> {
    let own = |ty| ExprType::of(PgType::new(ty));
    let (args, result, finish): (Vec<ExprType>, ExprType, Whole) = match (row.name, args) {
        ("string_agg", [value, _]) if value.pg.oid == oid::BYTEA => {
            (vec![own(oid::BYTEA); 2], own(oid::BYTEA), Arc::new(bytes_agg))
        }
        ("string_agg", [_, _]) => (vec![own(oid::TEXT); 2], own(oid::TEXT), Arc::new(string_agg)),
        ("array_agg", [array]) if oid::array_element(array.pg.oid).is_some() => {
            let storage = shaped(&array.storage).ok_or_else(|| no_kernel(row.name, args))?;
            let result = ExprType { pg: array.pg, storage };
            let made = result.clone();
            (args.to_vec(), result, Arc::new(move |rows| arrays_agg(rows, &made)))
        }
        ("array_agg", [element]) => {
            let array = oid::array_of(element.pg.oid).filter(|_| oid::array_element(element.pg.oid).is_none());
            let array = array.ok_or_else(|| no_kernel(row.name, args))?;
            let pg = PgType { oid: array, typmod: element.pg.typmod };
            let result = ExprType { pg, storage: list_of(element.storage.clone()) };
            let element = element.clone();
            (args.to_vec(), result, Arc::new(move |rows| array_agg(rows, &element)))
        }
        ("json_agg" | "jsonb_agg", [value]) => {
            let (ty, target) = (value.clone(), row.result);
            let finish: Whole = Arc::new(move |rows| json_value(aggregate_array(rows, &ty, target)?, target));
            (args.to_vec(), own(row.result), finish)
        }
        ("json_object_agg" | "jsonb_object_agg", [_, _]) => {
            let (types, target) = (args.to_vec(), row.result);
            let finish: Whole = Arc::new(move |rows| json_value(aggregate_object(rows, &types, target)?, target));
            (args.to_vec(), own(row.result), finish)
        }
        ("percentile_cont", [_, value]) if row.args == [oid::FLOAT8, oid::FLOAT8] => {
            debug_assert!(!value.storage.is_nested());
            (vec![own(oid::FLOAT8); 2], own(oid::FLOAT8), Arc::new(percentile_cont))
        }
        ("percentile_cont", [_, _]) if row.args[1] == oid::FLOAT8 => {
            let array = own(oid::array_of(oid::FLOAT8).unwrap_or(oid::ANYARRAY));
            let finish: Whole = Arc::new(|rows| each_fraction(rows, percentile_cont));
            (vec![array.clone(), own(oid::FLOAT8)], array, finish)
        }
        ("percentile_disc", [_, value]) if row.args[0] != oid::FLOAT8 && oid::array_of(value.pg.oid).is_some() => {
            let fractions = own(oid::array_of(oid::FLOAT8).unwrap_or(oid::ANYARRAY));
            let pg = PgType::new(oid::array_of(value.pg.oid).unwrap_or(oid::ANYARRAY));
            let result = ExprType { pg, storage: list_of(value.storage.clone()) };
            (vec![fractions, value.clone()], result, Arc::new(|rows| each_fraction(rows, percentile_disc)))
        }
        ("percentile_disc", [_, value]) if row.args[0] == oid::FLOAT8 => {
            (vec![own(oid::FLOAT8), value.clone()], value.clone(), Arc::new(percentile_disc))
        }
        ("mode", [value]) => {
            let ty = value.clone();
            (vec![value.clone()], value.clone(), Arc::new(move |rows| mode(rows, &ty)))
        }
        ("sum", [arg]) => (
            vec![arg.clone()],
            own(row.result),
            Arc::new(|rows| Ok(ScalarValue::Int64(crate::kernels::money::sum(rows)?))),
        ),
        ("range_agg" | "range_intersect_agg", [arg]) => {
            let ty = RangeType::of(arg.pg.oid).ok_or_else(|| no_kernel(row.name, args))?;
            let result = if row.result == oid::ANYRANGE { ty.range } else { ty.multirange };
            let (name, given) = (row.name, arg.clone());
            let finish: Whole =
                Arc::new(move |rows| Ok(ScalarValue::Binary(crate::kernels::ranges::aggregate(name, &given, rows)?)));
            (vec![arg.clone()], own(result), finish)
        }
        _ => return Err(no_kernel(row.name, args)),
    };
    Ok(make(&unique_name(row), args, result, Plan::Whole(finish)))
}
