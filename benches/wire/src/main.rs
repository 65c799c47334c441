//! Sluice beside PostgreSQL on the same machine, in the same run, with the same tables and the same client:
//!
//!     cargo xtask bench wire [small] [dashboard] [result] [metadata] [seconds for each measurement, 2]
//!
//! CPU is what the server's processes used (user and system), waiting for the client included as far as it costs CPU.

mod client;
mod metadata;
mod server;

use client::Client;
use server::{Kind, Server};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const ACCOUNTS: u64 = 100_000;
const ORDERS: u64 = 1_000_000;

/// What one server did in one measurement.
struct Measured {
    /// µs of the server's CPU for each query.
    cpu: f64,
    /// Queries a second.
    rate: f64,
    /// ms.
    p99: f64,
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(1).collect()
}

/// A client's way to ask, for one thread; gets how often it was asked.
type Ask = Box<dyn FnMut(&mut Client, u64)>;

/// `clients` threads ask for as long as it takes.
fn measure(
    server: &Server,
    clients: usize,
    time: Duration,
    asking: impl Fn(&mut Client, u64) -> Ask + Sync,
) -> Measured {
    let (begin, end) = (Barrier::new(clients + 1), Barrier::new(clients + 1));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = |number: u64| {
            let (begin, end, stop, asking) = (&begin, &end, &stop, &asking);
            move || {
                let mut client = server.client();
                let mut ask = asking(&mut client, number);
                // Warm: plans, caches.
                (0..20).for_each(|round| ask(&mut client, round));
                let mut times: Vec<u32> = Vec::with_capacity(1 << 16);
                begin.wait();
                let mut round = 20;
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    ask(&mut client, round);
                    times.push(asked.elapsed().as_nanos().min(u32::MAX.into()) as u32);
                    round += 1;
                }
                end.wait();
                // The connection stays until the server's CPU was read.
                end.wait();
                times
            }
        };
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(work(number as u64))).collect();
        begin.wait();
        let (cpu, begun) = (server.cpu(), Instant::now());
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        end.wait();
        let (cpu, took) = (server.cpu() - cpu, begun.elapsed());
        end.wait();
        let mut times: Vec<u32> = threads.into_iter().flat_map(|t| t.join().expect("a client ends")).collect();
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).map_or(f64::NAN, |ns| f64::from(*ns) / 1e6);
        let queries = times.len() as f64;
        Measured { cpu: cpu * 1e6 / queries, rate: queries / took.as_secs_f64(), p99 }
    })
}

/// A number below `below` that looks random.
fn scattered(number: u64, round: u64, below: u64) -> u64 {
    let mut x = (number << 40) ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % below
}

const KEY: &str = "SELECT id, name, balance FROM account WHERE id = ";

fn small(servers: &[Server; 2], time: Duration) {
    println!(
        "small queries: CPU of the server for a query (µs), queries/s, p99 (ms); target: CPU at most 0.7 x, the others not worse"
    );
    for (what, sql, keyed, prepared) in [
        ("SELECT 1, simple", "SELECT 1", false, false),
        ("SELECT 1, prepared", "SELECT 1", false, true),
        ("key, simple", KEY, true, false),
        ("key, prepared", KEY, true, true),
    ] {
        if std::env::var("BENCH_ONLY").is_ok_and(|only| !what.contains(&only)) {
            continue;
        }
        for clients in [1, 8, 32] {
            let asking = |client: &mut Client, number: u64| -> Ask {
                if prepared {
                    client.prepare(&format!("{sql}{}", if keyed { "$1" } else { "" })).expect("it can be prepared");
                }
                Box::new(move |client, round| {
                    let key = keyed.then(|| (scattered(number, round, ACCOUNTS) + 1).to_string());
                    let answer = match (prepared, &key) {
                        (true, Some(key)) => client.ask(&[key], false),
                        (true, None) => client.ask(&[], false),
                        (false, Some(key)) => client.query(&format!("{sql}{key}")),
                        (false, None) => client.query(sql),
                    };
                    assert_eq!(answer.expect("the server answers").rows, 1);
                })
            };
            let [postgres, sluice] = servers.each_ref().map(|server| measure(server, clients, time, asking));
            line(&format!("{what}, {clients} clients"), &postgres, &sluice);
        }
    }
}

