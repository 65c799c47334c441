//! Bad input of operations: each is a clear error or a state that says so, nothing is lost, nothing else is stopped.

use crate::support::{self, Sluice, ask, eventually};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A source that is there and brings one row.
const JSONL: &str = "[jsonl.landing]\npath = \"landing\"\nrefresh = \"20ms\"\n";

fn event(id: u64, note: &str) -> String {
    format!(
        "{{\"key\":{{\"id\":{id}}},\"value\":{{\"op\":\"c\",\"after\":{{\"id\":{id},\"note\":\"{note}\"}},\
         \"source\":{{\"ts_ms\":1}},\"ts_ms\":1}}}}\n"
    )
}

fn land(folder: &Path, file: &str, events: std::ops::Range<u64>, note: &str) {
    let landing = folder.join("landing");
    std::fs::create_dir_all(&landing).unwrap();
    let text: String = events.map(|id| event(id, note)).collect();
    std::fs::write(landing.join(file), text).unwrap();
}

/// Runs `sluice serve` or `check` with a configuration that is expected to be refused.
fn refused(word: &str, config: &str) -> (i32, String) {
    let folder = support::folder();
    refused_in(folder.path(), word, config)
}

fn refused_in(folder: &Path, word: &str, config: &str) -> (i32, String) {
    std::fs::create_dir_all(folder.join("landing")).unwrap();
    let text = format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{config}");
    std::fs::write(folder.join("sluice.toml"), text).unwrap();
    let (status, out, err) = support::run(folder, &[word, "--config", "sluice.toml"]);
    assert!(!status.success(), "{word} accepted\n{config}\n{out}{err}");
    (status.code().unwrap_or(-1), format!("{out}{err}"))
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let folder = support::folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["demo", "--for", "1s", "--http", "127.0.0.1:0", "--listen", &address];
    let (status, _, err) = support::run(folder.path(), &args);
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains(&format!("cannot listen on {address} (postgresql)")), "{err}");
    assert!(err.contains("listen on another port"), "{err}");
    assert!(!folder.path().join("sluice-data").exists(), "a lake was made before the port was tried");
}

#[test]
fn an_address_beyond_the_machine_needs_a_decision() {
    let folder = support::folder();
    let args = ["demo", "--for", "1s", "--http", "127.0.0.1:0", "--listen", "0.0.0.0:0"];
    let (status, _, err) = support::run(folder.path(), &args);
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(err.contains("beyond this machine") && err.contains("trust_network"), "{err}");
}

#[test]
fn a_lake_has_one_process() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..1, "x");
    let first = support::serve(folder.path(), JSONL);
    let (code, said) = refused_in(folder.path(), "serve", JSONL);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is in use by another process. Stop the other sluice process"), "{said}");
    assert_eq!(first.psql("SELECT 1"), "1\n");
}

#[test]
fn a_lake_of_a_newer_version_is_left_alone() {
    let folder = support::folder();
    let manifests = folder.path().join("sluice-data/_sluice/manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    let manifest = manifests.join("00000000000000000007.json");
    std::fs::write(&manifest, "{\"format\": 99, \"unknown\": true}").unwrap();
    let (_, said) = refused_in(folder.path(), "serve", JSONL);
    assert!(said.contains("has format 99, newer than format 1 that this version knows"), "{said}");
    assert!(said.contains("Use the version of sluice that wrote it"), "{said}");
    assert_eq!(std::fs::read_dir(&manifests).unwrap().count(), 1, "something was written to the lake");
}

#[test]
fn a_lake_that_is_a_file_is_refused() {
    let folder = support::folder();
    std::fs::write(folder.path().join("sluice-data"), "not a folder").unwrap();
    let (_, said) = refused_in(folder.path(), "serve", JSONL);
    assert!(said.contains("could not create the lake folder") && said.contains("sluice-data"), "{said}");
    let (_, _, said) = support::run(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    assert!(said.contains("could not create the lake folder") && said.contains("sluice-data"), "{said}");
}

/// Permissions do not hold root back: as root, sluice is started as nobody.
#[test]
fn a_read_only_lake_is_refused() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..1, "x");
    let lake = folder.path().join("sluice-data");
    std::fs::create_dir(&lake).unwrap();
    std::fs::set_permissions(&lake, PermissionsExt::from_mode(0o555)).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{JSONL}");
    std::fs::write(folder.path().join("sluice.toml"), text).unwrap();
    // The binary's own folder need not be open to nobody.
    let binary = folder.path().join("sluice");
    std::fs::hard_link(env!("CARGO_BIN_EXE_sluice"), &binary)
        .or_else(|_| std::fs::copy(env!("CARGO_BIN_EXE_sluice"), &binary).map(drop))
        .unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0";
    let mut command = match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
            command
        }
        false => Command::new(&binary),
    };
    let output = command.args(["serve"]).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("could not write to the lake folder"), "{said}");
    assert!(said.contains("Give this user the right to write there"), "{said}");
}

