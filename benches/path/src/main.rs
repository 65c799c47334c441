//! The whole path: a broker, the release binary, a client.
//!
//! `cargo xtask bench [events] [freshness seconds] [overload seconds] [words…]` builds the binary and runs this; a word chooses
//! one part (`ingest`, `schema`, `freshness`, `views`, `restart`, `dead`, `overload`). In the environment, `SLUICE_BINARY` is another build, `BENCH_SOURCE`
//! more lines for the Kafka source's section, `BENCH_PERF` the file for a `perf record` of the ingestion. Prints:
//!
//! - CPU per event from the broker to silver queryable and everything flushed to Delta, for events without and with a schema
//!   block, and as a ratio to a baseline of the same run: the same payloads parsed by `serde_json` into a tree;
//! - freshness at fixed rates: from the broker's acknowledgement to visible in a gold view by a polling client;
//! - the same with ten gold views, and with a heavy query beside them; and what ten views cost an event;
//! - the time from start to the first right answer, of tables of 1M and 10M rows with a gold view;
//! - what dead rows cost the aggregates of a table;
//! - resident memory while more comes than is taken.
//!
//! CPU is the server's process, user and system, whatever else the machine does; latencies need an idle machine, so the load
//! is printed with them.

mod broker;
mod client;
mod dead;
mod event;
mod restart;
mod server;
mod views;

use broker::Broker;
use client::Client;
use event::{Events, KEYS};
use server::Server;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the bench asks how far sluice is: each question costs the server CPU, which counts.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How often a producer's batch is acknowledged.
const STEP: Duration = Duration::from_millis(1);
const PROGRESS: &str = "SELECT position FROM sluice.streams";
const DURABLE: &str = "SELECT checkpoint FROM sluice.streams";

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query(sql).ok().flatten().and_then(|text| text.parse().ok()).unwrap_or(-1)
}

/// Waits until a number has grown to `least`.
fn until(client: &mut Client, sql: &str, least: u64, every: Duration) {
    let begun = Instant::now();
    while number(client, sql) < least as i64 {
        assert!(begun.elapsed() < Duration::from_secs(600), "{sql} did not reach {least} in 10 minutes");
        std::thread::sleep(every);
    }
}

/// A broker, and a server that has read its first event.
fn set_up(binary: &Path, with_schema: bool) -> (Broker, Server, Client) {
    let broker = Broker::start(with_schema);
    broker.acknowledge(1);
    let server = Server::start(binary, broker.port);
    let mut client = Client::connect(server.port).expect("sluice takes connections");
    until(&mut client, PROGRESS, 1, ASK_EVERY);
    until(&mut client, DURABLE, 1, ASK_EVERY);
    (broker, server, client)
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_string()
}

/// CPU µs per event, everything flushed at the end; and what the baseline took meanwhile.
fn ingest(binary: &Path, events: u64, with_schema: bool) -> (f64, f64) {
    let (broker, server, mut client) = set_up(binary, with_schema);
    let (cpu, threads) = (server.cpu(), server.cpu_by_thread());
    if std::env::var_os("BENCH_PERF").is_some() {
        perf(&server);
    }
    let begun = Instant::now();
    let base = Baseline::start(with_schema);
    broker.acknowledge(events);
    until(&mut client, PROGRESS, events, ASK_EVERY);
    let visible = begun.elapsed();
    until(&mut client, DURABLE, events, ASK_EVERY);
    let spent = server.cpu() - cpu;
    let wall = begun.elapsed();
    let by_thread = server.cpu_by_thread();
    let base = base.finish();
    let rows = number(&mut client, "SELECT count(*) FROM silver.orders");
    let bronze = number(&mut client, "SELECT count(*) FROM bronze.orders");
    assert_eq!((rows, bronze), (events.min(KEYS) as i64, events as i64), "rows of silver and bronze");
    let newest = number(&mut client, "SELECT max(seq) FROM silver.orders");
    assert_eq!(newest, events as i64 - 1, "the newest event");
    let per_event = |seconds: f64| seconds * 1e6 / events as f64;
    println!(
        "  {events} events visible in {:.1} s, durable in {:.1} s: {:.2} µs of CPU per event; {} MiB resident; load {}",
        visible.as_secs_f64(),
        wall.as_secs_f64(),
        per_event(spent),
        server.resident_mib(),
        load(),
    );
    let mut shares: Vec<(f64, &String)> =
        by_thread.iter().map(|(name, now)| (per_event(now - threads.get(name).unwrap_or(&0.0)), name)).collect();
    shares.sort_by(|a, b| b.0.total_cmp(&a.0));
    let shares: Vec<String> =
        shares.iter().filter(|s| s.0 >= 0.05).map(|(us, name)| format!("{name} {us:.2}")).collect();
    println!("    µs by thread: {}", shares.join(", "));
    let size = |table: &str| server.parquet_bytes(table) as f64 / events as f64;
    println!("    Parquet bytes per event: bronze {:.0}, silver {:.0}", size("bronze"), size("silver"));
    (per_event(spent), base)
}

