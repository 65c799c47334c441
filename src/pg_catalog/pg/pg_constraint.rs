//! `pg_constraint`: primary and foreign keys, unique constraints, checks.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::constraints;
use crate::pg_catalog::rows::{Cell, Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["convalidated", "conislocal"], true);
    rows.constants(&["contypid", "conparentid"], 0u32).constant("coninhcount", 0i32);
    rows.columns(&[
        "oid",
        "conname",
        "connamespace",
        "contype",
        "conrelid",
        "conindid",
        "confrelid",
        "confupdtype",
        "confdeltype",
        "confmatchtype",
        "connoinherit",
        "conkey",
        "confkey",
        "conbin",
        "condeferrable",
        "condeferred",
        "confdelsetcols",
    ]);
    for constraint in constraints(cx.catalog) {
        let relation = constraint.relation;
        let numbers = |list: &[i16]| list.iter().map(|n| i64::from(*n)).collect::<Vec<i64>>();
        let foreign = constraint.foreign;
        let index = foreign.map_or(constraint.index, |foreign| referred_index(cx, foreign));
        let none_of = Cell::Null;
        rows.push(row![
            constraint.oid,
            &constraint.name,
            relation.schema,
            constraint.kind,
            relation.oid,
            index,
            foreign.map_or(0, |f| f.table),
            // A blank: no foreign key, no action.
            foreign.map_or(' ', |f| f.on_update),
            foreign.map_or(' ', |f| f.on_delete),
            foreign.map_or(' ', |f| if f.full { 'f' } else { 's' }),
            constraint.kind != 'c',
            numbers(&constraint.columns),
            foreign.map_or_else(|| none_of.clone(), |f| Cell::from(numbers(&f.columns))),
            // As stored: pg_get_expr names the relations in it.
            constraint.check,
            foreign.is_some_and(|f| f.deferrable),
            foreign.is_some_and(|f| f.deferred),
            match foreign {
                Some(f) if !f.on_delete_set.is_empty() => Cell::from(numbers(&f.on_delete_set)),
                _ => Cell::Null,
            },
        ]);
    }
}

/// The index by which a foreign key finds the rows that it refers to.
fn referred_index(cx: &SystemContext<'_>, foreign: &crate::catalog::Foreign) -> u32 {
    let Some(referred) = cx.catalog.relation(crate::types::Oid(foreign.table)) else { return 0 };
    let indexes = crate::pg_catalog::objects::indexes_of(referred);
    indexes.iter().find(|i| i.unique && i.attnums == foreign.columns).map_or(0, |i| i.oid.0)
}
