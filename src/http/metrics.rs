//! The metrics, made from the newest snapshot when they are asked for: nothing is counted twice.

use super::Pages;
use crate::engine::{Snapshot, ViewPhase};
use crate::memory;
use crate::source::SourceState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// One metric with its labelled values.
struct Samples {
    name: &'static str,
    help: &'static str,
    total: bool,
    values: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// All metrics of a moment as OpenMetrics text.
pub fn encode(pages: &Pages) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("sluice");
    registry.register_collector(Box::new(Moment(collect(pages))));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Moment(Vec<Samples>);

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for samples in &self.0 {
            let counter = ConstCounter::new(0.0);
            let gauge = ConstGauge::new(0.0);
            let kind = if samples.total { counter.metric_type() } else { gauge.metric_type() };
            let mut family = encoder.encode_descriptor(samples.name, samples.help, None, kind)?;
            for (labels, value) in &samples.values {
                let labels: Vec<(&str, &str)> = labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
                let one = family.encode_family(&labels)?;
                match samples.total {
                    true => ConstCounter::new(*value).encode(one)?,
                    false => ConstGauge::new(*value).encode(one)?,
                }
            }
        }
        Ok(())
    }
}

fn gauge(name: &'static str, help: &'static str, values: Vec<(Vec<(&'static str, String)>, f64)>) -> Samples {
    Samples { name, help, total: false, values }
}

fn total(name: &'static str, help: &'static str, values: Vec<(Vec<(&'static str, String)>, f64)>) -> Samples {
    Samples { name, help, total: true, values }
}

fn one(value: f64) -> Vec<(Vec<(&'static str, String)>, f64)> {
    vec![(vec![], value)]
}

fn seconds_since(us: i64, now_us: i64) -> f64 {
    (now_us - us).max(0) as f64 / 1e6
}

fn collect(pages: &Pages) -> Vec<Samples> {
    let snapshot = pages.engine.snapshot();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    let mut out = vec![
        gauge("tick", "Number of the newest tick.", one(snapshot.tick.0 as f64)),
        total("events", "Records applied since start.", one(snapshot.status.events as f64)),
        total("dead_letters", "Records that could not be applied.", one(snapshot.status.dead_letters as f64)),
        total(
            "torn_transactions",
            "Source transactions that were shown before they were whole.",
            one(snapshot.status.torn_transactions as f64),
        ),
    ];
    out.extend(sources(pages, &snapshot));
    out.extend(tables(&snapshot, now));
    out.extend(wire(pages));
    out.push(gauge("memory_allocated_bytes", "Bytes that the process has allocated.", one(memory::used() as f64)));
    out.extend(
        memory::limit()
            .map(|limit| gauge("memory_limit_bytes", "Bytes that the process may allocate.", one(limit as f64))),
    );
    out.extend(process());
    out
}

fn sources(pages: &Pages, snapshot: &Snapshot) -> Vec<Samples> {
    let mut up = vec![];
    let (mut position, mut high, mut lag) = (vec![], vec![], vec![]);
    for source in &pages.sources {
        let state = source.state();
        let labels = vec![("source", source.name.to_string()), ("state", state.to_string())];
        let well = matches!(state, SourceState::Streaming | SourceState::Snapshot);
        up.push((labels, f64::from(u8::from(well))));
        for stream in source.streams() {
            let labels = || vec![("stream", stream.id.to_string())];
            position.push((labels(), stream.next().0 as f64));
            high.extend(stream.high().map(|p| (labels(), p.0 as f64)));
            lag.extend(stream.lag().map(|n| (labels(), n as f64)));
        }
    }
    let of_streams = |value: &dyn Fn(&crate::engine::StreamState) -> Option<f64>| {
        let streams = snapshot.status.streams.iter();
        streams.filter_map(|s| Some((vec![("stream", s.stream.to_string())], value(s)?))).collect::<Vec<_>>()
    };
    vec![
        gauge("source_up", "1 while a source delivers; its state as a label.", up),
        gauge("stream_position", "Next position to be delivered.", position),
        gauge("stream_high_watermark", "End of the stream at the source.", high),
        gauge("stream_lag_events", "Records at the source that are not delivered yet.", lag),
        gauge("stream_visible_position", "Next position to be visible.", of_streams(&|s| Some(s.position.0 as f64))),
        gauge("stream_checkpoint", "Position that is durable.", of_streams(&|s| s.checkpoint.map(|p| p.0 as f64))),
        gauge(
            "stream_newest_source_timestamp_seconds",
            "Time at the source of the newest visible change.",
            of_streams(&|s| s.newest_source_us.map(|us| us as f64 / 1e6)),
        ),
        total("stream_events", "Visible records since start.", of_streams(&|s| Some(s.events as f64))),
        total("stream_bytes", "Bytes of visible records since start.", of_streams(&|s| Some(s.bytes as f64))),
    ]
}

fn tables(snapshot: &Snapshot, now: i64) -> Vec<Samples> {
    let name = |oid| {
        let relation = snapshot.catalog.relation(oid);
        vec![("relation", relation.map_or_else(String::new, |r| snapshot.catalog.qualified_name(r)))]
    };
    let (mut rows, mut bytes, mut unflushed) = (vec![], vec![], vec![]);
    let mut evicted = vec![];
    for table in &snapshot.status.tables {
        rows.push((name(table.oid), table.rows as f64));
        bytes.push((name(table.oid), table.bytes as f64));
        evicted.push((name(table.oid), table.evicted_bytes as f64));
        unflushed.push((name(table.oid), table.unflushed_rows as f64));
    }
    let (mut runs, mut spent, mut failing) = (vec![], vec![], vec![]);
    let (mut given_up, mut state) = (vec![], vec![]);
    for view in &snapshot.status.views {
        runs.push((name(view.oid), view.runs as f64));
        spent.push((name(view.oid), view.total_us as f64 / 1e6));
        failing.push((name(view.oid), f64::from(u8::from(matches!(view.phase, ViewPhase::Error(_))))));
        given_up.push((name(view.oid), f64::from(u8::from(matches!(view.phase, ViewPhase::OutOfMemory(_))))));
        state.push((name(view.oid), view.bytes as f64));
    }
    let cache = snapshot.status.cold_cache;
    let lake = &snapshot.status.lake;
    let age = if lake.durable_tick >= snapshot.tick { 0.0 } else { seconds_since(lake.flushed_us, now) };
    vec![
        gauge("relation_rows", "Rows of a table or gold view.", rows),
        gauge("relation_memory_bytes", "Memory of a table or gold view.", bytes),
        gauge(
            "relation_evicted_bytes",
            "Bytes of rows that are in the lake alone, as they would be in memory.",
            evicted,
        ),
        gauge("evicted_cache_bytes", "What is kept of evicted rows that were looked up.", one(cache.bytes as f64)),
        total("evicted_cache_hits", "Column chunks of evicted rows that were kept.", one(cache.hits as f64)),
        total("evicted_cache_misses", "Column chunks of evicted rows that had to be read.", one(cache.misses as f64)),
        gauge("relation_unflushed_rows", "Row versions that no flush has written yet.", unflushed),
        total("view_runs", "Maintenance runs of a gold view.", runs),
        total("view_seconds", "Time spent on the maintenance of a gold view.", spent),
        gauge("view_failing", "1 while a gold view's query fails.", failing),
        gauge("view_out_of_memory", "1 while a gold view is given up for want of memory.", given_up),
        gauge("view_state_bytes", "Memory of the state of a gold view's operators.", state),
        total("flushes", "Flushes since start.", one(lake.flushes as f64)),
        gauge("last_flush_seconds", "Duration of the last flush.", one(lake.last_flush_us as f64 / 1e6)),
        gauge("not_durable_seconds", "How long the newest state has not been durable.", one(age)),
        gauge("flush_failing", "1 while flushes fail.", one(f64::from(u8::from(lake.error.is_some())))),
    ]
}

fn wire(pages: &Pages) -> Vec<Samples> {
    let counters = pages.wire.read();
    vec![
        gauge("connections", "Open client connections.", one(counters.connections as f64)),
        total("connections_accepted", "Client connections since start.", one(counters.accepted as f64)),
        total("queries", "Statements executed.", one(counters.queries as f64)),
        total("query_errors", "Statements that ended in an error.", one(counters.errors as f64)),
    ]
}

/// Resident memory, from /proc where there is one.
fn process() -> Option<Samples> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(gauge("resident_memory_bytes", "Resident memory of the process.", one(pages * 4096.0)))
}
