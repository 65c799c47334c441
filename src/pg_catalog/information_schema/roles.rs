//! `enabled_roles` and the memberships in roles, of which there are none.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Rows, row};

pub fn enabled(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for (_, name) in roles(cx) {
        rows.push(row![name]);
    }
}

pub fn memberships(_: &SystemContext<'_>, _: &mut Rows<'_>) {}
