//! Promise 4 under faults on purpose: whatever step ends, waits or fails, the lake is that of an undisturbed run.
//!
//! `SLUICE_CHAOS_RUNS` says how many runs (2), `SLUICE_CHAOS_SEED` the first one's seed (any). A run that fails prints its seed.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, Sluice, ask};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

const ROUNDS: i64 = 6;
const EVENTS: i64 = 40;
const LAKE: &str = "[lake]\nflush_interval = \"10ms\"\nhistory = \"2s\"\n";

/// Every step ends the process now and then, and most fail or wait.
const PLANS: [&str; 3] = [
    "fetch:kill=0.01 decode:kill=0.01 tick:kill=0.005 encode:kill=0.01 upload:kill=0.01 commit:kill=0.01 \
     checkpoint:kill=0.2 vacuum:kill=0.1 manifest:kill=0.02",
    "encode:fail=0.05 upload:fail=0.05 commit:fail=0.05 manifest:fail=0.1 checkpoint:fail=0.3 vacuum:fail=0.2 \
     upload:late=0.03 commit:late=0.1 tick:pause=0.02 tick:jump=0.05",
    "tick:pause=0.05 fetch:pause=0.05 encode:pause=0.1 upload:kill=0.005 commit:kill=0.01 commit:late=0.05 \
     manifest:pause=0.1 manifest:fail=0.05 upload:fail=0.03",
];

fn land_round(folder: &Path, round: i64) {
    for topic in ["a.one", "a.two"] {
        let lines: String = (0..EVENTS)
            .map(|n| match (n + round) % 6 {
                5 => delete((n * 3) % 37),
                _ => upsert((n * 5) % 37, &format!("{{\"id\":{},\"n\":{}}}", (n * 5) % 37, round * 1000 + n)),
            })
            .collect();
        land(folder, topic, &lines);
    }
}

const VIEW: &str = "CREATE MATERIALIZED VIEW IF NOT EXISTS gold.v AS
    SELECT a.id, a.n, b.n AS m FROM silver.one a LEFT JOIN silver.two b USING (id)";

const CONTENT: [&str; 5] = [
    "SELECT id, n FROM silver.one ORDER BY id",
    "SELECT id, n FROM silver.two ORDER BY id",
    "SELECT \"offset\", key::text, payload::text FROM bronze.one ORDER BY \"offset\"",
    "SELECT \"offset\", key::text, payload::text FROM bronze.two ORDER BY \"offset\"",
    "SELECT * FROM gold.v ORDER BY id",
];

/// A process that may end at any time.
struct Doomed {
    child: Child,
    port: Option<u16>,
}

impl Doomed {
    fn start(folder: &Path, faults: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--config", "sluice.toml"])
            .current_dir(folder)
            .env("SLUICE_FAULTS", faults)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let port = loop {
            match lines.next() {
                Some(Ok(line)) => {
                    if let Some(rest) = line.strip_prefix("listening: postgresql on 127.0.0.1:") {
                        break rest.trim().parse().ok();
                    }
                }
                _ => break None,
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    fn has_ended(&mut self) -> bool {
        self.port.is_none() || self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// An answer, while there is somebody to give it.
    async fn ask(&self, sql: &str) -> Option<String> {
        let config = format!("host=127.0.0.1 port={} user=sluice dbname=sluice", self.port?);
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.ok()?;
        tokio::spawn(connection);
        ask(&client, sql).await.ok()
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn content(sluice: &Sluice) -> Vec<String> {
    let client = sluice.connect().await;
    let all = (ROUNDS * EVENTS).to_string();
    for topic in ["one", "two"] {
        support::eventually(&client, &format!("SELECT count(*) FROM bronze.{topic}"), &all).await;
    }
    let mut content = Vec::new();
    for query in CONTENT {
        content.push(ask(&client, query).await.unwrap_or_else(|error| panic!("{query}: {error}")));
    }
    content
}

/// One run under faults; gives how often the process ended.
async fn disturbed(folder: &Path, faults: &str) -> usize {
    let deadline = Instant::now() + 3 * support::PATIENCE;
    let mut ends = 0;
    let mut landed = 1;
    land_round(folder, 0);
    std::fs::write(
        folder.join("sluice.toml"),
        format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{SOURCE}{LAKE}"),
    )
    .expect("the test's folder can be written");
    let mut seed_step = 0;
    loop {
        // Each start draws otherwise, or it would end at the same step for ever.
        seed_step += 1;
        let words: Vec<String> = faults
            .split_whitespace()
            .map(|word| match word.strip_prefix("seed=").and_then(|seed| seed.parse::<u64>().ok()) {
                Some(seed) => format!("seed={}", seed.wrapping_add(seed_step * 1_000_003)),
                None => word.to_owned(),
            })
            .collect();
        let mut sluice = Doomed::start(folder, &words.join(" "));
        loop {
            assert!(Instant::now() < deadline, "not done in time; {ends} ends; faults: {faults}");
            let whole = landed * EVENTS;
            let there = format!(
                "SELECT (SELECT count(*) FROM bronze.one) = {whole} AND (SELECT count(*) FROM bronze.two) = {whole}
                 AND (SELECT bool_and(checkpoint = position) FROM sluice.streams)"
            );
            match sluice.ask(&there).await.as_deref() {
                Some("t") => {
                    let made = sluice.ask("SELECT count(*) FROM pg_matviews WHERE matviewname = 'v'").await;
                    if made.as_deref() == Some("0") {
                        sluice.ask(VIEW).await;
                    } else if made.as_deref() == Some("1") && landed == ROUNDS {
                        return ends;
                    }
                    if made.is_some() && landed < ROUNDS {
                        land_round(folder, landed);
                        landed += 1;
                    }
                }
                Some(_) => {}
                // It has ended, or a table is not there yet.
                None if sluice.has_ended() => {
                    ends += 1;
                    break;
                }
                None => {}
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_step_fails_the_lake_is_that_of_an_undisturbed_run() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("SLUICE_CHAOS_SEED").unwrap_or_else(rand::random::<u64>);
    let runs = number("SLUICE_CHAOS_RUNS").unwrap_or(2);
    let calm = support::folder();
    (0..ROUNDS).for_each(|round| land_round(calm.path(), round));
    let sluice = support::serve(calm.path(), &format!("{SOURCE}{LAKE}"));
    let client = sluice.connect().await;
    support::eventually(&client, "SELECT count(*) > 0 FROM silver.two", "t").await;
    support::eventually(&client, "SELECT count(*) > 0 FROM silver.one", "t").await;
    client.batch_execute(VIEW).await.unwrap();
    let wanted = content(&sluice).await;
    for run in 0..runs {
        let seed = first.wrapping_add(run);
        let faults = format!("seed={seed} {}", PLANS[(seed % PLANS.len() as u64) as usize]);
        println!("run {run}: {faults}");
        let folder = support::folder();
        let ends = disturbed(folder.path(), &faults).await;
        let sluice = support::serve(folder.path(), &format!("{SOURCE}{LAKE}"));
        let got = content(&sluice).await;
        println!("run {run}: the process ended {ends} times");
        for ((query, got), wanted) in CONTENT.iter().zip(&got).zip(&wanted) {
            assert!(got == wanted, "{faults}\n{query}\ndisturbed:\n{got}\nundisturbed:\n{wanted}");
        }
    }
}
