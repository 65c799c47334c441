//! `pg_stat_database`: the one database. Counters that Sluice does not keep are NULL.

use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::DATABASE;
use crate::pg_catalog::rows::{Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["datid", "datname", "numbackends"]);
    rows.push(row![DATABASE, &cx.session().database, cx.sessions().len()]);
}
