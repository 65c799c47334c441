//! `table_privileges` and `role_table_grants`: what was granted to, or by, the roles of whoever asks.

use super::listed;
use crate::catalog::{EVERYBODY, Grant};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};
use crate::types::Oid;

/// With what PUBLIC has.
pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    privileges(cx, rows, true);
}

pub fn of_roles(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    privileges(cx, rows, false);
}

/// Whether a grant is for whoever asks to see.
pub fn concerns(cx: &SystemContext<'_>, grant: &Grant, public: bool) -> bool {
    let own = cx.has_rights_of(grant.grantor) || (grant.grantee != EVERYBODY && cx.has_rights_of(grant.grantee));
    if grant.grantee == EVERYBODY { public } else { own }
}

/// A grantee's name.
pub fn grantee_name(cx: &SystemContext<'_>, grantee: Oid) -> String {
    if grantee == EVERYBODY { "PUBLIC".to_owned() } else { role_name(cx.catalog, grantee) }
}

fn privileges(cx: &SystemContext<'_>, rows: &mut Rows<'_>, public: bool) {
    rows.columns(&[
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ]);
    for relation in listed(cx) {
        for grant in relation.effective_acl().0.iter().filter(|grant| concerns(cx, grant, public)) {
            for (bit, privilege) in grant.privileges.each() {
                let grantable = grant.grantable.contains(bit) || grant.grantee == relation.owner();
                rows.push(row![
                    role_name(cx.catalog, grant.grantor),
                    grantee_name(cx, grant.grantee),
                    &cx.session().database,
                    cx.schema_of(relation),
                    &relation.name,
                    privilege,
                    yes_or_no(grantable),
                    yes_or_no(privilege == "SELECT"),
                ]);
            }
        }
    }
}
