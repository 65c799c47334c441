//! What a session may ask about itself, the server and the catalog.

use super::adapt::*;
use super::context::{AdvisoryCall, CatalogLookup, Context, RelationSize};
use super::facts::{self, facts};
use super::kernel::{Body, Call};
use super::names;
use super::registry::Registry;
use super::text::{invalid, quote_identifier};
use super::typename::format_type;
use crate::catalog::{Acl, ObjectKind};
use crate::types::{Oid, PgError, PgResult, SqlState, oid};
use arrow::array::{ArrayRef, StringArray};
use std::sync::Arc;

/// The version of PostgreSQL that clients are told.
pub const SERVER_VERSION: &str = "15.18";

fn about(f: impl Fn(&dyn Context) -> Option<String> + Send + Sync + 'static) -> Body {
    session0::<Text>(move |call| Ok(f(call.context()?)))
}

fn names_array(names: Vec<String>) -> ArrayRef {
    Arc::new(StringArray::from(names))
}

/// A look-up by OID.
fn by_oid(f: impl Fn(&dyn Context, Oid) -> Option<String> + Send + Sync + 'static) -> Body {
    session1::<OidKind, Text>(move |call, oid| Ok(f(call.context()?, Oid(oid))))
}

/// A key of one 64-bit number, or of two of 32 bits, as `pg_locks` shows it.
fn lock_key(high: i64, low: Option<i32>) -> (u32, u32, i16) {
    match low {
        None => ((high >> 32) as u32, high as u32, 1),
        Some(low) => (high as u32, low as u32, 2),
    }
}

fn advisory_locks(r: &mut Registry) {
    r.fun(
        "pg_advisory_unlock_all()",
        session0::<Text>(|call| call.context()?.advisory(AdvisoryCall::UnlockAll).map(|_| Some(void()))),
    );
    for shared in [false, true] {
        let suffix = if shared { "_shared" } else { "" };
        for transaction in [false, true] {
            let of = if transaction { "_xact" } else { "" };
            let lock = move |key, wait| AdvisoryCall::Lock { key, shared, transaction, wait };
            r.fun(
                &format!("pg_advisory{of}_lock{suffix}(int8)"),
                session1::<Int8, Text>(move |call, key| {
                    call.context()?.advisory(lock(lock_key(key, None), true)).map(|_| Some(void()))
                }),
            );
            r.fun(
                &format!("pg_advisory{of}_lock{suffix}(int4,int4)"),
                session2::<Int4, Int4, Text>(move |call, high, low| {
                    call.context()?.advisory(lock(lock_key(high.into(), Some(low)), true)).map(|_| Some(void()))
                }),
            );
            r.fun(
                &format!("pg_try_advisory{of}_lock{suffix}(int8)"),
                session1::<Int8, Bool>(move |call, key| {
                    call.context()?.advisory(lock(lock_key(key, None), false)).map(Some)
                }),
            );
            r.fun(
                &format!("pg_try_advisory{of}_lock{suffix}(int4,int4)"),
                session2::<Int4, Int4, Bool>(move |call, high, low| {
                    call.context()?.advisory(lock(lock_key(high.into(), Some(low)), false)).map(Some)
                }),
            );
        }
        let unlock = move |key| AdvisoryCall::Unlock { key, shared };
        r.fun(
            &format!("pg_advisory_unlock{suffix}(int8)"),
            session1::<Int8, Bool>(move |call, key| call.context()?.advisory(unlock(lock_key(key, None))).map(Some)),
        );
        r.fun(
            &format!("pg_advisory_unlock{suffix}(int4,int4)"),
            session2::<Int4, Int4, Bool>(move |call, high, low| {
                call.context()?.advisory(unlock(lock_key(high.into(), Some(low)))).map(Some)
            }),
        );
    }
}

