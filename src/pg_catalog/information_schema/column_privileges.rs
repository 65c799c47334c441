//! `column_privileges` and `role_column_grants`: what was granted on tables and on columns, column by column.

use super::listed;
use super::table_privileges::{concerns, grantee_name};
use crate::catalog::{Grant, ObjectKind};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::role_name;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};
use std::collections::BTreeMap;

/// With what PUBLIC has.
pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    privileges(cx, rows, true);
}

pub fn of_roles(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    privileges(cx, rows, false);
}

fn privileges(cx: &SystemContext<'_>, rows: &mut Rows<'_>, public: bool) {
    rows.columns(&[
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "privilege_type",
        "is_grantable",
    ]);
    for relation in listed(cx) {
        let whole = relation.effective_acl();
        for column in &relation.columns {
            // One row for each, whether it is from the table, the column or both.
            let mut held = BTreeMap::new();
            let own = relation.column_acls.get(&column.attnum);
            for grant in whole.0.iter().chain(own.iter().flat_map(|acl| &acl.0)) {
                let Grant { grantor, grantee, .. } = *grant;
                if !concerns(cx, grant, public) {
                    continue;
                }
                for (bit, privilege) in (grant.privileges & ObjectKind::Column.all()).each() {
                    let grantable = grant.grantable.contains(bit) || grantee == relation.owner();
                    *held.entry((grantor, grantee, privilege)).or_insert(false) |= grantable;
                }
            }
            for ((grantor, grantee, privilege), grantable) in held {
                rows.push(row![
                    role_name(cx.catalog, grantor),
                    grantee_name(cx, grantee),
                    &cx.session().database,
                    cx.schema_of(relation),
                    &relation.name,
                    &column.name,
                    privilege,
                    yes_or_no(grantable),
                ]);
            }
        }
    }
}
