//! The aligner: holds deliveries back until the source transactions in them are whole.
//!
//! Promise 3: changes of one source transaction become visible in one tick. A transaction's changes arrive on several
//! streams, in any order between streams, so a stream's newest records wait here. What is released is always a prefix of
//! each stream, and a set of whole transactions.
//!
//! When is a transaction whole?
//! - With a transaction topic (Debezium's `provide.transaction.metadata`): when the END record has come and as many events as it
//!   counts. Exact.
//! - [`TransactionKind::CommitLsn`] without one: ids are ordered over all streams. One is whole when every stream of the source has delivered
//!   something later. A stream that has nothing later (its table rests) is waited for during the *linger*, counted
//!   from the arrival of the transaction's first record.
//!   What comes of a transaction that was already shown (from a topic that did not exist yet when END came) passes at once. So does,
//!   after a short wait, what was never announced although a later transaction of the same stream was: its BEGIN is gone.
//! - Other ids without a transaction topic say nothing about the end: their records pass at once.
//!
//! A key change is a small transaction of its own: Debezium sends it as a delete and a create, which may lie in two partitions, and
//! the create may lack values that only the deleted row has. Neither half is released without the other (a create with all its
//! values does not wait). A half that does not come while every stream is at its end is given up after `patience`; the
//! engine keeps the row that left for one that comes even later.
//!
//! Bounded: each stream has a share of what may be in flight (`source::DeliveryLimits`), given back when its records are
//! released. A stream that has filled its share with one unfinished transaction could never bring the rest: when a source
//! stalls so, everything of it is released and counted in [`Aligner::torn`], and the rest passes as it comes. A transaction larger
//! than that share cannot be shown whole.
//!
//! Cost: one comparison a record; a tick looks at held records only.

use crate::change::{
    BronzeRows, Delivery, KeyMove, MoveHalf, MoveId, Position, StreamId, TableChanges, TransactionId, TransactionKind,
};
use crate::source::Hold;
use crate::source::declare::transaction_domain;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long and how much the aligner may hold.
#[derive(Debug, Clone, Copy)]
pub struct AlignOptions {
    pub linger: Duration,
    /// How long an END record or its missing events are waited for before the transaction is given up as torn.
    pub patience: Duration,
    /// A source that holds this much and brings nothing more for `stall` is taken to be stuck.
    pub full_bytes: usize,
    pub full_batches: usize,
    pub stall: Duration,
}

impl Default for AlignOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(20),
            patience: Duration::from_secs(30),
            full_bytes: 768 << 10,
            full_batches: 48,
            stall: Duration::from_secs(1),
        }
    }
}

/// A released piece of a delivery: the records `events` of it.
#[derive(Debug)]
pub struct Released {
    pub delivery: Arc<Delivery>,
    pub events: Range<u32>,
}

impl Released {
    /// Where the stream goes on after this piece.
    pub fn next(&self) -> Position {
        self.delivery.positions.get(self.events.end as usize).copied().unwrap_or(self.delivery.next)
    }

    fn rows(&self, events: &[u32]) -> Range<usize> {
        events.partition_point(|e| *e < self.events.start)..events.partition_point(|e| *e < self.events.end)
    }

    /// The bronze rows of the piece.
    pub fn bronze(&self) -> impl Iterator<Item = (&BronzeRows, Range<usize>)> {
        self.delivery.bronze.iter().map(|b| (b, self.rows(&b.events))).filter(|(_, r)| !r.is_empty())
    }

    /// The silver changes of the piece.
    pub fn changes(&self) -> impl Iterator<Item = (&TableChanges, Range<usize>)> {
        self.delivery.changes.iter().map(|c| (c, self.rows(&c.events))).filter(|(_, r)| !r.is_empty())
    }

    pub fn blocks(&self) -> impl Iterator<Item = &crate::change::SchemaBlock> {
        self.delivery.blocks.iter().filter(|b| self.events.contains(&b.event))
    }

    /// The records of the piece that are halves of key changes.
    pub fn moves(&self) -> impl Iterator<Item = &KeyMove> {
        self.delivery.moves.iter().filter(|m| self.events.contains(&m.event))
    }

    pub fn dead(&self) -> impl Iterator<Item = &crate::change::DeadLetter> {
        self.delivery.dead.iter().filter(|d| self.events.contains(&d.event))
    }
}

struct Held {
    delivery: Arc<Delivery>,
    /// Records before this one have been released.
    from: u32,
    arrived: Instant,
    /// The stream's claim, given back when all of the delivery is released.
    _hold: Option<Hold>,
}

