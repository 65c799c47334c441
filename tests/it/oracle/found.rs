//! Views that random cases once found wrong, kept small.

use super::benchmark::row;
use super::compare::{Same, compare};
use super::rig::Rig;
use super::tables::{Change, Table, Ty, announced};

const VIEWS: &[&str] = &[
    // The empty grouping set has a row over no rows.
    "SELECT id, word, grouping(id, word) AS g, count(*) AS n FROM silver.t GROUP BY ROLLUP (id, word)",
    // One grouping set twice.
    "SELECT word, count(*) AS n FROM silver.t GROUP BY GROUPING SETS ((word), (word), ())",
    // Values that may be equal and differ, in grouping sets.
    "SELECT grouping(amount) AS g, count(*) AS n FROM silver.t GROUP BY ROLLUP (amount)",
    // A subquery that stands in two places of the plan.
    "SELECT percentile_disc(0.25) WITHIN GROUP (ORDER BY (SELECT max(q.word) FROM silver.t AS q WHERE q.id = 1)) AS p \
     FROM silver.t",
    "SELECT id FROM silver.t AS a WHERE (SELECT count(*) FROM silver.t AS b WHERE b.word = a.word) BETWEEN 2 AND 3",
    // Aggregates that need no order beside ones that were given one.
    "SELECT count(DISTINCT b.word) AS d, bit_or(a.id) AS o, count(*) AS n FROM silver.t AS a CROSS JOIN silver.t AS b",
    // A common subexpression that only one of DataFusion's plans knows never to be NULL.
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN id < 2 THEN id WHEN id < 4 THEN 0 ELSE -1 END) AS p \
     FROM silver.t GROUP BY '1'::int8",
    // Both zeros are one key.
    "SELECT a.id, b.id AS other FROM silver.t AS a LEFT JOIN silver.t AS b ON a.ratio = b.ratio",
    // A division that no row reaches, of constants that CASE gives when it is asked about no rows.
    "SELECT a.id, least('1.50'::numeric(10,2), '2.25') / CASE WHEN f.c <> 7 THEN '0.00'::numeric(10,2) END AS q \
     FROM silver.t AS a LEFT JOIN LATERAL unnest('{}'::int4[]) AS f(c) ON true WHERE a.id BETWEEN 100 AND 100",
    // A column that is constant, for a reason that DataFusion forgets when it has left out the sort by it.
    "SELECT DISTINCT ON (d.c) d.c FROM (SELECT y.column1 AS c FROM (VALUES ('1.50'::numeric(10,2))) AS y \
     JOIN silver.t AS a ON y.column1 = a.id AND y.column1 = length(a.word) JOIN silver.t AS b ON y.column1 = b.id) AS d \
     ORDER BY d.c",
    // The same of a single row.
    "SELECT d.n, row_number() OVER (PARTITION BY d.n ORDER BY d.n) AS nth FROM (SELECT c.n FROM \
     (SELECT count(*) AS n FROM silver.t) AS c JOIN silver.t AS a ON c.n = a.id) AS d",
    // A correlation by keys of values that may be equal and differ.
    "SELECT a.id, (SELECT max(b.id) FROM silver.t AS b WHERE to_jsonb(b.amount) = to_jsonb(a.amount)) AS most, \
     (SELECT count(*) FROM silver.t AS b WHERE b.id * interval '1 day' = a.id * interval '24 hours') AS n, \
     (SELECT min(b.id) FROM silver.t AS b WHERE ARRAY[b.amount] = ARRAY[a.amount]) AS least FROM silver.t AS a",
    // Frames that move away from rows, under aggregates that cannot take rows back.
    "SELECT id, array_agg(word) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS words, \
     sum(ratio) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS ratios, \
     string_agg(word, '-') FILTER (WHERE id <> 2) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS before, \
     bool_or(id > 3) OVER (PARTITION BY word ORDER BY id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS late, \
     jsonb_agg(id) OVER (ORDER BY id GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS ids FROM silver.t",
];

