//! `pg_shadow` and `pg_user`: roles that can log in; `pg_group`: those that cannot.

use crate::catalog::Role;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Cell, Rows, row};

/// `pg_user`: as `pg_shadow`, the password starred out.
pub fn users(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    logins(cx, rows, |_| Some("********".to_owned()));
}

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    logins(cx, rows, |role| role.verifier.clone());
}

fn logins(cx: &SystemContext<'_>, rows: &mut Rows<'_>, password: fn(&Role) -> Option<String>) {
    rows.columns(&["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd", "valuntil"]);
    for role in roles(cx).iter().filter(|role| role.login) {
        rows.push(row![
            &role.name,
            role.oid,
            role.create_database,
            role.superuser,
            role.replication,
            role.bypass_rls,
            password(role),
            role.valid_until_us.map(Cell::At),
        ]);
    }
}

pub fn groups(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["groname", "grosysid", "grolist"]);
    for role in roles(cx).iter().filter(|role| !role.login) {
        let memberships = cx.catalog.roles().memberships();
        let members: Vec<u32> =
            memberships.filter(|(of, ..)| *of == role.oid).map(|(_, member, ..)| member.0).collect();
        rows.push(row![&role.name, role.oid, members]);
    }
}
