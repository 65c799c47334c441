//! Storage forms ↔ what lies in Parquet: types that every Delta reader understands.
//!
//! | PostgreSQL | Delta |
//! |---|---|
//! | bool, int2/4/8, float4/8, date, bytea | boolean, short/integer/long, float/double, date, binary |
//! | text and all that is stored as its text | string |
//! | timestamptz, timestamp | timestamp, timestamp_ntz (±infinity are the greatest and least numbers) |
//! | numeric(p,s), p ≤ 38 | decimal(p,s) |
//! | other numeric, jsonb | string, PostgreSQL's text |
//! | ranges, multiranges | string, PostgreSQL's text in UTC |
//! | money | long, hundredths |
//! | uuid | string |
//! | interval | string, ISO 8601 (`P1Y2M3DT4H5M6.7S`) |
//! | time, timetz | string, `HH:MM:SS.ffffff` and the offset |
//! | oid and the reg types | long |
//! | arrays | array |
//!
//! Both directions are exact: what is read back is what was written, to the byte. Columns whose storage form is the
//! Parquet form are passed through without a copy.

use super::error::{LakeError, LakeResult};
use crate::types::codec::{ColumnBuilder, ColumnEncoder, Format, TextSettings};
use crate::types::numeric::Numeric;
use crate::types::range::RangeType;
use crate::types::{Oid, PgError, PgType, SqlState, jsonb, oid};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, FixedSizeBinaryBuilder, LargeBinaryBuilder, ListArray, StringArray,
    StringBuilder, Time64MicrosecondArray, UInt32Array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Int64Type, Time64MicrosecondType, UInt32Type};
use std::io::Write;
use std::sync::Arc;

/// How a column gets from its storage form to its Parquet form and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Same,
    Unsigned,
    Time,
    TimeTz,
    Uuid,
    Interval,
    Numeric,
    Jsonb,
    /// Ranges and multiranges, as PostgreSQL writes them in UTC.
    Ranges(Oid),
    List(Box<Form>),
}

impl Form {
    pub(super) fn of(ty: PgType) -> Form {
        match ty.storage() {
            DataType::UInt32 => Form::Unsigned,
            DataType::Time64(_) => Form::Time,
            DataType::FixedSizeBinary(12) => Form::TimeTz,
            DataType::FixedSizeBinary(_) if ty.oid == oid::UUID => Form::Uuid,
            DataType::FixedSizeBinary(_) => Form::Interval,
            DataType::Binary if ty.oid == oid::NUMERIC => Form::Numeric,
            DataType::Binary if RangeType::of(ty.oid).is_some() => Form::Ranges(ty.oid),
            DataType::LargeBinary => Form::Jsonb,
            DataType::List(_) => Form::List(Box::new(Form::of(element(ty)))),
            _ => Form::Same,
        }
    }
}

/// The element type of an array type.
fn element(ty: PgType) -> PgType {
    let oid = match ty.oid {
        oid::OIDVECTOR => oid::OID,
        oid::INT2VECTOR => oid::INT2,
        other => oid::array_element(other).unwrap_or(oid::TEXT),
    };
    PgType { oid, typmod: ty.typmod }
}

/// The Arrow type of the Parquet form.
pub(super) fn file_type(ty: PgType) -> DataType {
    match Form::of(ty) {
        Form::Same => ty.storage(),
        Form::Unsigned => DataType::Int64,
        Form::List(_) => DataType::List(Arc::new(Field::new("element", file_type(element(ty)), true))),
        _ => DataType::Utf8,
    }
}

