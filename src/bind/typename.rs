//! `TypeName` → type and modifier.

use super::{Binder, names, overload};
use crate::kernels::facts::facts;
use crate::types::{Oid, PgError, PgResult, PgType, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeName, a_const};

const INTERVAL_FULL_RANGE: i32 = 0x7fff;
const INTERVAL_FULL_PRECISION: i32 = 0xffff;

impl Binder<'_> {
    pub(super) fn type_name(&self, node: &TypeName) -> PgResult<PgType> {
        resolve(node)
    }
}

/// The type that a `TypeName` of a statement means (also for DDL's column definitions).
///
/// # Errors
/// `42704` for an unknown type, `22023` for a wrong modifier.
pub fn resolve(node: &TypeName) -> PgResult<PgType> {
    let error = |e: PgError| match names::offset(node.location) {
        Some(at) => e.at(at),
        None => e,
    };
    let parts = names::strings(&node.names);
    if node.setof || node.pct_type {
        return Err(error(PgError::unsupported("SETOF or %TYPE")));
    }
    let row = match parts.as_slice() {
        [name] | ["pg_catalog" | "information_schema", name] => facts().type_named(name),
        _ => None,
    };
    let Some(row) = row else {
        let message = format!("type \"{}\" does not exist", parts.join("."));
        return Err(error(PgError::new(SqlState::UNDEFINED_OBJECT, message)));
    };
    let typmod = modifier(row.oid, &node.typmods).map_err(error)?;
    if node.array_bounds.is_empty() {
        return Ok(PgType { oid: row.oid, typmod });
    }
    let array = overload::array_type(row.oid).ok_or_else(|| {
        let message = format!("could not find array type for data type {}", names::type_name(row.oid));
        error(PgError::new(SqlState::UNDEFINED_OBJECT, message))
    })?;
    Ok(PgType { oid: array, typmod })
}

fn modifier(ty: Oid, nodes: &[Node]) -> PgResult<i32> {
    if nodes.is_empty() {
        return Ok(-1);
    }
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(NodeEnum::AConst(c)) = &node.node else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "type modifiers must be simple constants or identifiers"));
        };
        match &c.val {
            Some(a_const::Val::Ival(i)) => values.push(i.ival),
            _ => return Err(PgError::new(SqlState::INVALID_PARAMETER, "invalid type modifier")),
        }
    }
    let name = names::type_name(ty);
    let invalid = |message: String| Err(PgError::new(SqlState::INVALID_PARAMETER, message));
    match (ty, values.as_slice()) {
        (oid::VARCHAR | oid::BPCHAR, [n]) => match *n {
            n if n < 1 => invalid(format!("length for type {} must be at least 1", short_name(ty))),
            n if n > 10_485_760 => invalid(format!("length for type {} cannot exceed 10485760", short_name(ty))),
            n => Ok(n + 4),
        },
        (oid::BIT | oid::VARBIT, [n]) => match *n {
            n if n < 1 => invalid(format!("length for type {} must be at least 1", short_name(ty))),
            n => Ok(n),
        },
        (oid::NUMERIC, [p]) => numeric(*p, 0),
        (oid::NUMERIC, [p, s]) => numeric(*p, *s),
        (oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ, [p]) => match *p {
            p if p < 0 => invalid(format!("{} precision must not be negative", name.to_uppercase())),
            p => Ok(p.min(6)),
        },
        (oid::INTERVAL, [range]) => match *range {
            INTERVAL_FULL_RANGE => Ok(-1),
            range => Ok((range << 16) | INTERVAL_FULL_PRECISION),
        },
        (oid::INTERVAL, [range, precision]) => Ok((range << 16) | (*precision).clamp(0, 6)),
        _ => invalid(format!("type modifier is not allowed for type \"{name}\"")),
    }
}

fn short_name(ty: Oid) -> &'static str {
    match ty {
        oid::VARCHAR => "varchar",
        oid::BPCHAR => "char",
        oid::BIT => "bit",
        _ => "varbit",
    }
}

fn numeric(precision: i32, scale: i32) -> PgResult<i32> {
    let message = match (precision, scale) {
        (p, _) if !(1..=1000).contains(&p) => format!("NUMERIC precision {p} must be between 1 and 1000"),
        (_, s) if !(-1000..=1000).contains(&s) => format!("NUMERIC scale {s} must be between -1000 and 1000"),
        (p, s) => return Ok(((p << 16) | (s & 0x7ff)) + 4),
    };
    Err(PgError::new(SqlState::INVALID_PARAMETER, message))
}
