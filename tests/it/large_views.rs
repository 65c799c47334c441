//! Gold views over many rows: filled beside the ticks, called off at any time, inside the memory limit, there after a restart.

use crate::landing::SOURCE;
use crate::support::{self, PATIENCE, Sluice, ask, eventually};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// More than the loop fills inside a tick.
const ROWS: u32 = 120_000;

fn with_rows(folder: &std::path::Path, config: &str) -> Sluice {
    let sluice = support::serve(folder, &format!("{SOURCE}{config}"));
    sluice.psql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, g int, v int);
         INSERT INTO t SELECT i, i % 100, i % 7 FROM generate_series(1, {ROWS}) AS i"
    ));
    sluice
}

/// Its pairs are so many that nobody waits for them.
const SLOW: &str = "CREATE MATERIALIZED VIEW slow AS SELECT a.g, count(*) AS n FROM t AS a JOIN t AS b ON a.g = b.g \
                    GROUP BY a.g";

/// psql with a statement that takes long.
fn psql(sluice: &Sluice, sql: &str) -> Child {
    Command::new("psql")
        .args(["-X", "-h", "127.0.0.1", "-U", "sluice", "-d", "sluice", "-p", &sluice.postgres.to_string()])
        .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql is installed")
}

/// The rest of what psql says, when it has ended without success.
fn failure(mut child: Child, mut said: impl Read) -> String {
    let mut text = String::new();
    said.read_to_string(&mut text).expect("psql speaks UTF-8");
    assert!(!child.wait().expect("psql ends").success(), "{text}");
    text
}

/// Waits until psql is told how far the view is.
fn notice(child: &mut Child) -> BufReader<impl Read + use<>> {
    let mut said = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    while !line.contains("rows read") {
        line.clear();
        assert!(said.read_line(&mut line).expect("psql speaks UTF-8") > 0, "psql has ended without a notice");
        assert!(line.starts_with("NOTICE:  materialized view \"public.slow\""), "{line}");
    }
    said
}

#[tokio::test]
async fn a_view_that_takes_long_tells_psql_how_far_it_is_and_can_be_called_off() {
    let folder = support::folder();
    let sluice = with_rows(folder.path(), "");
    let client = sluice.connect().await;
    let mut creating = psql(&sluice, SLOW);
    let said = notice(&mut creating);
    let asked = ask(&client, "SELECT * FROM slow").await;
    assert_eq!(asked, Err("55000: materialized view \"public.slow\" is hydrating".to_string()));
    // Others go on meanwhile.
    assert_eq!(ask(&client, "INSERT INTO t VALUES (0, 0, 0)").await.as_deref(), Ok(""));
    Command::new("kill").args(["-INT", &creating.id().to_string()]).status().expect("kill is there");
    let text = failure(creating, said);
    assert!(text.contains("canceling statement due to user request"), "{text}");
    eventually(&client, "SELECT count(*) FROM sluice.views WHERE view_name = 'slow'", "0").await;
    assert_eq!(ask(&client, "SELECT * FROM slow").await, Err("42P01: relation \"slow\" does not exist".to_string()));

    let mut creating = psql(&sluice, SLOW);
    let said = notice(&mut creating);
    assert_eq!(ask(&client, "DROP MATERIALIZED VIEW slow").await.as_deref(), Ok(""));
    let text = failure(creating, said);
    assert!(text.contains("the materialized view was dropped before it was filled"), "{text}");
    // And the name is free.
    assert_eq!(ask(&client, "CREATE MATERIALIZED VIEW slow AS SELECT 1 AS x").await.as_deref(), Ok(""));
    drop(client);
    assert!(sluice.stop().success());
}

#[tokio::test]
async fn ticks_and_other_views_go_on_while_a_view_is_filled() {
    let folder = support::folder();
    let sluice = with_rows(folder.path(), "");
    let client = sluice.connect().await;
    let quick = "CREATE MATERIALIZED VIEW quick AS SELECT count(*) AS n, sum(v) AS s FROM t";
    assert_eq!(ask(&client, quick).await.as_deref(), Ok(""));
    let filler = sluice.connect().await;
    let cancel = filler.cancel_token();
    let filling = tokio::spawn(async move { ask(&filler, SLOW).await });
    let slow = "SELECT state FROM sluice.views WHERE view_name = 'slow'";
    eventually(&client, slow, "hydrating").await;
    let number = async |sql: &str| ask(&client, sql).await.expect(sql).parse::<u64>().expect(sql);
    let counters = ["SELECT max(tick) FROM sluice.ticks", "SELECT runs FROM sluice.views WHERE view_name = 'quick'"];
    let before = [number(counters[0]).await, number(counters[1]).await];
    for nth in 1..=20 {
        assert_eq!(ask(&client, &format!("INSERT INTO t VALUES (-{nth}, 0, 0)")).await.as_deref(), Ok(""));
        assert_eq!(ask(&client, "SELECT n FROM quick").await, Ok((ROWS + nth).to_string()));
    }
    let after = [number(counters[0]).await, number(counters[1]).await];
    assert!(before.iter().zip(after).all(|(before, after)| after >= before + 20), "{before:?} {after:?}");
    // All that time the other one was being filled, and said how far it is.
    let progress = "SELECT state, progress BETWEEN 0 AND 1 FROM sluice.views WHERE view_name = 'slow'";
    assert_eq!(ask(&client, progress).await.as_deref(), Ok("hydrating|t"));
    cancel.cancel_query(tokio_postgres::NoTls).await.expect("a CancelRequest");
    let cancelled = filling.await.expect("the statement ends");
    assert_eq!(cancelled, Err("57014: canceling statement due to user request".to_string()));
    eventually(&client, "SELECT count(*) FROM sluice.views WHERE view_name = 'slow'", "0").await;
    drop(client);
    assert!(sluice.stop().success());
}

