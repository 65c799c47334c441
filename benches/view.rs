//! What a tick costs a gold view: `cargo xtask bench view [orders...] [changes=N,...]` (100k and 1M orders by default). CPU of the thread that
//! does it, the view's own rows included; the tables' are not. Beside it, from the same run, what a recomputation costs.
//!
//! The view: payments ⋈ orders ⋈ customers by segment and minute, with count, sum and avg. As many payments as orders, a
//! tenth as many customers. A tick changes payments (new ones, and corrections of old ones), orders that change
//! their customer.

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice::bind::Relations;
use sluice::catalog::{Catalog, NewRelation, RelationKind};
use sluice::change::{RowId, Tick as TickNumber};
use sluice::store::{RowOp, Table, TableSnapshot};
use sluice::types::{Column, Oid, PgType, TableSchema, oid};
use sluice::view::{self, Input, Plan, Tick, View};
use std::collections::HashMap;
use std::sync::Arc;

#[path = "shared/cpu.rs"]
mod cpu;
use cpu::Cpu;

const SQL: &str = "SELECT c.segment, date_trunc('minute', p.paid_at) AS minute, count(*) AS n, sum(p.amount) AS total, \
     avg(p.amount) AS mean FROM payments p JOIN orders o ON o.id = p.order_id \
     JOIN customers c ON c.id = o.customer_id GROUP BY 1, 2";

/// What a recomputation reads; incremental work reads no relation through a plan.
struct Snapshots(HashMap<Oid, TableSnapshot>);

impl Relations for Snapshots {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let table = &self.0[&oid];
        let columns = projection.cloned().unwrap_or_else(|| (0..table.schema().columns.len()).collect());
        let rows: Result<Vec<_>, _> = (0..table.chunks()).map(|i| table.chunk(i, Some(&columns))).collect();
        let schema = Arc::new(table.schema().arrow().project(&columns)?);
        Ok(MemorySourceConfig::try_new_exec(&[rows?], schema, None)?)
    }
}

struct World {
    tables: [Table; 3],
    oids: [Oid; 3],
    died: [Vec<RowId>; 3],
    before: Vec<TableSnapshot>,
    orders: i64,
    payments: i64,
    dice: StdRng,
}

const CUSTOMERS: usize = 0;
const ORDERS: usize = 1;
const PAYMENTS: usize = 2;

impl World {
    fn new(orders: i64) -> (Self, Catalog) {
        let mut catalog = Catalog::new([]);
        let schema = catalog.create_schema("shop").expect("a new schema");
        let columns: [&[(&str, PgType)]; 3] = [
            &[("id", PgType::new(oid::INT8)), ("segment", PgType::new(oid::TEXT)), ("name", PgType::new(oid::TEXT))],
            &[
                ("id", PgType::new(oid::INT8)),
                ("customer_id", PgType::new(oid::INT8)),
                ("status", PgType::new(oid::TEXT)),
            ],
            &[
                ("id", PgType::new(oid::INT8)),
                ("order_id", PgType::new(oid::INT8)),
                ("amount", PgType::numeric(12, 2)),
                ("paid_at", PgType::new(oid::TIMESTAMP)),
            ],
        ];
        let mut oids = [Oid(0); 3];
        let tables = std::array::from_fn(|i| {
            let columns = columns[i].iter().map(|(name, ty)| Column::new(*name, *ty, true)).collect();
            let table = TableSchema::new(columns, vec![0]);
            let new = NewRelation {
                schema,
                name: ["customers", "orders", "payments"][i].to_string(),
                kind: RelationKind::Silver,
                table: table.clone(),
                definition: None,
                search_path: vec![],
                depends_on: vec![],
            };
            oids[i] = catalog.create(new).expect("a new table");
            let mut table = Table::new(Arc::new(table));
            table.set_retractions(false);
            table
        });
        let mut world = Self {
            tables,
            oids,
            died: Default::default(),
            before: vec![],
            orders,
            payments: 0,
            dice: StdRng::seed_from_u64(7),
        };
        let ids: Vec<i64> = (0..orders).collect();
        for part in ids[..(orders / 10) as usize].chunks(10_000) {
            world.customers(part);
        }
        for part in ids.chunks(10_000) {
            world.orders(part);
            world.payments(part);
        }
        world.payments = orders;
        world.publish();
        world.settle();
        (world, catalog)
    }

