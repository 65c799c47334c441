//! `views`: views with their definitions.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::view_definition;
use crate::pg_catalog::relkind;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("check_option", "NONE").constants(&["is_updatable", "is_insertable_into"], "NO");
    rows.constants(&["is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into"], "NO");
    rows.columns(&["table_catalog", "table_schema", "table_name", "view_definition"]);
    for relation in cx.catalog.relations().filter(|r| relkind(r) == 'v') {
        let definition = view_definition(relation, cx.catalog, &|_| true);
        rows.push(row![&cx.session().database, cx.schema_of(relation), &relation.name, definition]);
    }
}
