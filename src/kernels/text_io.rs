//! Values as text and text as values, through `types::codec`: the casts, and the functions that print their arguments.

use super::adapt::*;
use super::casts::Step;
use super::facts::{ProcRow, facts};
use super::kernel::{Body, Call, Column, ScalarKernel};
use super::keys::element_type;
use super::registry::{Registry, fixed};
use super::text::{invalid, quote_identifier, quote_literal};
use crate::types::codec::{BoundColumn, ColumnBuilder, ColumnEncoder, Format, TextSettings};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{Array, ArrayRef, StringBuilder};
use std::sync::Arc;

/// The session's settings; PostgreSQL's defaults where an immutable function runs without a session.
pub fn settings(call: &Call<'_>) -> TextSettings {
    call.context().map(|c| c.text_settings()).unwrap_or_default()
}

fn is_stable(proc: crate::types::Oid) -> bool {
    facts().proc_row(proc).is_some_and(|p| p.volatility != 'i')
}

/// Text to a type.
pub fn input(to: ExprType) -> PgResult<Step> {
    let row = facts().type_row(to.pg.oid);
    let row = row.ok_or_else(|| PgError::unsupported("reading a value of a user's type"))?;
    let element_stable = facts().type_row(row.element).is_some_and(|e| is_stable(e.input));
    let stable = is_stable(row.input) && (row.category != 'A' || element_stable);
    let (ty, storage) = (to.pg, to.storage.clone());
    let body: Body = Arc::new(move |call| {
        let texts = Text::column(&call.args[0].array)?;
        let mut builder = ColumnBuilder::with_storage(ty, &storage, settings(call));
        for text in texts {
            match text {
                Some(text) => builder.push_text(text)?,
                None => builder.push_null(),
            }
        }
        builder.finish()
    });
    Ok(Step::new(body, to, stable))
}

/// A type to text.
pub fn output(from: ExprType) -> PgResult<Step> {
    let stable = facts().type_row(from.pg.oid).is_some_and(|row| {
        let element_stable = facts().type_row(row.element).is_some_and(|e| is_stable(e.output));
        is_stable(row.output) && (row.category != 'A' || element_stable)
    });
    let body: Body = Arc::new(move |call| {
        let column = &call.args[0].array;
        let printer = Printer::new(&call.arg_types[0], settings(call))?;
        let cells = printer.bind(column)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 8);
        let mut buffer = Vec::new();
        for row in 0..call.rows {
            match cells.is_null(row) {
                true => out.append_null(),
                false => out.append_value(text_at(&cells, row, &mut buffer)?),
            }
        }
        Ok(Arc::new(out.finish()))
    });
    Ok(Step::new(body, ExprType::of(PgType::new(oid::TEXT)), stable))
}

/// Prints values of one type.
pub struct Printer(ColumnEncoder);

impl Printer {
    pub fn new(ty: &ExprType, settings: TextSettings) -> PgResult<Self> {
        Ok(Self(ColumnEncoder::new(ty.pg, &ty.storage, Format::Text, &settings)?))
    }

    pub fn bind<'a>(&'a self, array: &'a ArrayRef) -> PgResult<BoundColumn<'a>> {
        self.0.column(array.as_ref())
    }
}

/// The text of one value that is not NULL.
pub fn text_at<'b>(cells: &BoundColumn<'_>, row: usize, buffer: &'b mut Vec<u8>) -> PgResult<&'b str> {
    buffer.clear();
    cells.write_value(row, buffer);
    std::str::from_utf8(buffer).map_err(|_| PgError::internal("a value's text is not UTF-8"))
}

/// Text that functions print their arguments with: as a cast to text, but `t` and `f` for booleans.
fn printers(call: &Call<'_>) -> PgResult<Vec<Printer>> {
    let settings = settings(call);
    call.arg_types.iter().map(|ty| Printer::new(ty, settings)).collect()
}

/// The arguments of a `VARIADIC "any"` call, printed row by row.
fn print_rows(
    call: &Call<'_>,
    mut row: impl FnMut(usize, &[Option<String>]) -> PgResult<Option<String>>,
) -> PgResult<ArrayRef> {
    let printers = printers(call)?;
    let bound = printers.iter().zip(&call.args).map(|(p, a)| p.bind(&a.array)).collect::<PgResult<Vec<_>>>()?;
    let mut buffer = Vec::new();
    let mut texts: Vec<Option<String>> = Vec::with_capacity(bound.len());
    all_rows::<Text>(call, |i| {
        texts.clear();
        for (cells, arg) in bound.iter().zip(&call.args) {
            let at = arg.at(i);
            texts.push(match cells.is_null(at) {
                true => None,
                false => Some(text_at(cells, at, &mut buffer)?.to_string()),
            });
        }
        row(i, &texts)
    })
}

