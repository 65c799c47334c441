//! What one client can ask for is bounded, and what is too much fails alone.

use crate::landing::SOURCE;
use crate::support::{self, PATIENCE, Sluice, ask, eventually};
use futures::TryStreamExt;
use std::time::Instant;
use tokio_postgres::{Client, NoTls};

/// A query that nobody waits for to its end.
const ENDLESS: &str =
    "SELECT count(*) FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b WHERE (a * b) % 7 = 8";

/// A value of `/proc/<pid>/status`, in MiB.
fn memory(sluice: &Sluice, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sluice.pid())).expect("the process is there");
    let line = status.lines().find(|line| line.starts_with(what)).expect("Linux says it");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kilobytes >> 10
}

/// The peak counts from now on.
fn reset_peak(sluice: &Sluice) {
    std::fs::write(format!("/proc/{}/clear_refs", sluice.pid()), "5").expect("the process is ours");
}

#[tokio::test]
async fn a_connection_too_many_is_refused_and_there_is_room_again_when_one_goes() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), &format!("{SOURCE}[query]\nmax_connections = 3\n"));
    let mut clients = vec![];
    for _ in 0..3 {
        clients.push(sluice.connect().await);
    }
    let config = format!("host=127.0.0.1 port={} user=sluice dbname=sluice", sluice.postgres);
    let refused = tokio_postgres::connect(&config, NoTls).await.err().expect("there are three already");
    let refused = refused.as_db_error().expect("an answer");
    assert_eq!((refused.code().code(), refused.message()), ("53300", "sorry, too many clients already"));
    assert_eq!(ask(&clients[0], "SELECT 1").await.as_deref(), Ok("1"));
    drop(clients.pop());
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = tokio_postgres::connect(&config, NoTls).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_fails_alone() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), &format!("{SOURCE}[query]\nmemory = \"4MiB\"\n"));
    let (client, other) = (sluice.connect().await, sluice.connect().await);
    let joined = "SELECT count(*) FROM generate_series(1, 1000000) AS a JOIN generate_series(1, 1000000) AS b ON a = b";
    let (failed, _) = tokio::join!(ask(&client, joined), async {
        for n in 0..10 {
            assert_eq!(ask(&other, &format!("SELECT {n}")).await, Ok(n.to_string()));
        }
    });
    let failed = failed.expect_err("it needs more than 4 MiB");
    assert!(failed.starts_with("53200: out of memory"), "{failed}");
    // What it had is free again.
    let small = "SELECT count(*) FROM generate_series(1, 10000) AS a JOIN generate_series(1, 10000) AS b ON a = b";
    assert_eq!(ask(&client, small).await.as_deref(), Ok("10000"));
}

/// Reads a result of `rows` rows of some 200 bytes, and waits a while after the first ones.
async fn read_slowly(client: &Client, rows: i64) -> i64 {
    let sql =
        "SELECT a, b, repeat('x', 200) FROM generate_series(1, $1::bigint / 1000) AS a, generate_series(1, 1000) AS b";
    let stream = client.query_raw(sql, [rows]).await.expect("the query begins");
    futures::pin_mut!(stream);
    let mut read = 0;
    while stream.try_next().await.expect("rows").is_some() {
        read += 1;
        if read == 1000 {
            // Nobody reads: the server must not go on and keep what it makes.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_streamed_with_bounded_memory() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    // A first one, so that the allocator's arenas and the threads' caches are there.
    assert_eq!(read_slowly(&client, 300_000).await, 300_000);
    reset_peak(&sluice);
    let before = memory(&sluice, "VmRSS:");
    assert_eq!(read_slowly(&client, 3_000_000).await, 3_000_000);
    let grown = memory(&sluice, "VmHWM:").saturating_sub(before);
    // The result has 600 MB. Each thread that takes part keeps some tens of MiB of what it freed.
    assert!(grown < 250, "the server grew by {grown} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_and_a_cancel_come_through_while_all_is_busy_and_memory_is_given_back() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let before = memory(&sluice, "VmRSS:");
    let mut busy = vec![];
    for _ in 0..3 {
        let client = sluice.connect().await;
        let cancel = client.cancel_token();
        let running = tokio::spawn(async move { ask(&client, ENDLESS).await });
        busy.push((cancel, running));
    }
    let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series(1, 1000000)%' AND pid <> pg_backend_pid()";
    eventually(&client, active, "3").await;
    let timed = sluice.connect().await;
    timed.batch_execute("SET statement_timeout = '100ms'").await.expect("a setting");
    let asked = Instant::now();
    let ended = ask(&timed, ENDLESS).await;
    println!("a timeout of 100 ms came after {:?}", asked.elapsed());
    assert_eq!(ended, Err("57014: canceling statement due to statement timeout".to_string()));
    for (cancel, running) in busy {
        cancel.cancel_query(NoTls).await.expect("a cancel request is taken");
        let ended = tokio::time::timeout(PATIENCE, running).await.expect("it ends").expect("no panic");
        assert_eq!(ended, Err("57014: canceling statement due to user request".to_string()));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let grown = memory(&sluice, "VmRSS:").saturating_sub(before);
        if grown < 300 {
            break;
        }
        assert!(Instant::now() < deadline, "{grown} MiB are not given back");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
