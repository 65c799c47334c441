//! `pg_constraint`: primary keys.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::keys;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("contype", "p").constants(&["condeferrable", "condeferred"], false);
    rows.constants(&["convalidated", "conislocal", "connoinherit"], true);
    rows.constants(&["contypid", "conparentid", "confrelid"], 0u32).constant("coninhcount", 0i32);
    // A blank: no foreign key, no action.
    rows.constants(&["confupdtype", "confdeltype", "confmatchtype"], " ");
    rows.columns(&["oid", "conname", "connamespace", "conrelid", "conindid", "conkey"]);
    for key in keys(cx.catalog) {
        let relation = key.relation;
        rows.push(row![key.constraint, key.name(), relation.schema, relation.oid, key.index, key.attnums()]);
    }
}
