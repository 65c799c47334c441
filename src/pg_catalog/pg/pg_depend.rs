//! `pg_depend`: what falls with what. A view depends on what it reads through its rule, as in PostgreSQL; columns are not
//! told apart (`refobjsubid` 0).

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::Key;
use crate::pg_catalog::rows::{Rows, row};

const PG_CLASS: u32 = 1259;
const PG_TYPE: u32 = 1247;
const PG_CONSTRAINT: u32 = 2606;
const PG_REWRITE: u32 = 2618;
const PG_NAMESPACE: u32 = 2615;

/// As in PostgreSQL, which pins them: no rows for system relations.
pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["classid", "objid", "objsubid", "refclassid", "refobjid", "refobjsubid", "deptype"]);
    for relation in cx.catalog.user_relations() {
        let oid = relation.oid;
        rows.push(row![PG_CLASS, oid, 0i32, PG_NAMESPACE, relation.schema, 0i32, 'n']);
        if relation.row_type_oid != 0 {
            rows.push(row![PG_TYPE, relation.row_type_oid, 0i32, PG_CLASS, oid, 0i32, 'i']);
        }
        if let Some(key) = Key::of(relation) {
            rows.push(row![PG_CLASS, key.index, 0i32, PG_CONSTRAINT, key.constraint, 0i32, 'i']);
            for column in key.columns() {
                rows.push(row![PG_CONSTRAINT, key.constraint, 0i32, PG_CLASS, oid, i32::from(column.attnum), 'a']);
            }
        }
        if relation.definition.is_some() {
            let rule = relation.row_type_oid;
            rows.push(row![PG_REWRITE, rule, 0i32, PG_CLASS, oid, 0i32, 'i']);
            for read in &relation.depends_on {
                rows.push(row![PG_REWRITE, rule, 0i32, PG_CLASS, *read, 0i32, 'n']);
            }
        }
    }
}