impl Held {
    fn count(&self) -> u32 {
        self.delivery.positions.len() as u32
    }

    fn id(&self, event: u32) -> TransactionId {
        self.delivery.transactions.get(event as usize).copied().unwrap_or_default()
    }

    /// Whether a record may not go because the other half of its key change is missing.
    fn waits(&self, event: u32, waiting: &HashSet<MoveId>) -> bool {
        let needs = |half: &KeyMove| half.half != MoveHalf::Arrives { whole: true } && waiting.contains(&half.id);
        !waiting.is_empty() && self.delivery.key_move(event).is_some_and(needs)
    }
}

/// What has come of a key change, and what of it was released.
struct Pair {
    left: bool,
    arrived: bool,
    released_left: bool,
    released_arrived: bool,
    since: Instant,
    given_up: bool,
}

impl Pair {
    fn waits(&self) -> bool {
        !(self.left && self.arrived || self.given_up)
    }
}

/// The key changes under way in a source.
#[derive(Default)]
struct Pairs {
    by_id: HashMap<MoveId, Pair>,
    /// Those of which one half was released without the other, the oldest first.
    alone: VecDeque<MoveId>,
}

impl Pairs {
    /// Halves that were released alone are remembered up to this number.
    const REMEMBERED: usize = 65_536;

    fn note(&mut self, half: &KeyMove, now: Instant) {
        let pair = self.by_id.entry(half.id).or_insert(Pair {
            left: false,
            arrived: false,
            released_left: false,
            released_arrived: false,
            since: now,
            given_up: false,
        });
        match half.half {
            MoveHalf::Leaves => pair.left = true,
            MoveHalf::Arrives { .. } => pair.arrived = true,
        }
    }

    fn released(&mut self, half: &KeyMove) {
        let Some(pair) = self.by_id.get_mut(&half.id) else { return };
        match half.half {
            MoveHalf::Leaves => pair.released_left = true,
            MoveHalf::Arrives { .. } => pair.released_arrived = true,
        }
        if pair.released_left && pair.released_arrived {
            self.by_id.remove(&half.id);
            return;
        }
        self.alone.push_back(half.id);
        if self.alone.len() > Self::REMEMBERED
            && let Some(oldest) = self.alone.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    /// The key changes of which a half is missing.
    fn waiting(&mut self, all_is_read: bool, now: Instant, patience: Duration) -> HashSet<MoveId> {
        if all_is_read {
            for pair in self.by_id.values_mut().filter(|pair| pair.waits()) {
                pair.given_up = now.saturating_duration_since(pair.since) >= patience;
            }
        }
        self.by_id.iter().filter(|(_, pair)| pair.waits()).map(|(id, _)| *id).collect()
    }
}

#[derive(Default)]
struct Stream {
    topic: Arc<str>,
    held: VecDeque<Held>,
    /// The newest commit LSN that this stream has delivered.
    newest: TransactionId,
    /// Where the newest delivery ended.
    received: Option<Position>,
    /// At the end of the broker's log when last heard of.
    caught_up: bool,
}

#[derive(Default)]
struct Transaction {
    arrived: u64,
    expected: Option<u64>,
    since: Option<Instant>,
    /// When its newest mark was made, by the connector's clock, but no longer ago than the patience.
    marked: Option<Instant>,
    /// Its BEGIN or END has come.
    announced: bool,
}

/// The newest transactions that were shown, whole or not: nothing of them is waited for any more.
#[derive(Default)]
struct Shown {
    ids: HashSet<TransactionId>,
    order: VecDeque<TransactionId>,
}

impl Shown {
    /// Enough for what a broker may still hold of transactions when their END comes.
    const REMEMBERED: usize = 65_536;

    fn insert(&mut self, id: TransactionId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
            if self.order.len() > Self::REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
    }
}

#[derive(Default)]
struct Source {
    streams: BTreeMap<StreamId, Stream>,
    kind: Option<TransactionKind>,
    /// The transaction topic has been seen: only then are metadata ids waited for.
    has_marks: bool,
    transactions: HashMap<TransactionId, Transaction>,
    shown: Shown,
    pairs: Pairs,
    /// The commit LSN up to which transactions were shown without waiting for the rest of them.
    given_up: TransactionId,
    bytes: usize,
    last_push: Option<Instant>,
}

/// See the module.
pub struct Aligner {
    options: AlignOptions,
    /// By domain: streams whose transactions have to do with each other.
    sources: HashMap<Arc<str>, Source>,
    domains: HashMap<StreamId, Arc<str>>,
    torn: u64,
}

impl Aligner {
    pub fn new(options: AlignOptions) -> Self {
        Self { options, sources: HashMap::new(), domains: HashMap::new(), torn: 0 }
    }

