//! `has_table_privilege` and its kin: one evaluation for all their signatures.

use super::adapt::*;
use super::context::{Context, PrivilegeOn};
use super::facts::{ProcRow, facts};
use super::kernel::Call;
use super::names;
use super::registry::Registry;
use super::text::invalid;
use crate::types::{Oid, PgError, PgResult, SqlState, oid};
use std::sync::Arc;

/// What the functions ask about, and the privileges that may be asked for.
const FAMILIES: &[(&str, Object, &[&str])] = &[
    (
        "has_table_privilege",
        Object::Relation,
        &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"],
    ),
    ("has_any_column_privilege", Object::AnyColumn, &["SELECT", "INSERT", "UPDATE", "REFERENCES"]),
    ("has_column_privilege", Object::Column, &["SELECT", "INSERT", "UPDATE", "REFERENCES"]),
    ("has_schema_privilege", Object::Schema, &["CREATE", "USAGE"]),
    ("has_database_privilege", Object::Database, &["CREATE", "CONNECT", "TEMP", "TEMPORARY"]),
    ("has_function_privilege", Object::Function, &["EXECUTE"]),
    ("has_type_privilege", Object::Type, &["USAGE"]),
    ("has_language_privilege", Object::Language, &["USAGE"]),
    ("has_tablespace_privilege", Object::Tablespace, &["CREATE"]),
    ("has_sequence_privilege", Object::Sequence, &["USAGE", "SELECT", "UPDATE"]),
    ("pg_has_role", Object::Role, &["MEMBER", "USAGE"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Relation,
    AnyColumn,
    Column,
    Schema,
    Database,
    Function,
    Type,
    Language,
    Tablespace,
    Sequence,
    Role,
}

/// An argument that is a name or an OID.
enum Given<'a> {
    Name(&'a str),
    Oid(Oid),
    Number(i16),
}

fn given<'a>(call: &'a Call<'_>, row: &ProcRow, arg: usize, i: usize) -> PgResult<Given<'a>> {
    let column = &call.args[arg];
    Ok(match row.args[arg] {
        oid::OID => Given::Oid(Oid(OidKind::column(&column.array)?.value(column.at(i)))),
        oid::INT2 => Given::Number(Int2::column(&column.array)?.value(column.at(i))),
        _ => Given::Name(Text::column(&column.array)?.value(column.at(i))),
    })
}

fn role_of(context: &dyn Context, given: Given<'_>) -> PgResult<Oid> {
    match given {
        // 0 and the name "public" are everybody.
        Given::Name("public") => Ok(oid::INVALID),
        Given::Name(name) => context
            .catalog()
            .role_oid(name)
            .ok_or_else(|| PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))),
        Given::Oid(oid) => Ok(oid),
        Given::Number(_) => Err(PgError::internal("a role is not a number")),
    }
}

