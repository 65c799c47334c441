//! What random cases are made of: each construct must occur in a run of many, or the run says little.

use super::tables::{Change, Kind, Table};
use std::collections::{BTreeMap, BTreeSet};

/// How often each construct was seen.
pub type Counts = BTreeMap<&'static str, u64>;

/// What views are made of, as the grammar calls it.
const VIEWS: &[&str] = &[
    // Relations and joins.
    "filter",
    "subquery in FROM",
    "with",
    "values",
    "recursive",
    "lateral",
    "view over view",
    "plain view",
    "bronze table",
    "managed table",
    "inner join",
    "left join",
    "right join",
    "full join",
    "cross join",
    "self join",
    "join with a further condition",
    "join on two equalities",
    "join without an equality",
    "set-returning function",
    "set-returning function in the list",
    // Subqueries in expressions.
    "IN",
    "NOT IN",
    "= ANY",
    "< ALL",
    "correlated IN",
    "EXISTS",
    "NOT EXISTS",
    "scalar subquery",
    "correlated scalar subquery",
    "scalar subquery with LIMIT 1",
    // Aggregates.
    "aggregate of all rows",
    "aggregate by groups",
    "grouping sets",
    "rollup",
    "cube",
    "having",
    "FILTER",
    "count",
    "sum",
    "avg",
    "sum of floats",
    "avg of floats",
    "avg of numerics",
    "sum of intervals",
    "min and max",
    "bool_and and bool_or",
    "bit_and and bit_or",
    "variance and stddev",
    "count distinct",
    "count distinct rows",
    "sum distinct",
    "avg distinct",
    "max distinct",
    "array_agg",
    "array_agg in another order",
    "string_agg",
    "bytea_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "percentile",
    "mode",
    // Sets and limits.
    "distinct",
    "distinct on",
    "union all",
    "union",
    "intersect",
    "except",
    "intersect all",
    "except all",
    "top",
    "top with ties",
    "top of tied rows",
    // Window functions and frames.
    "row_number",
    "rank and dense_rank",
    "first rows of each partition",
    "rows kept by a window's result",
    "lag and lead",
    "lag and lead with an offset",
    "first_value and last_value",
    "nth_value",
    "ntile",
    "cume_dist and percent_rank",
    "running aggregate",
    "running extremes",
    "running average",
    "running array_agg",
    "aggregate over a partition",
    "count over a partition",
    "aggregate over a partition with FILTER",
    "aggregate over peers",
    "aggregate over a frame of rows",
    "aggregate that takes nothing back over a frame",
    "RANGE frame with an offset",
    "GROUPS frame",
    "frame with EXCLUDE",
    // Expressions.
    "case",
    "arithmetic and functions",
    "may fail over a row",
];

/// What happens to tables and engines.
const CHANGES: &[&str] = &[
    "insert",
    "update",
    "delete",
    "delete of no row",
    "insert of a key that was there before",
    "row under another key",
    "equal rows without a key",
    "row twice in one tick",
    "truncate",
    "NULL",
    "NaN",
    "several tables in one tick",
    "rows of bronze",
    "statement's insert",
    "statement's update",
    "statement's delete",
    "column added",
    "column widened",
    "column no longer sent",
    "column dropped",
    "column retyped",
    "column renamed",
    "table renamed",
    "restart",
    "restart that fills beside",
];

/// What queries gave, and views with them.
const RESULTS: &[&str] = &["rows", "no rows", "NaN shown", "division by zero", "out of range", "invalid text"];

/// The constructs that were never seen.
pub fn missing(seen: &Counts) -> Vec<&'static str> {
    let all = [VIEWS, CHANGES, RESULTS].concat();
    all.into_iter().filter(|name| seen.get(name).is_none_or(|count| *count == 0)).collect()
}

/// What the keys of a case's tables have been through; all cells are the key of a table that has none.
#[derive(Default)]
pub struct Keys(BTreeMap<usize, Lives>);

#[derive(Default)]
struct Lives {
    live: BTreeSet<Vec<Option<String>>>,
    gone: BTreeSet<Vec<Option<String>>>,
}

impl Keys {
    /// Notes the changes of one tick.
    pub fn note(&mut self, changes: &[Change], tables: &[Table], seen: &mut Counts) {
        let mut note = |name| *seen.entry(name).or_default() += 1;
        let touched: BTreeSet<usize> = changes.iter().map(Change::table).collect();
        if touched.len() > 1 {
            note("several tables in one tick");
        }
        for at in touched {
            let (table, Lives { live, gone }) = (&tables[at], self.0.entry(at).or_default());
            let key = |cells: &[Option<String>]| match table.key.is_empty() {
                true => cells.to_vec(),
                false => table.key.iter().map(|k| cells[*k].clone()).collect(),
            };
            let mut met = BTreeSet::new();
            // The row that the change before deleted.
            let mut before = None;
            for change in changes.iter().filter(|change| change.table() == at) {
                let deleted = before.take();
                match change {
                    Change::Upsert { cells, .. } => {
                        let key = key(cells);
                        let once = live.insert(key.clone());
                        let is_keyed = !table.key.is_empty();
                        let facts = [
                            ("NULL", cells.iter().any(Option::is_none)),
                            ("NaN", cells.iter().flatten().any(|cell| cell == "NaN")),
                            ("rows of bronze", table.kind == Kind::Bronze),
                            ("statement's insert", table.kind == Kind::Managed),
                            ("equal rows without a key", !is_keyed && !once),
                            ("insert of a key that was there before", is_keyed && gone.remove(&key)),
                            ("row twice in one tick", is_keyed && !met.insert(key.clone())),
                            ("row under another key", is_keyed && deleted.is_some_and(|other| other != key)),
                            ("insert", once),
                            ("update", is_keyed && !once),
                        ];
                        facts.into_iter().filter(|(_, is)| *is).for_each(|(name, _)| note(name));
                    }
                    Change::Delete { cells, .. } => {
                        if table.kind == Kind::Managed {
                            note("statement's delete");
                        }
                        let key = key(cells);
                        met.insert(key.clone());
                        if live.remove(&key) {
                            gone.insert(key.clone());
                            before = Some(key);
                            note("delete");
                        } else {
                            note("delete of no row");
                        }
                    }
                    Change::Truncate { .. } => {
                        note("truncate");
                        gone.append(live);
                    }
                    Change::Update { .. } => note("statement's update"),
                }
            }
        }
    }
}
