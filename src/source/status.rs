//! What a source says of itself: the rows of `sluice.sources` and `sluice.streams`, and the metrics.
//!
//! The source writes, everybody reads. Numbers are atomics; texts sit behind short locks.

use super::now_us;
use crate::change::{Delivery, Position, StreamId};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What a source, or one stream of it, is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceState {
    Starting,
    Connecting,
    /// Rows of a snapshot are being read.
    Snapshot,
    Streaming,
    /// Cannot go on now, will when the world allows it: `message` says what it waits for.
    Waiting,
    /// The source no longer has what comes next.
    Gap,
    /// Going on would be wrong.
    Error,
    Stopped,
}

impl SourceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connecting => "connecting",
            Self::Snapshot => "snapshot",
            Self::Streaming => "streaming",
            Self::Waiting => "waiting",
            Self::Gap => "gap",
            Self::Error => "error",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Positions that the source no longer has: `from` up to, not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Position,
    pub to: Position,
}

/// State, why, and since when (µs since 1970).
#[derive(Debug, Clone)]
struct Said {
    state: SourceState,
    message: String,
    since: i64,
}

/// A source as others see it.
pub struct SourceStatus {
    pub name: Arc<str>,
    pub kind: &'static str,
    said: Mutex<Said>,
    streams: RwLock<BTreeMap<StreamId, Arc<StreamStatus>>>,
}

impl SourceStatus {
    pub fn new(name: Arc<str>, kind: &'static str) -> Arc<Self> {
        let said = Said { state: SourceState::Starting, message: String::new(), since: now_us() };
        Arc::new(Self { name, kind, said: Mutex::new(said), streams: RwLock::default() })
    }

    /// Sets the state; `since` moves when the state changes, the message may change alone.
    pub fn set(&self, state: SourceState, message: impl Into<String>) {
        let message = message.into();
        let mut said = self.said.lock();
        if said.state != state {
            tracing::info!(source = %self.name, state = %state, message = %message, "source state changed");
            said.since = now_us();
            said.state = state;
        }
        said.message = message;
    }

    /// The state; a source that is otherwise well but has a stream with a gap or an error says so.
    pub fn state(&self) -> SourceState {
        let own = self.said.lock().state;
        if !matches!(own, SourceState::Streaming | SourceState::Snapshot) {
            return own;
        }
        self.worst_stream().map_or(own, |(state, _)| state)
    }

    pub fn message(&self) -> String {
        let said = self.said.lock().clone();
        if !matches!(said.state, SourceState::Streaming | SourceState::Snapshot) {
            return said.message;
        }
        self.worst_stream().map_or(said.message, |(_, message)| message)
    }

    /// When the source came into its own state, µs since 1970.
    pub fn since(&self) -> i64 {
        self.said.lock().since
    }

    fn worst_stream(&self) -> Option<(SourceState, String)> {
        let streams = self.streams.read();
        let bad = |wanted: SourceState| {
            streams.values().find(|s| s.state() == wanted).map(|s| (wanted, format!("{}: {}", s.id, s.message())))
        };
        bad(SourceState::Error).or_else(|| bad(SourceState::Gap))
    }

    /// The stream's status, made when it is first asked for.
    pub fn stream(&self, id: &StreamId, topic: &str, partition: i32, next: Position) -> Arc<StreamStatus> {
        let mut streams = self.streams.write();
        let status = streams
            .entry(id.clone())
            .or_insert_with(|| Arc::new(StreamStatus::new(id.clone(), topic, partition, next)));
        Arc::clone(status)
    }

    /// All streams, by name.
    pub fn streams(&self) -> Vec<Arc<StreamStatus>> {
        self.streams.read().values().cloned().collect()
    }

    pub fn find_stream(&self, id: &StreamId) -> Option<Arc<StreamStatus>> {
        self.streams.read().get(id).cloned()
    }
}