fn concat(call: &Call<'_>) -> PgResult<ArrayRef> {
    print_rows(call, |_, texts| Ok(Some(texts.iter().flatten().map(String::as_str).collect())))
}

/// How many arguments are NULL, or are not.
fn count_nulls(call: &Call<'_>, null: bool) -> PgResult<ArrayRef> {
    all_rows::<Int4>(call, |row| {
        let is_counted = |column: &&Column| column.array.is_null(column.at(row)) == null;
        Ok(Some(call.args.iter().filter(is_counted).count() as i32))
    })
}

fn concat_ws(call: &Call<'_>) -> PgResult<ArrayRef> {
    print_rows(call, |_, texts| {
        let Some((Some(separator), rest)) = texts.split_first() else { return Ok(None) };
        let parts: Vec<&str> = rest.iter().flatten().map(String::as_str).collect();
        Ok(Some(parts.join(separator)))
    })
}

/// `format(template, …)`: `%s`, `%I`, `%L`, with position, width and `-`.
fn format(call: &Call<'_>) -> PgResult<ArrayRef> {
    print_rows(call, |_, texts| {
        let Some((Some(template), args)) = texts.split_first() else { return Ok(None) };
        expand_template(template, args).map(Some)
    })
}

fn expand_template(template: &str, args: &[Option<String>]) -> PgResult<String> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    let mut next = 0usize;
    let unterminated = || invalid("unterminated format() type specifier").hint("For a single \"%\" use \"%%\".");
    let too_few = || invalid("too few arguments for format()");
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Option<usize> {
            let mut value = None;
            while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
                value = Some(value.unwrap_or(0usize).saturating_mul(10).saturating_add(d as usize));
                chars.next();
            }
            value
        };
        let mut width = number(&mut chars);
        let mut position = None;
        if width.is_some() && chars.peek() == Some(&'$') {
            chars.next();
            position = width.take();
            if position == Some(0) {
                return Err(invalid("format specifies argument 0, but arguments are numbered from 1"));
            }
        }
        let mut left = false;
        if width.is_none() {
            while chars.peek() == Some(&'-') {
                left = true;
                chars.next();
            }
            width = number(&mut chars);
            if chars.peek() == Some(&'*') {
                chars.next();
                let at = match number(&mut chars) {
                    Some(n) if chars.peek() == Some(&'$') => {
                        chars.next();
                        next = n;
                        n.checked_sub(1)
                            .ok_or_else(|| invalid("format specifies argument 0, but arguments are numbered from 1"))?
                    }
                    _ => {
                        next += 1;
                        next - 1
                    }
                };
                let given = args.get(at).ok_or_else(too_few)?;
                let given: i64 = given.as_deref().map_or(Ok(0), str::parse).map_err(|_| invalid("invalid width"))?;
                left |= given < 0;
                width = Some(given.unsigned_abs() as usize);
            }
        }
        let kind = chars.next().ok_or_else(unterminated)?;
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(invalid(format!("unrecognized format() type specifier \"{kind}\""))
                .hint("For a single \"%\" use \"%%\"."));
        }
        let at = position.map_or(next, |p| p - 1);
        next = at + 1;
        let value = args.get(at).ok_or_else(too_few)?;
        let text = match (kind, value) {
            ('s', value) => value.clone().unwrap_or_default(),
            ('I', Some(value)) => quote_identifier(value),
            ('I', None) => {
                return Err(PgError::new(SqlState(*b"22004"), "null values cannot be formatted as an SQL identifier"));
            }
            (_, Some(value)) => quote_literal(value),
            (_, None) => "NULL".to_string(),
        };
        let padding = width.unwrap_or(0).saturating_sub(text.chars().count());
        if left {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', padding));
        } else {
            out.extend(std::iter::repeat_n(' ', padding));
            out.push_str(&text);
        }
    }
    Ok(out)
}

