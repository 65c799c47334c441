//! Roles and the one database, as the catalogs name them.

use super::context::SystemContext;
use crate::catalog::{Acl, BOOTSTRAP_NAME, BOOTSTRAP_ROLE, Catalog, Role};
use crate::types::Oid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The owner of everything that nobody else made.
pub const OWNER: &str = BOOTSTRAP_NAME;
/// OID of the database that a client is connected to.
pub const DATABASE: Oid = Oid(5);
/// `pg_default` and `pg_global`.
pub const DEFAULT_TABLESPACE: Oid = Oid(1663);
pub const GLOBAL_TABLESPACE: Oid = Oid(1664);

/// The OID of a role. Somebody whom the catalog does not know (who came where no passwords are asked for) has one made
/// from the name (FNV-1a, in the upper half of the OIDs, where objects never get).
pub fn role_oid(catalog: &Catalog, name: &str) -> Oid {
    if let Some(role) = catalog.roles().named(name) {
        return role.oid;
    }
    if name == OWNER {
        return BOOTSTRAP_ROLE;
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Oid(hash | 0x8000_0000)
}

/// The roles that are known now, by OID: those of the catalog, and superusers whom it does not know and who have a session.
pub fn roles(cx: &SystemContext<'_>) -> Vec<Arc<Role>> {
    let mut all: BTreeMap<Oid, Arc<Role>> = cx.catalog.roles().all.clone();
    for name in cx.sessions().iter().map(|s| s.user.as_str()).chain([cx.session().user.as_str()]) {
        if !name.is_empty() && cx.catalog.roles().named(name).is_none() {
            let oid = role_oid(cx.catalog, name);
            all.insert(oid, Arc::new(Role::superuser(oid, name)));
        }
    }
    all.into_values().collect()
}

/// The name of a role; its number, where it is gone.
pub fn role_name(catalog: &Catalog, oid: Oid) -> String {
    catalog.roles().get(oid).map_or_else(|| oid.to_string(), |role| role.name.clone())
}

/// A list of grants as its column shows it.
pub fn acl_text(catalog: &Catalog, acl: Option<&Acl>) -> Option<Vec<String>> {
    acl.map(|acl| acl.text(&|oid| role_name(catalog, oid)))
}
