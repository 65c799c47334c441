//! `pg_roles`: roles.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    // Whoever may log in may do everything: there are no grants yet.
    rows.constants(&["rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolbypassrls"], true);
    rows.constant("rolreplication", false).constant("rolconnlimit", -1i32);
    rows.constant("rolpassword", "********");
    rows.columns(&["oid", "rolname"]);
    for (oid, name) in roles(cx) {
        rows.push(row![oid, name]);
    }
}