    /// Transactions that had to be shown before they were whole.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// Bytes held back over all sources.
    pub fn held_bytes(&self) -> usize {
        self.sources.values().map(|s| s.bytes).sum()
    }

    /// A stream exists, from now on transactions wait for it too. `high`: the end of the stream at its source, as far as known;
    /// `untouched`: it has delivered nothing yet and there is nothing to deliver.
    pub fn observe(&mut self, stream: &StreamId, topic: &str, high: Option<Position>, untouched: bool) {
        let domain = self.domain(stream, Some(topic));
        let Some(state) = self.sources.get_mut(&domain).and_then(|s| s.streams.get_mut(stream)) else { return };
        state.caught_up = match state.received {
            Some(received) => high.is_some_and(|high| high <= received),
            None => untouched,
        };
    }

    /// The streams among which a transaction of this one may be spread: those of one database; with a transaction topic
    /// those of one connector, whose ids the topic counts.
    fn domain(&mut self, stream: &StreamId, topic: Option<&str>) -> Arc<str> {
        if let Some(domain) = self.domains.get(stream) {
            return Arc::clone(domain);
        }
        let (source, rest) = stream.0.split_once('/').unwrap_or(("", &stream.0));
        let topic = topic.unwrap_or_else(|| rest.rsplit_once('/').map_or(rest, |(topic, _)| topic));
        let below = |domain: &str, connector: &str| {
            domain.strip_prefix(connector).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let domain: Arc<str> = match topic.strip_suffix(".transaction") {
            Some(connector) => {
                let own: Arc<str> = format!("{source}/{connector}").into();
                // Streams that came before their transaction topic was known join it.
                let joining: Vec<Arc<str>> =
                    self.sources.keys().filter(|d| ***d != *own && below(d, &own)).cloned().collect();
                let mut joined = self.sources.remove(&own).unwrap_or_default();
                for domain in joining {
                    let other = self.sources.remove(&domain).unwrap_or_default();
                    joined.kind = joined.kind.or(other.kind);
                    joined.given_up = joined.given_up.max(other.given_up);
                    joined.bytes += other.bytes;
                    joined.last_push = joined.last_push.max(other.last_push);
                    joined.streams.extend(other.streams);
                    joined.pairs.by_id.extend(other.pairs.by_id);
                    joined.pairs.alone.extend(other.pairs.alone);
                }
                joined.has_marks = true;
                for known in joined.streams.keys() {
                    self.domains.insert(known.clone(), Arc::clone(&own));
                }
                self.sources.insert(Arc::clone(&own), joined);
                own
            }
            None => {
                let own = format!("{source}/{}", transaction_domain(topic));
                let connector = self.sources.iter().find(|(domain, s)| s.has_marks && below(&own, domain));
                connector.map_or_else(|| own.as_str().into(), |(domain, _)| Arc::clone(domain))
            }
        };
        let state = Stream { topic: topic.into(), ..Stream::default() };
        self.sources.entry(Arc::clone(&domain)).or_default().streams.entry(stream.clone()).or_insert(state);
        self.domains.insert(stream.clone(), Arc::clone(&domain));
        domain
    }

    /// Whether a stream was observed; one that is not is placed by its name alone.
    pub fn knows(&self, stream: &StreamId) -> bool {
        self.domains.contains_key(stream)
    }

    pub fn push(&mut self, mut delivery: Delivery, hold: Option<Hold>, now: Instant) {
        if !delivery.marks.is_empty() {
            // BEGIN and END wait with their transaction: after a restart they are read again together with its events.
            delivery.transactions = vec![TransactionId::default(); delivery.positions.len()];
            for mark in &delivery.marks {
                delivery.transactions[mark.event as usize] = mark.id;
            }
        }
        let domain = self.domain(&delivery.stream, None);
        let source = self.sources.entry(domain).or_default();
        source.bytes += delivery.bytes;
        source.last_push = Some(now);
        source.kind = delivery.transaction_kind.or(source.kind);
        source.has_marks |= !delivery.marks.is_empty();
        let age = delivery.newest_source_ts.and_then(|us| u64::try_from(super::now_us().saturating_sub(us)).ok());
        let age = Duration::from_micros(age.unwrap_or(0)).min(self.options.patience);
        for mark in delivery.marks.iter().filter(|mark| !source.shown.ids.contains(&mark.id)) {
            let expected = mark.end.as_ref().map(|counts| source.expected(counts));
            let transaction = source.transactions.entry(mark.id).or_default();
            transaction.since.get_or_insert(now);
            transaction.marked = now.checked_sub(age);
            transaction.expected = expected.or(transaction.expected);
            transaction.announced = true;
        }
        let counted = source.has_marks || delivery.transaction_kind == Some(TransactionKind::Metadata);
        if delivery.marks.is_empty() && counted {
            for id in delivery.transactions.iter().filter(|id| id.0 != 0 && !source.shown.ids.contains(id)) {
                let transaction = source.transactions.entry(*id).or_default();
                transaction.arrived += 1;
                transaction.since.get_or_insert(now);
            }
        }
        delivery.moves.iter().for_each(|half| source.pairs.note(half, now));
        let stream = source.streams.entry(delivery.stream.clone()).or_default();
        stream.received = Some(delivery.next);
        if delivery.transaction_kind == Some(TransactionKind::CommitLsn) {
            stream.newest = delivery.transactions.iter().copied().max().unwrap_or_default().max(stream.newest);
        }
        stream.held.push_back(Held { delivery: Arc::new(delivery), from: 0, arrived: now, _hold: hold });
    }

    /// When something held may be released without a further delivery.
    pub fn next_deadline(&self) -> Option<Instant> {
        let linger = |s: &Source| if s.has_marks { self.options.patience } else { self.options.linger };
        self.sources
            .values()
            .flat_map(|s| s.streams.values().filter_map(move |t| t.held.front().map(|h| h.arrived + linger(s))))
            .chain(
                self.sources.values().filter(|s| s.bytes > 0).filter_map(|s| Some(s.last_push? + self.options.stall)),
            )
            .min()
    }

    /// Everything that may become visible in the tick that starts now.
    pub fn release(&mut self, now: Instant) -> Vec<Released> {
        let mut out = Vec::new();
        for source in self.sources.values_mut() {
            if source.streams.values().all(|s| s.held.is_empty()) {
                continue;
            }
            if source.is_stuck(&self.options, now) {
                source.given_up = source.streams.values().map(|s| s.newest).max().unwrap_or_default();
                self.torn += source.release_while(&mut out, |_| true, &HashSet::new());
                source.forget_whole(&HashSet::new());
                continue;
            }
            let all_is_read = source.streams.values().all(|stream| stream.caught_up);
            let mut waiting = source.pairs.waiting(all_is_read, now, self.options.patience);
            match source.kind {
                Some(TransactionKind::CommitLsn) if !source.has_marks => {
                    let cutoff = source.lsn_cutoff(now, self.options.linger).max(source.given_up);
                    let mut blocked = HashSet::new();
                    source.block_behind(&mut blocked, &mut waiting, |id| id <= cutoff);
                    source.release_while(&mut out, |id| id <= cutoff && !blocked.contains(&id), &waiting);
                }
                Some(_) if source.has_marks => {
                    let (mut blocked, given_up) = source.blocked(now, &self.options);
                    self.torn += given_up;
                    source.block_behind(&mut blocked, &mut waiting, |_| true);
                    source.release_while(&mut out, |id| !blocked.contains(&id), &waiting);
                    source.forget_whole(&blocked);
                }
                _ => {
                    let mut blocked = HashSet::new();
                    source.block_behind(&mut blocked, &mut waiting, |_| true);
                    source.release_while(&mut out, |id| !blocked.contains(&id), &waiting);
                    // The transaction topic may be found later than the tables' topics.
                    source.forget_whole(&blocked);
                }
            }
        }
        out
    }
}

impl Source {
    fn is_stuck(&self, options: &AlignOptions, now: Instant) -> bool {
        let full = |s: &Stream| {
            s.held.len() >= options.full_batches
                || s.held.iter().map(|h| h.delivery.bytes).sum::<usize>() >= options.full_bytes
        };
        self.last_push.is_some_and(|last| now.saturating_duration_since(last) >= options.stall)
            && self.streams.values().any(full)
    }

