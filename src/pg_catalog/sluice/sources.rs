//! `sluice.sources`: where changes come from, and how each source is doing.

use super::{Own, always, perhaps};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use crate::types::oid;

pub const SOURCES: Own = Own {
    oid: 13902,
    name: "sources",
    comment: "where changes come from, and how each source is doing",
    columns: &[
        always("name", oid::TEXT),
        always("kind", oid::TEXT),
        always("state", oid::TEXT),
        perhaps("message", oid::TEXT),
        always("since_at", oid::TIMESTAMPTZ),
        always("streams", oid::INT8),
        always("events", oid::INT8),
        always("bytes", oid::INT8),
        always("dead_letters", oid::INT8),
        always("gaps", oid::INT8),
        perhaps("lag_events", oid::INT8),
        perhaps("lag", oid::INTERVAL),
        perhaps("newest_source_at", oid::TIMESTAMPTZ),
        perhaps("applied_at", oid::TIMESTAMPTZ),
    ],
    fill,
};

/// The lag of a source is unknown while that of one of its streams is.
fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for source in &cx.state().sources {
        let streams: Vec<_> = cx.state().streams.iter().filter(|s| s.source == source.name).collect();
        let lags: Option<Vec<i64>> = streams.iter().map(|s| s.lag_events()).collect();
        let times: Option<Vec<i64>> = streams.iter().map(|s| s.lag_us(cx.now_us())).collect();
        rows.push(row![
            &*source.name,
            source.kind,
            source.state,
            Some(source.message.as_str()).filter(|m| !m.is_empty()),
            Cell::At(source.since_us),
            streams.len(),
            streams.iter().map(|s| s.events).sum::<u64>(),
            streams.iter().map(|s| s.bytes).sum::<u64>(),
            streams.iter().map(|s| s.dead_letters).sum::<u64>(),
            streams.iter().map(|s| s.gaps.len()).sum::<usize>(),
            lags.map(|l| l.iter().sum::<i64>()),
            times.and_then(|t| t.into_iter().max()).map(Cell::Span),
            streams.iter().filter_map(|s| s.newest_source_us).max().map(Cell::At),
            streams.iter().filter_map(|s| s.applied_us).max().map(Cell::At),
        ]);
    }
}