/// `perf record` of the server until it ends, into `$BENCH_PERF`.
fn perf(server: &Server) {
    let out = std::env::var("BENCH_PERF").unwrap_or_default();
    let arguments = ["record", "-F", "499", "--call-graph", "dwarf,16384", "-o", &out, "-p", &server.id().to_string()];
    let child = std::process::Command::new("perf").args(arguments).spawn();
    drop(child.inspect(|_| std::thread::sleep(Duration::from_millis(500))));
}

/// CPU ns of this thread so far.
fn own_cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// The baseline: parses keys and payloads into trees on a thread of its own, a few at a time for as long as the server
/// works. Neighbours on the machine make both slower together, so that the ratio says more than either.
struct Baseline {
    done: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<f64>,
}

impl Baseline {
    fn start(with_schema: bool) -> Self {
        const COUNT: u64 = 200;
        const PAUSE: Duration = Duration::from_millis(100);
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let events = Events::new(with_schema);
        let texts: Vec<(Vec<u8>, Vec<u8>)> = (0..COUNT)
            .map(|n| {
                let (mut key, mut value) = (vec![], vec![]);
                events.write(n, &mut key, &mut value);
                (key, value)
            })
            .collect();
        let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("the events are JSON");
        let thread = std::thread::spawn(move || {
            let mut parsed = 0;
            let before = own_cpu_ns();
            while !stop.load(Ordering::Acquire) {
                texts.iter().for_each(|(key, value)| drop(std::hint::black_box((parse(key), parse(value)))));
                parsed += COUNT;
                std::thread::sleep(PAUSE);
            }
            (own_cpu_ns() - before) as f64 / 1e3 / parsed as f64
        });
        Self { done, thread }
    }

    /// CPU µs per event.
    fn finish(self) -> f64 {
        self.done.store(true, Ordering::Release);
        self.thread.join().expect("parsing does not panic")
    }
}

/// A broker, and a server that has every key, as one that has run for a while, and the first so many views.
fn set_up_with_views(binary: &Path, count: usize) -> (Broker, Server, Client) {
    let (broker, server, mut client) = set_up(binary, false);
    broker.acknowledge(KEYS);
    until(&mut client, PROGRESS, KEYS, ASK_EVERY);
    for sql in views::TABLES {
        client.query(sql).expect("the table can be made");
    }
    for (name, query) in &views::VIEWS[..count] {
        client.query(&format!("CREATE MATERIALIZED VIEW gold.{name} AS {query}")).expect("the view can be made");
    }
    (broker, server, client)
}

