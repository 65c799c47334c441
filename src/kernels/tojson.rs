//! JSON of other values: `to_jsonb`, `jsonb_build_object`, `json_agg` and their kin.
//!
//! Values are written as JSON text; where jsonb is due the text is parsed once.

use super::adapt::*;
use super::facts::ProcRow;
use super::kernel::{Body, Call, ScalarKernel};
use super::keys::element_type;
use super::registry::{Registry, fixed};
use super::text::invalid;
use super::text_io::{Printer, settings, text_at};
use crate::types::array::{ArrayValue, Arrays};
use crate::types::codec::TextSettings;
use crate::types::jsonb::{from_text, write_json_string, write_text};
use crate::types::{ExprType, Oid, PgError, PgResult, SqlState, oid, record_field_type};
use arrow::array::{Array, ArrayRef, LargeBinaryArray, StructArray};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Writes values of one type as JSON.
pub struct JsonOf {
    kind: JsonForm,
    printer: Option<Printer>,
}

enum JsonForm {
    Plain,
    /// Numbers and booleans, whose text is JSON's; NaN and the infinities are strings.
    Bare,
    Boolean,
    Json,
    Jsonb,
    /// Dates and timestamps: ISO 8601 with a T.
    Timestamp,
    Array(Box<JsonOf>),
    Record(Vec<(Vec<u8>, JsonOf)>),
}

impl JsonOf {
    pub fn new(ty: &ExprType, settings: TextSettings) -> PgResult<Self> {
        let kind = match ty.pg.oid {
            oid::BOOL => JsonForm::Boolean,
            oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => JsonForm::Bare,
            oid::JSON => JsonForm::Json,
            oid::JSONB => JsonForm::Jsonb,
            oid::TIMESTAMP | oid::TIMESTAMPTZ => JsonForm::Timestamp,
            oid::RECORD => {
                let DataType::Struct(fields) = &ty.storage else {
                    return Err(PgError::unsupported("a record as JSON"));
                };
                let members = fields.iter().map(|field| {
                    let ty = record_field_type(field).ok_or_else(|| PgError::internal("a field without a type"))?;
                    let mut key = Vec::new();
                    write_json_string(field.name().as_bytes(), &mut key);
                    key.push(b':');
                    Ok((key, Self::new(&ty, settings)?))
                });
                JsonForm::Record(members.collect::<PgResult<_>>()?)
            }
            _ => match element_type(ty) {
                Some(element) => JsonForm::Array(Box::new(Self::new(&element, settings)?)),
                None => JsonForm::Plain,
            },
        };
        let printer = match kind {
            JsonForm::Array(_) | JsonForm::Jsonb | JsonForm::Record(_) => None,
            _ => Some(Printer::new(ty, settings)?),
        };
        Ok(Self { kind, printer })
    }

    /// Whether elements of a `json_agg` go on lines of their own.
    fn is_nested(&self) -> bool {
        matches!(self.kind, JsonForm::Array(_) | JsonForm::Record(_))
    }

