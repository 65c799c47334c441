//! `pg_tables`: tables.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::OWNER;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("tableowner", OWNER).constants(&["hasrules", "hastriggers", "rowsecurity"], false);
    rows.columns(&["schemaname", "tablename", "hasindexes"]);
    for relation in cx.catalog.relations().filter(|r| relkind(r) == 'r') {
        rows.push(row![cx.schema_of(relation), &relation.name, relation.key_index_oid != 0]);
    }
}
