//! Roles and rights over restarts and logins; notifications; ending other sessions.

use crate::landing::SOURCE;
use crate::support::{self, PATIENCE, Sluice, ask};
use futures::StreamExt;
use std::process::{Command, Output};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, NoTls, Notification};

/// psql as somebody, with a password.
fn psql(sluice: &Sluice, how: &str, password: &str, sql: &str) -> Output {
    let target = format!("host=127.0.0.1 port={} dbname=sluice {how}", sluice.postgres);
    Command::new("psql")
        .args(["-X", "-w", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, &target])
        .env("PGPASSWORD", password)
        .output()
        .expect("psql is installed (Debian's postgresql-client)")
}

fn says(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned()
}

#[test]
fn rights_and_passwords_outlive_a_restart() {
    let folder = support::folder();
    std::fs::create_dir(folder.path().join("landing")).unwrap();
    let users = "[jsonl.landing]\npath = \"landing\"\n[users]\nroot = \"configured\"\n";
    let sluice = support::serve(folder.path(), users);
    let root = |sluice: &Sluice, sql: &str| {
        let output = psql(sluice, "user=root", "configured", sql);
        assert!(output.status.success(), "{sql}: {}", says(&output));
        says(&output)
    };
    root(&sluice, "CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2)");
    root(
        &sluice,
        "CREATE ROLE readers; CREATE ROLE anna LOGIN PASSWORD 'top secret' IN ROLE readers; CREATE ROLE bert LOGIN",
    );
    root(&sluice, "GRANT SELECT (a) ON t TO readers; CREATE SCHEMA s AUTHORIZATION anna");
    root(&sluice, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO readers");
    root(&sluice, "ALTER ROLE anna SET search_path = s, public");
    let check = |sluice: &Sluice| {
        let anna = |sql: &str| says(&psql(sluice, "user=anna", "top secret", sql));
        assert_eq!(anna("SELECT current_user, a FROM t"), "anna|1");
        assert_eq!(anna("SELECT b FROM t"), "ERROR:  permission denied for table t");
        assert_eq!(anna("SHOW search_path"), "s, public");
        assert!(says(&psql(sluice, "user=anna", "other", "SELECT 1")).contains("password authentication failed"));
        assert!(says(&psql(sluice, "user=bert", "", "SELECT 1")).contains("no password supplied"));
        assert!(says(&psql(sluice, "user=readers", "x", "SELECT 1")).contains("password authentication failed"));
        let acl = "SELECT relacl, attacl, relowner::regrole FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attname = 'a' WHERE relname = 't'";
        assert_eq!(root(sluice, acl), "|{readers=r/root}|root");
        assert_eq!(root(sluice, "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 's'"), "anna");
    };
    check(&sluice);
    assert!(says(&psql(&sluice, "user=root", "configured", "ALTER ROLE root PASSWORD 'x'")).contains("configuration"));
    assert!(!sluice.log().contains("top secret"), "the password is in the log");
    assert!(sluice.stop().success());
    let manifests = folder.path().join("sluice-data/_sluice/manifests");
    for file in std::fs::read_dir(manifests).expect("a lake").flatten() {
        let text = std::fs::read(file.path()).expect("a manifest");
        assert!(!String::from_utf8_lossy(&text).contains("top secret"), "the password is in a manifest");
    }
    let sluice = support::serve(folder.path(), users);
    check(&sluice);
    root(&sluice, "CREATE TABLE later (c int)");
    assert_eq!(says(&psql(&sluice, "user=anna", "top secret", "SELECT count(*) FROM later")), "0");
    root(&sluice, "ALTER ROLE anna PASSWORD 'new' VALID UNTIL '2001-01-01'");
    assert!(says(&psql(&sluice, "user=anna", "new", "SELECT 1")).contains("password authentication failed"));
    root(&sluice, "ALTER ROLE anna NOLOGIN VALID UNTIL 'infinity'");
    assert!(says(&psql(&sluice, "user=anna", "new", "SELECT 1")).contains("not permitted to log in"));
}

/// A session whose notifications come out of a channel.
async fn listener(sluice: &Sluice, user: &str) -> (Client, mpsc::UnboundedReceiver<Notification>) {
    let config = format!("host=127.0.0.1 port={} user={user} dbname=sluice", sluice.postgres);
    let (client, mut connection) = tokio_postgres::connect(&config, NoTls).await.expect("sluice takes connections");
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = futures::stream::poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification);
            }
        }
    });
    (client, receiver)
}

async fn heard(from: &mut mpsc::UnboundedReceiver<Notification>) -> (String, String) {
    let next = tokio::time::timeout(PATIENCE, from.recv()).await.expect("a notification comes");
    let next = next.expect("the connection lives");
    (next.channel().to_owned(), next.payload().to_owned())
}

