//! Constants: numbers by their size, bit strings, names of objects (`'pg_class'::regclass`).

use crate::bind::overload::Context;
use crate::bind::tree::Expr;
use crate::bind::{Binder, names};
use crate::kernels::{self, facts::facts};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use pg_query::protobuf::{AConst, a_const::Val};

/// A string literal whose type is still open.
pub fn unknown(text: Option<String>) -> Expr {
    let ty = ExprType { pg: PgType::new(oid::UNKNOWN), storage: DataType::Utf8 };
    Expr::literal(ScalarValue::Utf8(text), ty)
}

pub fn int4(value: i32) -> Expr {
    Expr::literal(ScalarValue::Int32(Some(value)), ExprType::of(PgType::new(oid::INT4)))
}

pub fn int8(value: i64) -> Expr {
    Expr::literal(ScalarValue::Int64(Some(value)), super::super::tree::bigint())
}

/// A plain decimal number as Decimal128, if its digits fit; its scale is its display scale.
pub fn decimal(number: &str) -> Option<Expr> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !all(whole) || !all(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let scale = fraction.len();
    let significant = whole.trim_start_matches('0').len();
    let precision = (significant + scale).max(1);
    if precision > 38 {
        return None;
    }
    let unscaled: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let unscaled = if negative { -unscaled } else { unscaled };
    let storage = DataType::Decimal128(precision as u8, scale as i8);
    let value = ScalarValue::Decimal128(Some(unscaled), precision as u8, scale as i8);
    Some(Expr::literal(value, ExprType { pg: PgType::new(oid::NUMERIC), storage }))
}

impl Binder<'_> {
    pub(super) fn constant(&mut self, node: &AConst) -> PgResult<Expr> {
        let at = names::offset(node.location);
        if node.isnull {
            return Ok(unknown(None).at(at));
        }
        let made = match &node.val {
            None => unknown(None),
            Some(Val::Ival(i)) => int4(i.ival),
            Some(Val::Boolval(b)) => Expr::truth(b.boolval),
            Some(Val::Sval(s)) => unknown(Some(s.sval.clone())),
            Some(Val::Fval(f)) => self.number(&f.fval)?,
            Some(Val::Bsval(b)) => {
                let bits = bit_digits(&b.bsval)?;
                Expr::literal(ScalarValue::Utf8(Some(bits)), ExprType::of(PgType::new(oid::BIT)))
            }
        };
        Ok(made.at(at))
    }

    fn number(&mut self, text: &str) -> PgResult<Expr> {
        let text = text.replace('_', "");
        let radix = |prefix: &str, radix: u32| {
            let rest = text.strip_prefix(prefix).or_else(|| text.strip_prefix(&prefix.to_uppercase()))?;
            i128::from_str_radix(rest, radix).ok()
        };
        let text = match radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)) {
            Some(number) => number.to_string(),
            None => text,
        };
        if let Ok(value) = text.parse::<i64>() {
            return Ok(int8(value));
        }
        if let Some(number) = decimal(&text) {
            return Ok(number);
        }
        self.convert(unknown(Some(text)), PgType::new(oid::NUMERIC), Context::Explicit)
    }

    /// The OID that a name of type `ty` (regclass, regtype, …) means.
    pub(super) fn object_literal(&self, text: &str, ty: Oid) -> PgResult<Oid> {
        if text == "-" {
            return Ok(oid::INVALID);
        }
        if let Ok(number) = text.trim().parse::<u32>() {
            return Ok(Oid(number));
        }
        match ty {
            oid::REGCLASS => {
                let parts = identifiers(text)?;
                let (schema, name) = match parts.as_slice() {
                    [name] => (None, name),
                    [schema, name] => (Some(schema.as_str()), name),
                    [_, schema, name] => (Some(schema.as_str()), name),
                    _ => return Err(invalid_name()),
                };
                self.catalog.resolve(&self.path, schema, name).map(|r| r.oid)
            }
            oid::REGNAMESPACE => {
                let parts = identifiers(text)?;
                let [name] = parts.as_slice() else { return Err(invalid_name()) };
                let found = self.catalog.namespace_named(name).map(|n| n.oid);
                let message = format!("schema \"{name}\" does not exist");
                found.ok_or_else(|| PgError::new(SqlState::INVALID_SCHEMA_NAME, message))
            }
            oid::REGTYPE => {
                let sql = format!("SELECT NULL::{text}");
                let parsed = super::super::parse(&sql).ok().and_then(|s| s.into_iter().next());
                let node = parsed.and_then(|s| match s.node {
                    pg_query::NodeEnum::SelectStmt(select) => select.target_list.into_iter().next(),
                    _ => None,
                });
                let Some(pg_query::NodeEnum::ResTarget(target)) = node.and_then(|n| n.node) else {
                    return Err(invalid_name());
                };
                match target.val.and_then(|v| v.node) {
                    Some(pg_query::NodeEnum::TypeCast(cast)) => match &cast.type_name {
                        Some(name) => super::super::typename::resolve(name).map(|t| t.oid),
                        None => Err(invalid_name()),
                    },
                    _ => Err(invalid_name()),
                }
                .map_err(|mut e| {
                    e.rest = None;
                    e
                })
            }
            oid::REGPROC => {
                let parts = identifiers(text)?;
                let name = parts.last().map(String::as_str).unwrap_or_default();
                let mut found = facts().procs_named(name);
                match (found.next(), found.next()) {
                    (Some(one), None) => Ok(one.oid),
                    (None, _) => {
                        let message = format!("function \"{text}\" does not exist");
                        Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message))
                    }
                    _ => {
                        let message = format!("more than one function named \"{text}\"");
                        Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message))
                    }
                }
            }
            oid::REGPROCEDURE => {
                let taken = text.trim().strip_suffix(')').and_then(|text| text.split_once('('));
                let missing_parenthesis = || PgError::new(SqlState::INVALID_TEXT, "expected a left parenthesis");
                let (name, args) = taken.ok_or_else(missing_parenthesis)?;
                let parts = identifiers(name)?;
                let args = args.split(',').map(str::trim).filter(|arg| !arg.is_empty());
                let args = args.map(|arg| self.object_literal(arg, oid::REGTYPE)).collect::<PgResult<Vec<_>>>()?;
                let found = match parts.as_slice() {
                    [name] => facts().procs_named(name).find(|proc| proc.args == args),
                    [schema, name] if schema == "pg_catalog" => facts().procs_named(name).find(|p| p.args == args),
                    _ => None,
                };
                let message = format!("function \"{text}\" does not exist");
                found.map(|proc| proc.oid).ok_or_else(|| PgError::new(SqlState::UNDEFINED_FUNCTION, message))
            }
            oid::REGROLE => match identifiers(text)?.as_slice() {
                [name] if self.catalog.roles().named(name).is_some() => {
                    Ok(self.catalog.roles().named(name).map_or(crate::types::oid::INVALID, |role| role.oid))
                }
                _ => {
                    let message = format!("role \"{text}\" does not exist");
                    Err(PgError::new(SqlState::UNDEFINED_OBJECT, message))
                }
            },
            reg @ (oid::REGCONFIG | oid::REGDICTIONARY | oid::REGCOLLATION) => {
                kernels::fixed_object(reg, &identifiers(text)?).ok_or_else(|| kernels::no_object(reg, text))
            }
            other => Err(PgError::unsupported(format!("a literal of type {}", names::type_name(other)))),
        }
    }
}

