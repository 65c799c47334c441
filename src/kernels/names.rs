//! Names as text and the OIDs they stand for: `regclass` and its kin, in both directions.

use super::context::Context;
use super::facts::{OperatorRow, ProcRow, facts};
use super::search;
use super::text::quote_identifier;
use super::typename::format_type;
use crate::types::{Oid, PgError, PgResult, SqlState, oid};

/// A dotted name: quoted parts as they are, others folded to lower case. The error is for text that is no name.
pub fn split_identifiers(text: &str) -> PgResult<Vec<String>> {
    let wrong = || PgError::new(SqlState(*b"42602"), "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next().ok_or_else(wrong)? {
                    (_, '"') if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                        chars.next();
                        part.push('"');
                    }
                    (at, '"') => break at + 1,
                    (_, c) => part.push(c),
                }
            };
            if part.is_empty() {
                return Err(wrong());
            }
            parts.push(part);
            rest = quoted[end..].trim_start();
        } else {
            let end = rest.find(|c: char| c == '.' || c == '"' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong());
            }
            parts.push(rest[..end].to_lowercase());
            rest = rest[end..].trim_start();
        }
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(wrong()),
        }
    }
}

/// `[schema.]name` of a dotted name; a database before the schema must be this one.
fn qualified(context: &dyn Context, mut parts: Vec<String>) -> PgResult<(Option<String>, String)> {
    let name = parts.pop().ok_or_else(|| PgError::new(SqlState(*b"42602"), "invalid name syntax"))?;
    let schema = parts.pop();
    match parts.pop() {
        Some(database) if database != context.database() || !parts.is_empty() => {
            Err(PgError::unsupported(format!("a cross-database reference (\"{database}\")")))
        }
        _ => Ok((schema, name)),
    }
}

fn numeric_oid(text: &str) -> Option<Oid> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok().map(Oid)).flatten()
}

/// The object of a reg type that `text` names; `None` where there is none (what `to_reg…` gives).
pub fn lookup(context: &dyn Context, reg: Oid, text: &str) -> PgResult<Option<Oid>> {
    if text == "-" && !matches!(reg, oid::REGNAMESPACE | oid::REGROLE) {
        return Ok(Some(oid::INVALID));
    }
    let catalog = context.catalog();
    match reg {
        oid::REGTYPE => type_oid(context, text),
        oid::REGCLASS => {
            let (schema, name) = qualified(context, split_identifiers(text)?)?;
            Ok(catalog.relation_oid(schema.as_deref(), &name))
        }
        oid::REGNAMESPACE | oid::REGROLE => {
            let parts = split_identifiers(text)?;
            let [name] = parts.as_slice() else {
                return Err(PgError::new(SqlState(*b"42602"), "invalid name syntax"));
            };
            Ok(if reg == oid::REGROLE { catalog.role_oid(name) } else { catalog.namespace_oid(name) })
        }
        oid::REGPROC => {
            let (schema, name) = qualified(context, split_identifiers(text)?)?;
            let mut found = facts().procs_named(&name).filter(|_| in_pg_catalog(schema.as_deref()));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\"")))
                }
                (one, _) => Ok(one.map(|p| p.oid)),
            }
        }
        oid::REGPROCEDURE => {
            let Some((name, args)) = text.trim().strip_suffix(')').and_then(|t| t.split_once('(')) else {
                return Err(PgError::new(SqlState::INVALID_TEXT, "expected a left parenthesis"));
            };
            let (schema, name) = qualified(context, split_identifiers(name)?)?;
            let args = args.split(',').map(str::trim).filter(|a| !a.is_empty());
            let args: Option<Vec<Oid>> = args.map(|a| type_oid(context, a)).collect::<PgResult<_>>()?;
            let found = |args: Vec<Oid>| facts().procs_named(&name).find(|p| p.args == args).map(|p| p.oid);
            Ok(args.filter(|_| in_pg_catalog(schema.as_deref())).and_then(found))
        }
        oid::REGOPER | oid::REGOPERATOR => operator_oid(context, reg, text),
        _ => Ok(fixed_object(reg, &split_identifiers(text)?)),
    }
}

/// A collation, text search configuration or dictionary: there are only PostgreSQL's own.
pub fn fixed_object(reg: Oid, parts: &[String]) -> Option<Oid> {
    let name = match parts {
        [name] => name,
        [schema, name] if schema == "pg_catalog" => name,
        _ => return None,
    };
    match (reg, name.as_str()) {
        (oid::REGCOLLATION, "default") => Some(Oid(100)),
        (oid::REGCOLLATION, "C") => Some(Oid(950)),
        (oid::REGCOLLATION, "POSIX") => Some(Oid(951)),
        (oid::REGCONFIG, name) => search::configuration_oid(name),
        (oid::REGDICTIONARY, name) => search::dictionary_oid(name),
        _ => None,
    }
}

