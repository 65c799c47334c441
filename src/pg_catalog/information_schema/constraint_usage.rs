//! `constraint_column_usage` and `constraint_table_usage`: what constraints are on; a foreign key is on what it refers to.

use super::tables as all_tables;
use crate::catalog::Relation;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::{TableConstraint, constraints_of};
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn columns(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session().database.as_str();
    for table in all_tables(cx) {
        let schema = cx.schema_of(table);
        for constraint in constraints_of(table) {
            let (of, attnums) = used(cx, &constraint);
            for (_, column) in attnums.iter().filter_map(|n| of.column_numbered(*n)) {
                rows.push(row![database, cx.schema_of(of), &of.name, &column.name, database, schema, &constraint.name]);
            }
        }
    }
}

pub fn tables(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session().database.as_str();
    for table in all_tables(cx) {
        let schema = cx.schema_of(table);
        for constraint in constraints_of(table).iter().filter(|c| c.kind != 'c') {
            let (of, _) = used(cx, constraint);
            rows.push(row![database, cx.schema_of(of), &of.name, database, schema, &constraint.name]);
        }
    }
}

/// The table and columns that a constraint uses.
fn used<'a>(cx: &'a SystemContext<'_>, constraint: &TableConstraint<'a>) -> (&'a Relation, Vec<i16>) {
    let referred = constraint.foreign.and_then(|f| Some((&**cx.catalog.relation(Oid(f.table))?, f.columns.clone())));
    referred.unwrap_or_else(|| (constraint.relation, constraint.columns.clone()))
}