    /// Events to wait for: those of collections that one of the streams reads.
    fn expected(&self, counts: &[(Arc<str>, u64)]) -> u64 {
        let reads = |collection: &str| {
            let own = |topic: &str| topic.strip_suffix(collection).is_some_and(|prefix| prefix.ends_with('.'));
            self.streams.values().any(|s| own(&s.topic))
        };
        counts.iter().filter(|(collection, _)| reads(collection)).map(|(_, n)| n).sum()
    }

    /// The greatest commit LSN that is whole.
    fn lsn_cutoff(&self, now: Instant, linger: Duration) -> TransactionId {
        let newest = self.streams.values().map(|s| s.newest).max().unwrap_or_default();
        // A transaction has waited out the linger with its first record, even if a part of it came later.
        let (old, young): (Vec<&Held>, Vec<&Held>) = self
            .streams
            .values()
            .flat_map(|s| &s.held)
            .partition(|held| now.saturating_duration_since(held.arrived) >= linger);
        let ids = |held: &Held| (held.from..held.count()).map(|e| held.id(e)).max().unwrap_or_default();
        let waited = match young.is_empty() {
            true => newest,
            false => old.into_iter().map(ids).max().unwrap_or_default(),
        };
        // A stream counts with what it has strictly gone past; one at its end does not hold anybody up after the linger.
        let past = |s: &Stream| TransactionId(s.newest.0.saturating_sub(1));
        let strict = self.streams.values().map(past).min().unwrap_or_default();
        let behind = self.streams.values().filter(|s| !s.caught_up).map(past).min();
        strict.max(behind.map_or(waited, |b| waited.min(b)))
    }