    fn write_record(
        &self,
        members: &[(Vec<u8>, JsonOf)],
        array: &ArrayRef,
        row: usize,
        separator: &[u8],
        out: &mut Vec<u8>,
    ) -> PgResult<()> {
        let record = downcast::<StructArray>(array)?;
        out.push(b'{');
        for (i, ((key, value), column)) in members.iter().zip(record.columns()).enumerate() {
            if i > 0 {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(key);
            value.write(column, row, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// As [`Self::write`], with the parts of the outermost value on lines of their own.
    fn write_lines(&self, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> PgResult<()> {
        match &self.kind {
            _ if array.is_null(row) => self.write(array, row, out),
            JsonForm::Record(members) => self.write_record(members, array, row, b",\n ", out),
            JsonForm::Array(element) => write_array(element, array, row, b",\n ", out),
            _ => self.write(array, row, out),
        }
    }

    /// Appends the value in `row` of `array`.
    pub fn write(&self, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> PgResult<()> {
        if array.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match (&self.kind, &self.printer) {
            (JsonForm::Jsonb, _) => write_text(downcast::<LargeBinaryArray>(array)?.value(row), out),
            (JsonForm::Array(element), _) => write_array(element, array, row, b",", out)?,
            (JsonForm::Record(members), _) => self.write_record(members, array, row, b",", out)?,
            (kind, Some(printer)) => {
                let one = array.slice(row, 1);
                let cells = printer.bind(&one)?;
                let mut buffer = Vec::new();
                let text = text_at(&cells, 0, &mut buffer)?;
                match kind {
                    JsonForm::Boolean => out.extend_from_slice(if text == "t" { b"true" } else { b"false" }),
                    JsonForm::Json => out.extend_from_slice(text.as_bytes()),
                    JsonForm::Bare if text.contains(['N', 'I']) => write_json_string(text.as_bytes(), out),
                    JsonForm::Bare => out.extend_from_slice(text.as_bytes()),
                    JsonForm::Timestamp => write_json_string(iso(text).as_bytes(), out),
                    _ => write_json_string(text.as_bytes(), out),
                }
            }
            (_, None) => return Err(PgError::internal("a JSON form without a printer")),
        }
        Ok(())
    }
}

/// An array, `separator` standing between the parts of its outermost dimension.
fn write_array(element: &JsonOf, array: &ArrayRef, row: usize, separator: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    let ArrayValue { elements, shape } = Arrays::new(array.as_ref())?.value(row);
    if shape.dimensions() == 0 {
        out.extend_from_slice(b"[]");
        return Ok(());
    }
    // How many elements a part of each dimension holds.
    let mut sizes: Vec<usize> = shape.0.iter().map(|d| d.length as usize).collect();
    for level in (1..sizes.len()).rev() {
        sizes[level - 1] *= sizes[level];
    }
    let part = sizes.get(1).copied().unwrap_or(1);
    for i in 0..elements.len() {
        if i > 0 {
            out.extend_from_slice(if i % part == 0 { separator } else { b"," });
        }
        sizes.iter().filter(|size| i % **size == 0).for_each(|_| out.push(b'['));
        element.write(&elements, i, out)?;
        sizes.iter().filter(|size| (i + 1) % **size == 0).for_each(|_| out.push(b']'));
    }
    Ok(())
}

/// `2024-01-02 03:04:05+00` → `2024-01-02T03:04:05+00:00`
fn iso(text: &str) -> String {
    let with_t = text.replacen(' ', "T", 1);
    let Some(at) = with_t.rfind(['+', '-']).filter(|at| with_t.find('T').is_some_and(|t| *at > t)) else {
        return with_t;
    };
    if with_t[at..].contains(':') { with_t } else { format!("{with_t}:00") }
}

fn writers(call: &Call<'_>) -> PgResult<Vec<JsonOf>> {
    let settings = settings(call);
    call.arg_types.iter().map(|ty| JsonOf::new(ty, settings)).collect()
}

/// The key of an object, as JSON.
fn write_key(
    ty: &ExprType,
    json: &JsonOf,
    array: &ArrayRef,
    row: usize,
    out: &mut Vec<u8>,
    name: &str,
) -> PgResult<()> {
    if array.is_null(row) {
        return Err(match name {
            "argument" => invalid("argument 1: key must not be null"),
            _ => invalid("field name must not be null"),
        });
    }
    if matches!(ty.pg.oid, oid::JSON | oid::JSONB) || json.is_nested() {
        return Err(invalid("key value must be scalar, not array, composite, or json"));
    }
    let from = out.len();
    json.write(array, row, out)?;
    if out.get(from) != Some(&b'"') {
        out.insert(from, b'"');
        out.push(b'"');
    }
    Ok(())
}

/// Rows of JSON text, as json or parsed to jsonb.
fn json_rows(call: &Call<'_>, mut row: impl FnMut(usize, &mut Vec<u8>) -> PgResult<bool>) -> PgResult<ArrayRef> {
    let mut out = Vec::new();
    if call.result.pg.oid == oid::JSONB {
        return all_rows::<JsonbBytes>(call, |i| {
            out.clear();
            if row(i, &mut out)? { from_text(&out).map(Some) } else { Ok(None) }
        });
    }
    all_rows::<Text>(call, |i| {
        out.clear();
        let text = |out: &[u8]| String::from_utf8(out.to_vec()).map_err(|_| PgError::internal("JSON is not UTF-8"));
        if row(i, &mut out)? { text(&out).map(Some) } else { Ok(None) }
    })
}

fn to_json(call: &Call<'_>) -> PgResult<ArrayRef> {
    let writers = writers(call)?;
    json_rows(call, |i, out| {
        let column = &call.args[0];
        if column.is_null(i) {
            return Ok(false);
        }
        writers[0].write(&column.array, column.at(i), out)?;
        Ok(true)
    })
}

/// `row_to_json(record, pretty)`, `array_to_json(array, pretty)`
fn to_json_lines(call: &Call<'_>) -> PgResult<ArrayRef> {
    let writer = JsonOf::new(&call.arg_types[0], settings(call))?;
    let pretty = Bool::column(&call.args[1].array)?;
    json_rows(call, |i, out| {
        let column = &call.args[0];
        if column.is_null(i) || call.args[1].is_null(i) {
            return Ok(false);
        }
        match pretty.value(call.args[1].at(i)) {
            true => writer.write_lines(&column.array, column.at(i), out)?,
            false => writer.write(&column.array, column.at(i), out)?,
        }
        Ok(true)
    })
}

fn build_array(call: &Call<'_>) -> PgResult<ArrayRef> {
    let writers = writers(call)?;
    json_rows(call, |i, out| {
        out.push(b'[');
        for (n, (writer, column)) in writers.iter().zip(&call.args).enumerate() {
            if n > 0 {
                out.extend_from_slice(b", ");
            }
            writer.write(&column.array, column.at(i), out)?;
        }
        out.push(b']');
        Ok(true)
    })
}

fn build_object(call: &Call<'_>) -> PgResult<ArrayRef> {
    if !call.args.len().is_multiple_of(2) {
        return Err(invalid("argument list must have even number of elements"));
    }
    let writers = writers(call)?;
    json_rows(call, |i, out| {
        out.push(b'{');
        for n in (0..call.args.len()).step_by(2) {
            if n > 0 {
                out.extend_from_slice(b", ");
            }
            let (key, value) = (&call.args[n], &call.args[n + 1]);
            if key.is_null(i) {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER,
                    format!("argument {}: key must not be null", n + 1),
                ));
            }
            write_key(&call.arg_types[n], &writers[n], &key.array, key.at(i), out, "argument")?;
            out.extend_from_slice(b" : ");
            writers[n + 1].write(&value.array, value.at(i), out)?;
        }
        out.push(b'}');
        Ok(true)
    })
}

/// `json_agg`, `jsonb_agg` of the rows in order.
pub fn aggregate_array(rows: &[ArrayRef], ty: &ExprType, result: Oid) -> PgResult<Option<Vec<u8>>> {
    if rows[0].is_empty() {
        return Ok(None);
    }
    let writer = JsonOf::new(ty, TextSettings::default())?;
    let mut out = vec![b'['];
    for row in 0..rows[0].len() {
        if row > 0 {
            out.extend_from_slice(b", ");
            if writer.is_nested() && rows[0].is_valid(row) {
                out.extend_from_slice(b"\n ");
            }
        }
        writer.write(&rows[0], row, &mut out)?;
    }
    out.push(b']');
    if result == oid::JSONB { from_text(&out).map(Some) } else { Ok(Some(out)) }
}

/// `json_object_agg`, `jsonb_object_agg` of the rows in order.
pub fn aggregate_object(rows: &[ArrayRef], types: &[ExprType], result: Oid) -> PgResult<Option<Vec<u8>>> {
    if rows[0].is_empty() {
        return Ok(None);
    }
    let key = JsonOf::new(&types[0], TextSettings::default())?;
    let value = JsonOf::new(&types[1], TextSettings::default())?;
    let mut out = b"{ ".to_vec();
    for row in 0..rows[0].len() {
        if row > 0 {
            out.extend_from_slice(b", ");
        }
        write_key(&types[0], &key, &rows[0], row, &mut out, "field")?;
        out.extend_from_slice(b" : ");
        value.write(&rows[1], row, &mut out)?;
    }
    out.extend_from_slice(b" }");
    if result == oid::JSONB { from_text(&out).map(Some) } else { Ok(Some(out)) }
}

fn made(row: &'static ProcRow, args: &[ExprType], body: Body) -> PgResult<ScalarKernel> {
    Ok(fixed(row, args, &body))
}

pub fn declare(r: &mut Registry) {
    r.make(
        &["to_jsonb(anyelement)", "to_json(anyelement)", "array_to_json(anyarray)", "row_to_json(record)"],
        |row, args| made(row, args, Arc::new(to_json)),
    );
    r.make(&["array_to_json(anyarray,bool)", "row_to_json(record,bool)"], |row, args| {
        made(row, args, Arc::new(to_json_lines))
    });
    r.make(
        &["jsonb_build_array(any)", "json_build_array(any)", "jsonb_build_array()", "json_build_array()"],
        |row, args| made(row, args, Arc::new(build_array)),
    );
    r.make(
        &["jsonb_build_object(any)", "json_build_object(any)", "jsonb_build_object()", "json_build_object()"],
        |row, args| made(row, args, Arc::new(build_object)),
    );
}
