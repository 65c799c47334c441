//! Bronze makes silver anew: the table that comes out is the one that was there, whatever had happened to it.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, Sluice, ask, eventually};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::process::Command;
use tokio_postgres::Client;

const UNSENT: &str = "__debezium_unavailable_value";
const VIEW: &str = "CREATE MATERIALIZED VIEW gold.sums AS
    SELECT id % 5 AS g, count(*) AS c, sum(n) AS s, max(body) AS m FROM silver.docs GROUP BY 1";
const CONTENT: [&str; 3] = [
    "SELECT * FROM silver.docs ORDER BY id",
    "SELECT * FROM gold.sums ORDER BY g",
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'docs' AND table_schema = 'silver'
        ORDER BY ordinal_position",
];

async fn content(client: &Client) -> Vec<String> {
    let mut all = vec![];
    for query in CONTENT {
        let deadline = std::time::Instant::now() + support::PATIENCE;
        all.push(loop {
            match ask(client, query).await {
                Ok(rows) => break rows,
                // A view that is being filled.
                Err(said) if said.starts_with("55000") && std::time::Instant::now() < deadline => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                Err(said) => panic!("{query}: {said}"),
            }
        });
    }
    all
}

/// Both halves of a change of the key, of which the create lacks the body.
fn moved(lsn: u64, from: i64, to: i64, n: i64) -> (String, String) {
    let record = |id: i64, header: &str, other: i64, op: &str, after: &str| {
        format!(
            "{{\"key\":{{\"id\":{id}}},\"headers\":[{{\"key\":\"__debezium.{header}\",\"value\":\"{{\\\"id\\\":{other}}}\"}}],\
             \"value\":{{\"op\":\"{op}\",\"before\":null,\"after\":{after},\
             \"source\":{{\"connector\":\"postgresql\",\"lsn\":{lsn},\"ts_ms\":1}},\"ts_ms\":1}}}}\n"
        )
    };
    let after = format!("{{\"id\":{to},\"body\":\"{UNSENT}\",\"n\":{n}}}");
    (record(from, "newkey", to, "d", "null"), record(to, "oldkey", from, "c", &after))
}

/// Events of all kinds for `silver.docs`, in two files.
fn round(rng: &mut StdRng, round: u64, next_key: &mut i64) -> [String; 2] {
    let mut files = [String::new(), String::new()];
    let mut lsn = round * 1000;
    for n in 0..60 {
        let (id, n) = (rng.random_range(0..40), round as i64 * 100 + n);
        lsn += 1;
        let file = (id % 2) as usize;
        match rng.random_range(0..20) {
            0..2 => files[file] += &delete(id),
            2 => files[file] += &format!("{{\"key\":{{\"id\":{id}}},\"value\":null}}\n"),
            3 => {
                // The row goes to a key that nobody else has, and is in the other file then.
                *next_key += 1;
                let to = *next_key;
                files[file] += &upsert(id, &format!("{{\"id\":{id},\"body\":\"long {n}\",\"n\":{n}}}"));
                let (left, arrived) = moved(lsn, id, to, n);
                files[file] += &left;
                files[rng.random_range(0..2)] += &arrived;
            }
            // Not JSON, and a value that no column takes.
            4 => files[file] += "{\"key\":{\"id\":1},\"value\":\"no change\"}\n",
            5 if round > 2 => {
                files[file] += &upsert(id, &format!("{{\"id\":{id},\"body\":\"b{n}\",\"n\":{n}.5,\"extra\":[{n}]}}"));
            }
            6 if round > 3 => {
                files[file] += &upsert(id, &format!("{{\"id\":{id},\"body\":\"b{n}\",\"n\":{n},\"state\":\"s{n}\"}}"));
            }
            _ => files[file] += &upsert(id, &format!("{{\"id\":{id},\"body\":\"b{n}\",\"n\":{n}}}")),
        }
    }
    if round % 4 == 2 {
        files[0] += "{\"key\":null,\"value\":{\"op\":\"t\",\"source\":{\"ts_ms\":1},\"ts_ms\":1}}\n";
    }
    files
}