/// `CREATE FUNCTION` as it would be for a built-in function.
fn functiondef() -> Body {
    session1::<OidKind, Text>(|_, o| {
        let Some(row) = facts().proc_row(Oid(o)) else { return Ok(None) };
        if row.kind == 'a' {
            let message = format!("\"{}\" is an aggregate function", row.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let schema = if row.oid < facts::OWN_PROCS { "pg_catalog" } else { "sluice" };
        let name = quote_identifier(row.name);
        let mut text = format!("CREATE OR REPLACE FUNCTION {schema}.{name}({})\n", function_arguments(row, false));
        text.push_str(&format!(" RETURNS {}\n LANGUAGE internal\n", function_result(row).unwrap_or_default()));
        let mut traits: Vec<&str> = Vec::new();
        match row.volatility {
            'i' => traits.push("IMMUTABLE"),
            's' => traits.push("STABLE"),
            _ => {}
        }
        if row.kind == 'w' {
            traits.insert(0, "WINDOW");
        }
        traits.push("PARALLEL SAFE");
        if row.strict {
            traits.push("STRICT");
        }
        text.push_str(&format!(" {}\nAS $function${}$function$\n", traits.join(" "), row.name));
        Ok(Some(text))
    })
}

fn visible(f: impl Fn(&dyn Context, Oid) -> Option<bool> + Send + Sync + 'static) -> Body {
    session1::<OidKind, Bool>(move |call, oid| Ok(f(call.context()?, Oid(oid))))
}

fn size(what: RelationSize) -> Body {
    session1::<OidKind, Int8>(move |call, oid| Ok(call.context()?.catalog().relation_size(Oid(oid), what)))
}

const DEFAULT_TABLESPACE: u32 = 1663;
const GLOBAL_TABLESPACE: u32 = 1664;

/// All rows are in `pg_default`.
fn tablespace_size(catalog: &dyn CatalogLookup, oid: u32) -> Option<i64> {
    match oid {
        DEFAULT_TABLESPACE => Some(catalog.database_size()),
        GLOBAL_TABLESPACE => Some(0),
        _ => None,
    }
}

fn unknown_setting(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn current_setting(call: &Call<'_>, name: &str, missing_ok: bool) -> PgResult<Option<String>> {
    match call.context()?.setting(name) {
        None if !missing_ok => Err(unknown_setting(name)),
        found => Ok(found),
    }
}

fn set_config(call: &Call<'_>) -> PgResult<ArrayRef> {
    let (name, value) = (Text::column(&call.args[0].array)?, Text::column(&call.args[1].array)?);
    let local = Bool::column(&call.args[2].array)?;
    all_rows::<Text>(call, |i| {
        let [name_arg, value_arg, local_arg] = call.args.as_slice() else { return Ok(None) };
        if name_arg.is_null(i) {
            return Err(PgError::new(SqlState(*b"22004"), "SET requires parameter name"));
        }
        let value = if value_arg.is_null(i) { "" } else { value.value(value_arg.at(i)) };
        let local = !local_arg.is_null(i) && local.value(local_arg.at(i));
        call.context()?.set_setting(name.value(name_arg.at(i)), value, local).map(Some)
    })
}

fn relation_named(context: &dyn Context, text: &str) -> PgResult<Oid> {
    names::reg_in(context, oid::REGCLASS, text)
}

fn encoding_name(encoding: i32) -> &'static str {
    match encoding {
        0 => "SQL_ASCII",
        6 => "UTF8",
        8 => "LATIN1",
        _ => "",
    }
}

fn function_arguments(row: &super::facts::ProcRow, identity: bool) -> String {
    let all = if row.all_args.is_empty() { &row.args } else { &row.all_args };
    let mut out = Vec::new();
    for (i, &ty) in all.iter().enumerate() {
        let mode = row.modes.get(i).copied().unwrap_or('i');
        if mode == 't' || (identity && mode == 'o') {
            continue;
        }
        let prefix = match mode {
            'o' => "OUT ",
            'b' => "INOUT ",
            'v' => "VARIADIC ",
            _ => "",
        };
        let name = row.arg_names.get(i).filter(|n| !n.is_empty());
        let name = name.map_or(String::new(), |n| format!("{} ", quote_identifier(n)));
        out.push(format!("{prefix}{name}{}", format_type(ty, None)));
    }
    out.join(", ")
}

fn function_result(row: &super::facts::ProcRow) -> Option<String> {
    if row.kind == 'p' {
        return None;
    }
    let columns: Vec<String> = (row.all_args.iter().enumerate())
        .filter(|(i, _)| row.modes.get(*i) == Some(&'t'))
        .map(|(i, &ty)| {
            let name = row.arg_names.get(i).copied().unwrap_or_default();
            format!("{} {}", quote_identifier(name), format_type(ty, None))
        })
        .collect();
    if !columns.is_empty() {
        return Some(format!("TABLE({})", columns.join(", ")));
    }
    let set = if row.returns_set { "SETOF " } else { "" };
    Some(format!("{set}{}", format_type(row.result, None)))
}

pub fn size_pretty(bytes: i64) -> String {
    let mut size = i128::from(bytes);
    let units = [
        ("bytes", 10 * 1024),
        ("kB", 20 * 1024 - 1),
        ("MB", 20 * 1024 - 1),
        ("GB", 20 * 1024 - 1),
        ("TB", 20 * 1024 - 1),
        ("PB", 20 * 1024 - 1),
    ];
    for (i, (unit, limit)) in units.iter().enumerate() {
        if size.abs() < *limit || i + 1 == units.len() {
            // One half more bit is kept below the unit, for rounding.
            let rounded = if i > 0 { if size >= 0 { (size + 1) / 2 } else { (size - 1) / 2 } } else { size };
            return format!("{rounded} {unit}");
        }
        size /= if i == 0 { 1 << 9 } else { 1 << 10 };
    }
    String::new()
}

fn size_bytes(text: &str) -> PgResult<i64> {
    let wrong = || invalid(format!("invalid size: \"{text}\""));
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(trimmed.len());
    let (number, unit) = (&trimmed[..end], trimmed[end..].trim());
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1.0,
        "kb" => 1024.0,
        "mb" => 1024f64.powi(2),
        "gb" => 1024f64.powi(3),
        "tb" => 1024f64.powi(4),
        "pb" => 1024f64.powi(5),
        _ => {
            return Err(wrong()
                .detail(format!("Invalid size unit: \"{unit}\"."))
                .hint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
        }
    };
    if let (Ok(whole), true) = (number.parse::<i64>(), factor >= 1.0) {
        return whole.checked_mul(factor as i64).ok_or_else(|| super::integers::out_of_range("bigint"));
    }
    let value: f64 = number.parse().map_err(|_| wrong())?;
    super::floats::round_to(value * factor, -9.3e18, 9.223372036854775e18, "bigint", |v| v as i64)
}

/// An expression as it is shown to be read: `a * 2` for `(a * 2)`.
fn without_outer_parentheses(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else { return text };
    let mut depth = 0i32;
    let closes_early = inner.chars().any(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    });
    if closes_early { text } else { inner }
}

fn void() -> String {
    String::new()
}

pub fn declare(r: &mut Registry) {
    r.fun(
        "version()",
        about(|_| {
            Some(format!(
                "PostgreSQL {SERVER_VERSION} (Sluice {}) on {}",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::ARCH
            ))
        }),
    );
    r.fun("current_database()", about(|c| Some(c.database().to_string())));
    r.fun("current_user()", about(|c| Some(c.current_user().to_string())));
    r.fun("session_user()", about(|c| Some(c.session_user().to_string())));
    r.fun("current_schema()", about(|c| c.search_path().first().cloned()));
    r.fun(
        "current_schemas(bool)",
        session1::<Bool, List>(|call, implicit| {
            let path = call.context()?.search_path();
            let first = (implicit && !path.iter().any(|s| s == "pg_catalog")).then(|| "pg_catalog".to_string());
            Ok(Some(names_array(first.into_iter().chain(path.iter().cloned()).collect())))
        }),
    );
    r.fun("pg_backend_pid()", session0::<Int4>(|call| Ok(Some(call.context()?.backend_pid()))));
    r.fun("pg_is_in_recovery()", session0::<Bool>(|_| Ok(Some(false))));
    r.fun("txid_current()", session0::<Int8>(|call| Ok(Some(call.context()?.transaction_id()))));
    r.fun("txid_current_if_assigned()", session0::<Int8>(|call| Ok(Some(call.context()?.transaction_id()))));
    r.fun("pg_current_xact_id()", about(|c| Some(c.transaction_id().to_string())));
    r.fun("inet_client_addr()", about(|c| c.client_address().map(|(a, _)| a)));
    r.fun("inet_server_addr()", about(|c| c.server_address().map(|(a, _)| a)));
    r.fun("inet_client_port()", session0::<Int4>(|call| Ok(call.context()?.client_address().map(|(_, p)| p))));
    r.fun("inet_server_port()", session0::<Int4>(|call| Ok(call.context()?.server_address().map(|(_, p)| p))));
    r.fun("pg_postmaster_start_time()", session0::<Stamp>(|call| Ok(Some(call.context()?.start_us()))));
    r.fun("pg_conf_load_time()", session0::<Stamp>(|call| Ok(Some(call.context()?.start_us()))));
    r.fun("current_setting(text)", session1::<Text, Text>(|call, name| current_setting(call, name, false)));
    r.fun("current_setting(text,bool)", session2::<Text, Bool, Text>(current_setting));
    r.fun("set_config(text,text,bool)", Arc::new(set_config));
    r.fun("pg_client_encoding()", session0::<Text>(|_| Ok(Some("UTF8".into()))));
    r.fun("getdatabaseencoding()", session0::<Text>(|_| Ok(Some("UTF8".into()))));
    r.fun("pg_encoding_to_char(int4)", map1::<Int4, Text>(|e| encoding_name(e).to_string()));
    r.fun(
        "pg_char_to_encoding(name)",
        map1::<Text, Int4>(|name| match name.to_ascii_uppercase().as_str() {
            "UTF8" | "UNICODE" => 6,
            "SQL_ASCII" => 0,
            "LATIN1" => 8,
            _ => -1,
        }),
    );
    r.fun(
        "pg_encoding_max_length(int4)",
        maybe1::<Int4, Int4>(|e| {
            Ok(match e {
                6 => Some(4),
                0 | 8 => Some(1),
                _ => None,
            })
        }),
    );
    r.fun("pg_my_temp_schema()", session0::<OidKind>(|_| Ok(Some(0))));
    r.fun("pg_is_other_temp_schema(oid)", map1::<OidKind, Bool>(|_| false));

    r.fun(
        "format_type(oid,int4)",
        Arc::new(|call| {
            let (types, mods) = (OidKind::column(&call.args[0].array)?, Int4::column(&call.args[1].array)?);
            let context = call.context()?;
            all_rows::<Text>(call, |i| {
                if call.args[0].is_null(i) {
                    return Ok(None);
                }
                let typmod = (!call.args[1].is_null(i)).then(|| mods.value(call.args[1].at(i)));
                let ty = Oid(types.value(call.args[0].at(i)));
                Ok(Some(names::type_text(context, ty, typmod).unwrap_or_else(|| "???".to_string())))
            })
        }),
    );
    r.fun(
        "pg_typeof(any)",
        Arc::new(|call| {
            let oid = call.arg_types.first().map_or(oid::UNKNOWN, |t| t.pg.oid).0;
            all_rows::<OidKind>(call, |_| Ok(Some(oid)))
        }),
    );
    r.fun(
        "pg_column_size(any)",
        Arc::new(|call| {
            let bytes = |i: usize| -> PgResult<Option<i32>> {
                let column = &call.args[0];
                if column.is_null(i) {
                    return Ok(None);
                }
                Ok(Some(column.array.slice(column.at(i), 1).to_data().get_slice_memory_size()? as i32))
            };
            all_rows::<Int4>(call, bytes)
        }),
    );

    r.fun(
        "pg_get_userbyid(oid)",
        by_oid(|c, o| Some(c.catalog().role_name(o).unwrap_or_else(|| format!("unknown (OID={o})")))),
    );
    r.fun("pg_get_viewdef(oid)", by_oid(|c, o| c.catalog().view_definition(o, false)));
    r.fun(
        "pg_get_viewdef(oid,bool)",
        session2::<OidKind, Bool, Text>(|call, o, pretty| {
            Ok(call.context()?.catalog().view_definition(Oid(o), pretty))
        }),
    );
    r.fun(
        "pg_get_viewdef(oid,int4)",
        session2::<OidKind, Int4, Text>(|call, o, _| Ok(call.context()?.catalog().view_definition(Oid(o), true))),
    );
    r.fun(
        "pg_get_viewdef(text)",
        session1::<Text, Text>(|call, name| {
            let context = call.context()?;
            Ok(context.catalog().view_definition(relation_named(context, name)?, false))
        }),
    );
    r.fun(
        "pg_get_viewdef(text,bool)",
        session2::<Text, Bool, Text>(|call, name, pretty| {
            let context = call.context()?;
            Ok(context.catalog().view_definition(relation_named(context, name)?, pretty))
        }),
    );
    r.fun(
        "explain_view(text)",
        session1::<Text, Text>(|call, name| {
            let context = call.context()?;
            let plan = context.catalog().view_plan(relation_named(context, name)?);
            let not_one = || {
                let message = format!("\"{name}\" is not a materialized view");
                PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
            };
            plan.map(Some).ok_or_else(not_one)
        }),
    );
    r.fun(
        "compact(text)",
        session1::<Text, Text>(|call, name| {
            let context = call.context()?;
            context.compact(relation_named(context, name)?).map(Some)
        }),
    );
    r.fun(
        "rebuild(text)",
        session1::<Text, Text>(|call, name| {
            let context = call.context()?;
            context.rebuild(relation_named(context, name)?).map(Some)
        }),
    );
    r.fun(
        "notify_on_change(text,text)",
        Arc::new(|call| {
            let (names, channels) = (Text::column(&call.args[0].array)?, Text::column(&call.args[1].array)?);
            all_rows::<Text>(call, |i| {
                let [name, channel] = call.args.as_slice() else { return Ok(None) };
                if name.is_null(i) {
                    return Err(PgError::new(SqlState(*b"22004"), "notify_on_change requires a relation"));
                }
                let context = call.context()?;
                let relation = relation_named(context, names.value(name.at(i)))?;
                let channel = (!channel.is_null(i)).then(|| channels.value(channel.at(i)));
                context.notify_on_change(relation, channel).map(|()| Some(void()))
            })
        }),
    );
    r.fun("pg_get_indexdef(oid)", by_oid(|c, o| c.catalog().index_definition(o, 0, false)));
    r.fun(
        "pg_get_indexdef(oid,int4,bool)",
        session3::<OidKind, Int4, Bool, Text>(|call, o, column, pretty| {
            Ok(call.context()?.catalog().index_definition(Oid(o), column, pretty))
        }),
    );
    r.fun("pg_get_constraintdef(oid)", by_oid(|c, o| c.catalog().constraint_definition(o, false)));
    r.fun(
        "pg_get_constraintdef(oid,bool)",
        session2::<OidKind, Bool, Text>(|call, o, pretty| {
            Ok(call.context()?.catalog().constraint_definition(Oid(o), pretty))
        }),
    );
    // Expressions are kept as their text, so that is what a node tree shows.
    r.fun(
        "pg_get_expr(pg_node_tree,oid)",
        session2::<Text, OidKind, Text>(|call, tree, _| Ok(Some(call.context()?.catalog().expression(tree)))),
    );
    r.fun(
        "pg_get_expr(pg_node_tree,oid,bool)",
        session3::<Text, OidKind, Bool, Text>(|call, tree, _, pretty| {
            let text = call.context()?.catalog().expression(tree);
            Ok(Some(if pretty { without_outer_parentheses(&text).to_owned() } else { text }))
        }),
    );
    r.fun("pg_get_function_arguments(oid)", by_oid(|_, o| facts().proc_row(o).map(|p| function_arguments(p, false))));
    r.fun(
        "pg_get_function_identity_arguments(oid)",
        by_oid(|_, o| facts().proc_row(o).map(|p| function_arguments(p, true))),
    );
    r.fun("pg_get_functiondef(oid)", functiondef());
    r.fun("pg_get_function_result(oid)", by_oid(|_, o| facts().proc_row(o).and_then(function_result)));
    r.fun("pg_get_function_arg_default(oid,int4)", session2::<OidKind, Int4, Text>(|_, _, _| Ok(None)));
    // No object of these kinds exists here, so no OID names one.
    for signature in [
        "pg_get_function_sqlbody(oid)",
        "pg_get_partkeydef(oid)",
        "pg_get_partition_constraintdef(oid)",
        "pg_get_ruledef(oid)",
        "pg_get_triggerdef(oid)",
        "pg_get_statisticsobjdef(oid)",
        "pg_get_statisticsobjdef_columns(oid)",
        "pg_tablespace_location(oid)",
    ] {
        r.fun(signature, by_oid(|_, _| None));
    }
    r.fun("pg_get_ruledef(oid,bool)", session2::<OidKind, Bool, Text>(|_, _, _| Ok(None)));
    r.fun("pg_get_triggerdef(oid,bool)", session2::<OidKind, Bool, Text>(|_, _, _| Ok(None)));
    r.fun(
        "pg_get_serial_sequence(text,text)",
        session2::<Text, Text, Text>(|call, table, column| {
            let context = call.context()?;
            let relation = relation_named(context, table)?;
            let found = context.catalog().column_number(relation, column);
            found.map(|attnum| context.catalog().serial_sequence(relation, attnum)).ok_or_else(|| {
                let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
                PgError::new(SqlState::UNDEFINED_COLUMN, message)
            })
        }),
    );
    r.fun(
        "pg_relation_filenode(regclass)",
        session1::<OidKind, OidKind>(|call, o| Ok(call.context()?.catalog().relation_name(Oid(o)).map(|_| o))),
    );
    r.fun(
        "pg_relation_is_publishable(regclass)",
        session1::<OidKind, Bool>(|call, o| Ok(call.context()?.catalog().relation_name(Oid(o)).map(|_| false))),
    );
    r.fun("pg_partition_root(regclass)", session1::<OidKind, OidKind>(|_, _| Ok(None)));
    r.fun("pg_stat_get_numscans(oid)", map1::<OidKind, Int8>(|_| 0));
    r.fun("row_security_active(oid)", map1::<OidKind, Bool>(|_| false));
    r.fun("row_security_active(text)", map1::<Text, Bool>(|_| false));

    r.fun("pg_table_is_visible(oid)", visible(|c, o| c.catalog().relation_visible(o)));
    r.fun(
        "pg_type_is_visible(oid)",
        visible(|c, o| match facts().type_row(o) {
            Some(_) => Some(true),
            None => c.catalog().type_visible(o),
        }),
    );
    r.fun("pg_function_is_visible(oid)", visible(|_, o| facts().proc_row(o).map(|_| true)));
    r.fun("pg_operator_is_visible(oid)", visible(|_, o| facts().operators.iter().find(|p| p.oid == o).map(|_| true)));
    // What there is of these is built in, and pg_catalog is always on the path.
    for kind in [
        "collation",
        "conversion",
        "opclass",
        "opfamily",
        "statistics_obj",
        "ts_config",
        "ts_dict",
        "ts_parser",
        "ts_template",
    ] {
        r.fun(&format!("pg_{kind}_is_visible(oid)"), visible(|_, _| Some(true)));
    }

    let registered = [
        ("to_regclass(text)", oid::REGCLASS),
        ("to_regtype(text)", oid::REGTYPE),
        ("to_regnamespace(text)", oid::REGNAMESPACE),
        ("to_regrole(text)", oid::REGROLE),
        ("to_regproc(text)", oid::REGPROC),
        ("to_regprocedure(text)", oid::REGPROCEDURE),
        ("to_regoper(text)", oid::REGOPER),
        ("to_regoperator(text)", oid::REGOPERATOR),
        ("to_regcollation(text)", oid::REGCOLLATION),
    ];
    for (signature, reg) in registered {
        r.fun(
            signature,
            session1::<Text, OidKind>(move |call, text| match names::lookup(call.context()?, reg, text) {
                Ok(found) => Ok(found.map(|o| o.0)),
                Err(e) if e.state == SqlState::AMBIGUOUS_FUNCTION => Ok(None),
                Err(e) => Err(e),
            }),
        );
    }

    r.fun("obj_description(oid)", by_oid(|c, o| c.catalog().description(o, None, 0)));
    r.fun(
        "obj_description(oid,name)",
        session2::<OidKind, Text, Text>(|call, o, class| {
            Ok(call.context()?.catalog().description(Oid(o), Some(class), 0))
        }),
    );
    r.fun(
        "col_description(oid,int4)",
        session2::<OidKind, Int4, Text>(|call, o, column| {
            Ok(call.context()?.catalog().description(Oid(o), Some("pg_class"), column))
        }),
    );
    r.fun(
        "shobj_description(oid,name)",
        session2::<OidKind, Text, Text>(|call, o, class| {
            Ok(call.context()?.catalog().shared_description(Oid(o), class))
        }),
    );

    r.fun("pg_relation_size(regclass)", size(RelationSize::Main));
    r.fun(
        "pg_relation_size(regclass,text)",
        session2::<OidKind, Text, Int8>(|call, o, fork| match fork {
            "main" => Ok(call.context()?.catalog().relation_size(Oid(o), RelationSize::Main)),
            "fsm" | "vm" | "init" => Ok(Some(0)),
            _ => {
                Err(invalid("invalid fork name").hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\"."))
            }
        }),
    );
    r.fun("pg_table_size(regclass)", size(RelationSize::Table));
    r.fun("pg_indexes_size(regclass)", size(RelationSize::Indexes));
    r.fun("pg_total_relation_size(regclass)", size(RelationSize::Total));
    r.fun(
        "pg_database_size(oid)",
        session1::<OidKind, Int8>(|call, o| {
            let catalog = call.context()?.catalog();
            Ok(catalog.database_name(Oid(o)).map(|_| catalog.database_size()))
        }),
    );
    r.fun(
        "pg_tablespace_size(oid)",
        session1::<OidKind, Int8>(|call, o| Ok(tablespace_size(call.context()?.catalog(), o))),
    );
    r.fun(
        "pg_tablespace_size(name)",
        session1::<Text, Int8>(|call, name| {
            let oid = match name {
                "pg_default" => DEFAULT_TABLESPACE,
                "pg_global" => GLOBAL_TABLESPACE,
                _ => {
                    let message = format!("tablespace \"{name}\" does not exist");
                    return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
                }
            };
            Ok(tablespace_size(call.context()?.catalog(), oid))
        }),
    );
    r.fun(
        "pg_database_size(name)",
        session1::<Text, Int8>(|call, name| {
            let catalog = call.context()?.catalog();
            match catalog.database_oid(name) {
                Some(_) => Ok(Some(catalog.database_size())),
                None => {
                    Err(PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist")))
                }
            }
        }),
    );
    r.fun("pg_size_pretty(int8)", map1::<Int8, Text>(size_pretty));
    r.fun("pg_size_bytes(text)", attempt1::<Text, Int8>(size_bytes));

    r.fun("pg_cancel_backend(int4)", session1::<Int4, Bool>(|call, pid| call.context()?.signal(pid, false).map(Some)));
    r.fun(
        "pg_terminate_backend(int4,int8)",
        // The timeout has a default, and is not waited for.
        session1::<Int4, Bool>(|call, pid| call.context()?.signal(pid, true).map(Some)),
    );
    r.fun(
        "pg_notify(text,text)",
        Arc::new(|call| {
            let (channels, payloads) = (Text::column(&call.args[0].array)?, Text::column(&call.args[1].array)?);
            all_rows::<Text>(call, |i| {
                let [channel, payload] = call.args.as_slice() else { return Ok(None) };
                let channel = if channel.is_null(i) { "" } else { channels.value(channel.at(i)) };
                let payload = if payload.is_null(i) { "" } else { payloads.value(payload.at(i)) };
                call.context()?.notify(channel, payload).map(|()| Some(void()))
            })
        }),
    );
    r.fun(
        "pg_notification_queue_usage()",
        session0::<Float8>(|call| Ok(Some(call.context()?.notification_queue_usage()))),
    );
    r.fun(
        "acldefault(char,oid)",
        session2::<Text, OidKind, List>(|call, letter, owner| {
            let context = call.context()?;
            let kind = letter.chars().next().and_then(ObjectKind::of_letter);
            let kind =
                kind.ok_or_else(|| PgError::internal(format!("unrecognized object type abbreviation: {letter}")))?;
            let name = |oid: Oid| context.catalog().role_name(oid).unwrap_or_else(|| oid.to_string());
            Ok(Some(names_array(Acl::default_of(kind, Oid(owner)).text(&name))))
        }),
    );
    r.fun(
        "pg_blocking_pids(int4)",
        map1::<Int4, List>(|_| Arc::new(arrow::array::Int32Array::from(Vec::<i32>::new())) as ArrayRef),
    );
    r.fun("gen_random_uuid()", session0::<Fixed<16>>(|_| Ok(Some(*uuid::Uuid::new_v4().as_bytes()))));
    // A session's own resources: there are none to give back.
    advisory_locks(r);
}
