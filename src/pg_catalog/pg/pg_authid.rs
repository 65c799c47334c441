//! `pg_authid`: roles with what is kept of their passwords; for superusers alone.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Cell, Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&[
        "oid",
        "rolname",
        "rolsuper",
        "rolinherit",
        "rolcreaterole",
        "rolcreatedb",
        "rolcanlogin",
        "rolreplication",
        "rolbypassrls",
        "rolconnlimit",
        "rolvaliduntil",
        "rolpassword",
    ]);
    for role in roles(cx) {
        rows.push(row![
            role.oid,
            &role.name,
            role.superuser,
            role.inherit,
            role.create_role,
            role.create_database,
            role.login,
            role.replication,
            role.bypass_rls,
            role.connection_limit,
            role.valid_until_us.map(Cell::At),
            role.verifier.clone(),
        ]);
    }
}
