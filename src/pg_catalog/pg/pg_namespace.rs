//! `pg_namespace`: schemas.

use crate::catalog::BOOTSTRAP_ROLE;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("nspowner", BOOTSTRAP_ROLE).columns(&["oid", "nspname"]);
    for namespace in cx.catalog.namespaces() {
        rows.push(row![namespace.oid, &namespace.name]);
    }
}
