//! The lake's history, read through the wire: what was, is there as it was.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, Sluice, ask, eventually};
use std::path::Path;
use tokio_postgres::Client;

const CONFIG: &str = "[lake]\nflush_interval = \"20ms\"\n";

fn serve(folder: &Path) -> Sluice {
    support::serve(folder, &format!("{SOURCE}{CONFIG}"))
}

const WHOLE: [&str; 3] = [
    "SELECT id, n FROM silver.t ORDER BY id",
    "SELECT \"offset\", key::text, payload::text FROM bronze.t ORDER BY \"offset\"",
    "SELECT * FROM gold.v ORDER BY 1",
];

async fn content(client: &Client) -> Vec<String> {
    let mut all = Vec::new();
    for query in WHOLE {
        all.push(ask(client, query).await.unwrap_or_else(|error| panic!("{query}: {error}")));
    }
    all
}

/// Waits until all that is visible is in the lake; gives the tick and the time of then.
async fn settled(client: &Client) -> (String, String) {
    eventually(client, "SELECT durable_tick = tick FROM sluice.ticks", "t").await;
    let tick = ask(client, "SELECT durable_tick FROM sluice.ticks").await.unwrap();
    (tick, ask(client, "SELECT clock_timestamp()").await.unwrap())
}

/// A moment: its tick, a time within it, and what was there.
type Moment = (String, String, Vec<String>);

/// Inserts, updates and deletes, round by round.
async fn moments(folder: &Path, client: &Client, rounds: std::ops::Range<i64>) -> Vec<Moment> {
    let mut moments = Vec::new();
    for round in rounds {
        let lines: String = (0..30)
            .map(|n| match (n + round) % 5 {
                4 => delete((n * 7 + round) % 40),
                _ => {
                    let id = (n * 7 + round) % 40;
                    upsert(id, &format!("{{\"id\":{id},\"n\":{}}}", round * 100 + n))
                }
            })
            .collect();
        land(folder, "a.t", &lines);
        eventually(client, "SELECT count(*) FROM bronze.t", &((round + 1) * 30).to_string()).await;
        let (tick, time) = settled(client).await;
        moments.push((tick, time, content(client).await));
    }
    moments
}

