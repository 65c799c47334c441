//! Promise 6: a key change keeps values that the source does not send again.
//!
//! Debezium sends a key change as a delete of the old key and a create of the new one, each with the other key in a header; a large
//! value that the change did not touch is a placeholder in the create.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, ask, eventually};

const UNSENT: &str = "__debezium_unavailable_value";

/// The two halves of a change of the key at `lsn`; the values of the row as far as they were sent.
fn moved(lsn: u64, from: i64, to: i64, values: &str) -> (String, String) {
    let record = |id: i64, header: &str, other: i64, op: &str, after: &str| {
        format!(
            "{{\"key\":{{\"id\":{id}}},\"headers\":[{{\"key\":\"__debezium.{header}\",\"value\":\"{{\\\"id\\\":{other}}}\"}}],\
             \"value\":{{\"op\":\"{op}\",\"before\":null,\"after\":{after},\
             \"source\":{{\"connector\":\"postgresql\",\"lsn\":{lsn},\"ts_ms\":1}},\"ts_ms\":1}}}}\n"
        )
    };
    let after = format!("{{\"id\":{to},{values}}}");
    (record(from, "newkey", to, "d", "null"), record(to, "oldkey", from, "c", &after))
}

fn row(id: i64, body: &str, version: i64) -> String {
    upsert(id, &format!("{{\"id\":{id},\"body\":\"{body}\",\"version\":{version}}}"))
}

fn unsent(version: i64) -> String {
    format!("\"body\":\"{UNSENT}\",\"version\":{version}")
}

const ROWS: &str = "SELECT id, body, version FROM silver.docs ORDER BY id";

#[tokio::test]
async fn a_value_that_was_not_sent_moves_with_its_row() {
    let folder = support::folder();
    let (left, arrived) = moved(10, 1, 2, &unsent(3));
    let (again_left, again_arrived) = moved(11, 2, 3, &unsent(4));
    let tombstone = "{\"key\":{\"id\":1},\"value\":null}\n";
    // The value itself is as new as it can be, and the row moves on at once; then another takes its place.
    land(folder.path(), "s.docs", &row(1, "old", 1));
    land(folder.path(), "s.docs", &(row(1, "value", 2) + &left + tombstone + &arrived + &again_left + &again_arrived));
    land(folder.path(), "s.docs", &(row(1, "another", 1) + &row(2, "third", 1)));
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    eventually(&client, ROWS, "1|another|1\n2|third|1\n3|value|4").await;
    let (left, arrived) = moved(12, 3, 4, &unsent(5));
    land(folder.path(), "s.docs", &left);
    eventually(&client, "SELECT fetched_position FROM sluice.streams", "10").await;
    assert_eq!(ask(&client, ROWS).await.as_deref(), Ok("1|another|1\n2|third|1\n3|value|4"), "half of it is not shown");
    land(folder.path(), "s.docs", &arrived);
    eventually(&client, ROWS, "1|another|1\n2|third|1\n4|value|5").await;
    assert_eq!(ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.as_deref(), Ok("0"));
}

#[tokio::test]
async fn the_halves_may_come_in_two_streams_in_either_order() {
    for (left_in, arrived_in) in [("docs/a", "docs/b"), ("docs/b", "docs/a")] {
        let folder = support::folder();
        std::fs::create_dir_all(folder.path().join("landing/docs")).unwrap();
        let (left, arrived) = moved(10, 1, 2, &unsent(3));
        // The row under the old key changes once more before it leaves, and its stream is the slower one.
        land(folder.path(), left_in, &row(1, "old", 1));
        let sluice = support::serve(folder.path(), SOURCE);
        let client = sluice.connect().await;
        eventually(&client, ROWS, "1|old|1").await;
        land(folder.path(), arrived_in, &arrived);
        eventually(&client, "SELECT sum(fetched_position) FROM sluice.streams", "2").await;
        assert_eq!(ask(&client, ROWS).await.as_deref(), Ok("1|old|1"));
        land(folder.path(), left_in, &(row(1, "value", 2) + &left + &row(1, "another", 1)));
        eventually(&client, ROWS, "1|another|1\n2|value|3").await;
        assert_eq!(ask(&client, "SELECT count(*) FROM sluice.dead_letters").await.as_deref(), Ok("0"));
    }
}

#[tokio::test]
async fn a_row_that_left_long_ago_is_found_after_a_kill() {
    let folder = support::folder();
    let config = format!("{SOURCE}[transactions]\npatience = \"50ms\"\n[lake]\nflush_interval = \"50ms\"\n");
    let (left, arrived) = moved(10, 1, 2, &unsent(3));
    land(folder.path(), "s.docs", &(row(1, "value", 2) + &row(7, "stays", 1) + &left));
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    eventually(&client, ROWS, "7|stays|1").await;
    eventually(&client, "SELECT checkpoint FROM sluice.streams", "3").await;
    sluice.kill();
    land(folder.path(), "s.docs", &arrived);
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    eventually(&client, ROWS, "2|value|3\n7|stays|1").await;
}

#[tokio::test]
async fn a_value_that_nobody_knows_is_a_dead_letter_and_never_null() {
    let folder = support::folder();
    let config = format!("{SOURCE}[transactions]\npatience = \"50ms\"\n");
    let (_, arrived) = moved(10, 1, 2, &unsent(3));
    let updated = upsert(5, &format!("{{\"id\":5,{}}}", unsent(2)));
    let whole = moved(20, 8, 9, "\"body\":\"sent\",\"version\":1").1;
    land(
        folder.path(),
        "s.docs",
        &(row(7, "stays", 1) + &arrived + &updated + &delete(6) + &whole + &row(5, "now", 3)),
    );
    let sluice = support::serve(folder.path(), &config);
    let client = sluice.connect().await;
    eventually(&client, ROWS, "5|now|3\n7|stays|1\n9|sent|1").await;
    let dead = "SELECT position, reason FROM sluice.dead_letters ORDER BY 1";
    // An update whose row a later one of the same tick replaces lost nothing.
    let seen = ask(&client, dead).await.unwrap();
    assert!(seen.starts_with("1|unsent-value"), "{seen}");
    land(folder.path(), "s.docs", &upsert(6, &format!("{{\"id\":6,{}}}", unsent(2))));
    eventually(&client, &format!("{dead} DESC LIMIT 1"), "6|unsent-value").await;
    assert_eq!(ask(&client, "SELECT count(*) FROM silver.docs WHERE body IS NULL").await.as_deref(), Ok("0"));
}
