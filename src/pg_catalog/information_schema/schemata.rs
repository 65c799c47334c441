//! `schemata`: schemas.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["catalog_name", "schema_name", "schema_owner"]);
    for namespace in cx.catalog.namespaces().filter(|n| cx.sees_schema(n)) {
        rows.push(row![&cx.session().database, &namespace.name, role_name(cx.catalog, namespace.owner())]);
    }
}
