//! Errors inside a gold view, as clients see them: they are told which row and why, nobody else is stopped, and the view heals.

use crate::landing::{SOURCE, delete, land, upsert};
use crate::support::{self, ask, eventually};
use tokio_postgres::Client;

/// View, query, the error of the bad row: state and message.
const VIEWS: [(&str, &str, &str); 4] = [
    ("divided", "SELECT id, 10 / number AS q FROM silver.t", "22012: division by zero"),
    ("casted", "SELECT id, word::int AS n FROM silver.t", "22P02: invalid input syntax for type integer: \"six\""),
    ("added", "SELECT id, number::int + 2147483640 AS n FROM silver.t", "22003: integer out of range"),
    ("summed", "SELECT word, sum(100 / number) AS n FROM silver.t GROUP BY word", "22012: division by zero"),
];

fn row(id: i64, word: &str, number: i64) -> String {
    upsert(id, &format!("{{\"id\":{id},\"word\":\"{word}\",\"number\":{number}}}"))
}

/// The error of a statement with its detail.
async fn refusal(client: &Client, sql: &str) -> (String, String) {
    let error = client.simple_query(sql).await.expect_err(sql);
    let error = error.as_db_error().expect("the server says why");
    (format!("{}: {}", error.code().code(), error.message()), error.detail().unwrap_or_default().to_string())
}

/// Every view says its error, with the row, to whoever asks; the others go on.
async fn check_errors(client: &Client) {
    for (name, query, error) in VIEWS {
        let (state, message) = error.split_once(": ").expect("state and message");
        let (said, detail) = refusal(client, &format!("SELECT * FROM gold.{name}")).await;
        assert_eq!(said, format!("{state}: materialized view \"gold.{name}\" is in error: {message}"));
        assert_eq!(refusal(client, query).await.0, error, "the query by hand");
        let told = format!("SELECT state, error FROM sluice.views WHERE view_name = '{name}'");
        assert_eq!(ask(client, &told).await, Ok(format!("error|{message}. {detail}")));
        let of_row = ["number = ", "word = 'six'", "id = 3"].iter().any(|cell| detail.contains(cell));
        assert!(of_row && detail.starts_with("It fails over the row with "), "gold.{name}: {detail}");
    }
    let (said, _) = refusal(client, "TABLE gold.over_divided").await;
    let under = "materialized view \"gold.divided\" is in error: division by zero";
    assert_eq!(said, format!("22012: materialized view \"gold.over_divided\" is in error: {under}"));
}

#[tokio::test]
async fn a_view_says_which_row_it_fails_over_and_heals_also_after_a_restart() {
    let folder = support::folder();
    land(folder.path(), "a.t", &(row(1, "1", 1) + &row(2, "2", 2)));
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    eventually(&client, "SELECT count(*) FROM silver.t", "2").await;
    for (name, query, _) in VIEWS {
        client.batch_execute(&format!("CREATE MATERIALIZED VIEW gold.{name} AS {query}")).await.expect(query);
    }
    let others = "CREATE MATERIALIZED VIEW gold.over_divided AS SELECT count(*) AS n FROM gold.divided;
                  CREATE MATERIALIZED VIEW gold.healthy AS SELECT count(*) AS n, max(number) AS most FROM silver.t";
    client.batch_execute(others).await.expect("views");
    let failing = "SELECT count(*) FROM sluice.views WHERE state = 'error'";
    eventually(&client, failing, "0").await;

    // One row that three of them fail over, and one for the fourth.
    land(folder.path(), "a.t", &(row(3, "six", 0) + &row(4, "4", 100)));
    eventually(&client, "TABLE gold.healthy", "4|100").await;
    eventually(&client, failing, "5").await;
    check_errors(&client).await;
    let zero = refusal(&client, "TABLE gold.divided").await.1;
    assert_eq!(zero, "It fails over the row with id = 3, number = 0.");
    let page = sluice.get("/metrics");
    assert!(page.contains("sluice_view_failing{relation=\"gold.divided\"} 1"), "{page}");

    // Ingestion, the other view and statements go on, and the bad rows stay bad.
    land(folder.path(), "a.t", &row(5, "5", 5));
    eventually(&client, "TABLE gold.healthy", "5|100").await;
    check_errors(&client).await;

    // In error before and after a restart.
    assert!(sluice.stop().success());
    let sluice = support::serve(folder.path(), SOURCE);
    let client = sluice.connect().await;
    eventually(&client, "TABLE gold.healthy", "5|100").await;
    eventually(&client, failing, "5").await;
    check_errors(&client).await;

    // The rows go, one after the other, and the views heal.
    land(folder.path(), "a.t", &delete(3));
    eventually(&client, "SELECT count(*) FROM gold.divided", "4").await;
    eventually(&client, "TABLE gold.over_divided", "4").await;
    eventually(&client, "SELECT sum(n) FROM gold.casted", "12").await;
    eventually(&client, failing, "1").await;
    land(folder.path(), "a.t", &row(4, "4", 4));
    eventually(&client, "SELECT max(n) FROM gold.added", "2147483645").await;
    eventually(&client, failing, "0").await;
    assert_eq!(ask(&client, "SELECT count(*) FROM sluice.views WHERE error IS NOT NULL").await.as_deref(), Ok("0"));
    drop(client);
    assert!(sluice.stop().success());
}