    fn apply(&mut self, table: usize, columns: Vec<ArrayRef>) {
        let schema = Arc::clone(self.tables[table].schema().arrow());
        let rows = RecordBatch::try_new(schema, columns).expect("rows of the table");
        let ops = vec![RowOp::Upsert; rows.num_rows()];
        let delta = self.tables[table].apply(&rows, &ops, &[]).expect("changes by key");
        self.died[table].extend(delta.dead);
    }

    fn customers(&mut self, ids: &[i64]) {
        let segments = ["retail", "wholesale", "online", "partner"];
        let segment = ids.iter().map(|_| segments[self.dice.random_range(0..4)]);
        let segment: ArrayRef = Arc::new(StringArray::from_iter_values(segment));
        let name: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|id| format!("customer {id}"))));
        self.apply(CUSTOMERS, vec![Arc::new(Int64Array::from(ids.to_vec())), segment, name]);
    }

    fn orders(&mut self, ids: &[i64]) {
        let customers = self.orders / 10;
        let customer = Int64Array::from_iter_values(ids.iter().map(|_| self.dice.random_range(0..customers)));
        let status: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().map(|_| "open")));
        self.apply(ORDERS, vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(customer), status]);
    }

    fn payments(&mut self, ids: &[i64]) {
        let orders = self.orders;
        let order = Int64Array::from_iter_values(ids.iter().map(|_| self.dice.random_range(0..orders)));
        let amount = Decimal128Array::from_iter_values(ids.iter().map(|_| self.dice.random_range(100..100_000i128)));
        let amount = amount.with_precision_and_scale(12, 2).expect("12 digits with 2 decimals");
        let minute = |_| 1_700_000_000_000_000 + self.dice.random_range(0..1_000i64) * 60_000_000;
        let paid_at = TimestampMicrosecondArray::from_iter_values(ids.iter().map(minute));
        let id = Int64Array::from(ids.to_vec());
        self.apply(PAYMENTS, vec![Arc::new(id), Arc::new(order), Arc::new(amount), Arc::new(paid_at)]);
    }

    /// A tick of `count` changes: 70 % new payments, 20 % corrected ones, 10 % orders with another customer.
    fn change(&mut self, count: i64) {
        let new: Vec<i64> = (0..(count * 7 + 9) / 10).map(|i| self.payments + i).collect();
        self.payments += new.len() as i64;
        self.payments(&new);
        let mut some =
            |count: i64, of: i64| -> Vec<i64> { (0..count).map(|_| self.dice.random_range(0..of)).collect() };
        let (old, orders) = (some(count * 2 / 10, self.orders), some(count / 10, self.orders));
        if !old.is_empty() {
            self.payments(&old);
        }
        if !orders.is_empty() {
            self.orders(&orders);
        }
    }

    fn publish(&mut self) -> Vec<TableSnapshot> {
        let now: Vec<TableSnapshot> = self.tables.iter_mut().map(|table| table.publish(TickNumber(1))).collect();
        if self.before.is_empty() {
            self.before = now.clone();
        }
        now
    }

    fn inputs(&mut self, now: &[TableSnapshot]) -> HashMap<Oid, Input> {
        let input = |i: usize| {
            let (old, new) = (self.before[i].clone(), now[i].clone());
            (self.oids[i], Input::hot(old, new, std::mem::take(&mut self.died[i])))
        };
        (0..3).map(input).collect()
    }

    fn settle(&mut self) {
        self.before = self.tables.iter_mut().map(|table| table.publish(TickNumber(1))).collect();
        self.died = Default::default();
        for table in &mut self.tables {
            table.maintain(65_536);
        }
    }
}

struct Kept {
    plan: Plan,
    held: Table,
}

