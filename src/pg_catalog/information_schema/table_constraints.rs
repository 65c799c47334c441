//! `table_constraints`: constraints, and NOT NULL as the checks that the standard makes of it.

use super::{not_null_name, tables};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::constraints_of;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("enforced", "YES");
    rows.columns(&[
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_type",
        "is_deferrable",
        "initially_deferred",
    ]);
    let database = cx.session().database.as_str();
    for table in tables(cx) {
        let schema = cx.schema_of(table);
        let yes = |is: bool| if is { "YES" } else { "NO" };
        let mut push = |name: &str, kind: &str, deferrable: bool, deferred: bool| {
            let (deferrable, deferred) = (yes(deferrable), yes(deferred));
            rows.push(row![database, schema, name, database, schema, &table.name, kind, deferrable, deferred]);
        };
        for constraint in constraints_of(table) {
            let kind = match constraint.kind {
                'p' => "PRIMARY KEY",
                'u' => "UNIQUE",
                'f' => "FOREIGN KEY",
                _ => "CHECK",
            };
            let foreign = constraint.foreign;
            push(&constraint.name, kind, foreign.is_some_and(|f| f.deferrable), foreign.is_some_and(|f| f.deferred));
        }
        for column in table.columns.iter().filter(|c| c.not_null) {
            push(&not_null_name(table.schema, table.oid, column.attnum), "CHECK", false, false);
        }
    }
}
