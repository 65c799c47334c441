//! Records of JSON: `json_to_record`, `jsonb_to_recordset` and their kin, whose columns the query declares.

use super::adapt::{JsonbBytes, Kind as _, Text};
use super::facts::ProcRow;
use super::jsontext::{self, Kind};
use super::kernel::no_kernel;
use super::registry::unique_name;
use super::sets::{SetBody, SetKernel, SetRows};
use super::text::invalid;
use crate::types::codec::{ColumnBuilder, TextSettings};
use crate::types::jsonb::{from_text, write_text};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{Array, ArrayRef, UInt32Array};
use std::sync::Arc;

/// The kernel of a function that gives records with these columns.
pub fn json_records(row: &'static ProcRow, columns: Vec<(String, PgType)>) -> PgResult<SetKernel> {
    let many = match row.name {
        "json_to_record" | "jsonb_to_record" => false,
        "json_to_recordset" | "jsonb_to_recordset" => true,
        _ => return Err(no_kernel(row.name, &[])),
    };
    let arg = ExprType::of(PgType::new(row.args[0]));
    let jsonb = arg.pg.oid == oid::JSONB;
    let named: Vec<(String, ExprType)> = columns.iter().map(|(n, t)| (n.clone(), ExprType::of(*t))).collect();
    let function = row.name;
    let body: SetBody = Arc::new(move |args, rows, config| {
        let settings = super::context::context_of(config).map(|c| c.text_settings()).unwrap_or_default();
        records(&args[0], rows, jsonb, many, function, &columns, settings)
    });
    // The columns make another function of it.
    let shown: Vec<String> = named.iter().map(|(n, t)| format!("{n} {}/{}", t.pg.oid, t.pg.typmod)).collect();
    let name = format!("{}({})", unique_name(row), shown.join(", "));
    Ok(SetKernel { name, args: vec![arg.storage], columns: named, body })
}

fn records(
    input: &ArrayRef,
    rows: usize,
    jsonb: bool,
    many: bool,
    function: &str,
    columns: &[(String, PgType)],
    settings: TextSettings,
) -> PgResult<SetRows> {
    let mut from = Vec::new();
    let mut builders: Vec<ColumnBuilder> =
        columns.iter().map(|(_, ty)| ColumnBuilder::with_settings(*ty, settings)).collect();
    for row in 0..rows {
        if input.is_null(row) {
            if !many {
                from.push(row as u32);
                builders.iter_mut().for_each(ColumnBuilder::push_null);
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
            for ((name, ty), builder) in columns.iter().zip(&mut builders) {
                let mut found = None;
                for (key, value) in &members {
                    if jsontext::unquoted(key)? == *name {
                        found = Some(*value);
                    }
                }
                push(builder, *ty, found, jsonb)?;
            }
        }
    }
    let columns = builders.iter_mut().map(ColumnBuilder::finish).collect::<PgResult<Vec<_>>>()?;
    Ok((UInt32Array::from(from), columns))
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
