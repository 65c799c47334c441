//! `table_privileges` and `role_table_grants`: what the owner may do, which is everything.

use super::listed;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::OWNER;
use crate::pg_catalog::rows::{Rows, row, yes_or_no};

const PRIVILEGES: [&str; 7] = ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["grantor", "grantee"], OWNER).constant("is_grantable", "YES");
    rows.columns(&["table_catalog", "table_schema", "table_name", "privilege_type", "with_hierarchy"]);
    for relation in listed(cx) {
        for privilege in PRIVILEGES {
            let hierarchy = yes_or_no(privilege == "SELECT");
            rows.push(row![&cx.session.database, cx.schema_of(relation), &relation.name, privilege, hierarchy]);
        }
    }
}