/// A stream as others see it. Counters are of this run of the process.
pub struct StreamStatus {
    pub id: StreamId,
    /// Kafka topic, file, or the demo's topic.
    pub topic: Arc<str>,
    /// -1 where there are none.
    pub partition: i32,
    next: AtomicI64,
    high: AtomicI64,
    high_at: AtomicI64,
    newest_source_ts: AtomicI64,
    bytes: AtomicU64,
    events: AtomicU64,
    dead: AtomicU64,
    last_delivery_at: AtomicI64,
    said: Mutex<Said>,
    gaps: Mutex<Vec<Gap>>,
}

/// No value yet, in an `AtomicI64`.
const NONE: i64 = i64::MIN;

fn known(value: i64) -> Option<i64> {
    (value != NONE).then_some(value)
}

impl StreamStatus {
    fn new(id: StreamId, topic: &str, partition: i32, next: Position) -> Self {
        Self {
            id,
            topic: topic.into(),
            partition,
            next: AtomicI64::new(next.0),
            high: AtomicI64::new(NONE),
            high_at: AtomicI64::new(NONE),
            newest_source_ts: AtomicI64::new(NONE),
            bytes: AtomicU64::new(0),
            events: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            last_delivery_at: AtomicI64::new(NONE),
            said: Mutex::new(Said { state: SourceState::Starting, message: String::new(), since: now_us() }),
            gaps: Mutex::default(),
        }
    }

    pub fn set(&self, state: SourceState, message: impl Into<String>) {
        let mut said = self.said.lock();
        if said.state != state {
            said.since = now_us();
            said.state = state;
        }
        said.message = message.into();
    }

    pub fn state(&self) -> SourceState {
        self.said.lock().state
    }

    pub fn message(&self) -> String {
        self.said.lock().message.clone()
    }

    pub fn since(&self) -> i64 {
        self.said.lock().since
    }

    /// The position of the next record that will be delivered.
    pub fn next(&self) -> Position {
        Position(self.next.load(Ordering::Acquire))
    }

    pub fn set_next(&self, next: Position) {
        self.next.store(next.0, Ordering::Release);
    }

    /// The end of the stream at the source: the position that its next new record will have.
    pub fn high(&self) -> Option<Position> {
        known(self.high.load(Ordering::Acquire)).map(Position)
    }

    /// When [`Self::high`] was last known to be true, µs since 1970.
    pub fn high_at(&self) -> Option<i64> {
        known(self.high_at.load(Ordering::Acquire))
    }

    pub fn set_high(&self, high: Position) {
        self.high.store(high.0, Ordering::Release);
        self.high_at.store(now_us(), Ordering::Release);
    }

    /// Records that the source has and that were not delivered; of a Kafka topic an upper bound (offsets have holes).
    pub fn lag(&self) -> Option<i64> {
        self.high().map(|high| (high.0 - self.next().0).max(0))
    }

    /// All that the source was known to have is delivered.
    pub fn caught_up(&self) -> bool {
        self.high().is_some_and(|high| high <= self.next())
    }

    /// Newest time of change that the source has named, µs since 1970.
    pub fn newest_source_ts(&self) -> Option<i64> {
        known(self.newest_source_ts.load(Ordering::Relaxed))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub fn dead_letters(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// µs since 1970.
    pub fn last_delivery_at(&self) -> Option<i64> {
        known(self.last_delivery_at.load(Ordering::Relaxed))
    }

    /// Counts a delivery that is about to be sent.
    pub fn delivered(&self, delivery: &Delivery) {
        self.next.store(delivery.next.0, Ordering::Release);
        self.high.fetch_max(delivery.next.0, Ordering::AcqRel);
        self.bytes.fetch_add(delivery.bytes as u64, Ordering::Relaxed);
        self.events.fetch_add(delivery.positions.len() as u64, Ordering::Relaxed);
        self.dead.fetch_add(delivery.dead.len() as u64, Ordering::Relaxed);
        if let Some(ts) = delivery.newest_source_ts {
            self.newest_source_ts.fetch_max(ts, Ordering::Relaxed);
        }
        self.last_delivery_at.store(now_us(), Ordering::Relaxed);
    }

    /// Notes a gap; it stays on the record of this run whatever the state does.
    pub fn add_gap(&self, gap: Gap) {
        let mut gaps = self.gaps.lock();
        if gaps.last() != Some(&gap) {
            gaps.push(gap);
        }
    }

    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.lock().clone()
    }
}
