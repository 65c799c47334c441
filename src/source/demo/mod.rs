//! The built-in demo: four businesses whose databases change all the time, as Debezium would report it.
//!
//! Each workload is one source (one database server behind one connector) with a stream for each topic, and makes the
//! very bytes that Kafka would carry; they go through the same decoder. First come the rows of a snapshot, then
//! changes at a rate.
//!
//! What makes it resumable: the number of events that a step (one source transaction) adds to each stream depends on the
//! seed and the step alone. So a restart finds the step to go on with by counting, and no event is doubled or missing.
//! What a step *contains* also depends on the wall clock and on the rows that this run has made: a row made by an
//! earlier run is not touched again, because its times are not known any more; rows of the snapshot always may be.
//! Ids come from the step, so they ascend with holes, as identity columns do.

pub mod beginning;
mod dice;
mod envelope;
mod products;
mod shop;
mod tickets;
mod trades;

use super::declare::{Router, StreamDecoder, TableDeclaration, TableFile, TableOwners, Undeclared};
use super::{
    Closed, Source, SourceContext, SourceError, SourceState, SourceStatus, StreamSender, StreamStatus, now_us,
    on_own_thread,
};
use crate::change::{Position, StreamId};
use crate::debezium::Record;
use async_trait::async_trait;
use dice::Dice;
use envelope::Events;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No workload has more streams than this.
const MAX_STREAMS: usize = 4;

/// Events for each stream of a workload.
type Counts = [u64; MAX_STREAMS];

/// One database and what happens in it.
trait Workload: Send + Sync + 'static {
    /// Name of the source, and prefix of its topics.
    fn source(&self) -> &'static str;

    /// One stream each, with one partition.
    fn topics(&self) -> &[&'static str];

    /// Rows of a stream's snapshot.
    fn snapshot_rows(&self, stream: usize) -> u64;

    /// Appends the snapshot's row `index`; `snapshot` is what the source block says of it.
    fn snapshot(&self, stream: usize, index: u64, snapshot: &'static str, now_us: i64, out: &mut Events);

    /// How many events a step adds to each stream; a function of the seed and the step alone.
    fn step_events(&self, step: u64) -> Counts;

    /// Appends exactly those events.
    fn step(&mut self, step: u64, now_us: i64, out: &mut Events);
}

/// The businesses of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Business {
    Tickets,
    Shop,
    Products,
    Trades,
}

impl Business {
    pub const ALL: [Business; 4] = [Self::Tickets, Self::Shop, Self::Products, Self::Trades];

    /// A query worth trying, and what it shows.
    pub fn query(self) -> &'static str {
        match self {
            Self::Tickets => "SELECT * FROM gold.tickets_by_status ORDER BY source_db, status",
            Self::Shop => "SELECT * FROM gold.kpi_by_minute ORDER BY minute DESC, segment LIMIT 9",
            Self::Products => {
                "SELECT product_id, name, price, quantity, original_numbers FROM gold.dim_product \
                 ORDER BY updated_at DESC LIMIT 5"
            }
            Self::Trades => "SELECT * FROM gold.ohlc_by_minute ORDER BY minute DESC, stock_name LIMIT 8",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::Shop => "shop",
            Self::Products => "products",
            Self::Trades => "trades",
        }
    }

    /// The declarations of its tables (`catalog/demo/`).
    pub fn tables(self) -> Vec<TableDeclaration> {
        let text = match self {
            Self::Tickets => include_str!("../../../catalog/demo/tickets.toml"),
            Self::Shop => include_str!("../../../catalog/demo/shop.toml"),
            Self::Products => include_str!("../../../catalog/demo/products.toml"),
            Self::Trades => include_str!("../../../catalog/demo/trades.toml"),
        };
        TableFile::parse(text).expect("the demo's catalog is tested").table
    }

    /// Its gold views (`sql/demo/`): name and CREATE statement, in the order in which they may be made.
    pub fn views(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Tickets => &[("gold.tickets_by_status", include_str!("../../../sql/demo/tickets_by_status.sql"))],
            Self::Shop => &[
                ("gold.kpi_by_minute", include_str!("../../../sql/demo/kpi_by_minute.sql")),
                ("gold.top_customers", include_str!("../../../sql/demo/top_customers.sql")),
                ("gold.latest_orders", include_str!("../../../sql/demo/latest_orders.sql")),
            ],
            Self::Products => &[("gold.dim_product", include_str!("../../../sql/demo/dim_product.sql"))],
            Self::Trades => &[("gold.ohlc_by_minute", include_str!("../../../sql/demo/ohlc_by_minute.sql"))],
        }
    }
}

