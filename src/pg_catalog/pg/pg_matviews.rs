//! `pg_matviews`: gold views.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::view_definition;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("ispopulated", true);
    rows.columns(&["schemaname", "matviewname", "matviewowner", "hasindexes", "definition"]);
    for relation in cx.catalog.relations().filter(|r| relkind(r) == 'm') {
        let has_key = relation.key_index_oid != 0;
        let owner = role_name(cx.catalog, relation.owner());
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            owner,
            has_key,
            view_definition(relation, cx.catalog, &|_| true)
        ]);
    }
}
