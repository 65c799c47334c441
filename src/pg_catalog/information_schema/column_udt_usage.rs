//! `column_udt_usage`: the type of each column.

use super::listed;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::sql_type;
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session().database.as_str();
    for relation in listed(cx) {
        for column in &relation.columns {
            let ty = sql_type(Oid(column.type_oid), column.typmod);
            let schema = cx.schema_of(relation);
            rows.push(row![database, "pg_catalog", ty.udt_name, database, schema, &relation.name, &column.name]);
        }
    }
}