/// What `sluice demo` is asked for. `seed` and `rows` must be the same when the demo is resumed: positions count from
/// them (see [`beginning`]).
#[derive(Debug, Clone)]
pub struct DemoOptions {
    pub businesses: Vec<Business>,
    /// Changes per second of all businesses together (tombstones not counted); 0: as fast as the engine takes them.
    pub rate: f64,
    /// Rows at the start: tickets in each database, orders, products, trades; the other tables in proportion.
    pub rows: u64,
    pub seed: u64,
}

/// The demo's sources: one for each database.
pub fn sources(options: &DemoOptions) -> Result<Vec<Box<dyn Source>>, SourceError> {
    let DemoOptions { businesses, rate, rows, seed } = options;
    let share = rate / businesses.len().max(1) as f64;
    let mut sources: Vec<Box<dyn Source>> = vec![];
    for business in businesses {
        let workloads: Vec<Box<dyn Workload>> = match business {
            Business::Tickets => {
                vec![Box::new(tickets::Tickets::new(*seed, *rows, 1)), Box::new(tickets::Tickets::new(*seed, *rows, 2))]
            }
            Business::Shop => vec![Box::new(shop::Shop::new(*seed, *rows))],
            Business::Products => vec![Box::new(products::Products::new(*seed, *rows))],
            Business::Trades => vec![Box::new(trades::Trades::new(*seed, *rows))],
        };
        let rate = share / workloads.len() as f64;
        for workload in workloads {
            sources.push(Box::new(Demo::new(workload, business.tables(), rate)?));
        }
    }
    Ok(sources)
}

/// Rows that this run has made and that may change or go, up to a number.
struct Recent<T>(VecDeque<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Copy> Recent<T> {
    const KEPT: usize = 4096;

    fn push(&mut self, row: T) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(row);
    }

    /// Takes one out; `None` leaves the choice to the caller among `others` further rows. With no others: always one if
    /// there is one.
    fn take(&mut self, dice: &mut Dice, others: u64) -> Option<T> {
        let index = self.choose(dice, others)?;
        self.0.swap_remove_back(index)
    }

    /// As [`Self::take`], and leaves it in.
    fn look(&self, dice: &mut Dice, others: u64) -> Option<T> {
        let index = self.choose(dice, others)?;
        self.0.get(index).copied()
    }

    fn choose(&self, dice: &mut Dice, others: u64) -> Option<usize> {
        let ours = !self.0.is_empty() && (others == 0 || dice.below(10) < 7);
        ours.then(|| dice.below(self.0.len() as u64) as usize)
    }
}

/// A time in the 30 days before 2026-10-01, µs since 1970: rows of a snapshot have been there before.
fn past_us(dice: &mut Dice) -> i64 {
    const END: i64 = 1_790_812_800_000_000;
    END - dice.below(30 * 86_400_000) as i64 * 1000
}

/// A workload as a source.
struct Demo {
    name: Arc<str>,
    workload: Box<dyn Workload>,
    router: Router,
    rate: f64,
}

impl Demo {
    fn new(workload: Box<dyn Workload>, tables: Vec<TableDeclaration>, rate: f64) -> Result<Self, SourceError> {
        let name: Arc<str> = workload.source().into();
        let router = Router::new(Arc::clone(&name), tables, Undeclared::DeadLetter).map_err(SourceError::Config)?;
        Ok(Self { name, workload, router, rate })
    }
}