#[tokio::test]
async fn views_are_renamed_swapped_refreshed_and_dropped_with_those_over_them() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let (client, other) = (sluice.connect().await, sluice.connect().await);
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, v int);
             CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s FROM t;
             CREATE MATERIALIZED VIEW over_m AS SELECT s + 1 AS s FROM m;
             CREATE MATERIALIZED VIEW m_new AS SELECT sum(v) * 10 AS s FROM t;
             INSERT INTO t VALUES (1, 1), (2, 2)",
        )
        .await
        .expect("views");
    // Swapped in one transaction: others see the old one until then, and never none.
    let swap = "BEGIN; ALTER MATERIALIZED VIEW m RENAME TO m_old; ALTER MATERIALIZED VIEW m_new RENAME TO m";
    client.batch_execute(swap).await.expect("a swap");
    assert_eq!(ask(&client, "TABLE m").await.as_deref(), Ok("30"));
    assert_eq!(ask(&other, "TABLE m").await.as_deref(), Ok("3"));
    client.batch_execute("COMMIT").await.expect("a swap");
    assert_eq!(ask(&other, "TABLE m").await.as_deref(), Ok("30"));
    // What was over the old one still is, and all of them go on.
    client.batch_execute("INSERT INTO t VALUES (3, 3)").await.expect("a row");
    let all = "SELECT (SELECT s FROM m), (SELECT s FROM m_old), (SELECT s FROM over_m)";
    assert_eq!(ask(&other, all).await.as_deref(), Ok("60|6|7"));
    let definition = ask(&client, "SELECT definition FROM pg_matviews WHERE matviewname = 'over_m'").await;
    assert!(definition.as_ref().is_ok_and(|sql| sql.contains("m_old")), "{definition:?}");
    for (refresh, answer) in [
        ("REFRESH MATERIALIZED VIEW m", Ok("")),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", Ok("")),
        ("REFRESH MATERIALIZED VIEW m WITH DATA", Ok("")),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", Ok("")),
        (
            "REFRESH MATERIALIZED VIEW CONCURRENTLY m WITH NO DATA",
            Err("42601: REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together"),
        ),
        ("REFRESH MATERIALIZED VIEW t", Err("42809: \"t\" is not a materialized view")),
        ("REFRESH MATERIALIZED VIEW none", Err("42P01: relation \"none\" does not exist")),
    ] {
        assert_eq!(ask(&client, refresh).await, answer.map(str::to_string).map_err(str::to_string), "{refresh}");
    }
    assert_eq!(ask(&other, all).await.as_deref(), Ok("60|6|7"));
    let kept = ask(&client, "DROP MATERIALIZED VIEW m_old").await;
    assert!(kept.as_ref().is_err_and(|error| error.starts_with("2BP01")), "{kept:?}");
    assert_eq!(ask(&client, "DROP MATERIALIZED VIEW m_old CASCADE").await.as_deref(), Ok(""));
    let left = "SELECT string_agg(view_name, ',' ORDER BY view_name) FROM sluice.views";
    assert_eq!(ask(&other, left).await.as_deref(), Ok("m"));
    client.batch_execute("INSERT INTO t VALUES (4, 4)").await.expect("a row");
    drop((client, other));
    sluice.kill();
    let sluice = support::serve(folder.path(), SOURCE);
    assert_eq!(sluice.psql("TABLE m").trim(), "100");
    assert_eq!(sluice.psql(left).trim(), "m");
}

/// Rows of half a kilobyte each.
const WIDE: &str = "CREATE MATERIALIZED VIEW wide AS SELECT id, repeat('x', 500) || id AS pad FROM t";

