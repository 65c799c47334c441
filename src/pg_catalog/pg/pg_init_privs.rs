//! `pg_init_privs`: what system schemas and relations grant from the beginning; `pg_dump` writes only what differs.

use crate::catalog::{FIRST_USER_OID, Namespace, Relation, RelationKind};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::acl_text;
use crate::pg_catalog::rows::{Rows, row};

const PG_CLASS: u32 = 1259;
const PG_NAMESPACE: u32 = 2615;

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("objsubid", 0i32).constant("privtype", 'i');
    rows.columns(&["objoid", "classoid", "initprivs"]);
    for namespace in cx.catalog.namespaces().filter(|n| n.oid.0 < FIRST_USER_OID) {
        rows.push(row![
            namespace.oid,
            PG_NAMESPACE,
            acl_text(cx.catalog, Some(&Namespace::new(namespace.oid, "").effective_acl()))
        ]);
    }
    for relation in cx.catalog.relations().filter(|r| r.kind == RelationKind::System) {
        let initial = Relation { acl: None, columns: Vec::new(), ..Relation::clone(relation) };
        rows.push(row![relation.oid, PG_CLASS, acl_text(cx.catalog, Some(&initial.effective_acl()))]);
    }
}