fn line(what: &str, postgres: &Measured, sluice: &Measured) {
    println!(
        "  {what:31} CPU {:6.1} : {:6.1} = {:.2} x   rate {:7.0} : {:7.0} = {:.2} x   p99 {:.2} : {:.2} = {:.2} x   load {}",
        postgres.cpu,
        sluice.cpu,
        sluice.cpu / postgres.cpu,
        postgres.rate,
        sluice.rate,
        sluice.rate / postgres.rate,
        postgres.p99,
        sluice.p99,
        sluice.p99 / postgres.p99,
        load()
    );
}

fn dashboard(servers: &[Server; 2], time: Duration) {
    println!("a dashboard's query over {ORDERS} unchanged rows, again and again; target: at least 5 x the rate");
    let sql = "SELECT segment, status, count(*) AS orders, sum(amount) AS revenue, avg(amount) AS mean FROM orders \
               WHERE active GROUP BY segment, status ORDER BY revenue DESC";
    for clients in [1, 8] {
        let asking = |_: &mut Client, _: u64| -> Ask {
            Box::new(move |client, round| {
                // The warm-up of twenty is too much of this.
                if round == 0 || round >= 20 {
                    assert_eq!(client.query(sql).expect("the server answers").rows, 20);
                }
            })
        };
        let [postgres, sluice] = servers.each_ref().map(|server| measure(server, clients, time, asking));
        line(&format!("{clients} clients"), &postgres, &sluice);
    }
}

/// One large result.
struct Large {
    /// µs for each row.
    cpu: f64,
    rate: f64,
    first_ms: f64,
    growth: f64,
}

