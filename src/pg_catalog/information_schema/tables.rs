//! `tables`: tables and views.

use super::listed;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("is_typed", "NO");
    rows.columns(&["table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into"]);
    for relation in listed(cx) {
        let is_table = relkind(relation) == 'r';
        rows.push(row![
            &cx.session().database,
            cx.schema_of(relation),
            &relation.name,
            if is_table { "BASE TABLE" } else { "VIEW" },
            yes_or_no(is_table),
        ]);
    }
}
