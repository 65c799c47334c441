//! `pg_tables`: tables.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["hasrules", "hastriggers", "rowsecurity"], false);
    rows.columns(&["schemaname", "tablename", "tableowner", "hasindexes"]);
    for relation in cx.catalog.relations().filter(|r| relkind(r) == 'r') {
        let owner = role_name(cx.catalog, relation.owner());
        rows.push(row![cx.schema_of(relation), &relation.name, owner, relation.key_index_oid != 0]);
    }
}
