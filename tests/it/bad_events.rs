//! Promise 5: an event that cannot be applied is named and kept, and stops nothing else.

use crate::landing::{SOURCE, land, upsert};
use crate::support::{self, ask, eventually};

const TABLES: &str = "
[[jsonl.landing.table]]
name = \"t\"
topics = [\"a.t\"]
key = [\"id\"]
strict_columns = true
columns = [\"id integer not null\", \"n integer\"]

[[jsonl.landing.table]]
name = \"other\"
topics = [\"a.other\"]
";

#[tokio::test]
async fn bad_events_are_dead_letters_and_the_streams_go_on() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), &format!("{SOURCE}undeclared = \"dead-letter\"\n{TABLES}"));
    let client = sluice.connect().await;
    let bad = [
        "this is no json\n".to_string(),
        "[1, 2]\n".to_string(),
        upsert(2, "{\"id\":2,\"n\":\"many\"}"),
        upsert(3, "{\"id\":3,\"n\":3,\"surprise\":1}"),
        "{\"op\":\"c\",\"before\":null,\"after\":{\"n\":4},\"source\":{\"ts_ms\":1}}\n".to_string(),
    ];
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":1}"));
    bad.iter().for_each(|line| land(folder.path(), "a.t", line));
    land(folder.path(), "a.t", &upsert(9, "{\"id\":9,\"n\":9}"));
    land(folder.path(), "a.other", &upsert(1, "{\"id\":1}"));
    land(folder.path(), "a.stranger", &upsert(1, "{\"id\":1}"));

    eventually(&client, "SELECT id, n FROM silver.t ORDER BY id", "1|1\n9|9").await;
    eventually(&client, "SELECT count(*) FROM silver.other", "1").await;
    let dead = "SELECT position FROM sluice.dead_letters WHERE stream LIKE '%a.t.jsonl%' ORDER BY position";
    eventually(&client, dead, "1\n2\n3\n4\n5").await;
    eventually(&client, "SELECT reason FROM sluice.dead_letters WHERE stream LIKE '%stranger%'", "undeclared-topic")
        .await;
    let silent = "SELECT count(*) FROM sluice.dead_letters WHERE reason = '' OR message = ''";
    assert_eq!(ask(&client, silent).await.as_deref(), Ok("0"));
    // Every record is in bronze, what is no JSON as its bytes.
    assert_eq!(ask(&client, "SELECT count(*) FROM bronze.t").await.as_deref(), Ok("7"));
    let raw = "SELECT convert_from(payload_raw, 'UTF8') FROM bronze.t WHERE \"offset\" = 1";
    assert_eq!(ask(&client, raw).await.as_deref(), Ok("this is no json"));
    assert_eq!(ask(&client, "SELECT count(*) FROM bronze.stranger").await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn an_event_of_20_mb_passes() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let text = "x".repeat(20 << 20);
    land(folder.path(), "a.t", &upsert(1, &format!("{{\"id\":1,\"n\":\"{text}\"}}")));
    eventually(&client, "SELECT length(n) FROM silver.t", &(20 << 20).to_string()).await;
}

#[tokio::test]
async fn a_failing_gold_view_says_so_and_heals() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    land(folder.path(), "a.t", &upsert(1, "{\"id\":1,\"n\":2}"));
    eventually(&client, "SELECT n FROM silver.t", "2").await;
    client.batch_execute("CREATE MATERIALIZED VIEW gold.ratio AS SELECT id, 10 / n AS r FROM silver.t").await.unwrap();
    client.batch_execute("CREATE MATERIALIZED VIEW gold.well AS SELECT count(*) AS n FROM silver.t").await.unwrap();
    eventually(&client, "SELECT r FROM gold.ratio", "5").await;

    land(folder.path(), "a.t", &upsert(2, "{\"id\":2,\"n\":0}"));
    let state = "SELECT state, error LIKE '%division by zero%' FROM sluice.views WHERE view_name = 'ratio'";
    eventually(&client, state, "error|t").await;
    let refused = ask(&client, "SELECT * FROM gold.ratio").await.unwrap_err();
    assert_eq!(refused, "22012: materialized view \"gold.ratio\" is in error: division by zero");
    eventually(&client, "SELECT n FROM gold.well", "2").await;

    land(folder.path(), "a.t", &crate::landing::delete(2));
    eventually(&client, "SELECT r FROM gold.ratio", "5").await;
    eventually(&client, "SELECT state FROM sluice.views WHERE view_name = 'ratio'", "live").await;
}

#[tokio::test]
async fn deep_nesting_does_not_end_the_process() {
    let folder = support::folder();
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    land(folder.path(), "a.t", &upsert(1, &format!("{{\"id\":1,\"n\":{deep}}}")));
    land(folder.path(), "a.other", &upsert(1, "{\"id\":1}"));
    eventually(&client, "SELECT count(*) FROM silver.other", "1").await;
}
