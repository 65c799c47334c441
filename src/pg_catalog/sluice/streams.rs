//! `sluice.streams`: every ordered feed: what has been fetched, what is visible, what is durable, and how far behind.

use super::{Own, TEXT_ARRAY, always, perhaps};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::rows::{Cell, Rows, row};
use crate::types::oid;

pub const STREAMS: Own = Own {
    oid: 13904,
    name: "streams",
    comment: "every ordered feed: what was fetched, what is visible, what is durable, and how far behind that is",
    columns: &[
        always("source", oid::TEXT),
        always("stream", oid::TEXT),
        perhaps("topic", oid::TEXT),
        perhaps("partition", oid::INT4),
        always("state", oid::TEXT),
        perhaps("message", oid::TEXT),
        // Next records: visible at this tick, fetched, at the end of the stream, durable.
        perhaps("position", oid::INT8),
        perhaps("fetched_position", oid::INT8),
        perhaps("high_watermark", oid::INT8),
        perhaps("checkpoint", oid::INT8),
        perhaps("lag_events", oid::INT8),
        perhaps("lag", oid::INTERVAL),
        perhaps("newest_source_at", oid::TIMESTAMPTZ),
        perhaps("applied_at", oid::TIMESTAMPTZ),
        always("events", oid::INT8),
        always("bytes", oid::INT8),
        always("dead_letters", oid::INT8),
        // `from-to`, positions that the source lost before they were read; `to` is the next that is there.
        always("gaps", TEXT_ARRAY),
    ],
    fill,
};

fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.all_columns();
    for stream in &cx.state().streams {
        rows.push(row![
            &*stream.source,
            &stream.stream,
            stream.topic.as_deref(),
            stream.partition,
            stream.state,
            Some(stream.message.as_str()).filter(|m| !m.is_empty()),
            stream.position,
            stream.fetched,
            stream.high,
            stream.checkpoint,
            stream.lag_events(),
            stream.lag_us(cx.now_us()).map(Cell::Span),
            stream.newest_source_us.map(Cell::At),
            stream.applied_us.map(Cell::At),
            stream.events,
            stream.bytes,
            stream.dead_letters,
            stream.gaps.iter().map(|(from, to)| format!("{from}-{to}")).collect::<Vec<String>>(),
        ]);
    }
}