/// A full disk: `ulimit -f` lets no file grow beyond so many KiB, so that flushes fail; the limit is lifted again while the
/// process runs.
#[tokio::test]
async fn a_full_disk_stops_flushes_and_nothing_else() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..10, "first");
    let config = "[lake]\nflush_interval = \"50ms\"\n";
    let sluice = support::serve(folder.path(), &format!("{JSONL}{config}"));
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.t", "10").await;
    eventually(&client, "SELECT checkpoint = position FROM sluice.streams", "t").await;

    limit_files(&sluice, "0");
    land(folder.path(), "t+b.jsonl", 10..30, "second");
    eventually(&client, "SELECT count(*) FROM silver.t", "30").await;
    eventually(&client, "SELECT flush_error LIKE 'could not write%File too large%' FROM sluice.ticks", "t").await;
    let metrics = sluice.get("/metrics");
    assert!(metrics.contains("\nsluice_flush_failing{} 1.0\n"), "{metrics}");
    let durable = "SELECT durable_tick < tick FROM sluice.ticks";
    assert_eq!(ask(&client, durable).await.as_deref(), Ok("t"));

    limit_files(&sluice, "unlimited");
    eventually(&client, "SELECT flush_error IS NULL FROM sluice.ticks", "t").await;
    eventually(&client, "SELECT bool_and(checkpoint = position) FROM sluice.streams", "t").await;
    sluice.kill();
    let sluice = support::start(folder.path(), &["serve"]);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*), count(DISTINCT id) FROM silver.t", "30|30").await;
    assert_eq!(ask(&client, "SELECT count(*) FROM bronze.t").await.as_deref(), Ok("30"));
}

/// A statement is answered although what it made cannot become durable.
#[tokio::test]
async fn a_statement_does_not_wait_for_ever_for_a_lake_that_cannot_be_written() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..10, "first");
    let sluice = support::serve(folder.path(), &format!("{JSONL}[lake]\nflush_interval = \"50ms\"\n"));
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.t", "10").await;
    eventually(&client, "SELECT durable_tick = tick FROM sluice.ticks", "t").await;

    limit_files(&sluice, "0");
    let made = ask(&client, "CREATE VIEW gold.a AS SELECT count(*) AS n FROM silver.t").await.unwrap_err();
    assert_eq!(made, "58030: the change is made but not durable: the lake cannot be written");
    assert_eq!(ask(&client, "SELECT n FROM gold.a").await.as_deref(), Ok("10"));
    let refused = ask(&client, "CREATE VIEW gold.b AS SELECT 1 AS n").await.unwrap_err();
    assert_eq!(refused, "58030: the change cannot be made: the lake cannot be written");

    limit_files(&sluice, "unlimited");
    eventually(&client, "SELECT flush_error IS NULL FROM sluice.ticks", "t").await;
    limit_files(&sluice, "0");
    client.batch_execute("SET statement_timeout = '200ms'").await.unwrap();
    let stopped = ask(&client, "CREATE VIEW gold.c AS SELECT 2 AS n").await.unwrap_err();
    assert_eq!(stopped, "57014: canceling statement due to statement timeout");
    limit_files(&sluice, "unlimited");
    client.batch_execute("SET statement_timeout = 0").await.unwrap();
    eventually(&client, "SELECT flush_error IS NULL FROM sluice.ticks", "t").await;
    assert_eq!(ask(&client, "CREATE VIEW gold.d AS SELECT 3 AS n").await.as_deref(), Ok(""));
    sluice.kill();
    let sluice = support::start(folder.path(), &["serve"]);
    let client = sluice.connect().await;
    let views = "SELECT string_agg(relname, '' ORDER BY relname) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'gold'::regnamespace";
    assert_eq!(ask(&client, views).await.as_deref(), Ok("acd"));
    assert_eq!(ask(&client, "SELECT n FROM gold.a").await.as_deref(), Ok("10"));
}

