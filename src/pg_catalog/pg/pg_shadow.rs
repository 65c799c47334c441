//! `pg_shadow` and `pg_user`: roles that can log in.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["usecreatedb", "usesuper", "usebypassrls"], true).constant("userepl", false);
    rows.constant("passwd", "********").columns(&["usename", "usesysid"]);
    for (oid, name) in roles(cx) {
        rows.push(row![name, oid]);
    }
}
