//! `pg_views`: views. A system relation that is a view to PostgreSQL has no definition here: its rows are made.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::describe::view_definition;
use crate::pg_catalog::relkind;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["schemaname", "viewname", "viewowner", "definition"]);
    for relation in cx.catalog.relations().filter(|r| relkind(r) == 'v') {
        let owner = role_name(cx.catalog, relation.owner());
        rows.push(row![
            cx.schema_of(relation),
            &relation.name,
            owner,
            view_definition(relation, cx.catalog, &|_| true)
        ]);
    }
}