fn limit_files(sluice: &Sluice, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit").args(["--pid", &sluice.pid().to_string(), &limit]).status().unwrap();
    assert!(done.success(), "prlimit (Debian's util-linux) failed");
}

#[test]
fn a_missing_configuration_is_named() {
    let folder = support::folder();
    for word in ["serve", "check"] {
        let (status, _, err) = support::run(folder.path(), &[word, "--config", "nowhere.toml"]);
        assert_eq!(status.code(), Some(2), "{err}");
        assert!(err.contains("nowhere.toml") && err.contains("No such file"), "{err}");
    }
}

#[test]
fn a_wrong_configuration_is_named_with_file_line_and_key() {
    let cases = [
        (format!("{JSONL}colour = \"red\"\n"), &["sluice.toml:6", "colour", "expected one of", "`path`"][..]),
        (format!("{JSONL}[lake]\nflush_rows = \"many\"\n"), &["sluice.toml:7", "flush_rows", "u64"]),
        (format!("{JSONL}[lake]\nflush_interval = \"soon\"\n"), &["sluice.toml:7", "not a duration", "500ms"]),
        (
            format!("{JSONL}[lake.options]\nkey = \"${{env:SLUICE_NOT_SET}}\"\n"),
            &["sluice.toml:7", "SLUICE_NOT_SET is not set"],
        ),
        (
            format!("{JSONL}[lake.options]\nkey = \"${{file:nowhere}}\"\n"),
            &["sluice.toml:7", "nowhere", "cannot be read"],
        ),
        ("[kafka.k]\nbrokers = \"127.0.0.1:1\"\ntopics = ['^(']\n".into(), &["sluice.toml:5", "topics", "^("]),
        ("[kafka.k]\nbrokers = \"127.0.0.1:1\"\n".into(), &["source k", "no topics"]),
        (
            "[kafka.k]\nbrokers = \"127.0.0.1:1\"\ntopics = ['a']\noptions = { \"no.such\" = 1 }\n".into(),
            &["source k", "no.such"],
        ),
        (format!("{JSONL}tables = [\"nowhere.toml\"]\n"), &["nowhere.toml", "No such file"]),
        (format!("views = [\"nowhere/*.sql\"]\n{JSONL}"), &["nowhere", "No such file"]),
        ("".into(), &["no source is configured"]),
        ("trust_network = 1 = 2\n".into(), &["sluice.toml:3"]),
    ];
    for (config, wanted) in cases {
        for word in ["serve", "check"] {
            let (_, said) = refused(word, &config);
            for part in wanted {
                assert!(said.contains(part), "{word} did not say {part:?}, but\n{said}\nof\n{config}");
            }
        }
    }
}

#[test]
fn a_view_with_an_error_of_grammar_is_named_with_its_place() {
    let folder = support::folder();
    std::fs::write(folder.path().join("wrong.sql"), "-- a view\nCREATE MATERIALIZED VIEW gold.v AS\nSELEC 1\n")
        .unwrap();
    let config = format!("views = [\"wrong.sql\"]\n{JSONL}");
    for word in ["serve", "check"] {
        let (code, said) = refused_in(folder.path(), word, &config);
        assert_eq!(code, 1);
        assert!(said.contains("wrong.sql:3:1: syntax error at or near \"SELEC\""), "{said}");
    }
}

#[test]
fn a_view_with_an_error_of_meaning_is_named_with_its_place() {
    let folder = support::folder();
    let view = "CREATE MATERIALIZED VIEW gold.a AS SELECT 1 AS one;\n\
                CREATE MATERIALIZED VIEW gold.b AS\nSELECT no_such_function(1);\n";
    std::fs::write(folder.path().join("wrong.sql"), view).unwrap();
    let (code, said) = refused_in(folder.path(), "serve", &format!("views = [\"wrong.sql\"]\n{JSONL}"));
    assert_eq!(code, 1);
    assert!(said.contains("wrong.sql:3:8: function no_such_function(integer) does not exist"), "{said}");
}

