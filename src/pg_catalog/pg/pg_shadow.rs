//! `pg_shadow` and `pg_user`: roles that can log in.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Rows, row};

/// `pg_user`: as `pg_shadow`, the password starred out.
pub fn users(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("passwd", "********");
    fill(cx, rows);
}

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["usecreatedb", "usesuper", "usebypassrls"], true).constant("userepl", false);
    rows.columns(&["usename", "usesysid"]);
    for (oid, name) in roles(cx) {
        rows.push(row![name, oid]);
    }
}