/// `array_to_string(array, delimiter [, null])`
fn array_to_string(call: &Call<'_>) -> PgResult<ArrayRef> {
    let element = element_type(&call.arg_types[0]).ok_or_else(|| PgError::internal("array_to_string of no array"))?;
    let printer = Printer::new(&element, settings(call))?;
    let list = List::column(&call.args[0].array)?;
    let values = list.values();
    let cells = printer.bind(values)?;
    let delimiters = Text::column(&call.args[1].array)?;
    let mut buffer = Vec::new();
    all_rows::<Text>(call, |i| {
        if call.args[0].is_null(i) || call.args[1].is_null(i) {
            return Ok(None);
        }
        let delimiter = delimiters.value(call.args[1].at(i));
        let null = match call.args.get(2) {
            Some(column) if !column.is_null(i) => Some(Text::column(&column.array)?.value(column.at(i))),
            _ => None,
        };
        let at = call.args[0].at(i);
        let (from, to) = (list.offsets()[at] as usize, list.offsets()[at + 1] as usize);
        let mut out = String::new();
        let mut first = true;
        for row in from..to {
            if cells.is_null(row) && null.is_none() {
                continue;
            }
            if !first {
                out.push_str(delimiter);
            }
            first = false;
            match (cells.is_null(row), null) {
                (true, Some(null)) => out.push_str(null),
                _ => out.push_str(text_at(&cells, row, &mut buffer)?),
            }
        }
        Ok(Some(out))
    })
}

/// The arguments of a call row by row, as casts to text give them: `true`, where [`print_rows`] gives `t`.
fn cast_rows(
    call: &Call<'_>,
    mut row: impl FnMut(&[Option<String>]) -> PgResult<Option<String>>,
) -> PgResult<ArrayRef> {
    let booleans: Vec<bool> = call.arg_types.iter().map(|ty| ty.pg.oid == oid::BOOL).collect();
    print_rows(call, |_, texts| {
        let mut texts = texts.to_vec();
        for (text, _) in texts.iter_mut().zip(&booleans).filter(|(_, boolean)| **boolean) {
            if let Some(text) = text {
                *text = if text.as_str() == "t" { "true".into() } else { "false".into() };
            }
        }
        row(&texts)
    })
}

/// `anynonarray || text` and its mirror.
fn any_text(call: &Call<'_>) -> PgResult<ArrayRef> {
    cast_rows(call, |texts| Ok(texts.iter().cloned().collect::<Option<Vec<_>>>().map(|t| t.concat())))
}

fn made(row: &'static ProcRow, args: &[ExprType], body: Body) -> PgResult<ScalarKernel> {
    Ok(fixed(row, args, &body))
}

pub fn declare(r: &mut Registry) {
    r.make(&["num_nulls(any)"], |row, args| made(row, args, Arc::new(|call| count_nulls(call, true))));
    r.make(&["num_nonnulls(any)"], |row, args| made(row, args, Arc::new(|call| count_nulls(call, false))));
    r.make(&["concat(any)"], |row, args| made(row, args, Arc::new(concat)));
    r.make(&["concat_ws(text,any)"], |row, args| made(row, args, Arc::new(concat_ws)));
    r.make(&["format(text,any)", "format(text)"], |row, args| made(row, args, Arc::new(format)));
    r.make(&["array_to_string(anyarray,text)", "array_to_string(anyarray,text,text)"], |row, args| {
        made(row, args, Arc::new(array_to_string))
    });
    r.make(&["anytextcat(anynonarray,text)", "textanycat(text,anynonarray)"], |row, args| {
        made(row, args, Arc::new(any_text))
    });
    r.make(&["quote_literal(anyelement)"], |row, args| {
        made(row, args, Arc::new(|call| cast_rows(call, |t| Ok(t[0].as_deref().map(quote_literal)))))
    });
    r.make(&["quote_nullable(anyelement)"], |row, args| {
        let body: Body = Arc::new(|call| {
            cast_rows(call, |t| Ok(Some(t[0].as_deref().map_or_else(|| "NULL".to_string(), quote_literal))))
        });
        made(row, args, body)
    });
    let words = || map1::<Bool, Text>(|b| b.to_string());
    r.funs(&["text(bool)"], words());
    r.funs(&["text(bpchar)"], map1::<Text, Text>(|s| s.trim_end_matches(' ').to_string()));
}
