//! The lake seen from outside: what it says of itself, what VACUUM leaves, copies, other versions.

use crate::landing::{SOURCE, land, upsert};
use crate::support::{self, Sluice, ask, eventually};
use std::path::Path;
use std::process::Command;
use tokio_postgres::Client;

fn serve(folder: &Path, lake: &str) -> Sluice {
    support::serve(folder, &format!("{SOURCE}[lake]\nflush_interval = \"20ms\"\n{lake}"))
}

/// Makes one change, and waits until it is in the lake.
async fn change(folder: &Path, client: &Client, n: i64) {
    land(folder, "a.t", &upsert(n % 7, &format!("{{\"id\":{},\"n\":{n}}}", n % 7)));
    eventually(client, "SELECT count(*) FROM bronze.t", &n.to_string()).await;
    eventually(client, "SELECT durable_tick = tick FROM sluice.ticks", "t").await;
}

#[tokio::test]
async fn the_lake_says_what_it_holds() {
    let folder = support::folder();
    let first: String = (1..8).map(|n| upsert(n % 7, &format!("{{\"id\":{},\"n\":{n}}}", n % 7))).collect();
    land(folder.path(), "a.t", &first);
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.t", "7").await;
    eventually(&client, "SELECT durable_tick = tick FROM sluice.ticks", "t").await;
    for n in 8..13 {
        change(folder.path(), &client, n).await;
    }
    let said = |column: &str, table: &str| {
        format!("SELECT {column} FROM sluice.lake_files WHERE schema_name = '{table}' AND table_name = 't'")
    };
    assert_eq!(
        ask(&client, &said("sum(rows), sum(dead_rows) > 0, min(bytes) > 0", "silver")).await.as_deref(),
        Ok("7|t|t")
    );
    assert_eq!(ask(&client, &said("sum(rows), sum(dead_rows)", "bronze")).await.as_deref(), Ok("12|0"));
    let commits = "SELECT count(*) > 5, bool_and(tick > 0), sum(rows_added), sum(rows_added) - sum(rows_deleted)
        FROM sluice.history('silver.t') WHERE operation = 'WRITE'";
    assert_eq!(ask(&client, commits).await.as_deref(), Ok("t|t|12|7"));
    let same = "SELECT (SELECT max(version) FROM sluice.lake_commits WHERE schema_name = 'silver' AND table_name = 't')
        = (SELECT delta_version FROM sluice.tables WHERE schema_name = 'silver' AND table_name = 't')";
    assert_eq!(ask(&client, same).await.as_deref(), Ok("t"));
    assert!(ask(&client, "SELECT sluice.compact('bronze.t')").await.unwrap().contains("files merged, 12 rows"));
    assert_eq!(ask(&client, &said("count(*), sum(rows)", "bronze")).await.as_deref(), Ok("1|12"));
    // What was merged is found again, after a kill too.
    assert_eq!(ask(&client, "SELECT count(*) FROM bronze.t").await.as_deref(), Ok("12"));
    sluice.kill();
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    assert_eq!(ask(&client, &said("count(*), sum(rows)", "bronze")).await.as_deref(), Ok("1|12"));
    assert_eq!(ask(&client, "SELECT count(*), max(n) FROM silver.t").await.as_deref(), Ok("7|12"));
    for (statement, state) in [("VACUUM nothing", "42P01"), ("SELECT sluice.compact('nothing')", "42P01")] {
        assert!(ask(&client, statement).await.unwrap_err().starts_with(state), "{statement}");
    }
    assert!(ask(&client, "BEGIN; VACUUM").await.unwrap_err().starts_with("25001"));
}