fn in_pg_catalog(schema: Option<&str>) -> bool {
    schema.is_none_or(|s| s == "pg_catalog")
}

fn operator_oid(context: &dyn Context, reg: Oid, text: &str) -> PgResult<Option<Oid>> {
    let (name, args) = match text.trim().strip_suffix(')').and_then(|t| t.split_once('(')) {
        Some((name, args)) => (name, Some(args)),
        None => (text.trim(), None),
    };
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    let Some(args) = args.filter(|_| reg == oid::REGOPERATOR) else {
        let mut found = facts().operators_named(name);
        return match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("more than one operator named {text}")))
            }
            (one, _) => Ok(one.map(|o| o.oid)),
        };
    };
    let mut types = Vec::new();
    for arg in args.split(',').map(str::trim) {
        let ty = if arg.eq_ignore_ascii_case("none") { Some(oid::INVALID) } else { type_oid(context, arg)? };
        match ty {
            Some(ty) => types.push(ty),
            None => return Ok(None),
        }
    }
    Ok(facts().operators_named(name).find(|o| types == [o.left, o.right]).map(|o| o.oid))
}

/// Input of a reg type: a number, or a name that must exist.
pub fn reg_in(context: &dyn Context, reg: Oid, text: &str) -> PgResult<Oid> {
    if let Some(number) = numeric_oid(text) {
        return Ok(number);
    }
    lookup(context, reg, text)?.ok_or_else(|| no_object(reg, text))
}

/// The error for a name that no object has.
pub fn no_object(reg: Oid, text: &str) -> PgError {
    match reg {
        oid::REGCLASS => {
            PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", text.trim()))
        }
        oid::REGTYPE => PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{}\" does not exist", text.trim())),
        oid::REGNAMESPACE => {
            PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", text.trim()))
        }
        oid::REGROLE => PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{}\" does not exist", text.trim())),
        oid::REGPROC | oid::REGPROCEDURE => {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))
        }
        oid::REGOPER | oid::REGOPERATOR => {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {text}"))
        }
        oid::REGCOLLATION => PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("collation \"{text}\" for encoding \"UTF8\" does not exist"),
        ),
        oid::REGCONFIG => {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("text search configuration \"{text}\" does not exist"))
        }
        oid::REGDICTIONARY => {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("text search dictionary \"{text}\" does not exist"))
        }
        _ => PgError::new(SqlState::UNDEFINED_OBJECT, format!("\"{text}\" does not exist")),
    }
}

/// Output of a reg type; an OID without an object is its number.
pub fn reg_out(context: &dyn Context, reg: Oid, value: Oid) -> String {
    if value == oid::INVALID {
        return "-".to_string();
    }
    let catalog = context.catalog();
    let known = match reg {
        oid::REGCLASS => {
            catalog.relation_name(value).map(|(schema, name)| match catalog.relation_visible(value).unwrap_or(false) {
                true => quote_identifier(&name),
                false => format!("{}.{}", quote_identifier(&schema), quote_identifier(&name)),
            })
        }
        oid::REGTYPE => type_text(context, value, None),
        oid::REGNAMESPACE => catalog.namespace_name(value).map(|n| quote_identifier(&n)),
        oid::REGROLE => catalog.role_name(value).map(|n| quote_identifier(&n)),
        oid::REGPROC => facts().proc_row(value).map(proc_name),
        oid::REGPROCEDURE => facts().proc_row(value).map(procedure_text),
        oid::REGOPER => operator_row(value).map(|o| match facts().operators_named(o.name).count() {
            1 => o.name.to_string(),
            _ => format!("pg_catalog.{}", o.name),
        }),
        oid::REGOPERATOR => operator_row(value).map(|o| {
            let side = |ty: Oid| if ty == oid::INVALID { "NONE".to_string() } else { format_type(ty, None) };
            format!("{}({},{})", o.name, side(o.left), side(o.right))
        }),
        oid::REGCOLLATION => match value.0 {
            100 => Some("\"default\"".to_string()),
            950 => Some("\"C\"".to_string()),
            951 => Some("\"POSIX\"".to_string()),
            _ => None,
        },
        oid::REGCONFIG => search::configuration_name(value).map(str::to_string),
        oid::REGDICTIONARY => search::dictionary_name(value),
        _ => None,
    };
    known.unwrap_or_else(|| value.to_string())
}

fn operator_row(value: Oid) -> Option<&'static OperatorRow> {
    facts().operators.iter().find(|o| o.oid == value)
}

/// Qualified where the bare name is not enough to find it again.
fn proc_name(row: &ProcRow) -> String {
    match facts().procs_named(row.name).count() {
        1 => quote_identifier(row.name),
        _ => format!("pg_catalog.{}", quote_identifier(row.name)),
    }
}

