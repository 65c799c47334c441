//! The engine's and the sources' state as the rows that `sluice` shows.
//!
//! Everything of the tick comes from the snapshot; what a source says of itself (its state, how far it has fetched, the
//! end of its streams) is of now.

use super::context::{LakeRow, SourceRow, State, StreamRow, TableRow, ViewRow};
use crate::change::StreamId;
use crate::engine::{Snapshot, StreamState, ViewPhase};
use crate::source::{SourceStatus, StreamStatus};
use crate::types::Oid;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl State {
    pub fn of(snapshot: &Snapshot, sources: &[Arc<SourceStatus>]) -> Self {
        let status = &snapshot.status;
        let lake = LakeRow {
            durable_tick: status.lake.durable_tick.0,
            flushed_us: (status.lake.flushed_us != 0).then_some(status.lake.flushed_us),
            flushes: status.lake.flushes,
            last_flush_us: status.lake.last_flush_us,
            error: status.lake.error.clone(),
        };
        let tables = status.tables.iter().map(|table| TableRow {
            oid: table.oid,
            rows: table.rows,
            bytes: table.bytes,
            unflushed_rows: table.unflushed_rows,
            durable_tick: table.durable_tick.0,
            delta_version: table.delta_version,
            changed_tick: table.changed_tick.0,
        });
        let views = status.views.iter().map(|view| ViewRow {
            oid: view.oid,
            error: match &view.phase {
                ViewPhase::Live => None,
                ViewPhase::Error(reason) => Some(reason.clone()),
            },
            rows: view.rows,
            changed_tick: view.changed_tick.0,
            runs: view.runs,
            total_us: view.total_us,
            last_us: view.last_us,
        });
        Self {
            tick: snapshot.tick.0,
            published_us: snapshot.at_us,
            lake,
            torn_transactions: status.torn_transactions,
            events: status.events,
            dead_letters: status.dead_letters,
            sources: sources.iter().map(|source| source_row(source)).collect(),
            streams: stream_rows(&status.streams, sources),
            tables: tables.collect(),
            views: views.collect(),
        }
    }
}

/// Bytes in memory of the relations that hold rows, for [`Lookup::new`](super::Lookup::new).
pub fn sizes(snapshot: &Snapshot) -> HashMap<Oid, u64> {
    snapshot.status.tables.iter().map(|table| (table.oid, table.bytes)).collect()
}

fn source_row(source: &SourceStatus) -> SourceRow {
    SourceRow {
        name: Arc::clone(&source.name),
        kind: source.kind,
        state: source.state().as_str(),
        message: source.message(),
        since_us: source.since(),
    }
}

/// Streams that are visible or being read, by name.
fn stream_rows(visible: &[StreamState], sources: &[Arc<SourceStatus>]) -> Vec<StreamRow> {
    let mut read: HashMap<StreamId, (Arc<str>, Arc<StreamStatus>)> = HashMap::new();
    for source in sources {
        for stream in source.streams() {
            read.insert(stream.id.clone(), (Arc::clone(&source.name), stream));
        }
    }
    let visible: HashMap<&StreamId, &StreamState> = visible.iter().map(|s| (&s.stream, s)).collect();
    let ids: BTreeSet<&StreamId> = visible.keys().copied().chain(read.keys()).collect();
    let rows = ids.into_iter().filter_map(|id| stream_row(id, visible.get(id).copied(), read.get(id)));
    rows.collect()
}

fn stream_row(
    id: &StreamId,
    visible: Option<&StreamState>,
    read: Option<&(Arc<str>, Arc<StreamStatus>)>,
) -> Option<StreamRow> {
    let now = read.map(|(_, stream)| stream);
    Some(StreamRow {
        source: visible.map(|s| Arc::clone(&s.source)).or_else(|| read.map(|(name, _)| Arc::clone(name)))?,
        stream: id.to_string(),
        topic: now.map(|s| s.topic.to_string()),
        partition: now.map(|s| s.partition).filter(|p| *p >= 0),
        // In the lake, and no source of this process reads it.
        state: now.map_or("stopped", |s| s.state().as_str()),
        message: now.map_or_else(String::new, |s| s.message()),
        position: visible.map(|s| s.position.0),
        fetched: now.map(|s| s.next().0),
        high: now.and_then(|s| s.high()).map(|p| p.0),
        checkpoint: visible.and_then(|s| s.checkpoint).map(|p| p.0),
        newest_source_us: visible.and_then(|s| s.newest_source_us),
        applied_us: visible.map(|s| s.applied_us).filter(|us| *us != 0),
        events: visible.map_or(0, |s| s.events),
        bytes: visible.map_or(0, |s| s.bytes),
        dead_letters: visible.map_or(0, |s| s.dead_letters),
        gaps: now.map_or_else(Vec::new, |s| s.gaps().iter().map(|gap| (gap.from.0, gap.to.0)).collect()),
    })
}
