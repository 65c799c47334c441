//! Promise 3: a source transaction becomes visible in one tick.

use crate::landing::{SOURCE, land, upsert};
use crate::support::{self, ask, eventually};

fn event(table: &str, id: i64, transaction: &str) -> String {
    format!(
        "{{\"key\":{{\"id\":{id}}},\"value\":{{\"op\":\"c\",\"after\":{{\"id\":{id}}},\
         \"source\":{{\"connector\":\"postgresql\",\"db\":\"shop\",\"schema\":\"public\",\"table\":\"{table}\",\"ts_ms\":1}},\
         \"transaction\":{{\"id\":\"{transaction}\",\"total_order\":1,\"data_collection_order\":1}}}}}}\n"
    )
}

#[tokio::test]
async fn a_transaction_of_the_transaction_topic_is_shown_when_it_is_whole() {
    let folder = support::folder();
    let transactions = "[transactions]\npatience = \"1h\"\n";
    let sluice = support::serve(folder.path(), &format!("{SOURCE}{transactions}"));
    let client = sluice.connect().await;
    let begin = "{\"key\":{\"id\":\"7\"},\"value\":{\"status\":\"BEGIN\",\"id\":\"7\",\"ts_ms\":1}}\n";
    let end = "{\"key\":{\"id\":\"7\"},\"value\":{\"status\":\"END\",\"id\":\"7\",\"event_count\":3,\"ts_ms\":1,\
               \"data_collections\":[{\"data_collection\":\"public.a\",\"event_count\":2},\
               {\"data_collection\":\"public.b\",\"event_count\":1}]}}\n";
    // An END counts the tables that are read when it comes.
    for table in ["a", "b"] {
        land(folder.path(), &format!("shop.public.{table}"), &upsert(100, "{\"id\":100}"));
        eventually(&client, &format!("SELECT count(*) FROM silver.{table}"), "1").await;
    }
    land(folder.path(), "shop.transaction", &format!("{begin}{end}"));
    let fetched = |topic: &str| format!("SELECT fetched_position FROM sluice.streams WHERE stream LIKE '%{topic}%'");
    eventually(&client, &fetched("shop.transaction"), "2").await;
    land(folder.path(), "shop.public.a", &event("a", 1, "7"));
    eventually(&client, &fetched("shop.public.a"), "2").await;
    land(folder.path(), "shop.public.b", &event("b", 1, "7"));
    eventually(&client, &fetched("shop.public.b"), "2").await;
    let shown = ask(&client, "SELECT coalesce(sum(rows), 0) FROM sluice.tables WHERE schema_name = 'silver'").await;
    assert_eq!(shown.as_deref(), Ok("2"), "two of three events are shown");

    land(folder.path(), "shop.public.a", &event("a", 2, "7"));
    let whole = "SELECT schema_name, table_name, rows, changed_tick = max(changed_tick) OVER () FROM sluice.tables \
                 WHERE schema_name = 'silver' ORDER BY 2";
    eventually(&client, whole, "silver|a|3|t\nsilver|b|2|t").await;
    assert_eq!(ask(&client, "SELECT torn_transactions FROM sluice.ticks").await.as_deref(), Ok("0"));
}