#[async_trait]
impl Source for Demo {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "demo"
    }

    fn share_tables(&mut self, owners: &Arc<TableOwners>, _read: &[StreamId]) {
        self.router.share(owners);
    }

    fn router(&self) -> Router {
        self.router.again()
    }

    async fn run(self: Box<Self>, cx: SourceContext) -> Result<(), SourceError> {
        let name = Arc::clone(&self.name);
        let status = Arc::clone(&cx.status);
        let shutdown = cx.shutdown.clone();
        let run = Run::new(*self, &cx)?;
        let result = on_own_thread(&name, async move {
            // Dropping the loop between two deliveries is safe: positions are the engine's.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => Ok(()),
                result = run.all() => result,
            }
        });
        let result = result.await;
        match &result {
            Ok(()) => status.set(SourceState::Stopped, ""),
            Err(e) => status.set(SourceState::Error, e.to_string()),
        }
        result
    }

    async fn check(&self) -> Result<Vec<String>, SourceError> {
        let line = |(stream, topic): (usize, &&str)| {
            format!("topic {topic}: {} rows at start", self.workload.snapshot_rows(stream))
        };
        Ok(self.workload.topics().iter().enumerate().map(line).collect())
    }
}

/// One topic on its way.
struct Feed {
    sender: StreamSender,
    decoder: StreamDecoder,
    status: Arc<StreamStatus>,
    /// Number of the next event that the generator makes for this stream.
    made: u64,
    /// Number of the first event that the engine does not have.
    wanted: u64,
}

/// A workload being run.
struct Run {
    workload: Box<dyn Workload>,
    feeds: Vec<Feed>,
    status: Arc<SourceStatus>,
    rate: f64,
    events: Events,
}

/// A batch is handed over at the latest with so many events or bytes.
const BATCH_EVENTS: usize = 2048;
const BATCH_BYTES: usize = 512 << 10;

impl Run {
    fn new(demo: Demo, cx: &SourceContext) -> Result<Self, SourceError> {
        let mut feeds = vec![];
        for topic in demo.workload.topics() {
            let id = demo.router.stream_id(topic, 0);
            let resume = cx.resume.get(&id).copied().unwrap_or_default();
            let routed = demo.router.route(topic, 0, None).map_err(SourceError::Config)?;
            let status = cx.status.stream(&id, topic, 0, resume);
            let decoder = routed.decoder(Arc::clone(&cx.schemas));
            feeds.push(Feed { sender: cx.out.stream(id), decoder, status, made: 0, wanted: resume.0.max(0) as u64 });
        }
        let status = Arc::clone(&cx.status);
        Ok(Self { workload: demo.workload, feeds, status, rate: demo.rate, events: Events::default() })
    }

    async fn all(mut self) -> Result<(), SourceError> {
        // Both end only when the engine has gone: the process is ending.
        if self.snapshot().await.is_ok() {
            let Err(Closed) = self.changes().await;
        }
        Ok(())
    }

    /// Everything that the snapshot holds and the engine does not.
    async fn snapshot(&mut self) -> Result<(), Closed> {
        let rows: Vec<u64> = (0..self.feeds.len()).map(|stream| self.workload.snapshot_rows(stream)).collect();
        let total: u64 = rows.iter().sum();
        let mut done = 0;
        for (stream, &count) in rows.iter().enumerate() {
            let feed = &mut self.feeds[stream];
            let start = feed.wanted.min(count);
            feed.made = start;
            done += start;
            if start == count {
                continue;
            }
            feed.status.set_high(Position(count as i64));
            feed.status.set(SourceState::Snapshot, "");
            for index in start..count {
                let last = index + 1 == count;
                let snapshot = match index {
                    _ if last && stream + 1 == rows.len() => "last",
                    _ if last => "last_in_data_collection",
                    0 if stream == 0 => "first",
                    0 => "first_in_data_collection",
                    _ => "true",
                };
                self.workload.snapshot(stream, index, snapshot, now_us(), &mut self.events);
                if last || self.is_full() {
                    done += self.events.items.len() as u64;
                    self.deliver().await?;
                    self.status.set(SourceState::Snapshot, format!("{done} of {total} rows"));
                }
            }
        }
        Ok(())
    }