fn serve(folder: &Path) -> Sluice {
    support::serve(folder, &format!("{SOURCE}[lake]\nflush_interval = \"20ms\"\n"))
}

/// Lands a round, and waits until it is in silver and in the lake.
async fn take(folder: &Path, client: &Client, files: &[String; 2], landed: &mut usize) {
    std::fs::create_dir_all(folder.join("landing/docs")).unwrap();
    for (name, lines) in ["docs/a", "docs/b"].iter().zip(files) {
        *landed += lines.lines().count();
        land(folder, name, lines);
    }
    eventually(client, "SELECT count(*) FROM bronze.docs", &landed.to_string()).await;
    eventually(client, "SELECT durable_tick = tick FROM sluice.ticks", "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_anew_from_bronze_is_the_one_that_was() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = support::folder();
    let (mut landed, mut next_key) = (0, 1000);
    let mut sluice = serve(folder.path());
    let mut client = sluice.connect().await;
    for nth in 0..8 {
        let files = round(&mut rng, nth, &mut next_key);
        take(folder.path(), &client, &files, &mut landed).await;
        if nth == 0 {
            client.batch_execute(VIEW).await.unwrap();
        }
        if nth == 5 {
            sluice.kill();
            sluice = serve(folder.path());
            client = sluice.connect().await;
        }
    }
    let wanted = content(&client).await;
    let letters = ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.unwrap();
    let tick = ask(&client, "SELECT durable_tick FROM sluice.ticks").await.unwrap();
    let rebuilt = ask(&client, "SELECT sluice.rebuild('silver.docs')").await.unwrap();
    assert!(rebuilt.ends_with(&format!("from {landed} records, {letters} dead letters")), "{rebuilt}; seed {seed}");
    assert_eq!(content(&client).await, wanted, "seed {seed}");
    assert_eq!(ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.as_ref(), Ok(&letters));
    // It lies in another folder, and the past is what it was.
    let folders = "SELECT count(DISTINCT path) > 0 FROM sluice.lake_files WHERE table_name = 'docs'";
    assert_eq!(ask(&client, folders).await.as_deref(), Ok("t"));
    let then = format!("SELECT id, n FROM sluice.table_at('silver.docs', {tick}) ORDER BY id");
    let now = ask(&client, "SELECT id, n FROM silver.docs ORDER BY id").await;
    assert_eq!(ask(&client, &then).await, now);
    // What comes next goes on top of it, also after a kill, and the views over it follow.
    let files = round(&mut rng, 9, &mut next_key);
    take(folder.path(), &client, &files, &mut landed).await;
    let wanted = content(&client).await;
    sluice.kill();
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    assert_eq!(content(&client).await, wanted, "seed {seed}");
    assert!(sluice.stop().success());

    // Nobody has the events any more but bronze.
    std::fs::remove_dir_all(folder.path().join("landing/docs")).unwrap();
    let (status, said, error) = support::run(folder.path(), &["rebuild", "silver.docs"]);
    assert!(status.success() && said.contains(&format!("from {landed} records")), "{said}{error}");
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    assert_eq!(content(&client).await, wanted, "seed {seed}");
    for (statement, state) in [
        ("SELECT sluice.rebuild('bronze.docs')", "42809"),
        ("SELECT sluice.rebuild('gold.sums')", "42809"),
        ("SELECT sluice.rebuild('nothing')", "42P01"),
    ] {
        assert!(ask(&client, statement).await.unwrap_err().starts_with(state), "{statement}");
    }
    assert!(sluice.stop().success());
    let (status, _, error) = support::run(folder.path(), &["rebuild", "silver.nothing"]);
    assert!(!status.success() && error.contains("does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_while_a_table_is_made_anew() {
    let (live, calm) = (support::folder(), support::folder());
    let mut rng = StdRng::seed_from_u64(7);
    let (mut landed, mut next_key) = (0, 1000);
    let sluice = serve(live.path());
    let client = sluice.connect().await;
    let first = round(&mut rng, 0, &mut next_key);
    take(live.path(), &client, &first, &mut landed).await;
    client.batch_execute(VIEW).await.unwrap();
    let rounds: Vec<[String; 2]> = (1..20).map(|nth| round(&mut rng, nth, &mut next_key)).collect();
    let asking = sluice.connect().await;
    let rebuilding = tokio::spawn(async move {
        for _ in 0..6 {
            ask(&asking, "SELECT sluice.rebuild('silver.docs')").await.unwrap();
        }
    });
    for files in &rounds {
        take(live.path(), &client, files, &mut landed).await;
    }
    rebuilding.await.unwrap();
    let columns = "SELECT id, body, n, extra::text, state FROM silver.docs ORDER BY id";
    let got = ask(&client, columns).await.unwrap();

    let sluice = serve(calm.path());
    let client = sluice.connect().await;
    landed = 0;
    for files in std::iter::once(&first).chain(&rounds) {
        take(calm.path(), &client, files, &mut landed).await;
    }
    assert_eq!(got, ask(&client, columns).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_leaves_the_old_table_or_the_new() {
    let folder = support::folder();
    let (mut landed, mut next_key) = (0, 1000);
    let mut rng = StdRng::seed_from_u64(11);
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    for nth in 0..4 {
        let files = round(&mut rng, nth, &mut next_key);
        take(folder.path(), &client, &files, &mut landed).await;
    }
    client.batch_execute(VIEW).await.unwrap();
    let wanted = content(&client).await;
    assert!(sluice.stop().success());
    let (mut ended, mut done) = (0, 0);
    for seed in 0..12 {
        let out = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["rebuild", "silver.docs"])
            .current_dir(folder.path())
            .env(
                "SLUICE_FAULTS",
                format!("seed={seed} encode:kill=0.15 upload:kill=0.15 commit:kill=0.2 manifest:kill=0.3"),
            )
            .output()
            .unwrap();
        match out.status.success() {
            true => done += 1,
            false => ended += 1,
        }
        let sluice = serve(folder.path());
        assert_eq!(content(&sluice.connect().await).await, wanted, "seed {seed}");
        assert!(sluice.stop().success());
    }
    println!("{ended} kills, {done} tables made");
    assert!(ended > 0 && done > 0, "{ended} kills, {done} tables made");
}

/// A declaration that was wrong is put right, and what was a dead letter is a row.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_comes_in_by_a_better_declaration() {
    let folder = support::folder();
    let declared = |columns: &str| {
        format!(
            "{SOURCE}[[jsonl.landing.table]]\nname = \"prices\"\ntopics = [\"s.prices\"]\ncolumns = [{columns}]\n\
             [lake]\nflush_interval = \"20ms\"\n"
        )
    };
    let lines: String = (0..50).map(|n| upsert(n, &format!("{{\"id\":{n},\"price\":\"{}.25\"}}", n * 1000))).collect();
    land(folder.path(), "s.prices", &lines);
    let sluice = support::serve(folder.path(), &declared("\"id int4 not null\", \"price numeric(6,2)\""));
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.prices", "50").await;
    let kept = ask(&client, "SELECT count(*), sum(price) FROM silver.prices").await.unwrap();
    assert_eq!(ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.as_deref(), Ok("40"), "{kept}");
    assert!(sluice.stop().success());
    let sluice = support::serve(folder.path(), &declared("\"id int4 not null\", \"price numeric(12,2)\""));
    let client = sluice.connect().await;
    let rebuilt = ask(&client, "SELECT sluice.rebuild('silver.prices')").await;
    assert_eq!(rebuilt.as_deref(), Ok("50 rows from 50 records, 0 dead letters"));
    let sum = (0..50).map(|n| n * 1000).sum::<i64>();
    let all = "SELECT count(*), sum(price), max(price) FROM silver.prices";
    assert_eq!(ask(&client, all).await, Ok(format!("50|{}.50|49000.25", sum + 12)));
}
