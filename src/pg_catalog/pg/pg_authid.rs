//! `pg_authid`: roles with what is kept of their passwords; for superusers alone.

use super::pg_roles::{ATTRIBUTES, attributes};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::roles;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&ATTRIBUTES).columns(&["rolpassword"]);
    for role in roles(cx) {
        rows.push(&[&attributes(&role)[..], row![role.verifier.clone()]].concat());
    }
}
