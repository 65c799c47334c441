//! Records of JSON: `json_to_record`, `jsonb_to_recordset` and their kin, whose columns the query declares; `json_populate_record` and its kin over a base
//! record, whose fields stand where the JSON has none.

use super::adapt::{JsonbBytes, Kind as _, Text, downcast};
use super::facts::ProcRow;
use super::jsontext::{self, Kind};
use super::kernel::{no_kernel, type_name};
use super::registry::unique_name;
use super::sets::{SetBody, SetKernel, SetRows};
use super::text::invalid;
use super::text_io::{Printer, text_at};
use crate::types::codec::{ColumnBuilder, TextSettings};
use crate::types::jsonb::{from_text, write_text};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{Array, ArrayRef, StructArray, UInt32Array};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// Whether the function gives many records; `None` for others.
fn gives_many(name: &str) -> Option<bool> {
    match name {
        "json_to_record" | "jsonb_to_record" | "json_populate_record" | "jsonb_populate_record" => Some(false),
        "json_to_recordset" | "jsonb_to_recordset" | "json_populate_recordset" | "jsonb_populate_recordset" => {
            Some(true)
        }
        _ => None,
    }
}

/// The kernel of a function that gives records with these columns. `base`: the type of its first argument, where that is a record. `42804` where
/// the base has other fields.
pub fn json_records(
    row: &'static ProcRow,
    columns: Vec<(String, PgType)>,
    base: Option<&ExprType>,
) -> PgResult<SetKernel> {
    let many = gives_many(row.name).ok_or_else(|| no_kernel(row.name, &[]))?;
    let fields = match base.map(|base| &base.storage) {
        Some(DataType::Struct(fields)) if !fields.is_empty() => {
            let types: Option<Vec<ExprType>> = fields.iter().map(|f| crate::types::record_field_type(f)).collect();
            types.ok_or_else(|| PgError::internal("a record's field does not say its type"))?
        }
        _ => Vec::new(),
    };
    check_base(&fields, &columns)?;
    // A base record's own names count.
    let members: Vec<String> = match base.map(|base| &base.storage) {
        Some(DataType::Struct(named)) if !named.is_empty() => named.iter().map(|field| field.name().clone()).collect(),
        _ => columns.iter().map(|(name, _)| name.clone()).collect(),
    };
    let at = usize::from(base.is_some());
    let arg = ExprType::of(PgType::new(row.args[at]));
    let jsonb = arg.pg.oid == oid::JSONB;
    let named: Vec<(String, ExprType)> = columns.iter().map(|(n, t)| (n.clone(), ExprType::of(*t))).collect();
    let function = row.name;
    let rest = row.args[at + 1..].iter().map(|ty| ExprType::of(PgType::new(*ty)).storage);
    let args = base.map(|base| base.storage.clone()).into_iter().chain([arg.storage]).chain(rest).collect();
    let body: SetBody = Arc::new(move |args, rows, config| {
        let settings = super::context::context_of(config).map(|c| c.text_settings()).unwrap_or_default();
        let base = if fields.is_empty() { None } else { Some((&args[0], &fields[..])) };
        Records { jsonb, many, function, columns: &columns, members: &members, settings }.read(&args[at], base, rows)
    });
    // The columns make another function of it.
    let shown: Vec<String> = named.iter().map(|(n, t)| format!("{n} {}/{}", t.pg.oid, t.pg.typmod)).collect();
    let name = format!("{}({})", unique_name(row), shown.join(", "));
    Ok(SetKernel { name, args, columns: named, body })
}

/// A base record has the columns that the query declares.
fn check_base(fields: &[ExprType], columns: &[(String, PgType)]) -> PgResult<()> {
    let mismatch = |detail: String| {
        let message = "function return row and query-specified return row do not match";
        Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).detail(detail))
    };
    if fields.is_empty() {
        return Ok(());
    }
    if fields.len() != columns.len() {
        let counted = if fields.len() == 1 { "attribute" } else { "attributes" };
        return mismatch(format!(
            "Returned row contains {} {counted}, but query expects {}.",
            fields.len(),
            columns.len()
        ));
    }
    for (nth, (field, (_, ty))) in fields.iter().zip(columns).enumerate() {
        if field.pg.oid != ty.oid {
            return mismatch(format!(
                "Returned type {} at ordinal position {}, but query expects {}.",
                type_name(field.pg.oid),
                nth + 1,
                type_name(ty.oid)
            ));
        }
    }
    Ok(())
}

struct Records<'a> {
    jsonb: bool,
    many: bool,
    function: &'a str,
    columns: &'a [(String, PgType)],
    /// Which member of an object each is.
    members: &'a [String],
    settings: TextSettings,
}

