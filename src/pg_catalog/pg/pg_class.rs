//! `pg_class`: tables, views, materialized views and indexes.

use crate::catalog::{ConstraintKind, RelationKind};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::indexes_of;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::{GLOBAL_TABLESPACE, acl_text};
use crate::pg_catalog::rows::{Rows, row};
use std::collections::HashSet;

const HEAP: u32 = 2;

fn access_method(name: &str) -> u32 {
    match name {
        "hash" => 405,
        "gist" => 783,
        "gin" => 2742,
        "brin" => 3580,
        "spgist" => 4000,
        _ => 403,
    }
}

/// The relations that PostgreSQL shares between databases.
const SHARED: [u32; 11] = [1213, 1214, 1260, 1261, 1262, 2396, 2964, 3592, 6000, 6100, 6243];

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["reloftype", "reltoastrelid", "relrewrite"], 0u32);
    rows.constants(&["relfrozenxid", "relminmxid"], 0u32);
    rows.constants(&["relpages", "relallvisible"], 0i32);
    rows.constants(&["relhassubclass", "relrowsecurity"], false);
    rows.constants(&["relforcerowsecurity", "relispartition"], false);
    rows.constant("relispopulated", true);
    rows.columns(&[
        "oid",
        "relname",
        "relnamespace",
        "reltype",
        "relam",
        "relfilenode",
        "reltuples",
        "relhasindex",
        "relkind",
        "relnatts",
        "relhasrules",
        "relreplident",
        "relisshared",
        "reltablespace",
        "relchecks",
        "relpersistence",
        "relowner",
        "relacl",
        "relhastriggers",
    ]);
    // As in PostgreSQL, where triggers watch over both ends of a foreign key; tools look for the keys only then.
    let mut watched: HashSet<u32> = HashSet::new();
    for relation in cx.catalog.user_relations() {
        for constraint in &relation.constraints {
            if let ConstraintKind::Foreign(foreign) = &constraint.kind {
                watched.extend([foreign.table, relation.oid.0]);
            }
        }
    }
    for relation in cx.catalog.relations() {
        let kind = relkind(relation);
        let stored = kind != 'v';
        let indexes = indexes_of(relation);
        let checks = relation.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Check(_))).count();
        let temporary = cx.catalog.temporary() == Some(relation.schema);
        // System relations show what they grant, as PostgreSQL's do; others only what was granted.
        let acl = match relation.kind {
            RelationKind::System => Some(relation.effective_acl()),
            _ => relation.acl.clone(),
        };
        let shared = SHARED.contains(&relation.oid.0);
        // Rows that were never counted are -1; so are a view's.
        let tuples = cx.row_count(relation.oid).map_or(if stored { -1.0 } else { 0.0 }, |n| n as f64);
        rows.push(row![
            relation.oid,
            &relation.name,
            relation.schema,
            relation.row_type_oid,
            if stored && kind != 'S' { HEAP } else { 0 },
            if stored { relation.oid.0 } else { 0 },
            tuples,
            !indexes.is_empty(),
            kind,
            relation.columns.len(),
            matches!(relation.kind, RelationKind::View | RelationKind::Gold) || kind == 'v',
            if stored && relation.kind != RelationKind::System { 'd' } else { 'n' },
            shared,
            if shared { GLOBAL_TABLESPACE.0 } else { 0 },
            checks,
            if temporary { 't' } else { 'p' },
            relation.owner(),
            acl_text(cx.catalog, acl.as_ref()),
            watched.contains(&relation.oid.0),
        ]);
        for index in indexes {
            let natts = index.attnums.len();
            rows.push(row![
                index.oid,
                &index.name,
                relation.schema,
                0u32,
                access_method(index.method),
                index.oid,
                tuples,
                false,
                'i',
                natts,
                false,
                'n',
                false,
                0u32,
                0usize,
                if temporary { 't' } else { 'p' },
                relation.owner(),
                None::<Vec<String>>,
                false,
            ]);
        }
    }
}
