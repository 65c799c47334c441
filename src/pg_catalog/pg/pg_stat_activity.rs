//! `pg_stat_activity`: the sessions of this process.

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
    for session in cx.sessions {
        rows.push(row![
            &session.database,
            session.pid,
            role_oid(&session.user),
            &session.user,
            &session.application_name,
            session.client_address.as_deref(),
            session.client_port,
            Cell::At(session.started_us),
            session.transaction_us.map(Cell::At),
            session.query_us.map(Cell::At),
            session.state_us.map(Cell::At),
            &session.state,
            &session.query,
        ]);
    }
}
