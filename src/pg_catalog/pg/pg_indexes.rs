//! `pg_indexes`: indexes with their definitions.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::indexes;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["schemaname", "tablename", "indexname", "indexdef"]);
    for index in indexes(cx.catalog) {
        let schema = cx.schema_of(index.relation);
        rows.push(row![schema, &index.relation.name, &index.name, index.definition(schema)]);
    }
}
