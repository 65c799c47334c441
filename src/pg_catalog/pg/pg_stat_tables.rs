//! `pg_stat_{all,sys,user}_tables` and `pg_statio_…_tables`: live rows of each table and materialized view. Counters that
//! Sluice does not keep are NULL.

use crate::catalog::{Relation, RelationKind};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row};

pub fn all(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, true, |_| true);
}

pub fn system(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, true, |r| r.kind == RelationKind::System);
}

pub fn user(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, true, |r| r.kind != RelationKind::System);
}

pub fn all_io(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, false, |_| true);
}

pub fn system_io(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, false, |r| r.kind == RelationKind::System);
}

pub fn user_io(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, false, |r| r.kind != RelationKind::System);
}

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>, counted: bool, wanted: fn(&Relation) -> bool) {
    rows.columns(&["relid", "schemaname", "relname"]);
    if counted {
        rows.columns(&["n_live_tup"]);
    }
    for relation in cx.catalog.relations().filter(|r| matches!(relkind(r), 'r' | 'm') && wanted(r)) {
        let (oid, schema) = (relation.oid, cx.schema_of(relation));
        match counted {
            true => rows.push(row![oid, schema, &relation.name, cx.row_count(oid)]),
            false => rows.push(row![oid, schema, &relation.name]),
        }
    }
}