#[tokio::test]
async fn at_the_memory_limit_a_view_is_given_up_and_comes_back() {
    let folder = support::folder();
    let sluice = with_rows(folder.path(), "[limits]\nmemory = \"128MiB\"\n");
    let client = sluice.connect().await;
    assert_eq!(
        ask(&client, "CREATE MATERIALIZED VIEW small AS SELECT g, count(*) AS n FROM t GROUP BY g").await.as_deref(),
        Ok("")
    );
    assert_eq!(ask(&client, WIDE).await.as_deref(), Ok(""));
    let kinds = ask(&client, "SELECT DISTINCT kind FROM sluice.memory ORDER BY 1").await.expect("a relation");
    assert_eq!(kinds, "free\nkey-index\nother\ntable\ntail\nview\nview-state");
    let all = ask(&client, "SELECT sum(bytes) FROM sluice.memory").await;
    assert_eq!(all, Ok((128u64 << 20).to_string()));
    // Ingestion goes on until there is no room for the view, and beyond.
    let state = "SELECT state FROM sluice.views WHERE view_name = 'wide'";
    let deadline = Instant::now() + PATIENCE;
    let mut next = ROWS;
    while ask(&client, state).await.as_deref() == Ok("live") {
        assert!(Instant::now() < deadline, "{:?}", ask(&client, "TABLE sluice.memory").await);
        let more = format!(
            "INSERT INTO t SELECT i, i % 100, i % 7 FROM generate_series({}, {}) AS i",
            next + 1,
            next + 20_000
        );
        assert_eq!(ask(&client, &more).await.as_deref(), Ok(""));
        next += 20_000;
    }
    let refused = ask(&client, "SELECT count(*) FROM wide").await;
    assert_eq!(refused, Err("53200: materialized view \"public.wide\" is out of memory".to_string()));
    assert_eq!(ask(&client, state).await.as_deref(), Ok("out-of-memory"));
    let reason = ask(&client, "SELECT error FROM sluice.views WHERE view_name = 'wide'").await.expect("a reason");
    assert!(reason.starts_with("the memory limit of the server is reached"), "{reason}");
    assert_eq!(ask(&client, "SELECT sum(n) FROM small").await, Ok(next.to_string()));
    assert_eq!(ask(&client, "INSERT INTO t VALUES (0, 0, 0)").await.as_deref(), Ok(""));
    let page = sluice.get("/metrics");
    assert!(page.contains("sluice_view_out_of_memory{relation=\"public.wide\"} 1"), "{page}");
    assert!(page.contains(&format!("sluice_memory_limit_bytes{{}} {}", 128 << 20)), "{page}");
    // One that is made now fails alone, and is not there.
    let second = ask(&client, &WIDE.replace("VIEW wide", "VIEW second").replace("500", "5000")).await;
    assert!(second.as_ref().is_err_and(|error| error.starts_with("53200")), "{second:?}");
    eventually(&client, "SELECT count(*) FROM sluice.views WHERE view_name = 'second'", "0").await;
    // With fewer rows there is room again.
    assert_eq!(ask(&client, "DELETE FROM t WHERE id > 50000").await.as_deref(), Ok(""));
    eventually(&client, state, "live").await;
    assert_eq!(ask(&client, "SELECT count(*), max(length(pad)) FROM wide").await.as_deref(), Ok("50001|505"));
    drop(client);
    assert!(sluice.stop().success());
}

#[tokio::test]
async fn after_a_restart_a_large_view_is_right_or_says_that_it_is_filled() {
    let folder = support::folder();
    let sluice = with_rows(folder.path(), "");
    sluice.psql(
        "CREATE MATERIALIZED VIEW grouped AS SELECT g, count(*) AS n, sum(v) AS s, stddev(v) AS d FROM t GROUP BY g",
    );
    sluice.psql("CREATE MATERIALIZED VIEW over_grouped AS SELECT n, count(*) AS groups FROM grouped GROUP BY n");
    let sum = "SELECT sum(n), min(d) IS NOT NULL FROM grouped";
    assert_eq!(sluice.psql(sum).trim(), format!("{ROWS}|t"));
    assert!(sluice.stop().success());

    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    // Nothing has changed: what the lake had is right, filled or not.
    assert_eq!(ask(&client, sum).await, Ok(format!("{ROWS}|t")));
    assert_eq!(ask(&client, "SELECT * FROM over_grouped").await, Ok(format!("{}|100", ROWS / 100)));
    assert_eq!(ask(&client, "INSERT INTO t VALUES (0, 0, 0)").await.as_deref(), Ok(""));
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask(&client, sum).await {
            Ok(answer) => {
                assert_eq!(answer, format!("{}|t", ROWS + 1));
                break;
            }
            Err(error) => assert_eq!(error, "55000: materialized view \"public.grouped\" is hydrating"),
        }
        assert!(Instant::now() < deadline, "it is not filled");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    eventually(&client, "SELECT sum(groups) FROM over_grouped", "100").await;
    let same =
        "SELECT count(*) FROM (TABLE grouped EXCEPT SELECT g, count(*), sum(v), stddev(v) FROM t GROUP BY g) AS d";
    assert_eq!(ask(&client, same).await.as_deref(), Ok("0"));
    drop(client);
    assert!(sluice.stop().success());
}
