//! Promise 7: the database says how fresh it is.

use crate::landing::{SOURCE, land, upsert};
use crate::support::{self, eventually};

#[tokio::test]
async fn relations_and_pages_say_how_fresh_the_database_is() {
    let folder = support::folder();
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    land(folder.path(), "a.t", "no json\n");
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    client.batch_execute("SELECT 1").await.unwrap();
    eventually(&client, "SELECT count(*) FROM silver.t", "1").await;
    client.batch_execute("CREATE MATERIALIZED VIEW gold.v AS SELECT count(*) AS n FROM silver.t").await.unwrap();
    let says = [
        ("SELECT name, kind, streams, events, dead_letters, gaps FROM sluice.sources", "landing|jsonl|1|2|1|0"),
        (
            "SELECT source, position, checkpoint, lag_events, events, dead_letters FROM sluice.streams",
            "landing|2|2|0|2|1",
        ),
        ("SELECT state, error, rows, inputs FROM sluice.views", "live|∅|1|{silver.t}"),
        ("SELECT rows, unflushed_rows FROM sluice.tables WHERE schema_name = 'silver'", "1|0"),
        ("SELECT durable_tick = tick, flush_error, events, dead_letters FROM sluice.ticks", "t|∅|2|1"),
    ];
    for (sql, wanted) in says {
        eventually(&client, sql, wanted).await;
    }
    assert!(sluice.get("/healthz").starts_with("HTTP/1.1 200"));
    assert!(sluice.get("/readyz").starts_with("HTTP/1.1 200"));
    let metrics = sluice.get("/metrics");
    assert!(metrics.contains("\nsluice_flush_failing{} 0.0\n"), "{metrics}");
}
