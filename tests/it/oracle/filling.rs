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

#[tokio::test]
async fn an_index_is_right_when_it_was_built_under_changes() {
    let mut rig = Rig::filling_beside().await;
    rig.must("CREATE TABLE public.m (id int PRIMARY KEY, g int, v int)").await;
    rig.must("INSERT INTO m SELECT n, n % 50, n FROM generate_series(1, 20000) AS n").await;
    let mut turn = 0;
    for (name, columns) in [("m_g", "g"), ("m_v_g", "v, g")] {
        let created = tokio::spawn(rig.other_session().run(format!("CREATE INDEX {name} ON public.m ({columns})")));
        while !created.is_finished() {
            turn += 1;
            rig.must(&format!("UPDATE m SET g = (g + 1) % 50, v = v + 1 WHERE id % 997 = {}", turn % 997)).await;
            rig.must(&format!("DELETE FROM m WHERE id = {}", 100 + turn)).await;
            rig.must(&format!("INSERT INTO m VALUES ({}, {}, {turn})", 30_000 + turn, turn % 50)).await;
        }
        created.await.expect("the statement does not panic").expect("an index can be made");
    }
    rig.must("UPDATE m SET g = 7 WHERE id = 1").await;
    // A look-up in the index, and a scan that cannot use it.
    for g in [0, 7, 49] {
        let found = rig.must(&format!("SELECT count(*), sum(id), sum(v) FROM m WHERE g = {g}")).await;
        let scanned = rig.must(&format!("SELECT count(*), sum(id), sum(v) FROM m WHERE g + 0 = {g}")).await;
        assert_eq!(found, scanned, "g = {g}");
    }
    let v = rig.must("SELECT v FROM m WHERE id = 400").await[0][0].clone().expect("a number");
    let found = rig.must(&format!("SELECT id FROM m WHERE v = {v} AND g = 0 ORDER BY id")).await;
    let scanned = rig.must(&format!("SELECT id FROM m WHERE v + 0 = {v} AND g + 0 = 0 ORDER BY id")).await;
    assert_eq!(found, scanned, "v = {v} AND g = 0");
    let plan = rig.must("EXPLAIN SELECT count(v) FROM m WHERE g = 7").await;
    assert!(plan.iter().flatten().flatten().any(|line| line.contains("key look-up")), "{plan:?}");
    rig.stop().await;
}

#[tokio::test]
async fn a_view_that_fails_over_many_rows_rests_between_attempts_and_heals() {
    let columns = [("id", Ty::Int4), ("v", Ty::Int4), ("g", Ty::Text)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    let all: Vec<Change> = (0..12_000).map(|id| row(id, 0)).collect();
    rig.feed(Change::together(&all, &tables)).await;
    // Row 0 has v = 0 in turn 0 alone.
    rig.feed(Change::together(&[row(0, 1)], &tables)).await;
    rig.must("CREATE MATERIALIZED VIEW gold.divided AS SELECT g, sum(100 / v) AS s FROM silver.t GROUP BY g").await;
    let worked = |rig: &Rig| {
        let [view] = rig.views().try_into().expect("one view");
        (view.runs, view.total_us, view.last_us)
    };
    let (runs_before, us_before, _) = worked(&rig);
    let begun = std::time::Instant::now();
    rig.feed(Change::together(&[row(0, 0)], &tables)).await;
    for turn in 0..300 {
        assert!(matches!(rig.phases()[0], ViewPhase::Error(_)), "turn {turn}: {:?}", rig.phases());
        rig.feed(Change::together(&[row(5, turn)], &tables)).await;
    }
    let elapsed = begun.elapsed().as_micros() as u64;
    let (runs, us, last_us) = worked(&rig);
    let (attempts, spent) = (runs - runs_before, us - us_before);
    assert!((1..301).contains(&attempts), "{attempts} attempts in 301 ticks");
    // Each attempt is followed by a rest of ten times its length, the last one perhaps not yet by all of it.
    assert!(spent <= elapsed / 10 + last_us, "{attempts} attempts took {spent} µs of {elapsed}");
    // What heals it comes while it rests, and nothing after that.
    rig.feed(Change::together(&[row(0, 1)], &tables)).await;
    rig.healed().await;
    let sql = "SELECT g, sum(100 / v) AS s FROM silver.t GROUP BY g";
    assert_eq!(compare(&mut rig, "gold.divided", sql, false).await, Ok(Same::Rows));
    rig.stop().await;
}
