//! `pg_stat_{all,sys,user}_indexes` and `pg_statio_…_indexes`: all indexes. Counters that Sluice does not keep are NULL.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::indexes;
use crate::pg_catalog::rows::{Rows, row};

pub fn all(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["relid", "indexrelid", "schemaname", "relname", "indexrelname"]);
    for index in indexes(cx.catalog) {
        let relation = index.relation;
        rows.push(row![relation.oid, index.oid, cx.schema_of(relation), &relation.name, &index.name]);
    }
}

/// System relations have no indexes.
pub fn system(_: &SystemContext<'_>, _: &mut Rows<'_>) {}

pub fn user(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    all(cx, rows);
}
