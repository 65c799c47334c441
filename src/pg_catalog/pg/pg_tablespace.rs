//! `pg_tablespace`: the two names that PostgreSQL always has; both mean the lake.

use crate::catalog::BOOTSTRAP_ROLE;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::{DEFAULT_TABLESPACE, GLOBAL_TABLESPACE};
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(_: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("spcowner", BOOTSTRAP_ROLE).columns(&["oid", "spcname"]);
    rows.push(row![DEFAULT_TABLESPACE, "pg_default"]);
    rows.push(row![GLOBAL_TABLESPACE, "pg_global"]);
}
