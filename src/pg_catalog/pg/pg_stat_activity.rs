//! `pg_stat_activity`: the sessions of this process.

use crate::catalog::PG_READ_ALL_STATS;
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::roles::{DATABASE, role_oid};
use crate::pg_catalog::rows::{Cell, Rows, row};

pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.constant("datid", DATABASE).constant("backend_type", "client backend");
    rows.columns(&[
        "datname",
        "pid",
        "usesysid",
        "usename",
        "application_name",
        "client_addr",
        "client_port",
        "backend_start",
        "xact_start",
        "query_start",
        "state_change",
        "state",
        "query",
    ]);
    for session in cx.sessions() {
        let user = role_oid(cx.catalog, &session.user);
        // What others run is for themselves, and for those who may read all statistics.
        let shown = cx.has_rights_of(user) || cx.has_rights_of(PG_READ_ALL_STATS);
        let at = |us: Option<i64>| us.filter(|_| shown).map(Cell::At);
        rows.push(row![
            &session.database,
            session.pid,
            user,
            &session.user,
            &session.application_name,
            session.client_address.as_deref().filter(|_| shown),
            session.client_port.filter(|_| shown),
            at(Some(session.started_us)),
            at(session.transaction_us),
            at(session.query_us),
            at(session.state_us),
            shown.then_some(&session.state),
            if shown { session.query.as_str() } else { "<insufficient privilege>" },
        ]);
    }
}
