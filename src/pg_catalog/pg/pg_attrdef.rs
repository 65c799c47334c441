//! `pg_attrdef`: defaults, and the expressions of generated columns.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::attrdef_oid;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for relation in cx.catalog.user_relations() {
        for column in relation.columns.iter().filter(|c| c.identity.is_none()) {
            let Some(default) = &column.default else { continue };
            // As stored: pg_get_expr names the relations in it.
            rows.push(row![attrdef_oid(relation.oid, column.attnum), relation.oid, column.attnum, default]);
        }
    }
}