/// CPU µs per event that changes a row that is there, everything flushed at the end.
fn updates(binary: &Path, events: u64, views: usize) -> f64 {
    let (broker, server, mut client) = set_up_with_views(binary, views);
    until(&mut client, DURABLE, KEYS, ASK_EVERY);
    let (cpu, threads) = (server.cpu(), server.cpu_by_thread());
    if std::env::var_os("BENCH_PERF").is_some() {
        perf(&server);
    }
    let end = KEYS + events;
    broker.acknowledge(end);
    until(&mut client, PROGRESS, end, ASK_EVERY);
    until(&mut client, DURABLE, end, ASK_EVERY);
    let per_event = |seconds: f64| seconds * 1e6 / events as f64;
    let spent = per_event(server.cpu() - cpu);
    let engine = |threads: &std::collections::BTreeMap<String, f64>| threads.get("engine").copied().unwrap_or(0.0);
    let by_engine = per_event(engine(&server.cpu_by_thread()) - engine(&threads));
    println!("  {views} views: {spent:.2} µs of CPU per event, the engine {by_engine:.2}; load {}", load());
    if views > 0 {
        let newest = number(&mut client, "SELECT newest FROM gold.whole");
        assert_eq!(newest, end as i64 - 1, "the newest event in a view over a view");
    }
    spent
}