fn large(server: &Server, binary: bool) -> Large {
    let sql = "SELECT id, customer, segment, status, amount, ratio, created_at, active FROM orders";
    let mut client = server.client();
    client.prepare(sql).expect("it can be prepared");
    let before = server.memory();
    let done = Arc::new(AtomicBool::new(false));
    let most = std::thread::scope(|scope| {
        let watched = Arc::clone(&done);
        let watching = scope.spawn(move || {
            let mut most = 0.0;
            while !watched.load(Ordering::Relaxed) {
                most = server.memory().max(most);
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        let cpu = server.cpu();
        let begun = Instant::now();
        let answer = client.ask(&[], binary).expect("the server answers");
        let took = begun.elapsed();
        let cpu = server.cpu() - cpu;
        done.store(true, Ordering::Relaxed);
        assert_eq!(answer.rows, ORDERS);
        let first = answer.first.map_or(f64::NAN, |at| (at - begun).as_secs_f64() * 1e3);
        (watching.join().expect("the watch ends"), cpu, took, first)
    });
    let (most, cpu, took, first_ms): (f64, f64, Duration, f64) = most;
    let rows = ORDERS as f64;
    Large { cpu: cpu * 1e6 / rows, rate: rows / took.as_secs_f64(), first_ms, growth: most - before }
}

fn result(servers: &[Server; 2]) {
    println!(
        "{ORDERS} rows of 8 columns; target: CPU at most 0.4 x (text), 0.3 x (binary), rows/s at least 2 x, first row below 20 ms, \
         memory below 64 MB; the middle of five by CPU, the most of memory"
    );
    for binary in [false, true] {
        let [postgres, sluice] = servers.each_ref().map(|server| {
            let mut runs: Vec<Large> = (0..5).map(|_| large(server, binary)).collect();
            let growth = runs.iter().fold(0.0_f64, |most, run| most.max(run.growth));
            runs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
            let middle = runs.swap_remove(2);
            Large { growth, ..middle }
        });
        println!(
            "  {:6} CPU a row {:.3} : {:.3} µs = {:.2} x   rows/s {:.0} : {:.0} = {:.2} x   first row {:.1} : {:.1} ms   memory +{:.0} : +{:.0} MiB   load {}",
            if binary { "binary" } else { "text" },
            postgres.cpu,
            sluice.cpu,
            sluice.cpu / postgres.cpu,
            postgres.rate,
            sluice.rate,
            sluice.rate / postgres.rate,
            postgres.first_ms,
            sluice.first_ms,
            postgres.growth,
            sluice.growth,
            load()
        );
    }
}

/// The same tables on both, and whether the answers are the same.
fn fill(servers: &[Server; 2], wanted: &dyn Fn(&str) -> bool) {
    let mut statements = vec![];
    if wanted("small") {
        statements.push(
            "CREATE TABLE account (id int PRIMARY KEY, name text NOT NULL, balance numeric(12,2) NOT NULL)".to_string(),
        );
        statements.push(format!(
            "INSERT INTO account SELECT g, 'account ' || g, g * 1.25 FROM generate_series(1, {ACCOUNTS}) g"
        ));
    }
    if wanted("dashboard") || wanted("result") {
        statements.push(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer int, segment text, status text, amount numeric(12,2), \
             ratio float8, created_at timestamptz, active bool)"
                .to_string(),
        );
        statements.push(format!(
            "INSERT INTO orders SELECT g, g * 79 % 100000, 'segment ' || g % 5, (ARRAY['new','paid','sent','back'])[1 + g % 4], \
             (g * 37 % 1000000) / 100.0, g * 0.37, timestamptz '2026-01-01 00:00:00Z' + g * interval '1.5 seconds', g % 3 <> 0 \
             FROM generate_series(1, {ORDERS}) g"
        ));
    }
    for server in servers {
        let begun = Instant::now();
        let mut client = server.client();
        for statement in &statements {
            client.query(statement).unwrap_or_else(|e| panic!("{}: {statement}: {e}", server.name()));
        }
        if wanted("metadata") {
            metadata::fill(&mut client);
        }
        if server.kind == Kind::Postgres {
            client.query("VACUUM ANALYZE").expect("PostgreSQL can vacuum");
            client.query("CHECKPOINT").expect("PostgreSQL can write its buffers");
        }
        println!("{} on port {}: filled in {:.1} s", server.name(), server.port, begun.elapsed().as_secs_f64());
    }
    let tables = [("small", "account"), ("result", "orders")];
    for (_, table) in tables.iter().filter(|(word, _)| wanted(word)) {
        let [one, other] = servers.each_ref().map(|server| {
            let answer = server.client().query_summed(&format!("SELECT * FROM {table}"), true).expect("it can be read");
            (answer.rows, answer.bytes, answer.sum)
        });
        assert_eq!(one, other, "both servers give the same rows of {table}");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.iter().find_map(|a| a.parse::<f64>().ok()).unwrap_or(2.0);
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| a.parse::<f64>().is_err()).collect();
    let wanted = |word: &str| words.is_empty() || words.contains(&word);
    let binary = std::env::var("SLUICE_BINARY").unwrap_or_else(|_| "target/release/sluice".to_string());
    let binary = PathBuf::from(binary).canonicalize().expect("the binary is built: cargo build --release");
    let time = Duration::from_secs_f64(seconds);
    let servers = [Server::postgres(), Server::sluice(&binary)];
    fill(&servers, &wanted);
    println!("PostgreSQL : Sluice = ratio");
    if wanted("small") {
        small(&servers, time);
    }
    if wanted("dashboard") {
        dashboard(&servers, time);
    }
    if wanted("result") {
        result(&servers);
    }
    if wanted("metadata") {
        metadata::run(&servers);
    }
}
