//! `sluice.memory`: what the process's memory is for: tables, indexes, views, and the rest.
//!
//! The bytes of all rows but `free` are what the process has allocated, those of all rows its limit.

use super::{Own, always, perhaps};
use crate::catalog::{Relation, RelationKind};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::oid;

pub const MEMORY: Own = Own {
    oid: 13912,
    name: "memory",
    comment: "what the memory of the process is for",
    columns: &[
        // NULL for what belongs to no relation.
        perhaps("schema_name", oid::TEXT),
        perhaps("relation_name", oid::TEXT),
        // table, tail, view, view-state, key-index, index, evicted-cache, other, free
        always("kind", oid::TEXT),
        // Of an index: its columns.
        perhaps("columns", oid::TEXT),
        perhaps("rows", oid::INT8),
        always("bytes", oid::INT8),
    ],
    fill,
};

fn column_names(relation: &Relation, columns: &[usize]) -> String {
    let names: Vec<&str> =
        columns.iter().filter_map(|column| relation.columns.get(*column)).map(|column| column.name.as_str()).collect();
    names.join(", ")
}

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let mut known = 0;
    for table in &cx.state().tables {
        let Some(relation) = cx.catalog.relation(table.oid) else { continue };
        let gold = relation.kind == RelationKind::Gold;
        for part in table.memory.iter() {
            known += part.bytes;
            let kind = if gold && part.kind == "table" { "view" } else { part.kind };
            let columns = match (part.kind, gold) {
                ("index", _) => Some(column_names(relation, &part.columns)),
                ("key-index", false) => Some(column_names(relation, &relation.key)),
                _ => None,
            };
            rows.push(row![cx.schema_of(relation), &relation.name, kind, columns, Some(part.rows), part.bytes]);
        }
        if let Some(view) = cx.state().view(table.oid) {
            known += view.state_bytes;
            rows.push(row![
                cx.schema_of(relation),
                &relation.name,
                "view-state",
                None::<String>,
                None::<u64>,
                view.state_bytes
            ]);
        }
    }
    let nothing = || None::<&str>;
    let cache = cx.state().cold_cache_bytes;
    if cache > 0 {
        known += cache;
        rows.push(row![nothing(), nothing(), "evicted-cache", nothing(), None::<u64>, cache]);
    }
    let used = cx.state().used_bytes.max(known);
    rows.push(row![nothing(), nothing(), "other", nothing(), None::<u64>, used - known]);
    if let Some(limit) = cx.state().memory_limit {
        rows.push(row![nothing(), nothing(), "free", nothing(), None::<u64>, limit.saturating_sub(used)]);
    }
}
