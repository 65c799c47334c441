//! `key_column_usage`: the columns of primary, unique and foreign keys.

use super::tables;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::constraints_of;
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
        "position_in_unique_constraint",
    ]);
    let database = cx.session().database.as_str();
    for table in tables(cx) {
        let schema = cx.schema_of(table);
        for constraint in constraints_of(table).iter().filter(|c| c.kind != 'c') {
            let columns = constraint.columns.iter().filter_map(|n| table.column_numbered(*n));
            for ((_, column), position) in columns.zip(1i32..) {
                // A foreign key's column and the one that it refers to have the same place.
                let referred = constraint.foreign.map(|_| position);
                let name = &constraint.name;
                rows.push(row![
                    database,
                    schema,
                    name,
                    database,
                    schema,
                    &table.name,
                    &column.name,
                    position,
                    referred
                ]);
            }
        }
    }
}
