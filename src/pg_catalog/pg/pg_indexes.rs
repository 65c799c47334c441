//! `pg_indexes`: indexes with their definitions.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::keys;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["schemaname", "tablename", "indexname", "indexdef"]);
    for key in keys(cx.catalog) {
        let schema = cx.schema_of(key.relation);
        rows.push(row![schema, &key.relation.name, key.name(), key.index_definition(schema)]);
    }
}