fn bind(catalog: &mut Catalog, session: &datafusion::execution::context::SessionState) -> View {
    let schema = catalog.create_schema("gold_bench").expect("a new schema");
    let path = vec!["shop".to_string()];
    let table = view::define(SQL, &path, catalog, &[]).expect("a query").schema;
    let new = NewRelation {
        schema,
        name: "by_segment".to_string(),
        kind: RelationKind::Gold,
        table,
        definition: Some(SQL.to_string()),
        search_path: path,
        depends_on: vec![],
    };
    let oid = catalog.create(new).expect("a new view");
    View::bind(oid, catalog, session).expect("a view")
}

fn measure(orders: i64, sizes: &[i64]) {
    let (mut world, mut catalog) = World::new(orders);
    let session = view::session();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let view = bind(&mut catalog, &session);
    let mut kept =
        Kept { plan: view.compile(&catalog, &session).expect("a plan"), held: Table::bag(Arc::clone(&view.schema)) };
    // As the engine keeps gold.
    kept.held.set_retractions(false);
    for need in &kept.plan.needs {
        let table = world.oids.iter().position(|oid| *oid == need.oid).expect("a table of ours");
        world.tables[table].ensure_index(&need.columns).expect("an index");
    }
    let root = kept.plan.root.as_mut().expect("a view with rules");
    let mut step = |world: &mut World, first: bool| -> (u64, usize) {
        let now = world.publish();
        let inputs = world.inputs(&now);
        let tick =
            Tick { inputs: &inputs, relations: &|| unreachable!(), session: &session, runtime: &runtime, watch: None };
        let start = Cpu::now();
        let rows = match first {
            true => {
                let held = &mut kept.held;
                root.hydrate(&tick, &mut |rows| held.append(&rows).map(drop)).expect("a first run");
                held.len()
            }
            false => {
                let delta = root.step(&tick).expect("a step");
                kept.held.apply_weighted(&delta.rows, &delta.weights).expect("a delta of these rows");
                delta.len()
            }
        };
        kept.held.publish(TickNumber(1));
        let took = start.elapsed().as_nanos() as u64;
        drop(inputs);
        world.settle();
        kept.held.maintain(65_536);
        (took, rows)
    };
    let (took, rows) = step(&mut world, true);
    println!("{orders:>9} orders: first run {:.2} s, {rows} groups", took as f64 / 1e9);
    for changes in sizes {
        let (changes, ticks) = (*changes, (100_000 / changes).clamp(20, 2_000) as usize);
        let mut times = Vec::with_capacity(ticks);
        let mut rows = 0;
        for _ in 0..ticks {
            world.change(changes);
            let (took, changed) = step(&mut world, false);
            times.push(took);
            rows += changed;
        }
        times.sort_unstable();
        println!(
            "{orders:>9} orders: a tick of {changes:>6} changes: median {:>8.3} ms, p95 {:>8.3} ms, {} rows of gold",
            times[times.len() / 2] as f64 / 1e6,
            times[times.len() * 95 / 100] as f64 / 1e6,
            rows / ticks
        );
    }
    let relations = world.oids.into_iter().zip(world.before.iter().cloned()).collect();
    let relations: Arc<dyn Relations> = Arc::new(Snapshots(relations));
    let mut times: Vec<u128> = (0..5)
        .map(|_| {
            let start = Cpu::now();
            runtime.block_on(view.compute(Arc::clone(&relations), &session)).expect("rows");
            start.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    println!("{orders:>9} orders: a recomputation: median {:>8.3} ms", times[2] as f64 / 1e3);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers = |text: &str| -> Vec<i64> { text.split(',').filter_map(|word| word.parse().ok()).collect() };
    let mut orders: Vec<i64> = args.iter().filter(|arg| !arg.contains('=')).flat_map(|arg| numbers(arg)).collect();
    if orders.is_empty() {
        orders = vec![100_000, 1_000_000];
    }
    let sizes = args.iter().find_map(|arg| arg.strip_prefix("changes=")).map(numbers);
    let sizes = sizes.unwrap_or_else(|| vec![1, 10, 100, 1_000, 10_000]);
    orders.into_iter().for_each(|orders| measure(orders, &sizes));
}