/// Queries that leave something open; a view of them may show any answer, but the same one however it came about.
const OPEN: &[&str] = &[
    "SELECT word, last_value(id) OVER (PARTITION BY word ORDER BY length(word)) AS last FROM silver.t",
    "SELECT word, nth_value(id, 2) OVER (PARTITION BY word ORDER BY ratio) AS second FROM silver.t",
    "SELECT word, array_agg(id) OVER (PARTITION BY length(word) ORDER BY word) AS ids FROM silver.t",
    "SELECT id, max(amount) OVER (ORDER BY word RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS most FROM silver.t",
    "SELECT id, string_agg(amount::text, ',') OVER (ORDER BY ratio GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s \
     FROM silver.t",
];

const T: usize = 0;

#[tokio::test]
async fn what_a_query_leaves_open_is_the_same_in_a_view_that_was_kept_and_in_a_new_one() {
    let columns = [("id", Ty::Int4), ("word", Ty::Text), ("amount", Ty::Numeric), ("ratio", Ty::Float)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    for (i, sql) in OPEN.iter().enumerate() {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.kept{i} AS {sql}")).await;
    }
    for turn in 0..12_i32 {
        // Rows move about, many of them peers.
        let word = |id: i32| ["a", "b", "ab"][((id * turn) % 3) as usize];
        let amount = |id: i32| ["1", "1.0", "1.00", "NaN"][((id + turn) % 4) as usize];
        let moved = (0..40_i32).filter(|id| (id * 7 + turn) % 3 == 0);
        let mut changes: Vec<Change> = moved.map(|id| row!(T: id, word(id), amount(id), (id + turn) % 2)).collect();
        let gone = Change::Delete { table: T, cells: vec![Some(turn.to_string()), None, None, None] };
        changes.push(gone);
        rig.feed(Change::together(&changes, &tables)).await;
        for (i, sql) in OPEN.iter().enumerate() {
            rig.must(&format!("CREATE MATERIALIZED VIEW gold.fresh{i} AS {sql}")).await;
            let (kept, fresh) = (rig.held(&format!("gold.kept{i}")), rig.held(&format!("gold.fresh{i}")));
            let (mut kept, mut fresh) = (kept.expect("rows"), fresh.expect("rows"));
            kept.sort();
            fresh.sort();
            assert_eq!(kept, fresh, "turn {turn}: {sql}");
            rig.must(&format!("DROP MATERIALIZED VIEW gold.fresh{i}")).await;
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn views_that_were_wrong_once_stay_right() {
    let columns = [("id", Ty::Int4), ("word", Ty::Text), ("amount", Ty::Numeric), ("ratio", Ty::Float)];
    let columns = columns.map(|(name, ty)| (name.to_string(), ty)).to_vec();
    let tables = [Table::new("t".to_string(), columns, vec![0])];
    let gone = |id: i32| Change::Delete { table: T, cells: vec![Some(id.to_string()), None, None, None] };
    let ticks = [
        vec![],
        vec![row!(T: 1, "a", "1.0", "0"), row!(T: 2, "b", "1.00", "-0"), row!(T: 3, "a", "2", "NaN")],
        vec![row!(T: 2, "a", "1", "0"), row!(T: 4, "c", "2.50", "-0")],
        vec![gone(1), gone(4), row!(T: 3, "b", "2.0", "-0")],
        vec![gone(2), gone(3)],
        vec![row!(T: 5, "", "NaN", "-0"), row!(T: 6, "a", "0", "0")],
    ];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    for (i, sql) in VIEWS.iter().enumerate() {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.v{i} AS {sql}")).await;
    }
    for (tick, changes) in ticks.iter().enumerate() {
        rig.feed(Change::together(changes, &tables)).await;
        for (i, sql) in VIEWS.iter().enumerate() {
            assert_eq!(compare(&mut rig, &format!("gold.v{i}"), sql, true).await, Ok(Same::Rows), "tick {tick}: {sql}");
        }
    }
    rig.stop().await;
}
