//! After every tick of random changes each view holds what a batch run of its query gives.

use super::operator::Input;
use super::*;
use crate::catalog::NewRelation;
use crate::change::{RowId, Tick as TickNumber};
use crate::store::{RowOp, Table, TableDelta, TableSnapshot};
use crate::types::{PgType, oid};
use arrow::array::*;
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::HashMap;
use tokio::runtime::Runtime;

/// A generator of numbers that follow from a seed.
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

struct Snapshots(HashMap<Oid, TableSnapshot>);

impl Relations for Snapshots {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let table = &self.0[&oid];
        let rows = (0..table.chunks()).map(|i| table.chunk(i, None)).collect::<PgResult<Vec<_>>>()?;
        let schema = Arc::clone(table.schema().arrow());
        Ok(MemorySourceConfig::try_new_exec(&[rows], schema, projection.cloned())?)
    }
}

struct Kept {
    sql: String,
    view: View,
    plan: Plan,
    held: Table,
}

struct World {
    catalog: Catalog,
    session: SessionState,
    runtime: Runtime,
    tables: HashMap<Oid, Table>,
    named: HashMap<&'static str, Oid>,
    died: HashMap<Oid, Vec<RowId>>,
    before: HashMap<Oid, TableSnapshot>,
    views: Vec<Kept>,
}

const COLUMNS: &[(&str, &[(&str, Oid)])] = &[
    ("customers", &[("id", oid::INT8), ("segment", oid::TEXT), ("region", oid::INT4)]),
    (
        "orders",
        &[
            ("id", oid::INT8),
            ("customer_id", oid::INT8),
            ("amount", oid::INT8),
            ("qty", oid::INT4),
            ("status", oid::TEXT),
        ],
    ),
    (
        "payments",
        &[("id", oid::INT8), ("order_id", oid::INT8), ("paid", oid::INT8), ("rate", oid::FLOAT8), ("ok", oid::BOOL)],
    ),
];

