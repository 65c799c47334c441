//! Managed tables: a transaction is there whole, durable when COMMIT returns, or not at all.

use crate::landing::SOURCE;
use crate::support::{self, Sluice, ask};
use tokio_postgres::Client;

async fn server() -> (tempfile::TempDir, Sluice, Client) {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    (folder, sluice, client)
}

/// The SQLSTATE of a statement that fails.
async fn fails(client: &Client, sql: &str) -> String {
    let answer = ask(client, sql).await;
    answer.expect_err(sql)[..5].to_owned()
}

#[tokio::test]
async fn a_commit_that_was_acknowledged_is_there_after_a_kill_and_nothing_else() {
    let folder = support::folder();
    let mut sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let made = "CREATE TABLE t (id serial PRIMARY KEY, n int NOT NULL DEFAULT 1, twice int GENERATED ALWAYS AS (n * 2) STORED, \
         CHECK (n >= 0)); CREATE TABLE log (t text); CREATE INDEX ON t (n)";
    client.batch_execute(made).await.unwrap();
    for round in 1..=4 {
        let client = sluice.connect().await;
        let other = sluice.connect().await;
        client.batch_execute("BEGIN; INSERT INTO t (n) VALUES (10), (20)").await.unwrap();
        client.batch_execute(&format!("INSERT INTO log VALUES ('round {round}'); COMMIT")).await.unwrap();
        client.batch_execute(&format!("UPDATE t SET n = n + 1 WHERE id = {round}")).await.unwrap();
        // Begun, and never committed.
        other.batch_execute("BEGIN; DELETE FROM t; INSERT INTO log VALUES ('lost')").await.unwrap();
        sluice.kill();
        sluice = support::serve(folder.path(), SOURCE);
        let client = sluice.connect().await;
        let expected = format!("{}|{}|{}", 2 * round, 2 * round, 30 * round + round);
        let counted = "SELECT count(*), count(DISTINCT id), sum(n) FROM t";
        assert_eq!(ask(&client, counted).await.as_deref(), Ok(expected.as_str()), "round {round}");
        assert_eq!(ask(&client, "SELECT count(*) FROM log").await, Ok(round.to_string()));
        assert_eq!(ask(&client, "SELECT count(*) FROM t WHERE twice <> n * 2").await.as_deref(), Ok("0"));
    }
    let client = sluice.connect().await;
    assert_eq!(fails(&client, "INSERT INTO t (n) VALUES (-1)").await, "23514");
    assert_eq!(fails(&client, "INSERT INTO t (n) VALUES (NULL)").await, "23502");
    assert_eq!(fails(&client, "INSERT INTO t (id) VALUES (1)").await, "23505");
    assert_eq!(
        ask(&client, "SELECT indexname FROM pg_indexes WHERE tablename = 't' ORDER BY 1").await.as_deref(),
        Ok("t_n_idx\nt_pkey")
    );
}

#[tokio::test]
async fn changed_tables_are_as_they_were_left_after_a_kill() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let script = "CREATE TABLE a AS SELECT g AS id, 'v' || g AS v FROM generate_series(1, 100) g; \
         ALTER TABLE a ADD PRIMARY KEY (id); \
         ALTER TABLE a ADD COLUMN extra int DEFAULT 5; ALTER TABLE a DROP COLUMN v; ALTER TABLE a ALTER COLUMN extra TYPE text; \
         DELETE FROM a WHERE id % 2 = 0";
    for statement in script.split(';') {
        client.batch_execute(statement).await.unwrap();
    }
    // Swapped as dbt swaps them.
    client
        .batch_execute(
            "BEGIN; CREATE TABLE a_new AS SELECT id, extra || '!' AS extra FROM a WHERE id < 10; \
             ALTER TABLE a RENAME TO a_old; ALTER TABLE a_new RENAME TO a; COMMIT",
        )
        .await
        .unwrap();
    client.batch_execute("CREATE TABLE gone (x int); DROP TABLE gone; TRUNCATE a_old").await.unwrap();
    client.batch_execute("INSERT INTO a_old VALUES (7, 'seven')").await.unwrap();
    sluice.kill();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    assert_eq!(ask(&client, "SELECT * FROM a ORDER BY id").await.as_deref(), Ok("1|5!\n3|5!\n5|5!\n7|5!\n9|5!"));
    assert_eq!(ask(&client, "SELECT * FROM a_old").await.as_deref(), Ok("7|seven"));
    assert_eq!(fails(&client, "INSERT INTO a_old VALUES (7, 'again')").await, "23505");
    assert_eq!(fails(&client, "SELECT * FROM gone").await, "42P01");
}