/// The type in a Delta schema.
pub(super) fn delta_type(ty: PgType) -> serde_json::Value {
    fn name(ty: &DataType) -> serde_json::Value {
        match ty {
            DataType::Boolean => "boolean".into(),
            DataType::Int16 => "short".into(),
            DataType::Int32 => "integer".into(),
            DataType::Int64 => "long".into(),
            DataType::Float32 => "float".into(),
            DataType::Float64 => "double".into(),
            DataType::Binary => "binary".into(),
            DataType::Date32 => "date".into(),
            DataType::Timestamp(_, None) => "timestamp_ntz".into(),
            DataType::Timestamp(_, Some(_)) => "timestamp".into(),
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})").into(),
            DataType::List(element) => serde_json::json!({
                "type": "array", "elementType": name(element.data_type()), "containsNull": true
            }),
            _ => "string".into(),
        }
    }
    name(&file_type(ty))
}

/// Whether the type needs Delta's `timestampNtz` feature.
pub(super) fn is_timestamp_ntz(ty: PgType) -> bool {
    fn of(ty: &DataType) -> bool {
        match ty {
            DataType::Timestamp(_, None) => true,
            DataType::List(element) => of(element.data_type()),
            _ => false,
        }
    }
    of(&file_type(ty))
}

/// Storage form → Parquet form.
pub(super) fn encode(array: &ArrayRef, ty: PgType) -> LakeResult<ArrayRef> {
    let array = encode_form(array, &Form::of(ty))?;
    let want = file_type(ty);
    if array.data_type() == &want {
        return Ok(array);
    }
    Err(LakeError::internal(format!("a column of storage form {} came where {want} belongs", array.data_type())))
}

fn encode_form(array: &ArrayRef, form: &Form) -> LakeResult<ArrayRef> {
    let wrong =
        || LakeError::internal(format!("a column of storage form {} came where {form:?} belongs", array.data_type()));
    Ok(match form {
        Form::Same => Arc::clone(array),
        Form::Unsigned => {
            let ids = array.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
            Arc::new(ids.unary::<_, Int64Type>(i64::from))
        }
        Form::Time => {
            let times = array.as_primitive_opt::<Time64MicrosecondType>().ok_or_else(wrong)?;
            texts(times.len(), 15, |row, out| {
                Ok(times.is_valid(row).then(|| write_time(out, times.value(row))).is_some())
            })?
        }
        Form::TimeTz | Form::Uuid | Form::Interval => {
            let bytes = array.as_fixed_size_binary_opt().ok_or_else(wrong)?;
            texts(bytes.len(), 36, |row, out| {
                if bytes.is_null(row) {
                    return Ok(false);
                }
                let value = bytes.value(row);
                let fits = match form {
                    Form::TimeTz => write_timetz(out, value),
                    Form::Uuid => write_uuid(out, value),
                    _ => write_interval(out, value),
                };
                fits.ok_or_else(wrong).map(|()| true)
            })?
        }
        Form::Numeric => {
            let values = array.as_binary_opt::<i32>().ok_or_else(wrong)?;
            texts(values.len(), 16, |row, out| {
                if values.is_null(row) {
                    return Ok(false);
                }
                numeric_text(values.value(row), out)?;
                Ok(true)
            })?
        }
        Form::Jsonb => {
            let values = array.as_binary_opt::<i64>().ok_or_else(wrong)?;
            texts(values.len(), 64, |row, out| {
                if values.is_null(row) {
                    return Ok(false);
                }
                jsonb::write_text(values.value(row), out);
                Ok(true)
            })?
        }
        Form::Ranges(ty) => {
            let encoder =
                ColumnEncoder::new(PgType::new(*ty), array.data_type(), Format::Text, &TextSettings::default())?;
            let values = encoder.column(array.as_ref())?;
            texts(array.len(), 24, |row, out| {
                if values.is_null(row) {
                    return Ok(false);
                }
                values.write_value(row, out);
                Ok(true)
            })?
        }
        Form::List(element) => {
            let list = array.as_list_opt::<i32>().ok_or_else(wrong)?;
            let values = encode_form(list.values(), element)?;
            let field = Arc::new(Field::new("element", values.data_type().clone(), true));
            Arc::new(ListArray::new(field, list.offsets().clone(), values, list.nulls().cloned()))
        }
    })
}

