//! `sluice.ticks`: one row, the tick that this statement reads.

use super::{Own, always, perhaps, seconds};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use crate::types::oid;

pub const TICKS: Own = Own {
    oid: 13910,
    name: "ticks",
    comment: "the tick that this statement reads, its age, and up to where the lake is durable",
    columns: &[
        always("tick", oid::INT8),
        always("published_at", oid::TIMESTAMPTZ),
        always("age", oid::INTERVAL),
        always("durable_tick", oid::INT8),
        perhaps("flushed_at", oid::TIMESTAMPTZ),
        always("flushes", oid::INT8),
        always("last_flush_seconds", oid::FLOAT8),
        perhaps("flush_error", oid::TEXT),
        always("torn_transactions", oid::INT8),
        always("events", oid::INT8),
        always("dead_letters", oid::INT8),
    ],
    fill,
};

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let state = cx.state();
    rows.all_columns().push(row![
        state.tick,
        Cell::At(state.published_us),
        Cell::Span((cx.now_us() - state.published_us).max(0)),
        state.lake.durable_tick,
        state.lake.flushed_us.map(Cell::At),
        state.lake.flushes,
        seconds(state.lake.last_flush_us),
        state.lake.error.as_deref(),
        state.torn_transactions,
        state.events,
        state.dead_letters,
    ]);
}