fn objects(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { objects(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn what_is_older_than_the_history_goes_and_is_said_to_be_gone() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    let sluice = serve(folder.path(), "history = \"500ms\"\n");
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.t", "1").await;
    let tick = ask(&client, "SELECT tick FROM sluice.ticks").await.unwrap();
    // More manifests than lie there unfolded, twice.
    for n in 2..200 {
        change(folder.path(), &client, n).await;
    }
    let table = folder.path().join("sluice-data/silver/t");
    let before = objects(&table);
    client.batch_execute("VACUUM FULL silver.t").await.unwrap();
    let deadline = std::time::Instant::now() + support::PATIENCE;
    let (mut n, mut gone) = (200, false);
    while !gone || objects(&table) >= before {
        assert!(std::time::Instant::now() < deadline, "{} objects of {before} are left; gone: {gone}", objects(&table));
        change(folder.path(), &client, n).await;
        n += 1;
        client.batch_execute("VACUUM silver.t").await.unwrap();
        let asked = ask(&client, &format!("SELECT count(*) FROM sluice.table_at('silver.t', {tick})")).await;
        gone = asked.is_err_and(|said| said.starts_with("72000"));
    }
    assert_eq!(ask(&client, "SELECT count(*), max(n) FROM silver.t").await, Ok(format!("7|{}", n - 1)));
    let now = ask(&client, "SELECT tick FROM sluice.ticks").await.unwrap();
    let at = format!("SELECT count(*) FROM sluice.table_at('silver.t', {now})");
    assert_eq!(ask(&client, &at).await.as_deref(), Ok("7"));
}

fn inspect(folder: &Path, lake: &str) -> serde_json::Value {
    let (status, out, err) = support::run(folder, &["inspect", lake, "--json"]);
    assert!(status.success(), "{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_taken_under_load_opens_elsewhere_at_a_tick_that_was() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    land(folder.path(), "a.u", &upsert(1, "{\"id\":1,\"n\":1}"));
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.t", "1").await;
    eventually(&client, "SELECT count(*) FROM silver.u", "1").await;
    client
        .batch_execute("CREATE MATERIALIZED VIEW gold.v AS SELECT count(*) AS c, sum(t.n) AS s FROM silver.t t JOIN silver.u USING (id)")
        .await
        .unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (stop, folder) = (std::sync::Arc::clone(&stop), folder.path().to_owned());
        move || {
            for n in 2.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                for topic in ["a.t", "a.u"] {
                    land(&folder, topic, &upsert(n % 50, &format!("{{\"id\":{},\"n\":{n}}}", n % 50)));
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    });
    let mut ticks = Vec::new();
    for copy in 0..4 {
        // It goes on changing between copies.
        let events = ask(&client, "SELECT count(*) + 50 FROM bronze.t").await.unwrap();
        eventually(&client, &format!("SELECT count(*) >= {events} FROM bronze.t"), "t").await;
        // Files that go while they are copied are of no matter.
        let mut copied = Command::new("cp");
        copied.args(["-r", "sluice-data", &format!("copy{copy}")]).current_dir(folder.path());
        copied.output().expect("cp can be started");
        let shown = inspect(folder.path(), &format!("copy{copy}"));
        ticks.push(shown["tick"].as_u64().unwrap_or_else(|| panic!("{shown}")));
        let table = |name: &str| shown["tables"].as_array().unwrap().iter().find(|t| t["name"] == name).cloned();
        assert!(table("silver.t").is_some_and(|t| t["rows"].as_u64() > Some(0) && t["kind"] == "silver"), "{shown}");
        assert!(shown["positions"].as_object().is_some_and(|positions| positions.len() == 2), "{shown}");
    }
    // The lake itself can be looked at while it is written to.
    assert!(inspect(folder.path(), "sluice-data")["tick"].as_u64() >= ticks.last().copied());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
    let queries =
        ["SELECT id, n FROM silver.t ORDER BY id", "SELECT id, n FROM silver.u ORDER BY id", "SELECT c, s FROM gold.v"];
    for (copy, tick) in ticks.iter().enumerate() {
        let elsewhere = support::folder();
        std::fs::rename(folder.path().join(format!("copy{copy}")), elsewhere.path().join("sluice-data")).unwrap();
        let other = serve(elsewhere.path(), "");
        let opened = other.connect().await;
        client.batch_execute(&format!("SET sluice.as_of = '{tick}'")).await.unwrap();
        for query in queries {
            let (then, copied) = (ask(&client, query).await, ask(&opened, query).await);
            assert!(then.is_ok() && then == copied, "tick {tick}: {query}\nthen: {then:?}\ncopy: {copied:?}");
        }
        let right = "SELECT v.c = q.c AND v.s IS NOT DISTINCT FROM q.s FROM gold.v v,
            (SELECT count(*) AS c, sum(t.n) AS s FROM silver.t t JOIN silver.u USING (id)) q";
        assert_eq!(ask(&opened, right).await.as_deref(), Ok("t"));
        opened.batch_execute("CREATE TABLE public.own (id int); INSERT INTO public.own VALUES (1)").await.unwrap();
    }
    let (status, _, said) = support::run(folder.path(), &["inspect", "nowhere"]);
    assert!(!status.success() && said.contains("nowhere"), "{said}");
}

/// The newest manifest of a lake.
fn newest_manifest(folder: &Path) -> std::path::PathBuf {
    let manifests = std::fs::read_dir(folder.join("sluice-data/_sluice/manifests")).unwrap();
    manifests.flatten().map(|entry| entry.path()).max().unwrap()
}

#[tokio::test]
async fn a_lake_of_another_format_is_refused_and_left_as_it_was() {
    let folder = support::folder();
    let sluice = serve(folder.path(), "");
    sluice.connect().await.batch_execute("CREATE TABLE public.t (id int)").await.unwrap();
    assert!(sluice.stop().success());
    let path = newest_manifest(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (format, catalog) = (manifest["format"].as_u64().unwrap(), manifest["catalog"]["format"].as_u64().unwrap());
    let newer_catalog = |m: &mut serde_json::Value| m["catalog"]["format"] = (catalog + 1).into();
    let older_catalog = |m: &mut serde_json::Value| m["catalog"]["format"] = (catalog - 1).into();
    let newer = |m: &mut serde_json::Value| m["format"] = (format + 1).into();
    let older = |m: &mut serde_json::Value| m["format"] = (format - 1).into();
    type Edit<'a> = &'a dyn Fn(&mut serde_json::Value);
    let cases: [(Edit<'_>, &str); 4] = [
        (&newer_catalog, "newer than"),
        (&older_catalog, "older than"),
        (&newer, "newer than"),
        (&older, "older than"),
    ];
    for (edit, wanted) in cases {
        let mut edited = manifest.clone();
        edit(&mut edited);
        std::fs::write(&path, edited.to_string()).unwrap();
        let (status, _, said) = support::run(folder.path(), &["serve", "--config", "sluice.toml"]);
        assert!(!status.success() && said.contains(wanted), "{wanted}: {said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), edited.to_string());
        assert_eq!(newest_manifest(folder.path()), path);
    }
    std::fs::write(&path, text).unwrap();
    let sluice = serve(folder.path(), "");
    assert_eq!(ask(&sluice.connect().await, "SELECT count(*) FROM public.t").await.as_deref(), Ok("0"));
}

#[tokio::test]
async fn a_torn_last_entry_is_passed_over() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.t", "1").await;
    for n in 2..6 {
        change(folder.path(), &client, n).await;
    }
    sluice.kill();
    // As a disk leaves it that lost the end of what was written last: the manifest, and a table's log.
    let path = newest_manifest(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let log = folder.path().join("sluice-data/silver/t/_delta_log");
    let last = std::fs::read_dir(&log)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .max()
        .unwrap();
    let bytes = std::fs::read(&last).unwrap();
    std::fs::write(&last, &bytes[..bytes.len() - 40]).unwrap();
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    // The source has it all still.
    eventually(&client, "SELECT count(*) FROM bronze.t", "5").await;
    eventually(&client, "SELECT count(*), max(n) FROM silver.t", "5|5").await;
    for n in 6..9 {
        change(folder.path(), &client, n).await;
    }
    assert_eq!(ask(&client, "SELECT max(n) FROM silver.t").await.as_deref(), Ok("8"));
}

/// All Delta log entries of a table, one after the other.
fn log_of(folder: &Path, table: &str) -> String {
    let log = folder.join("sluice-data").join(table).join("_delta_log");
    let mut paths: Vec<_> = std::fs::read_dir(log).unwrap().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let entries = paths.iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
    entries.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// The clock jumps by up to a day at many ticks: the rows of bronze lie in many days, and stay in their order.
#[tokio::test]
async fn bronze_lies_in_days_and_keeps_its_order() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    let config = format!("{SOURCE}[lake]\nflush_interval = \"20ms\"\n");
    std::fs::write(
        folder.path().join("sluice.toml"),
        format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{config}"),
    )
    .unwrap();
    let arguments = ["serve", "--config", "sluice.toml"];
    let sluice = support::start_with(folder.path(), &arguments, &[("SLUICE_FAULTS", "seed=3 tick:jump=0.5")]);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.t", "1").await;
    for n in 2..60 {
        change(folder.path(), &client, n).await;
    }
    let days = "SELECT count(DISTINCT partition) > 1, count(*) FILTER (WHERE partition IS NULL), sum(rows)
        FROM sluice.lake_files WHERE schema_name = 'bronze' AND table_name = 't'";
    assert_eq!(ask(&client, days).await.as_deref(), Ok("t|0|59"));
    assert!(log_of(folder.path(), "bronze/t").contains("\"partitionColumns\":[\"ingested_day\"]"));
    let named =
        "SELECT DISTINCT partition FROM sluice.lake_files WHERE schema_name = 'bronze' AND table_name = 't' ORDER BY 1";
    let meant = "SELECT DISTINCT (ingested_at AT TIME ZONE 'UTC')::date FROM bronze.t ORDER BY 1";
    assert_eq!(ask(&client, named).await, ask(&client, meant).await);
    sluice.kill();
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    client.batch_execute("VACUUM FULL bronze.t").await.unwrap();
    assert_eq!(ask(&client, days).await.as_deref(), Ok("t|0|59"));
    let silver = "SELECT id, n, _ingested_at FROM silver.t ORDER BY id";
    let wanted = ask(&client, silver).await;
    // A rebuild goes through bronze in its order: the newest event of a key counts, whatever day it has.
    assert_eq!(
        ask(&client, "SELECT sluice.rebuild('silver.t')").await.as_deref(),
        Ok("7 rows from 59 records, 0 dead letters")
    );
    assert_eq!(ask(&client, silver).await, wanted);
}

#[tokio::test]
async fn a_table_for_simple_readers_has_no_deletion_vectors() {
    let folder = support::folder();
    let first: String = (1..40).map(|n| upsert(n % 7, &format!("{{\"id\":{},\"n\":{n}}}", n % 7))).collect();
    land(folder.path(), "a.t", &first);
    let sluice = serve(folder.path(), "copy_on_write = [\"silver.t\", \"gold.*\"]\n");
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM bronze.t", "39").await;
    let view = "CREATE MATERIALIZED VIEW gold.v AS SELECT id % 2 AS g, sum(n) AS s FROM silver.t GROUP BY 1";
    client.batch_execute(view).await.unwrap();
    for n in 40..80 {
        change(folder.path(), &client, n).await;
    }
    for table in ["silver/t", "gold/v"] {
        let log = log_of(folder.path(), table);
        assert!(!log.contains("deletionVector"), "{table}");
    }
    let rows = ["SELECT id, n FROM silver.t ORDER BY id", "SELECT * FROM gold.v ORDER BY g"];
    let (first, second) = (ask(&client, rows[0]).await.unwrap(), ask(&client, rows[1]).await.unwrap());
    client.batch_execute("VACUUM FULL silver.t").await.unwrap();
    change(folder.path(), &client, 80).await;
    sluice.kill();
    let sluice = serve(folder.path(), "");
    let client = sluice.connect().await;
    let after = ask(&client, rows[0]).await.unwrap();
    assert_eq!(after, first.replace(&format!("{}|73", 80 % 7), &format!("{}|80", 80 % 7)));
    assert_ne!(ask(&client, rows[1]).await.unwrap(), second);
    // What a table was made as, it stays.
    change(folder.path(), &client, 81).await;
    assert!(!log_of(folder.path(), "silver/t").contains("deletionVector"));
    let counted =
        "SELECT sum(rows), sum(dead_rows) FROM sluice.lake_files WHERE schema_name = 'silver' AND table_name = 't'";
    assert_eq!(ask(&client, counted).await.as_deref(), Ok("7|0"));
}
