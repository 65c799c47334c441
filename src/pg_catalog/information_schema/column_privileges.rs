//! `column_privileges` and `role_column_grants`: what the owner may do, column by column.

use super::listed;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::OWNER;
use crate::pg_catalog::rows::{Rows, row};

const PRIVILEGES: [&str; 4] = ["INSERT", "SELECT", "UPDATE", "REFERENCES"];

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constants(&["grantor", "grantee"], OWNER).constant("is_grantable", "YES");
    rows.columns(&["table_catalog", "table_schema", "table_name", "column_name", "privilege_type"]);
    for relation in listed(cx) {
        for column in &relation.columns {
            for privilege in PRIVILEGES {
                let schema = cx.schema_of(relation);
                rows.push(row![&cx.session.database, schema, &relation.name, &column.name, privilege]);
            }
        }
    }
}