#[tokio::test]
async fn of_two_writers_of_one_row_the_first_wins() {
    let (_folder, sluice, one) = server().await;
    let two = sluice.connect().await;
    one.batch_execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0), (2, 0)").await.unwrap();
    one.batch_execute("BEGIN; UPDATE t SET n = 1 WHERE id = 1").await.unwrap();
    two.batch_execute("BEGIN; UPDATE t SET n = 2 WHERE id = 1").await.unwrap();
    // Each sees its own, nobody else's.
    assert_eq!(ask(&one, "SELECT n FROM t WHERE id = 1").await.as_deref(), Ok("1"));
    assert_eq!(ask(&two, "SELECT n FROM t WHERE id = 1").await.as_deref(), Ok("2"));
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(fails(&two, "COMMIT").await, "40001");
    assert_eq!(ask(&two, "SELECT n FROM t WHERE id = 1").await.as_deref(), Ok("1"));
    // Rows that nobody else touched are no conflict.
    one.batch_execute("BEGIN; UPDATE t SET n = 10 WHERE id = 1").await.unwrap();
    two.batch_execute("BEGIN; UPDATE t SET n = 20 WHERE id = 2").await.unwrap();
    one.batch_execute("COMMIT").await.unwrap();
    two.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ask(&one, "SELECT sum(n) FROM t").await.as_deref(), Ok("30"));
    // A key that came meanwhile.
    one.batch_execute("BEGIN; INSERT INTO t VALUES (3, 1)").await.unwrap();
    two.batch_execute("INSERT INTO t VALUES (3, 2)").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "23505");
    one.batch_execute("BEGIN; INSERT INTO t VALUES (4, 1) ON CONFLICT (id) DO UPDATE SET n = 99").await.unwrap();
    two.batch_execute("INSERT INTO t VALUES (4, 2)").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "40001");
    // A table that was changed or dropped meanwhile.
    one.batch_execute("BEGIN; INSERT INTO t VALUES (5, 1)").await.unwrap();
    two.batch_execute("ALTER TABLE t ADD COLUMN more int").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "40001");
}