fn invalid_name() -> PgError {
    PgError::new(SqlState([b'4', b'2', b'6', b'0', b'2']), "invalid name syntax")
}

/// `a."B c"` → `["a", "B c"]`, unquoted parts folded to lower case.
fn identifiers(text: &str) -> PgResult<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            let mut end = None;
            while let Some((i, c)) = chars.next() {
                if c != '"' {
                    name.push(c);
                } else if chars.peek().is_some_and(|(_, n)| *n == '"') {
                    name.push('"');
                    chars.next();
                } else {
                    end = Some(i + 1);
                    break;
                }
            }
            let end = end.ok_or_else(invalid_name)?;
            parts.push(name);
            rest = &quoted[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let name = rest[..end].trim();
            if name.is_empty() {
                return Err(invalid_name());
            }
            parts.push(name.to_lowercase());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid_name()),
        }
    }
}

/// `b0101` or `x1f`, as the scanner hands them on, as binary digits.
fn bit_digits(text: &str) -> PgResult<String> {
    let wrong =
        |c: char, what: &str| PgError::new(SqlState::INVALID_TEXT, format!("\"{c}\" is not a valid {what} digit"));
    let mut bits = String::new();
    match text.strip_prefix('x') {
        Some(hex) => {
            for c in hex.chars() {
                let digit = c.to_digit(16).ok_or_else(|| wrong(c, "hexadecimal"))?;
                bits.push_str(&format!("{digit:04b}"));
            }
        }
        None => {
            for c in text.strip_prefix('b').unwrap_or(text).chars() {
                match c {
                    '0' | '1' => bits.push(c),
                    _ => return Err(wrong(c, "binary")),
                }
            }
        }
    }
    Ok(bits)
}
