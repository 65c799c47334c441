//! `key_column_usage`: the columns of primary keys.

use super::tables;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::Key;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&[
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
    ]);
    let database = cx.session.database.as_str();
    for table in tables(cx) {
        let Some(key) = Key::of(table) else { continue };
        let schema = cx.schema_of(table);
        for (column, position) in key.columns().zip(1i32..) {
            rows.push(row![database, schema, key.name(), database, schema, &table.name, &column.name, position]);
        }
    }
}
