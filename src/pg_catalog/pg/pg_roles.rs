//! `pg_roles`: roles, the passwords starred out.

use crate::catalog::Role;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Cell, Rows, row};

/// What `pg_authid` has as well.
pub const ATTRIBUTES: [&str; 11] = [
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
];

/// The values of [`ATTRIBUTES`].
pub fn attributes(role: &Role) -> [Cell<'_>; ATTRIBUTES.len()] {
    [
        role.oid.into(),
        (&role.name).into(),
        role.superuser.into(),
        role.inherit.into(),
        role.create_role.into(),
        role.create_database.into(),
        role.login.into(),
        role.replication.into(),
        role.bypass_rls.into(),
        role.connection_limit.into(),
        role.valid_until_us.map(Cell::At).into(),
    ]
}

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("rolpassword", "********");
    rows.columns(&ATTRIBUTES).columns(&["rolconfig"]);
    for role in roles(cx) {
        rows.push(&[&attributes(&role)[..], row![settings(&role)]].concat());
    }
}

/// `name=value` for each setting; `None` without any.
pub fn settings(role: &Role) -> Option<Vec<String>> {
    let settings: Vec<String> = role.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!settings.is_empty()).then_some(settings)
}
