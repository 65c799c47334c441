//! `constraint_column_usage` and `constraint_table_usage`: what primary keys are on.

use super::tables as all_tables;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::Key;
use crate::pg_catalog::rows::{Rows, row};

pub fn columns(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session.database.as_str();
    for table in all_tables(cx) {
        let Some(key) = Key::of(table) else { continue };
        let schema = cx.schema_of(table);
        for column in key.columns() {
            rows.push(row![database, schema, &table.name, &column.name, database, schema, key.name()]);
        }
    }
}

pub fn tables(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session.database.as_str();
    for table in all_tables(cx) {
        let Some(key) = Key::of(table) else { continue };
        let schema = cx.schema_of(table);
        rows.push(row![database, schema, &table.name, database, schema, key.name()]);
    }
}
