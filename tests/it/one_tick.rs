//! Promises 1 and 2: a transaction block reads one tick, and at each tick a gold view is its query.

use crate::support::{self, PATIENCE, Sluice, ask, eventually};
use std::time::Instant;
use tokio_postgres::Client;

const DEMO: [&str; 6] =
    ["dim_product", "kpi_by_minute", "latest_orders", "ohlc_by_minute", "tickets_by_status", "top_customers"];

/// Made over the wire: over a view, with an outer join, DISTINCT, a window.
const MORE: [(&str, &str); 4] = [
    ("over_view", "SELECT status, sum(tickets) AS n FROM gold.tickets_by_status GROUP BY status"),
    (
        "outer_join",
        "SELECT o.order_id, o.total, p.amount FROM silver.orders o LEFT JOIN silver.payments p USING (order_id)",
    ),
    ("distinct_status", "SELECT DISTINCT status, customer_id FROM silver.orders"),
    (
        "ranked",
        "SELECT order_id, row_number() OVER (PARTITION BY customer_id ORDER BY total DESC, order_id) AS place FROM silver.orders",
    ),
];

async fn demo(folder: &std::path::Path) -> (Sluice, Client) {
    let args = ["demo", "--rate", "300", "--rows", "300", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let sluice = support::start(folder, &args);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) > 0 FROM gold.top_customers", "t").await;
    (sluice, client)
}

#[tokio::test]
async fn a_gold_view_is_its_query_at_every_tick() {
    let folder = support::folder();
    let (_sluice, client) = demo(folder.path()).await;
    eventually(&client, "SELECT count(*) FROM sluice.views", "6").await;
    for (name, sql) in MORE {
        client.batch_execute(&format!("CREATE MATERIALIZED VIEW gold.{name} AS {sql}")).await.unwrap();
    }
    let mut ticks = std::collections::HashSet::new();
    let names: Vec<&str> = DEMO.into_iter().chain(MORE.map(|m| m.0)).collect();
    for name in names {
        let definition = ask(&client, &format!("SELECT pg_get_viewdef('gold.{name}'::regclass)")).await.unwrap();
        let definition = definition.trim_end().trim_end_matches(';').to_string();
        for _ in 0..20 {
            client.batch_execute("BEGIN").await.unwrap();
            ticks.insert(ask(&client, "SELECT tick FROM sluice.ticks").await.unwrap());
            let sorted = |text: Result<String, String>| {
                let text = text.unwrap();
                let mut rows: Vec<String> = text.lines().map(str::to_string).collect();
                rows.sort();
                rows
            };
            let held = sorted(ask(&client, &format!("SELECT * FROM gold.{name}")).await);
            let wanted = sorted(ask(&client, &definition).await);
            client.batch_execute("COMMIT").await.unwrap();
            assert!(held == wanted, "gold.{name} holds {} rows, its query gives {}", held.len(), wanted.len());
        }
    }
    assert!(ticks.len() > 10, "nothing moved: {ticks:?}");
}

#[tokio::test]
async fn a_transaction_block_stays_at_its_tick() {
    let folder = support::folder();
    let (_sluice, client) = demo(folder.path()).await;
    let ask = |sql: &'static str| {
        let client = &client;
        async move { ask(client, sql).await.unwrap() }
    };
    let rows = "SELECT (SELECT count(*) FROM bronze.orders), (SELECT count(*) FROM silver.orders), \
                (SELECT count(*) FROM bronze.stock_trades)";
    let tick = "SELECT tick, events FROM sluice.ticks";
    let deadline = Instant::now() + PATIENCE;
    let mut moved = 0;
    while moved < 20 {
        assert!(Instant::now() < deadline, "the demo moved only {moved} times");
        client.batch_execute("BEGIN").await.unwrap();
        let first = (ask(tick).await, ask(rows).await);
        for _ in 0..5 {
            assert_eq!((ask(tick).await, ask(rows).await), first);
        }
        client.batch_execute("COMMIT").await.unwrap();
        moved += u32::from(ask(tick).await != first.0);
    }
}
