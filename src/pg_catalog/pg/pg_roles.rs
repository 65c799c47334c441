//! `pg_roles`: roles, the passwords starred out.

use crate::catalog::Role;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Cell, Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("rolpassword", "********");
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
        "rolconfig",
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
            settings(&role),
        ]);
    }
}

/// `name=value` for each setting; `None` without any.
pub fn settings(role: &Role) -> Option<Vec<String>> {
    let settings: Vec<String> = role.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!settings.is_empty()).then_some(settings)
}
