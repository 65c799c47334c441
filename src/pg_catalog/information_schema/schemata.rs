//! `schemata`: schemas.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::OWNER;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("schema_owner", OWNER).columns(&["catalog_name", "schema_name"]);
    for namespace in cx.catalog.namespaces() {
        rows.push(row![&cx.session.database, &namespace.name]);
    }
}
