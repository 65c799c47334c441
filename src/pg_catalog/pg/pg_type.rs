//! `pg_type`: the built-in types and the row types of relations.

use crate::catalog::{BOOTSTRAP_ROLE, PG_CATALOG};
use crate::kernels::facts;
use crate::kernels::facts::TypeRow;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::is_array;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::{Oid, oid};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("typowner", BOOTSTRAP_ROLE).constant("typisdefined", true).constant("typnotnull", false);
    rows.constant("typtypmod", -1i32).constant("typndims", 0i32);
    rows.columns(&[
        "oid",
        "typname",
        "typnamespace",
        "typlen",
        "typbyval",
        "typtype",
        "typcategory",
        "typispreferred",
        "typdelim",
        "typrelid",
        "typsubscript",
        "typelem",
        "typarray",
        "typinput",
        "typoutput",
        "typreceive",
        "typsend",
        "typmodin",
        "typmodout",
        "typanalyze",
        "typalign",
        "typstorage",
        "typbasetype",
        "typcollation",
    ]);
    for ty in &facts().types {
        let (typmod_in, typmod_out) = typmod_functions(ty);
        rows.push(row![
            ty.oid,
            ty.name,
            PG_CATALOG,
            ty.len,
            ty.by_value,
            ty.kind,
            ty.category,
            ty.preferred,
            ty.delimiter,
            0u32,
            subscript_function(ty),
            ty.element,
            ty.array,
            ty.input,
            ty.output,
            ty.receive,
            ty.send,
            typmod_in,
            typmod_out,
            analyze_function(ty),
            ty.align,
            ty.storage,
            ty.base,
            ty.collation,
        ]);
    }
    let [input, output, receive, send] = ["record_in", "record_out", "record_recv", "record_send"].map(named);
    for relation in cx.catalog.relations().filter(|r| r.row_type_oid != 0) {
        let none = oid::INVALID;
        rows.push(row![
            relation.row_type_oid,
            &relation.name,
            relation.schema,
            -1i16,
            false,
            'c',
            'C',
            false,
            ',',
            relation.oid,
            none,
            none,
            none,
            input,
            output,
            receive,
            send,
            none,
            none,
            none,
            'd',
            'x',
            none,
            none,
        ]);
    }
}

fn named(name: &str) -> Oid {
    facts().procs_named(name).next().map_or(oid::INVALID, |p| p.oid)
}

/// A type's typmod functions are named after it; an array has its element's.
fn typmod_functions(ty: &TypeRow) -> (Oid, Oid) {
    let base = if is_array(ty.oid) { facts().type_row(ty.element).map_or(ty.name, |e| e.name) } else { ty.name };
    (named(&format!("{base}typmodin")), named(&format!("{base}typmodout")))
}

fn subscript_function(ty: &TypeRow) -> Oid {
    match ty.oid {
        oid::JSONB => named("jsonb_subscript_handler"),
        _ if ty.element == oid::INVALID => oid::INVALID,
        _ if ty.len == -1 => named("array_subscript_handler"),
        _ => named("raw_array_subscript_handler"),
    }
}

fn analyze_function(ty: &TypeRow) -> Oid {
    match ty.kind {
        'r' => named("range_typanalyze"),
        'm' => named("multirange_typanalyze"),
        _ if ty.oid == oid::TSVECTOR => named("ts_typanalyze"),
        _ if is_array(ty.oid) => named("array_typanalyze"),
        _ => oid::INVALID,
    }
}
