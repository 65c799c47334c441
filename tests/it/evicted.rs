//! Tables that are larger than their memory: what is only in the lake is found, changed and kept as if it were not.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, PATIENCE, Sluice, ask, eventually};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;
use tokio_postgres::Client;

/// Rows of the source: about 600 bytes each in memory, 18 MB together.
const ROWS: i64 = 30_000;
/// A fifth of that.
const LIMITED: &str = "[limits]\ntable_memory = \"3584KiB\"\n";
const LIMIT: i64 = 3584 << 10;

fn config(limits: &str) -> String {
    format!("{SOURCE}{limits}[lake]\nflush_interval = \"50ms\"\nflush_rows = 8000\n")
}

fn row(id: i64, turn: i64) -> String {
    let filler = format!("{:x}", (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(35);
    let seen = format!("2024-01-01T00:00:{:02}Z", id % 60);
    upsert(
        id,
        &format!(
            "{{\"id\":{id},\"kind\":\"k{}\",\"n\":{},\"seen\":\"{seen}\",\"filler\":\"{filler}\"}}",
            id % 7,
            id * 3 + turn
        ),
    )
}

fn rows(ids: impl Iterator<Item = i64>, turn: i64) -> String {
    ids.fold(String::new(), |mut lines, id| {
        let _ = write!(lines, "{}", row(id, turn));
        lines
    })
}

/// What both must answer alike.
const QUERIES: [&str; 10] = [
    "SELECT count(*), sum(n), min(id), max(id), count(DISTINCT kind) FROM silver.big",
    "SELECT kind, count(*), sum(n), max(length(filler)) FROM silver.big GROUP BY kind ORDER BY kind",
    "SELECT id, n, md5(filler) FROM silver.big WHERE id IN (1, 77, 4711, 19999, 29999, 30000, 123456) ORDER BY id",
    "SELECT id, n, seen FROM silver.big WHERE n BETWEEN 30000 AND 30020 ORDER BY id",
    "SELECT id, md5(filler) FROM silver.big WHERE id > 29990 ORDER BY id",
    "SELECT md5(string_agg(id || ':' || n || ':' || filler, ',' ORDER BY id)) FROM silver.big",
    "SELECT count(*), sum(v), md5(string_agg(id || note, ',' ORDER BY id)) FROM public.notes",
    "SELECT id, v, note FROM public.notes WHERE id IN (3, 5000, 11999) ORDER BY id",
    "SELECT v, count(*) FROM public.notes WHERE v IN (5, 900, 77) GROUP BY v ORDER BY v",
    "SELECT b.kind, count(*), sum(m.v) FROM silver.big AS b JOIN public.notes AS m ON m.id = b.id GROUP BY b.kind ORDER BY b.kind",
];

async fn answers(client: &Client, queries: &[&str]) -> Vec<Result<String, String>> {
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        answers.push(ask(client, query).await);
    }
    answers
}

async fn number(client: &Client, sql: &str) -> i64 {
    ask(client, sql).await.expect("an answer").parse().expect("a number")
}

/// Waits until the tables take no more than their limit and a little, and most rows are evicted.
async fn settled(client: &Client) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let memory = "SELECT sum(memory_bytes) FROM sluice.tables WHERE kind IN ('silver', 'managed')";
        let evicted = "SELECT sum(evicted_rows) FROM sluice.tables";
        let (memory, evicted) = (number(client, memory).await, number(client, evicted).await);
        if memory <= LIMIT + LIMIT / 4 && evicted > ROWS / 2 {
            return;
        }
        assert!(Instant::now() < deadline, "{memory} bytes in memory, {evicted} rows evicted");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn feed(folder: &Path, from: i64, to: i64, turn: i64) {
    land(folder, "a.big", &rows(from..=to, turn));
}

/// A server with a limit and one without, with the same rows.
struct Pair {
    folders: [tempfile::TempDir; 2],
    servers: Vec<Sluice>,
    clients: Vec<Client>,
}

impl Pair {
    async fn start() -> Self {
        let folders = [support::folder(), support::folder()];
        let servers = [LIMITED, ""].iter().zip(&folders).map(|(limits, f)| support::serve(f.path(), &config(limits)));
        let servers: Vec<Sluice> = servers.collect();
        let clients = vec![servers[0].connect().await, servers[1].connect().await];
        Self { folders, servers, clients }
    }

    fn land(&self, lines: &str) {
        self.folders.iter().for_each(|folder| land(folder.path(), "a.big", lines));
    }

    async fn run(&self, sql: &str) {
        for client in &self.clients {
            client.batch_execute(sql).await.expect(sql);
        }
    }

    async fn until(&self, sql: &str, wanted: &str) {
        for client in &self.clients {
            eventually(client, sql, wanted).await;
        }
    }

    async fn same(&self, what: &str) {
        let [limited, unlimited] = [&self.clients[0], &self.clients[1]];
        for query in QUERIES {
            let (one, other) = (ask(limited, query).await, ask(unlimited, query).await);
            assert!(one.is_ok(), "{what}: {query}: {one:?}");
            assert_eq!(one, other, "{what}: {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_five_times_its_memory_answers_like_one_that_fits() {
    let pair = Pair::start().await;
    for folder in &pair.folders {
        feed(folder.path(), 1, ROWS, 0);
    }
    pair.until("SELECT count(*) FROM silver.big", &ROWS.to_string()).await;
    pair.run(
        "CREATE TABLE notes (id int PRIMARY KEY, v int NOT NULL, note text); CREATE INDEX ON notes (v);
         INSERT INTO notes SELECT i, i % 1000, repeat('note ' || i, 20) FROM generate_series(1, 12000) AS i",
    )
    .await;
    settled(&pair.clients[0]).await;
    assert_eq!(number(&pair.clients[1], "SELECT sum(evicted_rows) FROM sluice.tables").await, 0);
    pair.same("at first").await;

    // Rows that are in the lake alone change, go, and change only in part; a snapshot goes on seeing them as they were.
    let held = pair.servers[0].connect().await;
    held.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.expect("a transaction");
    let before = answers(&held, &QUERIES).await;
    pair.land(&rows((1..=ROWS).step_by(17), 1));
    pair.land(&(1..=ROWS).step_by(101).map(delete).collect::<String>());
    pair.land(&rows(ROWS + 1..=ROWS + 500, 2));
    pair.run(
        "UPDATE notes SET v = v + 1, note = note || '!' WHERE id % 13 = 0;
         DELETE FROM notes WHERE id BETWEEN 4990 AND 5010;
         INSERT INTO notes VALUES (3, 1, 'new') ON CONFLICT (id) DO UPDATE SET note = excluded.note;
         UPDATE notes SET note = 'by index' WHERE v = 77",
    )
    .await;
    let gone = (1..=ROWS).step_by(101).count() as i64;
    pair.until("SELECT count(*) FROM silver.big", &(ROWS - gone + 500).to_string()).await;
    pair.same("after changes").await;
    settled(&pair.clients[0]).await;

    // Compaction writes the files anew: what was read from the old ones is read from the new ones.
    for client in &pair.clients {
        ask(client, "SELECT sluice.compact('silver.big'); SELECT sluice.compact('public.notes')")
            .await
            .expect("compacted");
    }
    pair.same("after compaction").await;
    assert_eq!(answers(&held, &QUERIES).await, before, "the snapshot that is held");
    held.batch_execute("COMMIT").await.expect("the end of a transaction");
    pair.run("VACUUM").await;
    pair.same("after vacuum").await;
    pair.run("TRUNCATE notes; INSERT INTO notes VALUES (1, 2, 'x')").await;
    pair.same("after truncate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_larger_than_its_memory_opens_in_its_memory_after_a_kill() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), &config(LIMITED));
    let client = sluice.connect().await;
    feed(folder.path(), 1, ROWS, 0);
    land(folder.path(), "a.big", &rows((1..=ROWS).step_by(19), 5));
    let sum: i64 = (1..=ROWS).map(|id| id * 3 + if (id - 1) % 19 == 0 { 5 } else { 0 }).sum();
    eventually(&client, "SELECT count(*), sum(n) FROM silver.big", &format!("{ROWS}|{sum}")).await;
    let batch = "CREATE TABLE notes (id int PRIMARY KEY, v int NOT NULL, note text); CREATE INDEX ON notes (v);
         INSERT INTO notes SELECT i, i % 1000, repeat('note ' || i, 20) FROM generate_series(1, 12000) AS i";
    client.batch_execute(batch).await.expect("a table");
    settled(&client).await;
    eventually(&client, "SELECT tick = durable_tick FROM sluice.ticks", "t").await;
    let before = answers(&client, &QUERIES).await;
    sluice.kill();

    let sluice = support::serve(folder.path(), &config(LIMITED));
    let client = sluice.connect().await;
    // At once, not only after a while.
    let memory = "SELECT sum(memory_bytes) FROM sluice.tables WHERE kind IN ('silver', 'managed')";
    let memory = number(&client, memory).await;
    assert!(memory <= LIMIT + LIMIT / 4, "{memory} bytes in memory");
    assert!(number(&client, "SELECT sum(evicted_rows) FROM sluice.tables WHERE table_name = 'big'").await > ROWS / 2);
    assert_eq!(answers(&client, &QUERIES).await, before);
    land(folder.path(), "a.big", &rows((1..=ROWS).step_by(23), 7));
    let turn = |id: i64| {
        if (id - 1) % 23 == 0 {
            7
        } else if (id - 1) % 19 == 0 {
            5
        } else {
            0
        }
    };
    let sum: i64 = (1..=ROWS).map(|id| id * 3 + turn(id)).sum();
    eventually(&client, "SELECT count(*), sum(n) FROM silver.big", &format!("{ROWS}|{sum}")).await;
    settled(&client).await;
    let metrics = sluice.get("/metrics");
    let evicted =
        metrics.lines().find(|line| line.starts_with("sluice_relation_evicted_bytes{relation=\"silver.big\"}"));
    let bytes: f64 = evicted.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect("a metric of evicted bytes");
    assert!(bytes > 1e6, "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_over_rows_that_are_in_the_lake_alone_are_exact() {
    let pair = Pair::start().await;
    for folder in &pair.folders {
        feed(folder.path(), 1, ROWS, 0);
    }
    pair.until("SELECT count(*) FROM silver.big", &ROWS.to_string()).await;
    pair.run("CREATE TABLE kinds (kind text PRIMARY KEY, title text); INSERT INTO kinds SELECT 'k' || i, 'title ' || i FROM generate_series(0, 6) AS i").await;
    settled(&pair.clients[0]).await;
    pair.run(
        "CREATE MATERIALIZED VIEW gold.by_kind AS
           SELECT k.title, count(*) AS rows, sum(b.n) AS total, max(b.n) AS most, min(b.filler) AS least
           FROM silver.big AS b JOIN public.kinds AS k ON k.kind = b.kind GROUP BY k.title;
         CREATE MATERIALIZED VIEW gold.newest AS
           SELECT id, n, filler FROM silver.big WHERE n % 1000 = 0 OR n % 1000 = 1",
    )
    .await;
    let states = "SELECT string_agg(DISTINCT state, ',') FROM sluice.views";
    pair.until(states, "live").await;
    let views = [
        "SELECT * FROM gold.by_kind ORDER BY title",
        "SELECT count(*), md5(string_agg(id || ':' || n || filler, ',' ORDER BY id)) FROM gold.newest",
    ];
    let wanted = [
        "SELECT k.title, count(*), sum(b.n), max(b.n), min(b.filler) FROM silver.big AS b
           JOIN public.kinds AS k ON k.kind = b.kind GROUP BY k.title ORDER BY k.title",
        "SELECT count(*), md5(string_agg(id || ':' || n || filler, ',' ORDER BY id)) FROM silver.big WHERE n % 1000 = 0 OR n % 1000 = 1",
    ];
    assert_eq!(answers(&pair.clients[0], &views).await, answers(&pair.clients[1], &views).await);
    pair.land(&rows((1..=ROWS).step_by(11), 1));
    pair.land(&(3..=ROWS).step_by(97).map(delete).collect::<String>());
    pair.run("UPDATE kinds SET title = 'other' WHERE kind IN ('k3', 'k4')").await;
    let gone = (3..=ROWS).step_by(97).count() as i64;
    pair.until("SELECT count(*) FROM silver.big", &(ROWS - gone).to_string()).await;
    pair.until(states, "live").await;
    for client in &pair.clients {
        assert_eq!(answers(client, &views).await, answers(client, &wanted).await);
    }
    assert_eq!(answers(&pair.clients[0], &views).await, answers(&pair.clients[1], &views).await);
}