impl Records<'_> {
    fn read(&self, input: &ArrayRef, base: Option<(&ArrayRef, &[ExprType])>, rows: usize) -> PgResult<SetRows> {
        let Self { jsonb, many, function, columns, members: names, settings } = *self;
        let mut from = Vec::new();
        let mut builders: Vec<ColumnBuilder> =
            columns.iter().map(|(_, ty)| ColumnBuilder::with_settings(*ty, settings)).collect();
        let base = match base {
            Some((array, fields)) => Some((downcast::<StructArray>(array)?, fields)),
            None => None,
        };
        for row in 0..rows {
            // What a member that is not there leaves.
            let mut defaults: Vec<Option<String>> = vec![None; columns.len()];
            if let Some((record, fields)) = base.filter(|(record, _)| record.is_valid(row)) {
                let mut buffer = Vec::new();
                for ((default, field), column) in defaults.iter_mut().zip(fields).zip(record.columns()) {
                    if column.is_valid(row) {
                        let printer = Printer::new(field, settings)?;
                        *default = Some(text_at(&printer.bind(column)?, row, &mut buffer)?.to_owned());
                    }
                }
            }
            let leave = |builder: &mut ColumnBuilder, default: &Option<String>| match default {
                Some(text) => builder.push_text(text),
                None => {
                    builder.push_null();
                    Ok(())
                }
            };
            if input.is_null(row) {
                if !many {
                    from.push(row as u32);
                    for (builder, default) in builders.iter_mut().zip(&defaults) {
                        leave(builder, default)?;
                    }
                }
                continue;
            }
            let text = match jsonb {
                true => {
                    let mut out = Vec::new();
                    write_text(JsonbBytes::column(input)?.value(row), &mut out);
                    String::from_utf8(out).map_err(|_| PgError::internal("JSON is not UTF-8"))?
                }
                false => Text::column(input)?.value(row).to_string(),
            };
            let objects = match (many, jsontext::kind(&text)) {
                (true, Kind::Array) => jsontext::elements(&text),
                (true, Kind::Object) => return Err(invalid(format!("cannot call {function} on an object"))),
                (true, _) => return Err(invalid(format!("cannot call {function} on a scalar"))),
                (false, Kind::Object) => vec![text.as_str()],
                (false, Kind::Array) => return Err(invalid("cannot call populate_composite on an array")),
                (false, _) => return Err(invalid("cannot call populate_composite on a scalar")),
            };
            for object in objects {
                if jsontext::kind(object) != Kind::Object {
                    return Err(invalid(format!("argument of {function} must be an array of objects")));
                }
                from.push(row as u32);
                let members = jsontext::members(object);
                for ((((_, ty), name), builder), default) in columns.iter().zip(names).zip(&mut builders).zip(&defaults)
                {
                    let mut found = None;
                    for (key, value) in &members {
                        if jsontext::unquoted(key)? == *name {
                            found = Some(*value);
                        }
                    }
                    match found {
                        Some(_) => push(builder, *ty, found, jsonb)?,
                        None => leave(builder, default)?,
                    }
                }
            }
        }
        let columns = builders.iter_mut().map(ColumnBuilder::finish).collect::<PgResult<Vec<_>>>()?;
        Ok((UInt32Array::from(from), columns))
    }
}

/// One field of a record from its JSON.
fn push(builder: &mut ColumnBuilder, ty: PgType, value: Option<&str>, jsonb: bool) -> PgResult<()> {
    let Some(value) = value else {
        builder.push_null();
        return Ok(());
    };
    let null = jsontext::kind(value) == Kind::Null;
    match ty.oid {
        oid::JSON if !null => builder.push_text(value),
        oid::JSONB if !null => builder.push_text(value),
        _ if null => {
            builder.push_null();
            Ok(())
        }
        array if oid::array_element(array).is_some() => match jsontext::kind(value) {
            Kind::Array => {
                let element = oid::array_element(array).unwrap_or(oid::TEXT);
                builder.push_text(&array_literal(value, element)?)
            }
            Kind::String => builder.push_text(&jsontext::unquoted(value)?),
            _ => Err(PgError::new(SqlState::INVALID_TEXT, "expected JSON array")),
        },
        oid::RECORD => Err(PgError::unsupported("a record within a record of JSON")),
        _ => {
            let text = jsontext::as_text(value)?.unwrap_or_default();
            // A container as text has the spacing of its own type.
            match (jsonb, jsontext::kind(value)) {
                (true, Kind::Array | Kind::Object) => {
                    let mut out = Vec::new();
                    write_text(&from_text(text.as_bytes())?, &mut out);
                    builder.push_text(&String::from_utf8_lossy(&out))
                }
                _ => builder.push_text(&text),
            }
        }
    }
}

/// A JSON array as PostgreSQL's array literal.
fn array_literal(json: &str, element: crate::types::Oid) -> PgResult<String> {
    let mut out = String::from("{");
    for (i, item) in jsontext::elements(json).into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let json_element = matches!(element, oid::JSON | oid::JSONB);
        let text = match jsontext::kind(item) {
            Kind::Null if !json_element => {
                out.push_str("NULL");
                continue;
            }
            Kind::Array if !json_element => {
                out.push_str(&array_literal(item, element)?);
                continue;
            }
            _ if json_element => item.to_string(),
            _ => jsontext::as_text(item)?.unwrap_or_default(),
        };
        out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
    Ok(out)
}
