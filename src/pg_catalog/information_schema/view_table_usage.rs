//! `view_table_usage`: which relations a view reads.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session().database.as_str();
    for view in cx.catalog.relations().filter(|r| relkind(r) == 'v') {
        for read in view.depends_on.iter().filter_map(|oid| cx.catalog.relation(Oid(*oid))) {
            let (schema, read_schema) = (cx.schema_of(view), cx.schema_of(read));
            rows.push(row![database, schema, &view.name, database, read_schema, &read.name]);
        }
    }
}
