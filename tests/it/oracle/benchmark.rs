//! What the known sets of queries have in common: all as views, compared after each tick.

use super::compare::{Same, compare};
use super::rig::Rig;
use super::tables::{Change, Table, announced};

/// The queries of a folder, with their names.
macro_rules! queries {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!($folder, "/", $name, ".sql")))),*]
    };
}
pub(super) use queries;

/// A row's cells from anything that can be shown.
macro_rules! row {
    ($table:ident: $($cell:expr),* $(,)?) => {
        Change::Upsert { table: $table, cells: vec![$(Some($cell.to_string())),*] }
    };
}
pub(super) use row;

/// Loads the rows, creates a view for each query and follows the ticks. Every view must have something to lose.
pub async fn follow(tables: &[Table], queries: &[(&str, &str)], rows: &[Change], ticks: &[Vec<Change>]) {
    let mut rig = Rig::start().await;
    rig.feed(announced(tables)).await;
    rig.feed(Change::together(rows, tables)).await;
    rig.must("SET search_path = silver").await;
    rig.must("BEGIN").await;
    for (name, sql) in queries {
        rig.must(&format!("CREATE MATERIALIZED VIEW gold.{name} AS {sql}")).await;
    }
    rig.must("COMMIT").await;
    for (name, _) in queries {
        let rows = rig.must(&format!("SELECT * FROM gold.{name}")).await;
        assert!(rows.iter().flatten().any(Option::is_some), "gold.{name} has no answer: {rows:?}");
    }
    check(&mut rig, queries, "the creation").await;
    for (i, changes) in ticks.iter().enumerate() {
        rig.feed(Change::together(changes, tables)).await;
        check(&mut rig, queries, &format!("tick {}", i + 1)).await;
    }
    rig.stop().await;
}

async fn check(rig: &mut Rig, queries: &[(&str, &str)], after: &str) {
    for (name, sql) in queries {
        match compare(rig, &format!("gold.{name}"), sql, false).await {
            Ok(Same::Rows) => {}
            Ok(Same::Error) => panic!("after {after}: {name} is in error"),
            Err(difference) => panic!("after {after}: {difference}"),
        }
    }
}