/// A statement outside a block begins again over the newer rows, so that it comes to the same as one after the other.
#[tokio::test]
async fn single_statements_do_not_lose_to_each_other() {
    let (_folder, sluice, client) = server().await;
    client
        .batch_execute("CREATE TABLE counter (id int PRIMARY KEY, n int); INSERT INTO counter VALUES (1, 0)")
        .await
        .unwrap();
    let mut writers = Vec::new();
    for _ in 0..4 {
        let writer = sluice.connect().await;
        writers.push(tokio::spawn(async move {
            for _ in 0..10 {
                writer.simple_query("UPDATE counter SET n = n + 1 WHERE id = 1").await.unwrap();
                let upsert = "INSERT INTO counter VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET n = counter.n + 1";
                writer.execute(upsert, &[]).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(ask(&client, "SELECT n FROM counter ORDER BY id").await.as_deref(), Ok("40\n40"));
}

#[tokio::test]
async fn a_violation_names_what_it_violates() {
    let (_folder, _sluice, client) = server().await;
    client
        .batch_execute("CREATE TABLE v (id int CONSTRAINT v_key PRIMARY KEY, n int NOT NULL CHECK (n > 0))")
        .await
        .unwrap();
    client.batch_execute("INSERT INTO v VALUES (1, 1)").await.unwrap();
    for (sql, constraint, column, detail) in [
        ("INSERT INTO v VALUES (1, 2)", Some("v_key"), None, "Key (id)=(1) already exists."),
        ("INSERT INTO v VALUES (2, 0)", Some("v_n_check"), None, "Failing row contains (2, 0)."),
        ("INSERT INTO v VALUES (2, NULL)", None, Some("n"), "Failing row contains (2, null)."),
    ] {
        let error = client.execute(sql, &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.constraint(), error.column(), error.detail()), (constraint, column, Some(detail)), "{sql}");
        assert_eq!((error.schema(), error.table()), (Some("public"), Some("v")), "{sql}");
    }
}

#[tokio::test]
async fn parameters_take_the_types_of_their_columns() {
    let (_folder, _sluice, client) = server().await;
    client.batch_execute("CREATE TABLE p (id bigint PRIMARY KEY, at date, name text, n numeric(10,2))").await.unwrap();
    let insert = client.prepare("INSERT INTO p (id, name) VALUES ($1, $2) RETURNING id + 1, name").await.unwrap();
    assert_eq!(insert.params().iter().map(|t| t.name()).collect::<Vec<_>>(), ["int8", "text"]);
    for id in 0..3i64 {
        let rows = client.query(&insert, &[&id, &Some("x")]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), id + 1);
    }
    let update = client.prepare("UPDATE p SET name = $1 WHERE id = $2").await.unwrap();
    assert_eq!(client.execute(&update, &[&"changed", &1i64]).await.unwrap(), 1);
    assert_eq!(client.execute(&update, &[&"changed", &9i64]).await.unwrap(), 0);
    let delete = client.prepare("DELETE FROM p WHERE id = ANY ($1)").await.unwrap();
    assert_eq!(client.execute(&delete, &[&vec![0i64, 2]]).await.unwrap(), 2);
    assert_eq!(ask(&client, "SELECT id, name FROM p").await.as_deref(), Ok("1|changed"));
}

#[tokio::test]
async fn temporary_tables_are_the_sessions_own() {
    let (_folder, sluice, one) = server().await;
    let two = sluice.connect().await;
    one.batch_execute("CREATE TABLE t AS SELECT 'lasting' AS v").await.unwrap();
    one.batch_execute("CREATE TEMP TABLE t AS SELECT 'passing' AS v").await.unwrap();
    assert_eq!(ask(&one, "SELECT v FROM t").await.as_deref(), Ok("passing"));
    assert_eq!(ask(&one, "SELECT v FROM public.t").await.as_deref(), Ok("lasting"));
    assert_eq!(ask(&two, "SELECT v FROM t").await.as_deref(), Ok("lasting"));
    one.batch_execute("BEGIN; INSERT INTO t VALUES ('back'); ROLLBACK").await.unwrap();
    one.batch_execute("BEGIN; INSERT INTO t VALUES ('kept'); INSERT INTO public.t SELECT v FROM t; COMMIT")
        .await
        .unwrap();
    assert_eq!(ask(&one, "SELECT v FROM t ORDER BY 1").await.as_deref(), Ok("kept\npassing"));
    assert_eq!(ask(&two, "SELECT v FROM t ORDER BY 1").await.as_deref(), Ok("kept\nlasting\npassing"));
    one.batch_execute("DROP TABLE t").await.unwrap();
    assert_eq!(ask(&one, "SELECT count(*) FROM t").await.as_deref(), Ok("3"));
}

#[tokio::test]
async fn views_follow_a_transaction_as_one() {
    let (_folder, sluice, client) = server().await;
    client.batch_execute("CREATE TABLE a (n int); CREATE TABLE b (n int)").await.unwrap();
    let view = "CREATE MATERIALIZED VIEW both_sums AS SELECT (SELECT sum(n) FROM a) AS a, (SELECT sum(n) FROM b) AS b";
    client.batch_execute(view).await.unwrap();
    let reader = sluice.connect().await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ended = std::sync::Arc::clone(&done);
    let reading = tokio::spawn(async move {
        let mut seen = 0;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            let sums = ask(&reader, "SELECT a, b, (SELECT sum(n) FROM a), (SELECT sum(n) FROM b) FROM both_sums")
                .await
                .unwrap();
            let cells: Vec<&str> = sums.split('|').collect();
            assert!(cells.iter().all(|cell| *cell == cells[0]), "torn: {sums}");
            seen += 1;
        }
        seen
    });
    for n in 1..=15 {
        client
            .batch_execute(&format!("BEGIN; INSERT INTO a VALUES ({n}); INSERT INTO b VALUES ({n}); COMMIT"))
            .await
            .unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(reading.await.unwrap() > 0);
    assert_eq!(ask(&client, "SELECT a, b FROM both_sums").await.as_deref(), Ok("120|120"));
    client.batch_execute("BEGIN; DELETE FROM a; UPDATE b SET n = 0; ROLLBACK").await.unwrap();
    assert_eq!(ask(&client, "SELECT a, b FROM both_sums").await.as_deref(), Ok("120|120"));
    client.batch_execute("BEGIN; DELETE FROM a WHERE n > 1; UPDATE b SET n = 1; COMMIT").await.unwrap();
    assert_eq!(ask(&client, "SELECT a, b FROM both_sums").await.as_deref(), Ok("1|15"));
}

#[tokio::test]
async fn copy_brings_rows_in() {
    use futures::SinkExt;
    let (_folder, sluice, client) = server().await;
    client.batch_execute("CREATE TABLE c (id int PRIMARY KEY, v text, n int DEFAULT 7)").await.unwrap();
    let sink = client.copy_in("COPY c (id, v) FROM STDIN WITH (FORMAT csv, HEADER)").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    // Cut where it hurts.
    for piece in ["id,v\n1,\"a", "\n\"\"b\"\"\"\n2,", "\n3,\"\"\n"] {
        sink.send(bytes::Bytes::from(piece)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 3);
    let shown = "SELECT id, replace(v, E'\\n', '/'), n FROM c ORDER BY id";
    assert_eq!(ask(&client, shown).await.as_deref(), Ok("1|a/\"b\"|7\n2|∅|7\n3||7"));
    let text = "COPY c FROM STDIN;\n10\tx\\ty\t\\N\n11\t\\N\t1\n\\.\nSELECT count(*) FROM c;\n";
    let file = _folder.path().join("copy.sql");
    std::fs::write(&file, text).unwrap();
    let (ok, out, err) = sluice.psql_with(&["-At", "-f", file.to_str().unwrap()]);
    assert!(ok, "{err}");
    assert_eq!(out.trim(), "COPY 2\n5");
    for (data, state) in [("1,dup\n", "23505"), ("x,y\n", "22P02"), ("1\n", "22P04"), ("1,2,3\n", "22P04")] {
        let sink = client.copy_in("COPY c (id, v) FROM STDIN WITH (FORMAT csv)").await.unwrap();
        let mut sink = std::pin::pin!(sink);
        let sent = sink.send(bytes::Bytes::from(data)).await;
        let error = match sent {
            Ok(()) => sink.finish().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.code().map(|c| c.code()), Some(state), "{data}");
    }
    assert_eq!(ask(&client, "SELECT count(*) FROM c").await.as_deref(), Ok("5"));
}

#[tokio::test]
async fn what_sources_feed_is_not_written_to() {
    let folder = support::folder();
    crate::landing::land(folder.path(), "a.t", &crate::landing::upsert(1, "{\"id\":1,\"n\":1}"));
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    support::eventually(&client, "SELECT n FROM silver.t", "1").await;
    for sql in [
        "INSERT INTO silver.t (id) VALUES (2)",
        "UPDATE silver.t SET n = 2",
        "DELETE FROM silver.t",
        "TRUNCATE silver.t",
        "ALTER TABLE silver.t ADD COLUMN x int",
        "DROP TABLE silver.t",
        "INSERT INTO sluice.views SELECT * FROM sluice.views",
        "DELETE FROM pg_class",
    ] {
        let state = fails(&client, sql).await;
        assert!(matches!(state.as_str(), "42809" | "42501"), "{sql}: {state}");
    }
    assert_eq!(ask(&client, "SELECT n FROM silver.t").await.as_deref(), Ok("1"));
}

/// Any shape, through SQL, COPY and parameters in binary, into a table and a view over it, and out of Delta after a kill.
#[tokio::test]
async fn arrays_of_any_shape_are_kept() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let script = "CREATE TABLE shapes (id int PRIMARY KEY, a int[], n numeric(4, 1)[]); \
         INSERT INTO shapes VALUES (1, '{{1,2},{3,4}}', '{{1.25}}'), (2, '[0:1]={7,NULL}', '{}'), (3, '{5}', NULL); \
         CREATE MATERIALIZED VIEW gold.shapes AS SELECT id, a || a AS twice, array_dims(a) AS dims FROM shapes";
    client.batch_execute(script).await.unwrap();
    let copy = client.copy_in("COPY shapes (id, a) FROM STDIN").await.unwrap();
    let mut copy = std::pin::pin!(copy);
    futures::SinkExt::send(&mut copy, bytes::Bytes::from_static(b"4\t{{9},{8}}\n")).await.unwrap();
    copy.finish().await.unwrap();
    client.execute("INSERT INTO shapes (id, a) VALUES (5, $1)", &[&vec![6, 7]]).await.unwrap();
    client.execute("UPDATE shapes SET a = ARRAY[a, a] WHERE id = ANY ($1)", &[&vec![3]]).await.unwrap();
    let rows = "SELECT id, a, n FROM shapes ORDER BY id";
    let expected = "1|{{1,2},{3,4}}|{{1.3}}\n2|[0:1]={7,NULL}|{}\n3|{{5},{5}}|∅\n4|{{9},{8}}|∅\n5|{6,7}|∅";
    let twice = "SELECT twice, dims FROM gold.shapes ORDER BY id";
    let views = "{{1,2},{3,4},{1,2},{3,4}}|[1:2][1:2]\n[0:3]={7,NULL,7,NULL}|[0:1]\n{{5},{5},{5},{5}}|[1:2][1:1]\n\
         {{9},{8},{9},{8}}|[1:2][1:1]\n{6,7,6,7}|[1:2]";
    assert_eq!(ask(&client, rows).await.as_deref(), Ok(expected));
    assert_eq!(ask(&client, twice).await.as_deref(), Ok(views));
    // A driver reads one dimension from binary, and says so of more.
    let row = client.query_one("SELECT a FROM shapes WHERE id = 5", &[]).await.unwrap();
    assert_eq!(row.get::<_, Vec<i32>>(0), [6, 7]);
    let row = client.query_one("SELECT a FROM shapes WHERE id = 1", &[]).await.unwrap();
    assert!(row.try_get::<_, Vec<i32>>(0).is_err_and(|e| format!("{e:?}").contains("dimensions")));
    sluice.kill();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    assert_eq!(ask(&client, rows).await.as_deref(), Ok(expected));
    assert_eq!(ask(&client, twice).await.as_deref(), Ok(views));
}

/// Each statement holds its rows against the foreign keys as its transaction sees them; what another has changed meanwhile is seen at COMMIT.
#[tokio::test]
async fn two_transactions_do_not_pass_each_other_by_a_foreign_key() {
    let (_folder, sluice, one) = server().await;
    let two = sluice.connect().await;
    one.batch_execute(
        "CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
         CREATE TABLE owned (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
         INSERT INTO parent VALUES (1), (2), (3)",
    )
    .await
    .unwrap();
    // A row that refers to one that goes.
    one.batch_execute("BEGIN; INSERT INTO child VALUES (1, 1)").await.unwrap();
    two.batch_execute("DELETE FROM parent WHERE id = 1").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "40001");
    // A row that goes while one comes that refers to it.
    one.batch_execute("BEGIN; DELETE FROM parent WHERE id = 2").await.unwrap();
    two.batch_execute("INSERT INTO child VALUES (2, 2)").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "40001");
    // What an action of the key does not see.
    one.batch_execute("BEGIN; DELETE FROM parent WHERE id = 3").await.unwrap();
    two.batch_execute("INSERT INTO owned VALUES (3, 3)").await.unwrap();
    assert_eq!(fails(&one, "COMMIT").await, "40001");
    // Changes that have nothing to do with each other do not wait.
    one.batch_execute("BEGIN; DELETE FROM child WHERE id = 2; DELETE FROM parent WHERE id = 2").await.unwrap();
    two.batch_execute("INSERT INTO owned VALUES (4, 3)").await.unwrap();
    one.batch_execute("COMMIT").await.unwrap();
    // Tried again it sees both, and takes them along.
    one.batch_execute("DELETE FROM parent WHERE id = 3").await.unwrap();
    assert_eq!(
        ask(&two, "SELECT (SELECT count(*) FROM owned), (SELECT count(*) FROM parent)").await.as_deref(),
        Ok("0|0")
    );
}

#[tokio::test]
async fn actions_of_foreign_keys_survive_a_kill_and_undo_as_one() {
    let (folder, sluice, client) = server().await;
    client
        .batch_execute(
            "CREATE TABLE top (id int PRIMARY KEY);
             CREATE TABLE mid (id int PRIMARY KEY, top int REFERENCES top ON DELETE CASCADE ON UPDATE CASCADE);
             CREATE TABLE low (id int PRIMARY KEY, mid int REFERENCES mid ON DELETE SET NULL);
             INSERT INTO top VALUES (1), (2); INSERT INTO mid VALUES (10, 1), (20, 2); INSERT INTO low VALUES (100, 10), (200, 20);
             CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS mids, count(mid) AS referring FROM mid FULL JOIN low ON low.mid = mid.id",
        )
        .await
        .unwrap();
    // A savepoint takes the rows of all tables back.
    client.batch_execute("BEGIN; SAVEPOINT s; DELETE FROM top WHERE id = 1").await.unwrap();
    assert_eq!(ask(&client, "SELECT count(*) FROM mid").await.as_deref(), Ok("1"));
    client.batch_execute("ROLLBACK TO s; UPDATE top SET id = 3 WHERE id = 2; COMMIT").await.unwrap();
    client.batch_execute("DELETE FROM top WHERE id = 1").await.unwrap();
    let all = "SELECT (SELECT string_agg(id || ':' || top, ' ' ORDER BY id) FROM mid), (SELECT string_agg(id || ':' || coalesce(mid::text, '-'), ' ' ORDER BY id) FROM low)";
    assert_eq!(ask(&client, all).await.as_deref(), Ok("20:3|100:- 200:20"));
    assert_eq!(ask(&client, "SELECT * FROM counted").await.as_deref(), Ok("2|1"));
    sluice.kill();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    assert_eq!(ask(&client, all).await.as_deref(), Ok("20:3|100:- 200:20"));
    // The keys are what they were.
    client.batch_execute("DELETE FROM top").await.unwrap();
    assert_eq!(ask(&client, all).await.as_deref(), Ok("∅|100:- 200:-"));
}