    /// Transactions that may not be shown: not whole, or behind one that is not whole in some stream.
    fn blocked(&mut self, now: Instant, options: &AlignOptions) -> (HashSet<TransactionId>, u64) {
        let mut given_up = 0;
        let topics = self.streams.iter().filter(|(_, stream)| stream.topic.ends_with(".transaction"));
        let marks_are_read = topics.into_iter().all(|(_, stream)| stream.caught_up);
        let all_is_read = self.streams.values().all(|stream| stream.caught_up);
        let overtaken = if marks_are_read { self.overtaken() } else { HashSet::new() };
        let mut blocked = HashSet::new();
        for (id, transaction) in &mut self.transactions {
            let whole = transaction.expected.is_some_and(|n| transaction.arrived >= n);
            if whole {
                continue;
            }
            let unknown = overtaken.contains(id);
            // Its events were shown before a restart, or are no longer kept: what is younger may still be on its way.
            let is_old = transaction.marked.is_none_or(|at| now.saturating_duration_since(at) >= options.patience);
            let gone = transaction.arrived == 0 && transaction.expected.is_some() && all_is_read && is_old;
            let patience = if unknown || gone { options.stall.min(options.patience) } else { options.patience };
            if transaction.since.is_some_and(|since| now.saturating_duration_since(since) >= patience) {
                given_up += u64::from(transaction.arrived > 0 && !unknown);
                transaction.expected = Some(0);
                continue;
            }
            blocked.insert(*id);
        }
        loop {
            let before = blocked.len();
            for stream in self.streams.values() {
                let ids = stream.held.iter().flat_map(|h| (h.from..h.count()).map(|e| h.id(e)));
                let behind: Vec<_> = ids.skip_while(|id| !blocked.contains(id)).filter(|id| id.0 != 0).collect();
                blocked.extend(behind);
            }
            if blocked.len() == before {
                return (blocked, given_up);
            }
        }
    }

    /// Transactions that were not announced although one was that comes after them in some stream.
    fn overtaken(&self) -> HashSet<TransactionId> {
        let announced = |id: &TransactionId| self.transactions.get(id).is_some_and(|t| t.announced);
        let mut overtaken = HashSet::new();
        for stream in self.streams.values().filter(|stream| !stream.topic.ends_with(".transaction")) {
            let ids = stream.held.iter().flat_map(|h| (h.from..h.count()).map(|e| h.id(e))).filter(|id| id.0 != 0);
            let mut silent = HashSet::new();
            for id in ids {
                if announced(&id) {
                    overtaken.extend(silent.drain());
                } else {
                    silent.insert(id);
                }
            }
        }
        overtaken
    }

    /// What stands behind a missing half of a key change waits, with all of its transaction, and so on.
    fn block_behind(
        &self,
        blocked: &mut HashSet<TransactionId>,
        waiting: &mut HashSet<MoveId>,
        may: impl Fn(TransactionId) -> bool,
    ) {
        if waiting.is_empty() {
            return;
        }
        loop {
            let before = blocked.len() + waiting.len();
            for stream in self.streams.values() {
                let mut stopped = false;
                for (held, event) in stream.held.iter().flat_map(|h| (h.from..h.count()).map(move |e| (h, e))) {
                    let id = held.id(event);
                    stopped |= id.0 != 0 && (blocked.contains(&id) || !may(id)) || held.waits(event, waiting);
                    if !stopped {
                        continue;
                    }
                    if id.0 != 0 {
                        blocked.insert(id);
                    }
                    if let Some(half) = held.delivery.key_move(event) {
                        waiting.insert(half.id);
                    }
                }
            }
            if blocked.len() + waiting.len() == before {
                return;
            }
        }
    }

