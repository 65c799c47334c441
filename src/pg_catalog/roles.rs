//! Roles and the one database, as the catalogs name them.
//!
//! Users are not objects of the catalog yet: whoever may log in is a role with every right. `sluice` owns everything; any
//! other name has an OID made from the name, the same in every process.

use super::context::SystemContext;
use crate::catalog::BOOTSTRAP_ROLE;
use crate::types::Oid;
use std::collections::BTreeSet;

/// The owner of everything.
pub const OWNER: &str = "sluice";
/// OID of the database that a client is connected to.
pub const DATABASE: Oid = Oid(5);
/// `pg_default` and `pg_global`.
pub const DEFAULT_TABLESPACE: Oid = Oid(1663);
pub const GLOBAL_TABLESPACE: Oid = Oid(1664);

/// The OID of a role (FNV-1a of the name, in the upper half of the OIDs, where objects never get).
pub fn role_oid(name: &str) -> Oid {
    if name == OWNER {
        return BOOTSTRAP_ROLE;
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Oid(hash | 0x8000_0000)
}

/// The roles that are known now, by OID: the owner and every user with a session.
pub fn roles<'a>(cx: &SystemContext<'a>) -> Vec<(Oid, &'a str)> {
    let users = cx.sessions.iter().map(|s| s.user.as_str()).chain([cx.session.user.as_str(), OWNER]);
    let names: BTreeSet<&str> = users.filter(|name| !name.is_empty()).collect();
    let mut roles: Vec<_> = names.into_iter().map(|name| (role_oid(name), name)).collect();
    roles.sort_unstable();
    roles
}