impl World {
    fn new() -> Self {
        let mut catalog = Catalog::new([]);
        let schema = match catalog.namespace_named("silver") {
            Some(namespace) => namespace.oid,
            None => catalog.create_schema("silver").expect("a new schema"),
        };
        let (mut tables, mut named) = (HashMap::new(), HashMap::new());
        for (name, columns) in COLUMNS {
            let columns = columns.iter().map(|(name, oid)| Column::new(*name, PgType::new(*oid), true)).collect();
            let table = TableSchema::new(columns, vec![0]);
            let relation = NewRelation {
                schema,
                name: name.to_string(),
                kind: RelationKind::Silver,
                table: table.clone(),
                definition: None,
                search_path: vec![],
                depends_on: vec![],
            };
            let oid = catalog.create(relation).expect("a new table");
            let mut table = Table::new(Arc::new(table));
            table.set_retractions(false);
            tables.insert(oid, table);
            named.insert(*name, oid);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (died, before, views) = Default::default();
        Self { catalog, session: session(), runtime, tables, named, died, before, views }
    }

    fn note(&mut self, oid: Oid, delta: TableDelta) {
        self.died.entry(oid).or_default().extend(delta.dead);
    }

    /// Some random changes of a table, in one call.
    fn change(&mut self, dice: &mut Dice, name: &'static str, keys: u64) {
        let table = self.named[name];
        let rows = 1 + dice.below(6);
        let (mut values, mut ops): (Vec<Vec<Option<i64>>>, Vec<RowOp>) = (vec![], vec![]);
        for _ in 0..rows {
            let row = (0..5).map(|_| (!dice.one_in(6)).then(|| dice.below(5) as i64)).collect();
            values.push(row);
            ops.push(if dice.one_in(3) { RowOp::Delete } else { RowOp::Upsert });
        }
        let int8 = |c: usize, times: i64| -> ArrayRef {
            Arc::new(values.iter().map(|row| row[c].map(|v| v * times)).collect::<Int64Array>())
        };
        let int4 =
            |c: usize| -> ArrayRef { Arc::new(values.iter().map(|r| r[c].map(|v| v as i32)).collect::<Int32Array>()) };
        let text = |c: usize, words: [&'static str; 5]| -> ArrayRef {
            Arc::new(values.iter().map(|row| row[c].map(|v| words[v as usize])).collect::<StringArray>())
        };
        let ids: ArrayRef = Arc::new((0..rows).map(|_| Some(dice.below(keys) as i64)).collect::<Int64Array>());
        let columns = match name {
            "customers" => vec![ids, text(0, ["a", "b", "c", "a", "b"]), int4(1)],
            "orders" => vec![ids, int8(0, 3), int8(1, 7), int4(2), text(3, ["open", "paid", "open", "sent", "paid"])],
            _ => {
                let rate = values.iter().map(|row| row[2].map(|v| [0.1, 0.25, 0.3, -0.0, 0.0][v as usize]));
                let ok = values.iter().map(|row| row[3].map(|v| v > 2));
                let rate = Arc::new(rate.collect::<Float64Array>());
                vec![ids, int8(0, 2), int8(1, 1), rate, Arc::new(ok.collect::<BooleanArray>())]
            }
        };
        let schema = Arc::clone(self.tables[&table].schema().arrow());
        let rows = RecordBatch::try_new(schema, columns).expect("rows of the table");
        let stored = self.tables.get_mut(&table).expect("a table");
        let delta = match dice.one_in(60) {
            true => stored.truncate().expect("an empty table"),
            false => stored.apply(&rows, &ops, &[]).expect("changes by key"),
        };
        if dice.one_in(5) {
            while stored.maintain(1_000) {}
        }
        self.note(table, delta);
    }

    fn publish(&mut self) -> HashMap<Oid, TableSnapshot> {
        self.tables.iter_mut().map(|(oid, table)| (*oid, table.publish(TickNumber(1)))).collect()
    }

    fn inputs(&self, now: &HashMap<Oid, TableSnapshot>) -> HashMap<Oid, Input> {
        let input = |(oid, new): (&Oid, &TableSnapshot)| {
            let old = self.before.get(oid).unwrap_or(new).clone();
            let dead = self.died.get(oid).cloned().unwrap_or_default();
            (*oid, Input::hot(old, new.clone(), dead))
        };
        now.iter().map(input).collect()
    }

    fn create(&mut self, sql: &str) -> Result<(), String> {
        let schema = match self.catalog.namespace_named("gold") {
            Some(namespace) => namespace.oid,
            None => self.catalog.create_schema("gold").expect("a new schema"),
        };
        let path = vec!["silver".to_string()];
        let definition = define(sql, &path, &self.catalog, &[]).map_err(|error| format!("{sql}: {error:?}"))?;
        let relation = NewRelation {
            schema,
            name: format!("v{}", self.views.len()),
            kind: RelationKind::Gold,
            table: definition.schema,
            definition: Some(sql.to_string()),
            search_path: path,
            depends_on: vec![],
        };
        let oid = self.catalog.create(relation).expect("a new view");
        let view = View::bind(oid, &self.catalog, &self.session).map_err(|error| format!("{sql}: {error:?}"))?;
        let mut plan = view.compile(&self.catalog, &self.session).expect("a plan");
        for need in &plan.needs {
            self.tables.get_mut(&need.oid).expect("a table").ensure_index(&need.columns).expect("an index");
        }
        let now = self.publish();
        let inputs = self.inputs(&now);
        let tick = Tick {
            inputs: &inputs,
            relations: &|| Arc::new(Snapshots(now.clone())),
            session: &self.session,
            runtime: &self.runtime,
            watch: None,
        };
        let mut held = Table::bag(Arc::clone(&view.schema));
        if let Some(root) = &mut plan.root {
            let filled = root.hydrate(&tick, &mut |rows| held.append(&rows).map(drop));
            filled.map_err(|error| format!("{sql}: first run: {error:?}"))?;
        }
        held.publish(TickNumber(1));
        self.views.push(Kept { sql: sql.to_string(), view, plan, held });
        Ok(())
    }

    /// Steps every view and compares it with a batch run; those that went wrong are given and dropped.
    fn tick(&mut self) -> Vec<String> {
        let now = self.publish();
        let inputs = self.inputs(&now);
        let relations: Arc<dyn Relations> = Arc::new(Snapshots(now.clone()));
        let (session, runtime) = (&self.session, &self.runtime);
        let tick = Tick { inputs: &inputs, relations: &|| Arc::clone(&relations), session, runtime, watch: None };
        let mut failures = Vec::new();
        self.views.retain_mut(|kept| match kept.follow(&tick) {
            Ok(()) => true,
            Err(error) => {
                failures.push(error);
                false
            }
        });
        self.before = now;
        self.died.clear();
        failures
    }
}

impl Kept {
    fn follow(&mut self, tick: &Tick<'_>) -> Result<(), String> {
        let Some(root) = &mut self.plan.root else { return Ok(()) };
        let mut lines = vec![self.sql.clone()];
        root.explain(0, &mut lines);
        let plan = lines.join("\n");
        let wanted = tick.wait(self.view.compute((tick.relations)(), tick.session));
        let wanted = wanted.map_err(|error| format!("{plan}\nbatch run: {error:?}"))?;
        let delta = root.step(tick).map_err(|error| format!("{plan}\n{error:?}"))?;
        let applied = self.held.apply_weighted(&delta.rows, &delta.weights);
        applied.map_err(|error| format!("{plan}\n{error:?}"))?;
        let held = self.held.publish(TickNumber(1));
        match difference(&held, &wanted).expect("comparable rows") {
            None => Ok(()),
            Some(wrong) => {
                let rows = pretty_format_batches(std::slice::from_ref(&wrong.rows)).expect("rows as text");
                Err(format!("{plan}\nmust change by {:?} of\n{rows}", wrong.weights))
            }
        }
    }
}

/// One history of changes over several views; a view that goes wrong leaves, and says why.
fn run(seed: u64, ticks: u64, views: &[String], failures: &mut Vec<String>) {
    let mut world = World::new();
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let names = ["customers", "orders", "payments"];
    for _ in 0..dice.below(12) {
        let name = names[dice.below(3) as usize];
        world.change(&mut dice, name, 12);
    }
    failures.extend(views.iter().filter_map(|sql| world.create(sql).err()));
    world.before = world.publish();
    world.died.clear();
    for _ in 0..ticks {
        for _ in 0..1 + dice.below(3) {
            let name = names[dice.below(3) as usize];
            world.change(&mut dice, name, 12);
        }
        failures.extend(world.tick().into_iter().map(|error| format!("seed {seed}: {error}")));
    }
}

/// The views of a file in `cases`: one to a statement.
fn cases(file: &str) -> Vec<String> {
    let path = format!("{}/src/view/cases/{file}.sql", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.split(";\n").map(|sql| sql.trim().to_string()).filter(|sql| !sql.is_empty()).collect()
}

/// The views of a file over several histories (`SLUICE_VIEW_SEEDS`: how many). `whole`: every operator must have a rule.
fn property(file: &str, whole: bool) {
    let views = cases(file);
    let mut failures = Vec::new();
    let mut world = World::new();
    for sql in views.iter().filter(|_| whole) {
        if world.create(sql).is_ok()
            && let Some(kept) = world.views.last().filter(|kept| !kept.plan.reasons.is_empty())
        {
            failures.push(format!("{sql}\nhas no rule: {:?}", kept.plan.reasons));
        }
    }
    let seeds = std::env::var("SLUICE_VIEW_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    for seed in 1..=seeds {
        run(seed, 25, &views, &mut failures);
    }
    assert!(failures.is_empty(), "{} failures:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn filters_projections_and_unions_follow() {
    property("linear", true);
}

#[test]
fn joins_of_all_kinds_follow() {
    property("joins", true);
}

#[test]
fn aggregates_follow() {
    property("aggregates", true);
}

#[test]
fn groups_that_are_recomputed_follow() {
    property("groups", true);
}

#[test]
fn window_functions_follow() {
    property("windows", true);
}

#[test]
fn the_first_rows_of_partitions_are_kept_in_order() {
    let mut world = World::new();
    let ranked = cases("windows").into_iter().filter(|sql| sql.contains(" x ")).collect::<Vec<_>>();
    assert!(ranked.len() >= 6);
    for sql in ranked {
        world.create(&sql).expect("a view");
        let mut lines = Vec::new();
        let plan = &world.views.last().expect("the view").plan;
        plan.root.as_ref().expect("it has rules").explain(0, &mut lines);
        assert!(lines.iter().any(|line| line.contains("row_number up to")), "{sql}\n{}", lines.join("\n"));
    }
}

#[test]
fn only_rows_that_come_and_go_cancel() {
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![
        arrow::datatypes::Field::new("a", arrow::datatypes::DataType::Int64, true),
        arrow::datatypes::Field::new("b", arrow::datatypes::DataType::Utf8, true),
    ]));
    let bytes = super::delta::RowBytes::new(&schema).expect("an encoding");
    let mut dice = Dice(0x5eed);
    for _ in 0..200 {
        let rows = dice.below(12) as usize;
        let a: Int64Array = (0..rows).map(|_| Some(dice.below(3) as i64).filter(|v| *v > 0)).collect();
        let b: StringArray = (0..rows).map(|_| ["x", "y"].get(dice.below(3) as usize).copied()).collect();
        let weights: Vec<i64> = (0..rows).map(|_| [-2, -1, 1, 2][dice.below(4) as usize]).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(a), Arc::new(b)]).expect("a batch");
        let delta = Delta { rows: batch, weights };
        let cancelled = super::delta::cancel(delta.clone()).expect("a delta");
        // The same multiset, and no row in it both comes and goes.
        let sorted = |delta: Delta| {
            let delta = bytes.consolidate(delta).expect("a delta");
            let rows = bytes.encode(delta.rows.columns()).expect("bytes");
            let mut all: Vec<_> = rows.iter().map(|row| row.data().to_vec()).zip(delta.weights).collect();
            all.sort();
            all
        };
        let encoded = bytes.encode(cancelled.rows.columns()).expect("bytes");
        let mut signs: HashMap<Vec<u8>, i64> = HashMap::new();
        for (row, weight) in encoded.iter().zip(&cancelled.weights) {
            let sign = signs.entry(row.data().to_vec()).or_insert(weight.signum());
            assert_eq!(*sign, weight.signum(), "a row comes and goes");
        }
        assert_eq!(sorted(cancelled), sorted(delta));
    }
}

#[test]
fn limits_and_set_returning_functions_follow() {
    property("tops", true);
}

#[test]
fn what_has_no_rule_is_recomputed() {
    property("recomputed", false);
}