/// A string column; `write` appends row *i* to the buffer and says whether the row is not NULL.
fn texts(
    rows: usize,
    width: usize,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> LakeResult<bool>,
) -> LakeResult<ArrayRef> {
    let mut builder = StringBuilder::with_capacity(rows, rows * width);
    let mut text = Vec::new();
    for row in 0..rows {
        text.clear();
        if write(row, &mut text)? {
            builder.append_value(std::str::from_utf8(&text).map_err(|error| LakeError::internal(error.to_string()))?);
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// What lies in a file → the Parquet form of `ty`, where the file was written before the column was widened.
pub(super) fn widen(array: ArrayRef, ty: PgType) -> LakeResult<ArrayRef> {
    let want = file_type(ty);
    if array.data_type() == &want {
        return Ok(array);
    }
    if let (DataType::List(_), DataType::List(field)) = (array.data_type(), &want) {
        // Files name list elements as their writer liked.
        let list = array.as_list::<i32>();
        let values = widen(Arc::clone(list.values()), element(ty))?;
        return Ok(Arc::new(ListArray::new(Arc::clone(field), list.offsets().clone(), values, list.nulls().cloned())));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&array, &want, &options).map_err(|error| {
        LakeError::Value(
            PgError::new(
                SqlState::CANNOT_COERCE,
                format!("stored values of type {} cannot become {want}", array.data_type()),
            )
            .detail(error.to_string()),
        )
    })
}

/// Parquet form → storage form.
pub(super) fn decode(array: ArrayRef, ty: PgType) -> LakeResult<ArrayRef> {
    decode_form(array, &Form::of(ty), ty)
}

fn decode_form(array: ArrayRef, form: &Form, ty: PgType) -> LakeResult<ArrayRef> {
    let wrong = || LakeError::damaged("data file", format!("{} where {form:?} belongs", array.data_type()));
    let text = || array.as_string_opt::<i32>().ok_or_else(wrong);
    Ok(match form {
        Form::Same => array,
        Form::Unsigned => {
            let ids = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            let ids: Result<UInt32Array, _> = ids.try_unary(|id| u32::try_from(id).map_err(|_| wrong_oid(id)));
            Arc::new(ids.map_err(|error| LakeError::damaged("data file", error.to_string()))?)
        }
        Form::Time => {
            let texts = text()?;
            let times: LakeResult<Time64MicrosecondArray> = texts
                .iter()
                .map(|text| text.map(|text| read_time(text).ok_or_else(|| bad("time", text))).transpose())
                .collect();
            Arc::new(times?)
        }
        Form::TimeTz => fixed(text()?, 12, |text| read_timetz(text).map(Vec::from).ok_or_else(|| bad("timetz", text)))?,
        Form::Uuid => fixed(text()?, 16, |text| {
            uuid::Uuid::try_parse(text).map(|id| id.as_bytes().to_vec()).map_err(|_| bad("uuid", text))
        })?,
        Form::Interval => {
            fixed(text()?, 16, |text| read_interval(text).map(Vec::from).ok_or_else(|| bad("interval", text)))?
        }
        Form::Numeric => {
            let texts = text()?;
            let mut builder = BinaryBuilder::with_capacity(texts.len(), texts.len() * 12);
            let mut value = Vec::new();
            for text in texts {
                match text {
                    Some(text) => {
                        value.clear();
                        numeric_from_text(text, &mut value)?;
                        builder.append_value(&value);
                    }
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        Form::Jsonb => {
            let texts = text()?;
            let mut builder = LargeBinaryBuilder::with_capacity(texts.len(), texts.value_data().len());
            for text in texts {
                match text {
                    Some(text) => builder.append_value(jsonb::from_text(text.as_bytes())?),
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        Form::Ranges(ty) => {
            let mut builder = ColumnBuilder::new(PgType::new(*ty));
            for text in text()? {
                match text {
                    Some(text) => builder.push_text(text)?,
                    None => builder.push_null(),
                }
            }
            builder.finish()?
        }
        Form::List(inner) => {
            let list = array.as_list_opt::<i32>().ok_or_else(wrong)?;
            let values = decode_form(Arc::clone(list.values()), inner, element(ty))?;
            let DataType::List(field) = ty.storage() else { return Err(wrong()) };
            Arc::new(ListArray::new(field, list.offsets().clone(), values, list.nulls().cloned()))
        }
    })
}

fn wrong_oid(id: i64) -> arrow::error::ArrowError {
    arrow::error::ArrowError::CastError(format!("{id} is no OID"))
}

fn bad(what: &str, text: &str) -> LakeError {
    LakeError::damaged("data file", format!("\"{text}\" is no {what}"))
}

fn fixed(texts: &StringArray, width: i32, read: impl Fn(&str) -> LakeResult<Vec<u8>>) -> LakeResult<ArrayRef> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(texts.len(), width);
    for text in texts {
        match text {
            Some(text) => {
                builder.append_value(read(text)?).map_err(|error| LakeError::damaged("data file", error.to_string()))?
            }
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn numeric_text(value: &[u8], out: &mut Vec<u8>) -> LakeResult<()> {
    Numeric::from_sortable(value)?.write_text(out);
    Ok(())
}

fn numeric_from_text(text: &str, out: &mut Vec<u8>) -> LakeResult<()> {
    Numeric::parse(text)?.to_sortable(out);
    Ok(())
}

const US_PER_SECOND: i64 = 1_000_000;

fn write_time(out: &mut Vec<u8>, us: i64) {
    let seconds = us / US_PER_SECOND;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, us % US_PER_SECOND);
}

fn read_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.')?;
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || fraction.len() != 6 {
        return None;
    }
    Some(((hours * 60 + minutes) * 60 + seconds) * US_PER_SECOND + fraction.parse::<i64>().ok()?)
}

fn write_timetz(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    let (us, west) = value.split_at_checked(8)?;
    write_time(out, i64::from_be_bytes(us.try_into().ok()?));
    let east = -i64::from(i32::from_be_bytes(west.try_into().ok()?));
    let away = east.unsigned_abs();
    let sign = if east < 0 { '-' } else { '+' };
    write!(out, "{sign}{:02}:{:02}", away / 3600, away / 60 % 60).ok()?;
    if away % 60 != 0 {
        write!(out, ":{:02}", away % 60).ok()?;
    }
    Some(())
}

fn read_timetz(text: &str) -> Option<[u8; 12]> {
    let at = text.rfind(['+', '-'])?;
    let us = read_time(&text[..at])?;
    let mut away = 0;
    for (part, unit) in text[at + 1..].split(':').zip([3600, 60, 1]) {
        away += part.parse::<i32>().ok()? * unit;
    }
    let west = if text.as_bytes()[at] == b'-' { away } else { -away };
    let mut value = [0; 12];
    value[..8].copy_from_slice(&us.to_be_bytes());
    value[8..].copy_from_slice(&west.to_be_bytes());
    Some(value)
}

fn write_uuid(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    let id = uuid::Uuid::from_slice(value).ok()?;
    out.extend_from_slice(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes());
    Some(())
}

fn write_interval(out: &mut Vec<u8>, value: &[u8]) -> Option<()> {
    let months = i32::from_be_bytes(value.get(..4)?.try_into().ok()?);
    let days = i32::from_be_bytes(value.get(4..8)?.try_into().ok()?);
    let us = i64::from_be_bytes(value.get(8..16)?.try_into().ok()?);
    out.push(b'P');
    for (amount, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if amount != 0 {
            write!(out, "{amount}{unit}").ok()?;
        }
    }
    if us == 0 {
        if out.len() == 1 {
            out.extend_from_slice(b"T0S");
        }
        return Some(());
    }
    out.push(b'T');
    let seconds = us / US_PER_SECOND;
    for (amount, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M')] {
        if amount != 0 {
            write!(out, "{amount}{unit}").ok()?;
        }
    }
    let (whole, fraction) = (seconds % 60, us % US_PER_SECOND);
    if whole != 0 || fraction != 0 {
        if us < 0 {
            out.push(b'-');
        }
        write!(out, "{}", whole.abs()).ok()?;
        if fraction != 0 {
            write!(out, ".{:06}", fraction.abs()).ok()?;
        }
        out.push(b'S');
    }
    Some(())
}

fn read_interval(text: &str) -> Option<[u8; 16]> {
    let (mut months, mut days, mut us) = (0i32, 0i32, 0i64);
    let mut rest = text.strip_prefix('P')?;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            in_time = true;
            rest = time;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (amount, unit) = (&rest[..end], &rest[end..end + 1]);
        rest = &rest[end + 1..];
        match (in_time, unit) {
            (false, "Y") => months = months.checked_add(amount.parse::<i32>().ok()?.checked_mul(12)?)?,
            (false, "M") => months = months.checked_add(amount.parse().ok()?)?,
            (false, "D") => days = amount.parse().ok()?,
            (true, "H") => us = us.checked_add(amount.parse::<i64>().ok()?.checked_mul(3600 * US_PER_SECOND)?)?,
            (true, "M") => us = us.checked_add(amount.parse::<i64>().ok()?.checked_mul(60 * US_PER_SECOND)?)?,
            (true, "S") => {
                let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
                let part = whole.parse::<i64>().ok()?.abs() * US_PER_SECOND + fraction.parse::<i64>().ok()?;
                us = us.checked_add(if amount.starts_with('-') { -part } else { part })?;
            }
            _ => return None,
        }
    }
    let mut value = [0; 16];
    value[..4].copy_from_slice(&months.to_be_bytes());
    value[4..8].copy_from_slice(&days.to_be_bytes());
    value[8..].copy_from_slice(&us.to_be_bytes());
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(months: i32, days: i32, us: i64) -> [u8; 16] {
        let mut value = [0; 16];
        value[..4].copy_from_slice(&months.to_be_bytes());
        value[4..8].copy_from_slice(&days.to_be_bytes());
        value[8..].copy_from_slice(&us.to_be_bytes());
        value
    }

    #[test]
    fn intervals_read_as_iso_8601() {
        let text = |months, days, us| {
            let mut out = Vec::new();
            write_interval(&mut out, &interval(months, days, us)).expect("16 bytes");
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(text(14, 3, 14_706_700_000), "P1Y2M3DT4H5M6.700000S");
        assert_eq!(text(0, 0, 0), "PT0S");
        assert_eq!(text(0, -1, -500_000), "P-1DT-0.500000S");
    }

    proptest! {
        #[test]
        fn every_interval_comes_back(months: i32, days: i32, us: i64) {
            let value = interval(months, days, us);
            let mut out = Vec::new();
            write_interval(&mut out, &value).expect("16 bytes");
            let out = String::from_utf8(out).expect("ASCII");
            prop_assert_eq!(read_interval(&out), Some(value), "{}", out);
        }

        #[test]
        fn every_time_comes_back(us in 0i64..=86_400_000_000, west in -57_599i32..=57_599) {
            let mut value = [0; 12];
            value[..8].copy_from_slice(&us.to_be_bytes());
            value[8..].copy_from_slice(&west.to_be_bytes());
            let mut out = Vec::new();
            write_timetz(&mut out, &value).expect("12 bytes");
            let out = String::from_utf8(out).expect("ASCII");
            prop_assert_eq!(read_timetz(&out), Some(value), "{}", out);
        }
    }
}
