//! Views that are filled beside the tick loop, while their inputs change.

use super::compare::{Same, compare};
use super::rig::Rig;
use super::tables::{Change, Table, Ty, announced};
use sluice::engine::ViewPhase;

fn row(id: i32, turn: i32) -> Change {
    let cells = vec![Some(id.to_string()), Some((id * 7 + turn).to_string()), Some(format!("g{}", (id + turn) % 9))];
    Change::Upsert { table: 0, cells }
}

/// Name and query.
const VIEWS: [(&str, &str); 4] = [
    ("grouped", "SELECT g, count(*) AS n, sum(v) AS s, max(v) AS m FROM silver.t GROUP BY g"),
    ("joined", "SELECT a.id, b.id AS other FROM silver.t AS a JOIN silver.t AS b ON a.v = b.id"),
    ("over_grouped", "SELECT n, count(*) AS groups FROM gold.grouped GROUP BY n"),
    ("best", "SELECT id, v FROM silver.t ORDER BY v DESC LIMIT 5"),
];

#[tokio::test]
async fn a_view_is_right_when_it_was_filled_under_changes() {
    let columns = [("id", Ty::Int4), ("v", Ty::Int4), ("g", Ty::Text)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::filling_beside().await;
    rig.feed(announced(&tables)).await;
    let all: Vec<Change> = (0..3_000).map(|id| row(id, 0)).collect();
    rig.feed(Change::together(&all, &tables)).await;
    let mut turn = 0;
    for (name, sql) in VIEWS {
        let statement = format!("CREATE MATERIALIZED VIEW gold.{name} AS {sql}");
        let created = tokio::spawn(rig.other_session().run(statement));
        while !created.is_finished() {
            turn += 1;
            let some: Vec<Change> = (0..40).map(|nth| row((nth * 71 + turn) % 3_100, turn)).collect();
            rig.feed(Change::together(&some, &tables)).await;
            tokio::task::yield_now().await;
        }
        created.await.expect("the statement does not panic").unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        // When the statement returns the view is live.
        assert!(rig.phases().iter().all(|phase| *phase == ViewPhase::Live), "{:?}", rig.phases());
        for (name, sql) in VIEWS.iter().take_while(|(other, _)| *other != name).chain([&(name, sql)]) {
            let same = compare(&mut rig, &format!("gold.{name}"), sql, false).await;
            assert_eq!(same.unwrap_or_else(|difference| panic!("turn {turn}: {difference}")), Same::Rows);
        }
    }
    let plan = rig.must("SELECT sluice.explain_view('gold.joined')").await;
    let plan = plan[0][0].clone().unwrap_or_default();
    assert!(plan.contains("inner join") && plan.contains("look-ups in shared indexes"), "{plan}");
    rig.stop().await;
}

#[tokio::test]
async fn a_view_that_cannot_be_filled_is_not_there() {
    let columns = [("id", Ty::Int4), ("v", Ty::Int4), ("g", Ty::Text)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::filling_beside().await;
    rig.feed(announced(&tables)).await;
    let all: Vec<Change> = (0..100).map(|id| row(id, 0)).collect();
    rig.feed(Change::together(&all, &tables)).await;
    let error = rig.run("CREATE MATERIALIZED VIEW gold.bad AS SELECT 1 / (id - id) AS x FROM silver.t").await;
    assert_eq!(error.expect_err("every row divides by zero").message, "division by zero");
    rig.must("CREATE MATERIALIZED VIEW gold.bad AS SELECT id FROM silver.t").await;
    rig.stop().await;
}
