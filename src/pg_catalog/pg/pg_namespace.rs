//! `pg_namespace`: schemas.

use crate::catalog::FIRST_USER_OID;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::acl_text;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["oid", "nspname", "nspowner", "nspacl"]);
    for namespace in cx.catalog.namespaces() {
        let system = (namespace.oid.0 < FIRST_USER_OID).then(|| namespace.effective_acl());
        let acl = acl_text(cx.catalog, namespace.acl.as_ref().or(system.as_ref()));
        rows.push(row![namespace.oid, &namespace.name, namespace.owner(), acl]);
    }
}
