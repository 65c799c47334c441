//! `pg_description`: comments on relations, columns, indexes, constraints and schemas.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::{constraints_of, indexes_of};
use crate::pg_catalog::rows::{Rows, row};

/// OIDs of the catalogs that the objects are in.
const PG_CLASS: u32 = 1259;
const PG_NAMESPACE: u32 = 2615;
const PG_CONSTRAINT: u32 = 2606;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["objoid", "classoid", "objsubid", "description"]);
    for namespace in cx.catalog.namespaces() {
        if let Some(comment) = &namespace.comment {
            rows.push(row![namespace.oid, PG_NAMESPACE, 0i32, comment]);
        }
    }
    for relation in cx.catalog.relations() {
        if let Some(comment) = &relation.comment {
            rows.push(row![relation.oid, PG_CLASS, 0i32, comment]);
        }
        for (attnum, comment) in &relation.column_comments {
            rows.push(row![relation.oid, PG_CLASS, *attnum, comment]);
        }
        for index in indexes_of(relation) {
            if let Some(comment) = relation.part_comments.get(&index.oid.0) {
                rows.push(row![index.oid, PG_CLASS, 0i32, comment]);
            }
        }
        for constraint in constraints_of(relation) {
            if let Some(comment) = relation.part_comments.get(&constraint.oid.0) {
                rows.push(row![constraint.oid, PG_CONSTRAINT, 0i32, comment]);
            }
        }
    }
}