async fn check(client: &Client, moments: &[Moment]) {
    for (tick, time, wanted) in moments {
        for moment in [tick, time] {
            client.batch_execute(&format!("SET sluice.as_of = '{moment}'")).await.unwrap();
            assert_eq!(&content(client).await, wanted, "as of {moment}");
            client.batch_execute("RESET sluice.as_of").await.unwrap();
            let at = format!("SELECT id, n FROM sluice.table_at('silver.t', '{moment}') ORDER BY id");
            assert_eq!(ask(client, &at).await.as_ref(), Ok(&wanted[0]), "{at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_moment_reads_as_it_was_after_compaction_vacuum_and_a_kill() {
    let folder = support::folder();
    land(folder.path(), "a.u", &upsert(1, "{\"id\":1,\"n\":1}"));
    land(folder.path(), "a.t", "");
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    land(folder.path(), "a.t", &upsert(0, "{\"id\":0,\"n\":0}"));
    eventually(&client, "SELECT count(*) FROM silver.t", "1").await;
    client
        .batch_execute(
            "CREATE MATERIALIZED VIEW gold.v AS SELECT n % 3 AS g, count(*) AS c, sum(n) AS s FROM silver.t GROUP BY 1",
        )
        .await
        .unwrap();
    land(folder.path(), "a.t", &(1..30).map(|n| upsert(n, &format!("{{\"id\":{n},\"n\":{n}}}"))).collect::<String>());
    eventually(&client, "SELECT count(*) FROM bronze.t", "30").await;
    let (tick, time) = settled(&client).await;
    let mut all = vec![(tick, time, content(&client).await)];
    all.extend(moments(folder.path(), &client, 1..9).await);
    check(&client, &all).await;

    // A row from the past stands beside one of now.
    let (tick, _, _) = &all[0];
    let changed = format!(
        "SELECT count(*) > 0 FROM silver.t now JOIN sluice.table_at('silver.t', {tick}) AS \"then\" USING (id) WHERE now.n <> \"then\".n"
    );
    assert_eq!(ask(&client, &changed).await.as_deref(), Ok("t"));
    let pruned = format!("SELECT count(*) FROM sluice.table_at('silver.t', {tick}) WHERE id = 3");
    assert_eq!(ask(&client, &pruned).await.as_deref(), Ok("1"));

    let before =
        ask(&client, "SELECT count(*) FROM sluice.lake_files WHERE schema_name = 'silver' AND table_name = 't'").await;
    client.batch_execute("SELECT sluice.compact('silver.t')").await.unwrap();
    let after =
        ask(&client, "SELECT count(*) FROM sluice.lake_files WHERE schema_name = 'silver' AND table_name = 't'").await;
    assert!(before != after && after.as_deref() == Ok("1"), "{before:?} {after:?}");
    client.batch_execute("VACUUM FULL").await.unwrap();
    client.batch_execute("VACUUM (VERBOSE) bronze.t").await.unwrap();
    check(&client, &all).await;

    sluice.kill();
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    check(&client, &all).await;
    all.extend(moments(folder.path(), &client, 9..12).await);
    check(&client, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_columns_are_those_of_the_moment_and_nothing_is_written_there() {
    let folder = support::folder();
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    client
        .batch_execute(
            "CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY, n text, j json, k int[]);
             INSERT INTO s.a VALUES (1, 'one', '{\"a\": 1}', '{1,2}'), (2, 'two', NULL, NULL);
             CREATE VIEW s.v AS SELECT n FROM s.a; CREATE SEQUENCE s.q",
        )
        .await
        .unwrap();
    let (tick, _) = settled(&client).await;
    client.batch_execute("ALTER TABLE s.a ADD COLUMN m int DEFAULT 7").await.unwrap();
    client.batch_execute("UPDATE s.a SET n = 'changed' WHERE id = 1").await.unwrap();
    let (later, _) = settled(&client).await;
    client.batch_execute("DROP TABLE s.a CASCADE").await.unwrap();
    settled(&client).await;

    assert!(ask(&client, "SELECT * FROM s.a").await.unwrap_err().starts_with("42P01"));
    client.batch_execute(&format!("SET sluice.as_of = '{tick}'")).await.unwrap();
    let first = "1|one|{\"a\": 1}|{1,2}\n2|two|∅|∅";
    assert_eq!(ask(&client, "SELECT * FROM s.a ORDER BY id").await.as_deref(), Ok(first));
    assert_eq!(ask(&client, "SELECT n FROM s.v ORDER BY n").await.as_deref(), Ok("one\ntwo"));
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 's.a'::regclass AND attnum > 0";
    assert_eq!(ask(&client, columns).await.as_deref(), Ok("4"));
    assert_eq!(ask(&client, &format!("SELECT tick <= {tick} FROM sluice.ticks")).await.as_deref(), Ok("t"));
    for write in [
        "INSERT INTO s.a (id) VALUES (3)",
        "DELETE FROM s.a",
        "TRUNCATE s.a",
        "CREATE TABLE s.b (id int)",
        "DROP TABLE s.a",
        "SELECT nextval('s.q')",
        "VACUUM",
    ] {
        let said = ask(&client, write).await.unwrap_err();
        assert!(said.starts_with("25006"), "{write}: {said}");
    }
    client.batch_execute(&format!("SET sluice.as_of = '{later}'")).await.unwrap();
    assert_eq!(ask(&client, "SELECT id, n, m FROM s.a ORDER BY id").await.as_deref(), Ok("1|changed|7\n2|two|7"));
    client.batch_execute("RESET sluice.as_of").await.unwrap();

    // Of one transaction, and of one table.
    client.batch_execute(&format!("BEGIN; SET LOCAL sluice.as_of = '{tick}'")).await.unwrap();
    assert_eq!(ask(&client, "SELECT count(*) FROM s.a").await.as_deref(), Ok("2"));
    client.batch_execute("COMMIT").await.unwrap();
    assert!(ask(&client, "SELECT * FROM s.a").await.unwrap_err().starts_with("42P01"));
    let at = format!("SELECT n FROM sluice.table_at('s.a', '{tick}') ORDER BY n");
    assert_eq!(ask(&client, &at).await.as_deref(), Ok("one\ntwo"));

    // What cannot be.
    for (value, state) in [
        ("99999999", "22023"),
        ("2999-01-01", "22023"),
        ("2001-01-01", "72000"),
        ("0", "72000"),
        ("whenever", "22007"),
        ("99999999999999999999999", "22003"),
    ] {
        let said = ask(&client, &format!("SET sluice.as_of = '{value}'")).await.unwrap_err();
        assert!(said.starts_with(state), "{value}: {said}");
        let said = ask(&client, &format!("SELECT * FROM sluice.table_at('s.a', '{value}')")).await.unwrap_err();
        assert!(said.starts_with(state), "{value}: {said}");
    }
    assert_eq!(ask(&client, "SHOW sluice.as_of").await.as_deref(), Ok(""));
    for (query, state) in [
        (format!("SELECT * FROM sluice.table_at('s.nothing', {tick})"), "42P01"),
        (format!("SELECT * FROM sluice.table_at('s.v', {tick})"), "42809"),
        (format!("SELECT * FROM sluice.table_at('s.a; DROP', {tick})"), "42602"),
        ("SELECT * FROM sluice.table_at('s.a')".to_owned(), "0A000"),
        (format!("CREATE VIEW s.w AS SELECT * FROM sluice.table_at('s.a', {tick})"), "0A000"),
    ] {
        let said = ask(&client, &query).await.unwrap_err();
        assert!(said.starts_with(state), "{query}: {said}");
    }
    client.batch_execute("BEGIN; CREATE TABLE s.c (id int)").await.unwrap();
    let said = ask(&client, &format!("SET sluice.as_of = '{tick}'")).await.unwrap_err();
    assert!(said.starts_with("25001"), "{said}");
    client.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_a_table_now_may_not_read_it_as_it_was() {
    let folder = support::folder();
    let sluice = serve(folder.path());
    let client = sluice.connect().await;
    client
        .batch_execute(
            "CREATE ROLE reader LOGIN; CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO reader;
             CREATE TABLE s.a (id int PRIMARY KEY); INSERT INTO s.a VALUES (1); GRANT SELECT ON s.a TO reader",
        )
        .await
        .unwrap();
    let (tick, _) = settled(&client).await;
    let queries = [
        format!("SET LOCAL sluice.as_of = '{tick}'; SELECT id FROM s.a"),
        format!("SELECT id FROM sluice.table_at('s.a', {tick})"),
    ];
    for query in &queries {
        let asked = format!("BEGIN; SET LOCAL ROLE reader; {query}; COMMIT");
        assert_eq!(ask(&client, &asked).await.as_deref(), Ok("1"), "{query}");
    }
    client.batch_execute("REVOKE SELECT ON s.a FROM reader").await.unwrap();
    for query in &queries {
        let said = ask(&client, &format!("BEGIN; SET LOCAL ROLE reader; {query}")).await.unwrap_err();
        assert!(said.starts_with("42501"), "{query}: {said}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}