#[tokio::test]
async fn views_that_are_there_do_not_hold_up_a_restart() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..3, "x");
    let view = "CREATE MATERIALIZED VIEW gold.notes AS\nSELECT note, count(*) AS rows FROM silver.t GROUP BY note\n";
    std::fs::write(folder.path().join("notes.sql"), view).unwrap();
    let config = format!("views = [\"*.sql\"]\n{JSONL}");
    let first = support::serve(folder.path(), &config);
    eventually(&first.connect().await, "SELECT * FROM gold.notes", "x|3").await;
    assert!(first.stop().success());
    let second = support::serve(folder.path(), &config);
    land(folder.path(), "t+b.jsonl", 3..5, "x");
    eventually(&second.connect().await, "SELECT * FROM gold.notes", "x|5").await;
    assert!(second.stop().success());
    // Another definition is said, and does not end the start either.
    std::fs::write(folder.path().join("notes.sql"), view.replace("count(*)", "max(id)")).unwrap();
    let third = support::serve(folder.path(), &config);
    eventually(&third.connect().await, "SELECT * FROM gold.notes", "x|5").await;
    let client = third.connect().await;
    land(folder.path(), "t+c.jsonl", 5..6, "x");
    eventually(&client, "SELECT * FROM gold.notes", "x|6").await;
    assert!(third.log().contains("with another definition"), "{}", third.log());
}

#[tokio::test]
async fn a_broker_that_is_absent_at_the_start_is_waited_for() {
    let folder = support::folder();
    // Nobody listens there: the port was given back.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!("[kafka.k]\nbrokers = \"{nobody}\"\ntopics = [\"a.b.c\"]\nrefresh = \"100ms\"\n");
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    eventually(&client, "SELECT state FROM sluice.sources", "waiting").await;
    let message = ask(&client, "SELECT message FROM sluice.sources").await.unwrap();
    assert!(message.contains(&nobody.to_string()), "{message}");
    assert!(sluice.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(sluice.stop().success());
}

#[test]
fn check_says_what_is_well_and_what_is_not() {
    let folder = support::folder();
    land(folder.path(), "t+a.jsonl", 0..3, "x");
    let text = format!("listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{JSONL}");
    std::fs::write(folder.path().join("sluice.toml"), text).unwrap();
    let (status, out, err) = support::run(folder.path(), &["check"]);
    assert!(status.success(), "{out}{err}");
    assert!(out.contains("ok: source landing (jsonl)") && out.contains("ok: lake"), "{out}");
    let (code, said) = refused("check", "[kafka.k]\nbrokers = \"127.0.0.1:1\"\ntopics = [\"a\"]\n");
    assert_eq!(code, 1);
    assert!(said.contains("wrong: source k") && said.contains("127.0.0.1:1"), "{said}");
    assert!(said.contains("ok: lake"), "the rest was not tried\n{said}");
}

#[tokio::test]
async fn a_demo_goes_on_with_the_rows_and_the_seed_of_its_folder() {
    let folder = support::folder();
    let demo = |more: &[&str]| {
        let common = ["demo", "--workload", "tickets", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        support::start(folder.path(), &[&common[..], more].concat())
    };
    let first = demo(&["--rows", "40", "--seed", "9"]);
    eventually(&first.connect().await, "SELECT count(*) > 80 FROM silver.tickets", "t").await;
    assert!(first.stop().success());
    // Other rows would make the positions mean other events; the folder's own are used.
    let second = demo(&["--rows", "7", "--seed", "1"]);
    let client = second.connect().await;
    let more = "SELECT count(*) > 120 FROM bronze.tickets";
    eventually(&client, more, "t").await;
    let doubled =
        "SELECT count(*) FROM (SELECT topic, \"offset\" FROM bronze.tickets GROUP BY 1, 2 HAVING count(*) > 1) AS d";
    assert_eq!(ask(&client, doubled).await.as_deref(), Ok("0"));
    let noted = std::fs::read_to_string(folder.path().join("sluice-data/_sluice/demo.json")).unwrap();
    assert_eq!(noted, "{\"rows\":40,\"seed\":9}");
    eventually(
        &client,
        "SELECT count(*) FROM gold.tickets_by_status WHERE tickets > 0 AND source_db = 'ShoriDB_1'",
        "4",
    )
    .await;
}
