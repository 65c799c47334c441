//! `pg_auth_members`, `pg_default_acl`, `pg_db_role_setting`: memberships, and what roles begin with.

use super::pg_roles::settings;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::{acl_text, roles};
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["roleid", "member", "grantor", "admin_option"]);
    for (role, member, grantor, admin) in cx.catalog.roles().memberships() {
        rows.push(row![role, member, grantor, admin]);
    }
}

pub fn defaults(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["oid", "defaclrole", "defaclnamespace", "defaclobjtype", "defaclacl"]);
    for default in &cx.catalog.roles().defaults {
        let acl = acl_text(cx.catalog, Some(&default.acl)).unwrap_or_default();
        let letter = if default.kind.letter() == 's' { 'S' } else { default.kind.letter() };
        rows.push(row![default.oid, default.role, default.schema, letter, acl]);
    }
}

pub fn role_settings(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("setdatabase", 0u32).columns(&["setrole", "setconfig"]);
    for role in roles(cx) {
        if let Some(settings) = settings(&role) {
            rows.push(row![role.oid, settings]);
        }
    }
}
