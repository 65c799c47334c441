//! What a statement has been told is done stays done.

use crate::landing::{SOURCE, land, upsert};
use crate::support::{self, ask, eventually};

#[tokio::test]
async fn a_view_is_durable_when_its_statement_returns() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    eventually(&client, "SELECT n FROM silver.t", "1").await;
    client.batch_execute("CREATE MATERIALIZED VIEW gold.v AS SELECT n FROM silver.t").await.unwrap();
    sluice.kill();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    assert_eq!(ask(&client, "SELECT n FROM gold.v").await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn views_dropped_made_anew_and_renamed_are_so_after_a_kill() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    let config = format!("{SOURCE}[lake]\nflush_interval = \"20ms\"\n");
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    eventually(&client, "SELECT n FROM silver.t", "1").await;
    for round in 0..10 {
        let made = format!("CREATE MATERIALIZED VIEW gold.v AS SELECT n + {round} AS n FROM silver.t");
        client.batch_execute(&made).await.unwrap();
        // Flushes are under way while the view goes.
        land(folder.path(), "a.t", &upsert(100 + round, &format!("{{\"id\":{},\"n\":0}}", 100 + round)));
        client.batch_execute("DROP MATERIALIZED VIEW gold.v").await.unwrap();
    }
    eventually(&client, "SELECT count(*) FROM silver.t", "11").await;
    let last = "CREATE MATERIALIZED VIEW gold.v AS SELECT id, n FROM silver.t WHERE id < 100";
    client.batch_execute(last).await.unwrap();
    client.batch_execute("ALTER MATERIALIZED VIEW gold.v RENAME TO renamed").await.unwrap();
    client.batch_execute("CREATE MATERIALIZED VIEW gold.over AS SELECT count(*) AS n FROM gold.renamed").await.unwrap();
    // What reads it goes on reading it under its next name.
    client
        .batch_execute("CREATE VIEW gold.plain AS SELECT renamed.n FROM gold.renamed WHERE renamed.id = 1")
        .await
        .unwrap();
    client.batch_execute("ALTER MATERIALIZED VIEW gold.renamed RENAME TO \"Again\"").await.unwrap();
    client.batch_execute("ALTER MATERIALIZED VIEW gold.\"Again\" RENAME TO renamed").await.unwrap();
    sluice.kill();

    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    assert_eq!(ask(&client, "SELECT n FROM gold.plain").await.as_deref(), Ok("1"));
    assert_eq!(ask(&client, "SELECT id, n FROM gold.renamed").await.as_deref(), Ok("1|1"));
    assert_eq!(ask(&client, "SELECT n FROM gold.over").await.as_deref(), Ok("1"));
    assert!(ask(&client, "SELECT n FROM gold.v").await.unwrap_err().starts_with("42P01"));
    land(folder.path(), "a.t", &upsert(2, "{\"id\":2,\"n\":2}"));
    eventually(&client, "SELECT n FROM gold.over", "2").await;
}