fn object_of(context: &dyn Context, object: Object, given: Given<'_>) -> PgResult<PrivilegeOn> {
    let undefined =
        |state, what: &str, name: &str| Err(PgError::new(state, format!("{what} \"{name}\" does not exist")));
    let catalog = context.catalog();
    let oid = match (object, given) {
        (Object::Database, Given::Oid(_)) => return Ok(PrivilegeOn::Database),
        (Object::Database, Given::Name(name)) => match catalog.database_oid(name) {
            Some(_) => return Ok(PrivilegeOn::Database),
            None => return undefined(SqlState::INVALID_CATALOG_NAME, "database", name),
        },
        (_, Given::Oid(oid)) => oid,
        (_, Given::Number(n)) => Oid(n as u32),
        (Object::Relation | Object::AnyColumn | Object::Column | Object::Sequence, Given::Name(name)) => {
            names::reg_in(context, oid::REGCLASS, name)?
        }
        (Object::Schema, Given::Name(name)) => match catalog.namespace_oid(name) {
            Some(oid) => oid,
            None => return undefined(SqlState::INVALID_SCHEMA_NAME, "schema", name),
        },
        (Object::Function, Given::Name(name)) => names::reg_in(context, oid::REGPROCEDURE, name)?,
        (Object::Type, Given::Name(name)) => names::reg_in(context, oid::REGTYPE, name)?,
        (Object::Role, given) => role_of(context, given)?,
        (Object::Language, Given::Name(name)) => match name {
            "internal" => Oid(12),
            "c" => Oid(13),
            "sql" => Oid(14),
            name => return undefined(SqlState::UNDEFINED_OBJECT, "language", name),
        },
        (Object::Tablespace, Given::Name(name)) => match name {
            "pg_default" => Oid(1663),
            "pg_global" => Oid(1664),
            name => return undefined(SqlState::UNDEFINED_OBJECT, "tablespace", name),
        },
    };
    Ok(match object {
        Object::Relation => PrivilegeOn::Relation(oid),
        Object::AnyColumn | Object::Column => PrivilegeOn::Column(oid, 0),
        Object::Schema => PrivilegeOn::Schema(oid),
        Object::Database => PrivilegeOn::Database,
        Object::Function => PrivilegeOn::Function(oid),
        Object::Type => PrivilegeOn::Type(oid),
        Object::Language => PrivilegeOn::Language(oid),
        Object::Tablespace => PrivilegeOn::Tablespace(oid),
        Object::Sequence => PrivilegeOn::Sequence(oid),
        Object::Role => PrivilegeOn::Role(oid),
    })
}

/// The answer of one row: any of the comma-separated privileges is enough.
fn holds(call: &Call<'_>, row: &ProcRow, family: &(&str, Object, &[&str]), i: usize) -> PgResult<Option<bool>> {
    let (_, object, known) = family;
    let context = call.context()?;
    let own = if *object == Object::Column { 2 } else { 1 };
    let explicit_role = row.args.len() == own + 2;
    let mut next = 0;
    let mut take = || {
        next += 1;
        given(call, row, next - 1, i)
    };
    let role = if explicit_role { role_of(context, take()?)? } else { context.current_user_oid() };
    let mut on = object_of(context, *object, take()?)?;
    if let (Object::Column, PrivilegeOn::Column(relation, _)) = (object, on) {
        let attnum = match take()? {
            Given::Number(n) => n,
            Given::Name(name) => context.catalog().column_number(relation, name).ok_or_else(|| {
                let table = names::reg_out(context, oid::REGCLASS, relation);
                let message = format!("column \"{name}\" of relation \"{table}\" does not exist");
                PgError::new(SqlState::UNDEFINED_COLUMN, message)
            })?,
            Given::Oid(_) => return Err(PgError::internal("a column is not an OID")),
        };
        on = PrivilegeOn::Column(relation, attnum);
    }
    let Given::Name(list) = take()? else { return Err(PgError::internal("a privilege is a text")) };
    let mut any = Some(false);
    for wanted in list.split(',') {
        let wanted = wanted.trim().to_ascii_uppercase();
        let grant_suffix = if *object == Object::Role { " WITH ADMIN OPTION" } else { " WITH GRANT OPTION" };
        let (name, grant) = match wanted.strip_suffix(grant_suffix) {
            Some(name) => (name, true),
            None => (wanted.strip_suffix(" WITH GRANT OPTION").unwrap_or(&wanted), wanted.ends_with("OPTION")),
        };
        if !known.contains(&name) {
            return Err(invalid(format!("unrecognized privilege type: \"{}\"", list.trim())));
        }
        match context.catalog().has_privilege(role, on, name, grant) {
            None => any = None,
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
        }
    }
    Ok(any)
}

pub fn declare(r: &mut Registry) {
    for family in FAMILIES {
        for row in facts().procs_named(family.0) {
            let types = row.args.iter().map(|a| facts().type_row(*a).map_or("?", |t| t.name));
            let signature = format!("{}({})", family.0, types.collect::<Vec<_>>().join(","));
            r.fun(&signature, Arc::new(move |call| strict_rows::<Bool>(call, |i| holds(call, row, family, i))));
        }
    }
}
