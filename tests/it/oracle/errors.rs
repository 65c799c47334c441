//! Views whose queries fail over some rows: they say so while such a row is there, heal when it is gone, and stop nobody.

use super::compare::{Same, compare};
use super::rig::Rig;
use super::tables::{Change, Table, Ty, announced};

/// Name, query, and what it says when it fails.
const VIEWS: [(&str, &str, &str); 10] = [
    ("divided", "SELECT id, 10 / number AS q FROM silver.t", "division by zero"),
    ("cast", "SELECT id, word::int4 AS n FROM silver.t", "invalid input syntax for type integer"),
    ("overflow", "SELECT id, number + 2147483600 AS n FROM silver.t", "integer out of range"),
    ("filtered", "SELECT id FROM silver.t WHERE 10 / number > 1", "division by zero"),
    ("summed", "SELECT word, sum(10 / number) AS n FROM silver.t GROUP BY word", "division by zero"),
    ("grouped", "SELECT 10 / number AS q, count(*) FROM silver.t GROUP BY 10 / number", "division by zero"),
    ("narrowed", "SELECT sum(number)::int2 AS n FROM silver.t", "smallint out of range"),
    (
        "joined",
        "SELECT a.id, b.id AS other FROM silver.t AS a JOIN silver.t AS b ON a.number = b.word::int4",
        "invalid input syntax for type integer",
    ),
    (
        "one_row",
        "SELECT id, (SELECT b.number FROM silver.t AS b WHERE b.word = a.word) AS n FROM silver.t AS a",
        "more than one row returned by a subquery",
    ),
    ("over_divided", "SELECT count(*) AS n, sum(q) AS q FROM gold.divided", "\"gold.divided\" is in error"),
];

/// Queries that never fail: without the expressions that do, or with a guard before them.
const HEALTHY: [&str; 7] = [
    "SELECT word, count(*) FROM silver.t GROUP BY word",
    "SELECT id FROM silver.t WHERE number <> 0 AND 10 / number > 1",
    "SELECT id, number = 0 OR 10 / number > 1 AS big FROM silver.t",
    "SELECT id FROM silver.t WHERE CASE WHEN number <> 0 THEN 10 / number > 1 ELSE true END",
    "SELECT id, CASE WHEN word ~ '^[0-9]+$' THEN word::int4 END AS n FROM silver.t",
    "SELECT a.id, b.id AS other FROM silver.t AS a LEFT JOIN silver.t AS b ON a.number <> 0 AND b.number % a.number > 0",
    "SELECT a.id, b.id AS other FROM silver.t AS a JOIN silver.t AS b ON a.number <> 0 AND b.number % a.number = 0",
];

fn put(id: i32, word: &str, number: i32) -> Change {
    Change::Upsert { table: 0, cells: vec![Some(id.to_string()), Some(word.to_string()), Some(number.to_string())] }
}

fn gone(id: i32) -> Change {
    Change::Delete { table: 0, cells: vec![Some(id.to_string()), None, None] }
}

/// Ticks, and the views that fail after each.
fn ticks() -> Vec<(Vec<Change>, Vec<&'static str>)> {
    let zero = ["divided", "filtered", "summed", "grouped", "over_divided"];
    let not_a_number = ["cast", "joined"];
    let both = || zero.iter().chain(&not_a_number).copied().collect::<Vec<_>>();
    vec![
        (vec![put(1, "1", 1), put(2, "2", 2)], vec![]),
        (vec![put(3, "3", 0)], zero.to_vec()),
        // The bad row stays while others come and go.
        (vec![put(4, "4", 4), gone(1)], zero.to_vec()),
        (vec![put(5, "five", 5)], both()),
        (vec![put(3, "3", 3)], not_a_number.to_vec()),
        (vec![gone(5)], vec![]),
        // In one tick bad and good again.
        (vec![put(2, "2", 0), put(2, "2", 2)], vec![]),
        (vec![put(6, "2", 7)], vec!["one_row"]),
        (vec![put(6, "6", 2_000_000_000)], vec!["overflow", "narrowed"]),
        (vec![put(6, "six", 0), put(7, "7", 0)], both()),
        (vec![gone(6)], zero.to_vec()),
        (vec![Change::Truncate { table: 0 }], vec![]),
        (vec![put(1, "one", 0)], both()),
        (vec![gone(1), put(2, "2", 2)], vec![]),
    ]
}

#[tokio::test]
async fn a_view_fails_while_its_query_does_and_heals() {
    let columns = [("id", Ty::Int4), ("word", Ty::Text), ("number", Ty::Int4)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    for (name, sql, _) in VIEWS {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.{name} AS {sql}")).await;
    }
    for (i, sql) in HEALTHY.iter().enumerate() {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.healthy{i} AS {sql}")).await;
    }
    for (i, (changes, failing)) in ticks().iter().enumerate() {
        let tick = i + 1;
        rig.feed(Change::together(changes, &tables)).await;
        for (name, sql, reason) in VIEWS {
            let same = compare(&mut rig, &format!("gold.{name}"), sql, false).await;
            let same = same.unwrap_or_else(|difference| panic!("after tick {tick}: {difference}"));
            let wanted = if failing.contains(&name) { Same::Error } else { Same::Rows };
            assert_eq!(same, wanted, "gold.{name} after tick {tick}");
            let said = format!("SELECT state, error FROM sluice.views WHERE view_name = '{name}'");
            let said = rig.must(&said).await.remove(0);
            match wanted {
                Same::Rows => assert_eq!(said, [Some("live".to_string()), None], "gold.{name} after tick {tick}"),
                Same::Error => assert!(said[1].as_ref().is_some_and(|e| e.contains(reason)), "gold.{name}: {said:?}"),
            }
        }
        for (i, sql) in HEALTHY.iter().enumerate() {
            let same = compare(&mut rig, &format!("gold.healthy{i}"), sql, false).await;
            assert_eq!(same, Ok(Same::Rows), "after tick {tick}: {sql}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_constant_that_fails_does_so_without_rows_too() {
    let columns = [("id", Ty::Int4), ("word", Ty::Text), ("number", Ty::Int4)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    for sql in [
        "SELECT id + 1 / 0 AS x FROM silver.t",
        "SELECT count(*) AS n FROM silver.t WHERE number = 1 / 0",
        "SELECT a.id FROM silver.t AS a LEFT JOIN silver.t AS b ON a.id = b.id AND b.number > 7 % 0",
    ] {
        let asked = rig.run(sql).await.expect_err(sql);
        let made = rig.run(&format!("CREATE MATERIALIZED VIEW gold.x AS {sql}")).await.expect_err(sql);
        assert_eq!((asked.state, &asked.message), (made.state, &made.message), "{sql}");
        assert_eq!(asked.message, "division by zero", "{sql}");
    }
    rig.must("SELECT CASE WHEN id > 0 THEN 1 ELSE 1 / 0 END AS x FROM silver.t").await;
    rig.stop().await;
}