    /// Forgets released transactions but for their ids; an END whose events are still to come stays.
    fn forget_whole(&mut self, blocked: &HashSet<TransactionId>) {
        for (id, _) in self.transactions.extract_if(|id, _| !blocked.contains(id)) {
            self.shown.insert(id);
        }
    }

    /// Releases each stream's prefix of records that `may` admits (records without a transaction always pass) and that are not
    /// half of a `waiting` key change. Returns the number of distinct transactions released.
    fn release_while(
        &mut self,
        out: &mut Vec<Released>,
        may: impl Fn(TransactionId) -> bool,
        waiting: &HashSet<MoveId>,
    ) -> u64 {
        let mut last = None;
        let mut transactions = 0;
        for stream in self.streams.values_mut() {
            while let Some(held) = stream.held.front_mut() {
                let end = (held.from..held.count())
                    .find(|e| {
                        let id = held.id(*e);
                        let pass = (id.0 == 0 || may(id)) && !held.waits(*e, waiting);
                        transactions += u64::from(pass && id.0 != 0 && last != Some(id));
                        last = Some(id);
                        !pass
                    })
                    .unwrap_or(held.count());
                if end > held.from || held.count() == 0 {
                    let released = Released { delivery: Arc::clone(&held.delivery), events: held.from..end };
                    released.moves().for_each(|half| self.pairs.released(half));
                    out.push(released);
                    held.from = end;
                }
                if end < held.count() {
                    break;
                }
                self.bytes = self.bytes.saturating_sub(held.delivery.bytes);
                stream.held.pop_front();
            }
        }
        transactions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TransactionMark;

    fn delivery(topic: &str, first: i64, ids: &[u128], kind: TransactionKind) -> Delivery {
        Delivery {
            source: "s".into(),
            stream: StreamId(format!("s/{topic}/0").into()),
            positions: (first..first + ids.len() as i64).map(Position).collect(),
            next: Position(first + ids.len() as i64),
            bronze: vec![],
            changes: vec![],
            dead: vec![],
            blocks: vec![],
            transactions: ids.iter().map(|i| TransactionId(*i)).collect(),
            transaction_kind: Some(kind),
            marks: vec![],
            moves: vec![],
            newest_source_ts: None,
            bytes: 100 * ids.len(),
        }
    }

    fn end(first: i64, id: u128, counts: &[(&str, u64)]) -> Delivery {
        let mut d = delivery("p.transaction", first, &[0], TransactionKind::Metadata);
        let counts = counts.iter().map(|(c, n)| (Arc::from(*c), *n)).collect();
        d.marks.push(TransactionMark { id: TransactionId(id), event: 0, end: Some(counts) });
        d
    }

    fn shown(released: Vec<Released>) -> Vec<(String, Vec<i64>)> {
        let mut out: Vec<_> = released
            .iter()
            .filter(|r| !r.events.is_empty())
            .map(|r| {
                let events = r.events.start as usize..r.events.end as usize;
                let topic = r.delivery.stream.0.split('/').nth(1).expect("a stream names its topic").to_string();
                (topic, r.delivery.positions[events].iter().map(|p| p.0).collect())
            })
            .collect();
        out.sort();
        out
    }

    fn two_streams() -> (Aligner, Instant) {
        let mut aligner = Aligner::new(AlignOptions::default());
        for topic in ["p.dbo.a", "p.dbo.b"] {
            aligner.observe(&StreamId(format!("s/{topic}/0").into()), topic, None, false);
        }
        (aligner, Instant::now())
    }

    /// A delivery of one record of a partition, half of the key change `id`.
    fn half(partition: i32, position: i64, id: u128, half: MoveHalf) -> Delivery {
        let mut d = delivery("p.public.a", position, &[0], TransactionKind::Metadata);
        d.stream = StreamId(format!("s/p.public.a/{partition}").into());
        d.transaction_kind = None;
        d.moves.push(KeyMove { event: 0, id: MoveId(id), half });
        d
    }

    fn read(aligner: &mut Aligner, ends: [i64; 2]) {
        for (partition, end) in ends.into_iter().enumerate() {
            let id = StreamId(format!("s/p.public.a/{partition}").into());
            aligner.observe(&id, "p.public.a", Some(Position(end)), end == 0);
        }
    }

    #[test]
    fn the_halves_of_a_key_change_are_released_together_whichever_comes_first() {
        let arrives = MoveHalf::Arrives { whole: false };
        for (first, second) in [(MoveHalf::Leaves, arrives), (arrives, MoveHalf::Leaves)] {
            let (mut aligner, now) = (Aligner::new(AlignOptions::default()), Instant::now());
            read(&mut aligner, [1, 1]);
            aligner.push(half(0, 0, 7, first), None, now);
            let much_later = now + AlignOptions::default().patience * 2;
            assert_eq!(shown(aligner.release(much_later)), vec![], "the other partition is not read to its end");
            aligner.push(half(1, 0, 7, second), None, now);
            assert_eq!(shown(aligner.release(now)).len(), 2);
            aligner.push(half(0, 1, 7, first), None, now);
            assert_eq!(shown(aligner.release(now)), vec![], "nothing of the first time is remembered");
        }
    }

    #[test]
    fn a_half_that_never_comes_is_waited_for_while_it_may_come() {
        let (mut aligner, now) = (Aligner::new(AlignOptions::default()), Instant::now());
        read(&mut aligner, [1, 0]);
        aligner.push(half(0, 0, 7, MoveHalf::Leaves), None, now);
        read(&mut aligner, [1, 0]);
        assert_eq!(shown(aligner.release(now)), vec![]);
        let later = now + AlignOptions::default().patience;
        assert_eq!(shown(aligner.release(later)).len(), 1);
        aligner.push(half(1, 0, 7, MoveHalf::Arrives { whole: false }), None, later);
        assert_eq!(shown(aligner.release(later)).len(), 1, "what left is gone: the engine has kept its row");
    }

    #[test]
    fn a_create_with_all_its_values_does_not_wait() {
        let (mut aligner, now) = (Aligner::new(AlignOptions::default()), Instant::now());
        read(&mut aligner, [1, 1]);
        aligner.push(half(0, 0, 7, MoveHalf::Arrives { whole: true }), None, now);
        assert_eq!(shown(aligner.release(now)).len(), 1);
        aligner.push(half(1, 0, 7, MoveHalf::Leaves), None, now);
        assert_eq!(shown(aligner.release(now)).len(), 1);
    }

    #[test]
    fn a_commit_lsn_waits_until_every_stream_has_passed_it() {
        let (mut aligner, now) = two_streams();
        aligner.push(delivery("p.dbo.a", 0, &[4, 5, 5], TransactionKind::CommitLsn), None, now);
        assert_eq!(shown(aligner.release(now)), vec![]);
        aligner.push(delivery("p.dbo.b", 0, &[5, 6], TransactionKind::CommitLsn), None, now);
        assert_eq!(shown(aligner.release(now)), vec![("p.dbo.a".to_string(), vec![0])]);
        aligner.push(delivery("p.dbo.a", 3, &[7], TransactionKind::CommitLsn), None, now);
        let both = vec![("p.dbo.a".to_string(), vec![1, 2]), ("p.dbo.b".to_string(), vec![0])];
        assert_eq!(shown(aligner.release(now)), both);
    }

    #[test]
    fn a_resting_stream_is_waited_for_no_longer_than_the_linger() {
        let (mut aligner, now) = two_streams();
        aligner.push(delivery("p.dbo.a", 0, &[4, 5], TransactionKind::CommitLsn), None, now);
        let later = now + Duration::from_millis(21);
        assert_eq!(shown(aligner.release(later)), vec![], "b is not known to be at its end");
        aligner.observe(&StreamId("s/p.dbo.b/0".into()), "p.dbo.b", Some(Position(0)), true);
        aligner.observe(&StreamId("s/p.dbo.a/0".into()), "p.dbo.a", Some(Position(2)), false);
        assert_eq!(shown(aligner.release(now)), vec![]);
        assert_eq!(shown(aligner.release(later)), vec![("p.dbo.a".to_string(), vec![0, 1])]);
    }

    #[test]
    fn snapshot_rows_pass_at_once() {
        let (mut aligner, now) = two_streams();
        aligner.push(delivery("p.dbo.a", 0, &[0, 0], TransactionKind::CommitLsn), None, now);
        assert_eq!(shown(aligner.release(now)), vec![("p.dbo.a".to_string(), vec![0, 1])]);
    }

    #[test]
    fn metadata_holds_a_transaction_until_its_count_has_come() {
        let (mut aligner, now) = two_streams();
        aligner.observe(&StreamId("s/p.transaction/0".into()), "p.transaction", None, false);
        aligner.push(delivery("p.dbo.a", 0, &[1, 2], TransactionKind::Metadata), None, now);
        aligner.push(end(0, 1, &[("dbo.a", 1), ("dbo.b", 1), ("dbo.elsewhere", 9)]), None, now);
        aligner.push(end(1, 2, &[("dbo.a", 1)]), None, now);
        assert_eq!(shown(aligner.release(now)), vec![], "2 is whole but stands behind 1");
        aligner.push(delivery("p.dbo.b", 0, &[1], TransactionKind::Metadata), None, now);
        let topics: Vec<_> = shown(aligner.release(now)).into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(topics, ["p.dbo.a", "p.dbo.b", "p.transaction", "p.transaction"]);
        assert_eq!(aligner.torn(), 0);
    }

    #[test]
    fn what_comes_after_its_transaction_was_shown_passes_at_once() {
        let (mut aligner, now) = two_streams();
        aligner.push(delivery("p.dbo.a", 0, &[1], TransactionKind::Metadata), None, now);
        aligner.push(end(0, 1, &[("dbo.a", 1), ("dbo.later", 2)]), None, now);
        assert_eq!(shown(aligner.release(now)).len(), 2, "nobody reads the other topic yet");
        aligner.push(delivery("p.dbo.later", 0, &[1, 1], TransactionKind::Metadata), None, now);
        assert_eq!(shown(aligner.release(now)), vec![("p.dbo.later".to_string(), vec![0, 1])]);
        assert_eq!(aligner.torn(), 0);
    }

    #[test]
    fn a_transaction_topic_found_late_does_not_hold_what_was_shown() {
        let (mut aligner, now) = two_streams();
        aligner.push(delivery("p.dbo.a", 0, &[1], TransactionKind::Metadata), None, now);
        assert_eq!(shown(aligner.release(now)).len(), 1, "no transaction topic is known yet");
        aligner.push(end(0, 1, &[("dbo.a", 1)]), None, now);
        aligner.push(delivery("p.dbo.a", 1, &[2], TransactionKind::Metadata), None, now);
        aligner.push(end(1, 2, &[("dbo.a", 1)]), None, now);
        let topics: Vec<_> = shown(aligner.release(now)).into_iter().map(|(topic, _)| topic).collect();
        assert_eq!(topics, ["p.dbo.a", "p.transaction", "p.transaction"]);
    }

    #[test]
    fn a_transaction_whose_announcement_is_gone_is_waited_for_only_while_it_may_come() {
        let (mut aligner, now) = two_streams();
        let marks = StreamId("s/p.transaction/0".into());
        aligner.observe(&marks, "p.transaction", Some(Position(0)), true);
        aligner.push(delivery("p.dbo.a", 0, &[1, 2], TransactionKind::Metadata), None, now);
        let later = now + AlignOptions::default().stall;
        assert_eq!(shown(aligner.release(later)), vec![], "its announcement may be late");
        aligner.push(end(0, 2, &[("dbo.a", 1)]), None, later);
        aligner.observe(&marks, "p.transaction", Some(Position(1)), false);
        assert_eq!(shown(aligner.release(later))[0], ("p.dbo.a".to_string(), vec![0, 1]), "2 was announced, 1 never");
        assert_eq!(aligner.torn(), 0);
    }

    #[test]
    fn a_transaction_larger_than_its_share_is_released_and_counted() {
        let mut aligner = Aligner::new(AlignOptions { full_bytes: 150, ..AlignOptions::default() });
        let now = Instant::now();
        aligner.observe(&StreamId("s/p.dbo.b/0".into()), "p.dbo.b", None, false);
        aligner.push(delivery("p.dbo.a", 0, &[5, 5], TransactionKind::CommitLsn), None, now);
        assert_eq!(shown(aligner.release(now)), vec![]);
        let later = now + Duration::from_secs(1);
        assert_eq!(shown(aligner.release(later)), vec![("p.dbo.a".to_string(), vec![0, 1])]);
        assert_eq!(aligner.torn(), 1);
        assert_eq!(aligner.held_bytes(), 0);
        aligner.push(delivery("p.dbo.a", 2, &[5], TransactionKind::CommitLsn), None, later);
        assert_eq!(
            shown(aligner.release(later)),
            vec![("p.dbo.a".to_string(), vec![2])],
            "its rest does not wait again"
        );
    }
}