    /// Changes at the rate, for ever.
    async fn changes(&mut self) -> Result<Infallible, Closed> {
        let mut step = self.skip_delivered();
        for feed in &self.feeds {
            feed.status.set(SourceState::Streaming, "");
        }
        self.status.set(SourceState::Streaming, "");
        let pace = Pace { start: Instant::now(), rate: self.rate };
        let mut changes = 0;
        loop {
            let due = pace.due();
            while changes < due && !self.is_full() {
                let before = self.events.items.len();
                self.workload.step(step, now_us(), &mut self.events);
                changes += self.events.items[before..].iter().filter(|e| e.value.is_some()).count() as u64;
                step += 1;
            }
            match self.events.items.is_empty() {
                true => pace.until(changes + 1).await,
                false => self.deliver().await?,
            }
        }
    }

    /// The first step of which the engine lacks an event; counts what lies before it.
    fn skip_delivered(&mut self) -> u64 {
        for step in 0.. {
            let events = self.workload.step_events(step);
            if self.feeds.iter().zip(events).any(|(feed, events)| feed.made + events > feed.wanted) {
                return step;
            }
            for (feed, events) in self.feeds.iter_mut().zip(events) {
                feed.made += events;
            }
        }
        unreachable!("a step has events, and positions end")
    }

    fn is_full(&self) -> bool {
        self.events.items.len() >= BATCH_EVENTS || self.events.bytes.len() >= BATCH_BYTES
    }

    /// Decodes and sends what was made, without the events that the engine has.
    async fn deliver(&mut self) -> Result<(), Closed> {
        // Room for all first: once `high` has moved, the engine may wait for each stream to reach it.
        for feed in &self.feeds {
            feed.sender.room().await;
        }
        let mut records: [Vec<Record<'_>>; MAX_STREAMS] = Default::default();
        for event in &self.events.items {
            let feed = &mut self.feeds[event.stream];
            if feed.made >= feed.wanted {
                records[event.stream].push(Record {
                    position: Position(feed.made as i64),
                    timestamp_ms: Some(event.timestamp_ms),
                    key: Some(self.events.key(event)),
                    value: self.events.value(event),
                    headers: &[],
                });
            }
            feed.made += 1;
        }
        for feed in &self.feeds {
            let high = feed.status.high().unwrap_or_default().0.max(feed.made as i64);
            feed.status.set_high(Position(high));
        }
        for (feed, records) in self.feeds.iter_mut().zip(&records) {
            if !records.is_empty() {
                let delivery = feed.decoder.decode(records, now_us());
                feed.status.delivered(&delivery);
                feed.sender.send_now(delivery)?;
            }
        }
        self.events.clear();
        // A shutdown gets through even when the engine never pushes back.
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// Keeps a rate over the whole run: what a pause has held up is made up for.
struct Pace {
    start: Instant,
    /// Changes per second; 0: no limit.
    rate: f64,
}

impl Pace {
    /// How many changes there should have been by now.
    fn due(&self) -> u64 {
        match self.rate > 0.0 {
            true => (self.start.elapsed().as_secs_f64() * self.rate) as u64,
            false => u64::MAX,
        }
    }

    /// Waits until so many changes are due.
    async fn until(&self, changes: u64) {
        if self.rate > 0.0 {
            let at = self.start + Duration::from_secs_f64(changes as f64 / self.rate);
            tokio::time::sleep_until(at.into()).await;
        }
    }
}

#[cfg(test)]
mod tests;