#[tokio::test]
async fn notifications_come_with_the_commit() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let (anna, mut to_anna) = listener(&sluice, "anna").await;
    let (bert, mut to_bert) = listener(&sluice, "bert").await;
    ask(&anna, "LISTEN news").await.unwrap();
    ask(&bert, "LISTEN news").await.unwrap();
    ask(&bert, "BEGIN").await.unwrap();
    ask(&anna, "BEGIN; NOTIFY news, 'lost'; ROLLBACK").await.unwrap();
    ask(
        &anna,
        "BEGIN; NOTIFY news, 'kept'; NOTIFY news, 'kept'; SAVEPOINT s; NOTIFY news, 'not'; ROLLBACK TO s; COMMIT",
    )
    .await
    .unwrap();
    ask(&anna, "SELECT pg_notify('news', 'more')").await.unwrap();
    for wanted in ["kept", "more"] {
        assert_eq!(heard(&mut to_anna).await, ("news".into(), wanted.into()));
    }
    // Within a transaction nothing is heard.
    ask(&bert, "SELECT 1").await.unwrap();
    assert!(to_bert.try_recv().is_err());
    ask(&bert, "COMMIT").await.unwrap();
    for wanted in ["kept", "more"] {
        assert_eq!(heard(&mut to_bert).await.1, wanted);
    }
    ask(&bert, "UNLISTEN news").await.unwrap();
    ask(&anna, "NOTIFY news").await.unwrap();
    assert_eq!(heard(&mut to_anna).await.1, "");
    assert!(to_bert.try_recv().is_err());
}

#[tokio::test]
async fn a_change_of_a_view_is_told_on_its_channel() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let (client, mut told) = listener(&sluice, "sluice").await;
    ask(&client, "CREATE TABLE t (id int PRIMARY KEY, g int)").await.unwrap();
    ask(&client, "CREATE MATERIALIZED VIEW gold.by_g AS SELECT g, count(*) AS n FROM t GROUP BY g").await.unwrap();
    ask(&client, "LISTEN c; SELECT sluice.notify_on_change('gold.by_g', 'c'), sluice.notify_on_change('t', 'c')")
        .await
        .unwrap();
    ask(&client, "INSERT INTO t VALUES (1, 1), (2, 1), (3, 2)").await.unwrap();
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 2 {
        let (channel, payload) = heard(&mut told).await;
        assert_eq!(channel, "c");
        let payload: serde_json::Value = serde_json::from_str(&payload).expect("the payload is JSON");
        seen.insert(payload["relation"].as_str().expect("a name").to_owned(), payload);
    }
    let counts = |name: &str| {
        let of = &seen[name];
        (of["rows"].as_u64(), of["inserted"].as_u64(), of["deleted"].as_u64(), of["tick"].as_u64().is_some())
    };
    assert_eq!(counts("gold.by_g"), (Some(2), Some(2), Some(0), true), "{seen:?}");
    assert_eq!(counts("public.t"), (Some(3), Some(3), Some(0), true), "{seen:?}");
    ask(&client, "SELECT sluice.notify_on_change('t', NULL), sluice.notify_on_change('gold.by_g', NULL)")
        .await
        .unwrap();
    ask(&client, "DELETE FROM t WHERE id = 3").await.unwrap();
    ask(&client, "NOTIFY c, 'end'").await.unwrap();
    assert_eq!(heard(&mut told).await.1, "end");
    let error = ask(&client, "SELECT sluice.notify_on_change('pg_class', 'c')").await.unwrap_err();
    assert!(error.starts_with("42809"), "{error}");
}

#[tokio::test]
async fn a_session_can_be_ended_by_another() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let control = sluice.connect().await;
    ask(&control, "CREATE ROLE anna LOGIN; CREATE ROLE eve LOGIN").await.unwrap();
    let (idle, _) = listener(&sluice, "anna").await;
    let (busy, _) = listener(&sluice, "anna").await;
    let (eve, _) = listener(&sluice, "eve").await;
    let idle_pid = ask(&idle, "SELECT pg_backend_pid()").await.unwrap();
    let busy_pid = ask(&busy, "SELECT pg_backend_pid()").await.unwrap();
    let own =
        ask(&eve, "SELECT count(*) FROM pg_stat_activity WHERE query <> '<insufficient privilege>'").await.unwrap();
    assert_eq!(own, "1");
    let error = ask(&eve, &format!("SELECT pg_terminate_backend({idle_pid})")).await.unwrap_err();
    assert_eq!(
        error,
        "42501: must be a member of the role whose process is being terminated or member of pg_signal_backend"
    );
    let running =
        tokio::spawn(async move { ask(&busy, "SELECT count(*) FROM generate_series(1, 100000000000)").await });
    support::eventually(
        &control,
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'anna'",
        "1",
    )
    .await;
    for pid in [&idle_pid, &busy_pid] {
        assert_eq!(ask(&control, &format!("SELECT pg_terminate_backend({pid})")).await.unwrap(), "t");
    }
    let error = running.await.unwrap().unwrap_err();
    assert!(error.starts_with("57P01"), "{error}");
    assert!(
        tokio::time::timeout(PATIENCE, async {
            while !idle.is_closed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .is_ok()
    );
    support::eventually(&control, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'anna'", "0").await;
    assert_eq!(ask(&control, &format!("SELECT pg_terminate_backend({idle_pid})")).await.unwrap(), "f");
}

#[tokio::test]
async fn an_idle_transaction_ends_after_its_time() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let (client, _) = listener(&sluice, "anna").await;
    ask(&client, "SET idle_in_transaction_session_timeout = '50ms'; BEGIN").await.unwrap();
    let waited = tokio::time::timeout(PATIENCE, async {
        while !client.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("the session ends");
}
