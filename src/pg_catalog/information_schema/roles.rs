//! `enabled_roles`, `applicable_roles`, `administrable_role_authorizations`: the roles of whoever asks.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::{role_name, roles};
use crate::pg_catalog::rows::{Rows, row, yes_or_no};

pub fn enabled(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for role in roles(cx).iter().filter(|role| cx.has_rights_of(role.oid)) {
        rows.push(row![&role.name]);
    }
}

pub fn memberships(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, false);
}

pub fn administrable(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    fill(cx, rows, true);
}

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>, administrable: bool) {
    rows.columns(&["grantee", "role_name", "is_grantable"]);
    for (role, member, _, admin) in cx.catalog.roles().memberships() {
        if cx.has_rights_of(member) && (admin || !administrable) {
            let name = |oid| role_name(cx.catalog, oid);
            rows.push(row![name(member), name(role), yes_or_no(admin)]);
        }
    }
}