pub fn procedure_text(row: &ProcRow) -> String {
    let args: Vec<String> = row.args.iter().map(|&a| format_type(a, None)).collect();
    format!("{}({})", quote_identifier(row.name), args.join(","))
}

/// `format_type` for built-in types and for those of the catalog; `None` where there is no such type.
pub fn type_text(context: &dyn Context, ty: Oid, typmod: Option<i32>) -> Option<String> {
    if facts().type_row(ty).is_some() || ty == oid::INVALID {
        return Some(format_type(ty, typmod));
    }
    let (schema, name) = context.catalog().type_name(ty)?;
    Some(match context.catalog().type_visible(ty).unwrap_or(false) {
        true => quote_identifier(&name),
        false => format!("{}.{}", quote_identifier(&schema), quote_identifier(&name)),
    })
}

/// SQL's own spellings of types.
const SPELLINGS: &[(&str, Oid)] = &[
    ("bigint", oid::INT8),
    ("bit varying", oid::VARBIT),
    ("boolean", oid::BOOL),
    ("char", oid::BPCHAR),
    ("character", oid::BPCHAR),
    ("character varying", oid::VARCHAR),
    ("dec", oid::NUMERIC),
    ("decimal", oid::NUMERIC),
    ("double precision", oid::FLOAT8),
    ("float", oid::FLOAT8),
    ("int", oid::INT4),
    ("integer", oid::INT4),
    ("national character varying", oid::VARCHAR),
    ("nchar", oid::BPCHAR),
    ("real", oid::FLOAT4),
    ("smallint", oid::INT2),
    ("time with time zone", oid::TIMETZ),
    ("time without time zone", oid::TIME),
    ("timestamp with time zone", oid::TIMESTAMPTZ),
    ("timestamp without time zone", oid::TIMESTAMP),
];

/// The type that `text` spells: `integer`, `numeric(10,2)`, `pg_catalog.int4`, `text[]`, `"char"`.
pub fn type_oid(context: &dyn Context, text: &str) -> PgResult<Option<Oid>> {
    let mut base = text.trim();
    let mut array = false;
    while let Some(element) = base.strip_suffix(']').and_then(|b| b.rfind('[').map(|at| b[..at].trim_end())) {
        array = true;
        base = element;
    }
    if let Some(number) = numeric_oid(base) {
        return Ok(Some(number));
    }
    // A modifier may stand inside: timestamp(3) with time zone.
    let spelled = match (base.starts_with('"'), base.find('('), base.find(')')) {
        (false, Some(open), Some(close)) if open < close => {
            format!("{}{}", base[..open].trim_end(), &base[close + 1..])
        }
        _ => base.to_string(),
    };
    let lower = spelled.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let words = words.join(" ");
    let found = match SPELLINGS.iter().find(|(name, _)| *name == words) {
        Some((_, oid)) => Some(*oid),
        None => {
            let (schema, name) = qualified(context, split_identifiers(&spelled)?)?;
            let built_in = in_pg_catalog(schema.as_deref()).then(|| facts().type_named(&name)).flatten();
            match built_in {
                Some(row) => Some(row.oid),
                None => context.catalog().type_oid(schema.as_deref(), &name),
            }
        }
    };
    Ok(match (found, array) {
        (Some(element), true) => oid::array_of(element),
        (found, _) => found,
    })
}

/// The parts of a qualified name as SQL reads it.
pub fn parse_ident(text: &str, strict: bool) -> PgResult<arrow::array::ArrayRef> {
    use super::text::invalid;
    let wrong = || invalid(format!("string is not a valid identifier: \"{text}\""));
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let starts = |c: char| c == '_' || c.is_ascii_alphabetic() || !c.is_ascii();
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    let mut after_dot = false;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut tail = quoted;
            loop {
                let end = tail.find('"').ok_or_else(|| wrong().detail("String has unclosed double quotes."))?;
                name.push_str(&tail[..end]);
                tail = &tail[end + 1..];
                match tail.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        tail = more;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err(wrong().detail("Quoted identifier must not be empty."));
            }
            parts.push(name);
            rest = tail;
        } else if rest.starts_with(starts) {
            let length = rest.find(|c: char| !(starts(c) || c.is_ascii_digit() || c == '$')).unwrap_or(rest.len());
            parts.push(rest[..length].to_ascii_lowercase());
            rest = &rest[length..];
        } else if rest.starts_with('.') {
            return Err(wrong().detail("No valid identifier before \".\"."));
        } else if after_dot {
            return Err(wrong().detail("No valid identifier after \".\"."));
        } else {
            return Err(wrong());
        }
        rest = rest.trim_start_matches(is_space);
        match rest.strip_prefix('.') {
            Some(after) => {
                after_dot = true;
                rest = after.trim_start_matches(is_space);
            }
            None if rest.is_empty() || !strict => break,
            None => return Err(wrong()),
        }
    }
    Ok(std::sync::Arc::new(arrow::array::StringArray::from(parts)))
}
