//! `pg_attrdef`: defaults, and the expressions of generated columns.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::shown;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for relation in cx.catalog.user_relations() {
        for column in relation.columns.iter().filter(|c| c.identity.is_none()) {
            let Some(default) = &column.default else { continue };
            // A default has no OID of its own; table and column tell it apart as well.
            let oid = relation.oid.0.wrapping_mul(1601).wrapping_add(column.attnum as u32);
            rows.push(row![oid, relation.oid, column.attnum, shown(cx.catalog, default)]);
        }
    }
}