/// From acknowledged to visible in gold: p50 and p99 in ms. `heavy`: with a query beside it that never ends.
fn freshness(binary: &Path, rate: u64, seconds: u64, views: usize, heavy: bool) -> (f64, f64) {
    let (broker, server, mut client) = set_up_with_views(binary, views);
    client.prepare("SELECT max(newest) FROM gold.kpi").expect("gold can be read");
    let load_ends = Arc::new(AtomicBool::new(!heavy));
    let loading = heavy.then(|| {
        let (port, ends) = (server.port, Arc::clone(&load_ends));
        std::thread::spawn(move || {
            let mut client = Client::connect(port).expect("sluice takes connections");
            client.query("SET statement_timeout = '2s'").expect("the setting is there");
            let mut asked = 0;
            while !ends.load(Ordering::Acquire) {
                // It may run into its time.
                drop(client.query(views::HEAVY));
                asked += 1;
            }
            asked
        })
    });
    let cpu = server.cpu();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    // One point for each step: everything below `end` was acknowledged at that time.
    let producing = std::thread::spawn(move || {
        let begun = Instant::now();
        let mut points: Vec<(u64, Instant)> = vec![];
        let mut latest = Duration::ZERO;
        while begun.elapsed() < Duration::from_secs(seconds) {
            let due = STEP * (points.len() as u32 + 1);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            latest = latest.max(begun.elapsed().saturating_sub(due));
            let end = KEYS + (begun.elapsed().as_secs_f64() * rate as f64) as u64;
            broker.acknowledge(end);
            points.push((end, Instant::now()));
        }
        std::thread::sleep(Duration::from_secs(1));
        stop.store(true, Ordering::Release);
        (points, latest, broker)
    });
    let mut seen: Vec<(u64, Instant)> = Vec::new();
    while !done.load(Ordering::Acquire) {
        let newest = client.ask().expect("gold can be read");
        let newest = newest.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        seen.push((newest, Instant::now()));
        std::thread::sleep(STEP);
    }
    let (points, latest, broker) = producing.join().expect("the producer ends");
    let spent = server.cpu() - cpu;
    let lag = |(end, at): &(u64, Instant)| {
        // The newest event below the end.
        let first = seen.partition_point(|(newest, _)| newest + 1 < *end);
        seen.get(first).map(|(_, visible)| visible.saturating_duration_since(*at).as_secs_f64() * 1e3)
    };
    let mut lags: Vec<f64> = points.iter().filter_map(lag).collect();
    let unseen = points.len() - lags.len();
    lags.sort_by(f64::total_cmp);
    let at = |q: f64| {
        lags.get(((lags.len() as f64 * q) as usize).min(lags.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    load_ends.store(true, Ordering::Release);
    let asked = loading.map_or(0, |thread| thread.join().expect("the heavy queries end"));
    let beside = if heavy { format!(", {asked} heavy queries beside") } else { String::new() };
    let produced = points.last().map_or(0, |(end, _)| end - KEYS);
    println!(
        "  {rate} events/s, {views} views{beside}: p50 {:.1} ms, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, longest {:.1}; {} points, {unseen} never seen",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0),
        lags.len(),
    );
    println!(
        "    produced {:.0}/s, handed out {}, the producer at most {:.1} ms late; {} polls; CPU {:.2} of a core; {} MiB; load {}",
        produced as f64 / seconds as f64,
        broker.served() - KEYS,
        latest.as_secs_f64() * 1e3,
        seen.len(),
        spent / seconds as f64,
        server.resident_mib(),
        load(),
    );
    (at(0.5), at(0.99))
}

/// Resident memory while the log is always longer than what was read of it.
fn overload(binary: &Path, seconds: u64) {
    let (broker, server, mut client) = set_up(binary, false);
    broker.acknowledge(u64::MAX >> 2);
    let begun = Instant::now();
    let mut resident = vec![];
    for step in 1..=12 {
        let due = Duration::from_secs(seconds) * step / 12;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        resident.push(server.resident_mib().to_string());
    }
    let taken = number(&mut client, PROGRESS);
    let rate = taken as f64 / begun.elapsed().as_secs_f64();
    println!(
        "  {taken} events in {seconds} s ({rate:.0}/s), resident MiB at each twelfth: {}; load {}",
        resident.join(" "),
        load()
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|a| a.parse::<u64>().ok());
    let events = numbers.next().unwrap_or(1_000_000);
    let fresh_seconds = numbers.next().unwrap_or(20);
    let overload_seconds = numbers.next().unwrap_or(60);
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| a.parse::<u64>().is_err()).collect();
    let wanted = |word: &str| words.is_empty() || words.contains(&word);
    let binary = std::env::var("SLUICE_BINARY").unwrap_or_else(|_| "target/release/sluice".to_string());
    let binary = PathBuf::from(binary).canonicalize().expect("the binary is built: cargo build --release");

    let (without, with) = (Events::new(false).sizes(123_456), Events::new(true).sizes(123_456));
    println!(
        "an event has {} + {} bytes (key, value), with schema block {} + {}",
        without.0, without.1, with.0, with.1
    );
    let mut plain = f64::NAN;
    if wanted("ingest") {
        println!("broker → silver queryable and flushed:");
        let base;
        (plain, base) = ingest(&binary, events, false);
        println!("  = {:.2} × parsing into a tree ({base:.2} µs)   target: at most 4 µs", plain / base);
    }
    if wanted("schema") {
        println!("with schema block:");
        let (with_schema, base) = ingest(&binary, events, true);
        println!(
            "  = {:.2} × parsing into a tree ({base:.2} µs), {:.2} × without block   target: at most 1.3 ×",
            with_schema / base,
            with_schema / plain
        );
    }
    if wanted("freshness") {
        println!("acknowledged → visible in gold:   target at 10,000/s: p99 below 100 ms");
        for rate in [2_000, 10_000] {
            freshness(&binary, rate, fresh_seconds, 1, false);
        }
    }
    if wanted("views") || words.contains(&"updates") {
        println!("ten gold views:   target: CPU of an event at most 1.5 × that without");
        let (none, ten) = (updates(&binary, events, 0), updates(&binary, events, views::VIEWS.len()));
        println!("  = {:.2} × without views", ten / none);
    }
    if wanted("views") {
        println!(
            "  target: p50 below 5 ms and p99 below 25 at 2,000/s, 15 and 50 at 10,000/s; p99 at most 2 × that beside a heavy query"
        );
        for rate in [2_000, 10_000] {
            let (_, alone) = freshness(&binary, rate, fresh_seconds, views::VIEWS.len(), false);
            let (_, beside) = freshness(&binary, rate, fresh_seconds, views::VIEWS.len(), true);
            println!("  = {:.2} × p99 beside a heavy query", beside / alone);
        }
    }
    if wanted("restart") {
        println!("start to the first right answer:   target: 1M rows below 1 s, 10M below 8 s");
        for rows in [1_000_000, 10_000_000] {
            restart::measure(&binary, rows);
        }
    }
    if wanted("dead") {
        println!("aggregates over 10M rows, a tenth of them dead:   target: 1.5 x");
        dead::measure(&binary, 10_000_000);
    }
    if wanted("overload") {
        println!("a log that is always longer than what was read of it:   target: memory levels off");
        overload(&binary, overload_seconds);
    }
}
