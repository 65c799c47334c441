//! `referential_constraints`: foreign keys.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::{action_name, constraints, indexes_of};
use crate::pg_catalog::rows::{Rows, row};
use crate::types::Oid;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    let database = cx.session().database.as_str();
    for constraint in constraints(cx.catalog) {
        let Some(foreign) = constraint.foreign else { continue };
        let Some(referred) = cx.catalog.relation(Oid(foreign.table)) else { continue };
        let unique = indexes_of(referred).into_iter().find(|i| i.unique && i.attnums == foreign.columns);
        rows.push(row![
            database,
            cx.schema_of(constraint.relation),
            &constraint.name,
            database,
            cx.schema_of(referred),
            unique.map(|index| index.name),
            if foreign.full { "FULL" } else { "NONE" },
            action_name(foreign.on_update),
            action_name(foreign.on_delete),
        ]);
    }
}
