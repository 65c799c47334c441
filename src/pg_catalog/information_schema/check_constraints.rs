//! `check_constraints`: checks, and NOT NULL as the standard has it.

use super::{not_null_name, tables};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::{constraints_of, name_of, shown};
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for table in tables(cx) {
        for constraint in constraints_of(table) {
            let Some(check) = constraint.check else { continue };
            let clause = format!("(({}))", shown(cx.catalog, check, &|r| name_of(cx.catalog, r)));
            rows.push(row![&cx.session().database, cx.schema_of(table), constraint.name, clause]);
        }
        for column in table.columns.iter().filter(|c| c.not_null) {
            let name = not_null_name(table.schema, table.oid, column.attnum);
            let clause = format!("{} IS NOT NULL", column.name);
            rows.push(row![&cx.session().database, cx.schema_of(table), name, clause]);
        }
    }
}
