//! The hot store's figures: `cargo bench --bench store [-- rows]` (10M rows by default).
//!
//! A row has 8 columns and 132 bytes of Arrow data: a key, a customer, a status, an amount, two times, a counter and a
//! text. Every figure is printed beside what is asked of it. Times are the thread's CPU, so that a busy machine does not count;
//! what its neighbours do to the caches does.

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use hashbrown::HashTable;
use rand::{Rng, SeedableRng};
use sluice::change::Tick;
use sluice::store::{RowOp, Table, TableSnapshot};
use sluice::types::{Column, PgType, TableSchema, oid};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

#[path = "shared/cpu.rs"]
mod cpu;
use cpu::Cpu;

const BATCH: usize = 1_000;

fn schema() -> Arc<TableSchema> {
    let column = |name: &str, ty| Column::new(name, ty, true);
    let columns = vec![
        column("id", PgType::new(oid::INT8)),
        column("customer", PgType::new(oid::INT8)),
        column("status", PgType::new(oid::TEXT)),
        column("amount", PgType::numeric(12, 2)),
        column("created", PgType::new(oid::TIMESTAMPTZ)),
        column("updated", PgType::new(oid::TIMESTAMPTZ)),
        column("version", PgType::new(oid::INT4)),
        column("note", PgType::new(oid::TEXT)),
    ];
    Arc::new(TableSchema::new(columns, vec![0]))
}

fn batch(schema: &TableSchema, ids: &[i64], version: i32) -> RecordBatch {
    let note = "a note that a person wrote about this order, with some words in it: ";
    let times = |shift: i64| -> ArrayRef {
        let values = ids.iter().map(|id| 1_700_000_000_000_000 + id * 1_000 + shift);
        Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let amount = Decimal128Array::from_iter_values(ids.iter().map(|id| i128::from(id % 100_000)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids.to_vec())),
        Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| id % 100_003))),
        Arc::new(StringArray::from_iter_values(ids.iter().map(|id| ["open", "paid", "sent"][*id as usize % 3]))),
        Arc::new(amount.with_precision_and_scale(12, 2).expect("12 digits with 2 decimals are valid")),
        times(0),
        times(i64::from(version)),
        Arc::new(Int32Array::from(vec![version; ids.len()])),
        Arc::new(StringArray::from_iter_values(ids.iter().map(|_| note))),
    ];
    RecordBatch::try_new(Arc::clone(schema.arrow()), columns).expect("the columns follow the schema")
}

fn report(what: &str, measured: String, asked: &str) {
    println!("{what:<64} {measured:>28}   {asked}");
}

fn tidy(table: &mut Table) -> Duration {
    let start = Cpu::now();
    while table.maintain(1 << 20) {}
    start.elapsed()
}

/// Inserts rows with ids from 0 on; gives the time that this took.
fn fill(table: &mut Table, schema: &TableSchema, rows: usize) -> Duration {
    let mut inserting = Duration::ZERO;
    for start in (0..rows).step_by(16_384) {
        let ids: Vec<i64> = (start..rows.min(start + 16_384)).map(|id| id as i64).collect();
        let rows = batch(schema, &ids, 0);
        let ops = vec![RowOp::Upsert; ids.len()];
        let start = Cpu::now();
        table.apply(&rows, &ops, &[]).expect("the rows fit");
        inserting += start.elapsed();
    }
    inserting
}

/// The sum of the amounts, as a query would read them.
fn total(snapshot: &TableSnapshot) -> i128 {
    let of_chunk = |i: usize| sum(snapshot.chunk(i, Some(&[3])).expect("the chunk is there").column(0));
    (0..snapshot.chunks()).map(of_chunk).sum()
}

fn sum(amounts: &ArrayRef) -> i128 {
    let amounts = amounts.as_any().downcast_ref::<Decimal128Array>().expect("amount is a decimal");
    arrow::compute::sum(amounts).unwrap_or(0)
}

fn best<T>(mut run: impl FnMut() -> T) -> Duration {
    let once = || {
        let start = Cpu::now();
        black_box(run());
        start.elapsed()
    };
    std::iter::repeat_with(once).take(5).min().expect("five runs")
}

/// Upserts of known keys in batches, each published with the last snapshot held and followed by some maintenance, as
/// the engine does it. Gives the time of the ticks and of the maintenance.
fn upserts(table: &mut Table, batches: &[RecordBatch]) -> (Duration, Duration) {
    let (mut ticks, mut background) = (Duration::ZERO, Duration::ZERO);
    let mut current = table.publish(Tick(0));
    for (tick, rows) in batches.iter().enumerate() {
        let ops = vec![RowOp::Upsert; rows.num_rows()];
        let start = Cpu::now();
        black_box(table.apply(rows, &ops, &[]).expect("the rows fit"));
        current = table.publish(Tick(tick as u64));
        let applied = Cpu::now();
        table.maintain(2 * rows.num_rows());
        ticks += applied.0 - start.0;
        background += applied.elapsed();
    }
    black_box(current);
    (ticks, background)
}

/// The same for batches of one row, without maintenance and then with it: to ask for the time of each call would cost as much as
/// maintenance does.
fn one_row_commits(table: &mut Table, rows: &[RecordBatch]) -> [Duration; 2] {
    let mut run = |rows: &[RecordBatch], is_tidied: bool| {
        let mut current = table.publish(Tick(0));
        let start = Cpu::now();
        for (tick, rows) in rows.iter().enumerate() {
            black_box(table.apply(rows, &[RowOp::Upsert], &[]).expect("the rows fit"));
            current = table.publish(Tick(tick as u64));
            if is_tidied {
                table.maintain(2);
            }
        }
        black_box(current);
        start.elapsed()
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    [run(first, false), run(second, true)]
}

/// What this machine does at this time with the simplest code, to compare by.
struct Yardstick {
    /// Updates of a hash map of as many keys as the table has, a second: one after the other, nothing asked for ahead.
    updates: f64,
    /// A read that waits for the one before, anywhere in 160 MB, in seconds.
    read: f64,
    /// Bytes copied a second, from 64 MB to 64 MB.
    copied: f64,
}

impl Yardstick {
    fn measure(rows: usize) -> Self {
        const COUNT: usize = 1_000_000;
        let mut rng = rand::rngs::StdRng::seed_from_u64(11);
        let spread = |key: i64| (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut map: HashTable<(i64, i64)> = HashTable::with_capacity(rows);
        (0..rows as i64).for_each(|key| {
            map.insert_unique(spread(key), (key, 0), |(key, _)| spread(*key));
        });
        let keys: Vec<i64> = (0..COUNT).map(|_| rng.random_range(0..rows as i64)).collect();
        let update = |map: &mut HashTable<(i64, i64)>| {
            for (nth, key) in keys.iter().enumerate() {
                if let Some(entry) = map.find_mut(spread(*key), |(other, _)| other == key) {
                    entry.1 = nth as i64;
                }
            }
        };
        let updates = COUNT as f64 / best(|| update(&mut map)).as_secs_f64();
        drop(map);

        let words: Vec<u32> = (0..40_000_000).map(|_| rng.random_range(0..40_000_000)).collect();
        // Steps go on elsewhere each time: where one read alone says where the next one is, a walk ends in a small circle.
        let next = |at: usize, step: usize| (words[at] as usize + step * 7_919) % words.len();
        let read = best(|| (0..COUNT).fold(0, next)).as_secs_f64() / COUNT as f64;
        drop(words);

        let (from, mut to) = (vec![1u8; 64 << 20], vec![2u8; 64 << 20]);
        let copied = from.len() as f64
            / best(|| {
                to.copy_from_slice(black_box(&from));
                black_box(&to);
            })
            .as_secs_f64();
        Self { updates, read, copied }
    }

    fn print(&self, when: &str) {
        let Self { updates, read, copied } = self;
        println!(
            "yardstick {when}: {:.2}M updates/s of a hash map, {:.0} ns a random read, {:.1} GB/s copied",
            updates / 1e6,
            read * 1e9,
            copied / 1e9
        );
    }
}

fn main() {
    let rows: usize = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(10_000_000);
    let schema = schema();
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let mut table = Table::new(Arc::clone(&schema));
    println!("{rows} rows");
    let yardstick = Yardstick::measure(rows);
    yardstick.print("before");
    // To the updates of a hash map.
    let updates = |rows: usize, time: Duration| {
        let rate = rows as f64 / time.as_secs_f64();
        format!("{:.2}M/s, {:.2} x map", rate / 1e6, rate / yardstick.updates)
    };
    // In random reads.
    let reads = |time: Duration, count: usize| {
        let one = time.as_secs_f64() / count as f64;
        format!("{:.3} µs, {:.1} reads", one * 1e6, one / yardstick.read)
    };

    let inserting = fill(&mut table, &schema, rows);
    report("insert, batches of 16,384", updates(rows, inserting), "");
    tidy(&mut table);
    let memory = table.memory();
    report("data, bytes a row", format!("{}", memory.data / rows), "132");
    report("all, bytes a row", format!("{}", memory.total() / rows), "<= 200");

    let pinned = table.publish(Tick(0));
    let plain: Vec<RecordBatch> =
        (0..pinned.chunks()).map(|i| pinned.chunk(i, None).expect("the chunk is there")).collect();
    let of_plain = best(|| plain.iter().map(|batch| sum(batch.column(3))).sum::<i128>());
    let whole = best(|| total(&pinned));
    let ratio = |time: Duration| format!("{:.2}", time.as_secs_f64() / of_plain.as_secs_f64());
    report("sum of a column without dead rows, to plain Arrow", ratio(whole), "<= 1.05");

    let keys: Vec<ArrayRef> =
        (0..100_000).map(|_| Arc::new(Int64Array::from(vec![rng.random_range(0..rows as i64)])) as ArrayRef).collect();
    let start = Cpu::now();
    for key in &keys {
        black_box(pinned.lookup(std::slice::from_ref(key), None).expect("a look-up by key"));
    }
    report("look-up of one key with its row as a batch", reads(start.elapsed(), keys.len()), "0.6-1 µs");
    let many: ArrayRef = Arc::new(Int64Array::from_iter_values((0..100_000).map(|_| rng.random_range(0..rows as i64))));
    let start = Cpu::now();
    black_box(pinned.lookup_each(&[many], Some(&[0])).expect("a look-up by key"));
    report("look-up of 100,000 keys at once, each", reads(start.elapsed(), 100_000), "< 0.2 µs");

    for retractions in [true, false] {
        table.set_retractions(retractions);
        let batches: Vec<RecordBatch> = (0..1_000)
            .map(|version| {
                let ids: Vec<i64> = (0..BATCH).map(|_| rng.random_range(0..rows as i64)).collect();
                batch(&schema, &ids, version)
            })
            .collect();
        let (ticks, background) = upserts(&mut table, &batches);
        let with = if retractions { "with retracted rows" } else { "without retracted rows" };
        report(&format!("upserts of 1,000, a snapshot pinned, {with}"), updates(BATCH * 1_000, ticks), ">= 2.5M/s");
        report("  with their maintenance", updates(BATCH * 1_000, ticks + background), "");
    }
    for retractions in [true, false] {
        table.set_retractions(retractions);
        let singles: Vec<RecordBatch> =
            (0..20_000).map(|version| batch(&schema, &[rng.random_range(0..rows as i64)], version)).collect();
        let [alone, tidied] = one_row_commits(&mut table, &singles);
        let with = if retractions { "with" } else { "without" };
        report(&format!("a one-row commit, {with} the retracted row"), reads(alone, singles.len() / 2), "< 10 µs");
        report("  with its maintenance", reads(tidied, singles.len() / 2), "");
    }
    table.set_retractions(true);
    drop((pinned, plain));
    let time = tidy(&mut table);
    report("compaction to the end", format!("{:.0} ms", time.as_secs_f64() * 1e3), "");
    report("all, bytes a row, after upserts", format!("{}", table.memory().total() / rows), "<= 200");

    drop(table);
    let mut table = Table::new(Arc::clone(&schema));
    fill(&mut table, &schema, rows);
    tidy(&mut table);
    let compacted = table.publish(Tick(0));
    let plain: Vec<RecordBatch> =
        (0..compacted.chunks()).map(|i| compacted.chunk(i, None).expect("the chunk is there")).collect();
    let of_plain = best(|| plain.iter().map(|batch| sum(batch.column(3))).sum::<i128>());
    drop(plain);
    let gone: Vec<i64> = (0..rows as i64).filter(|_| rng.random_range(0..10) == 0).collect();
    for ids in gone.chunks(16_384) {
        let ops = vec![RowOp::Delete; ids.len()];
        table.apply(&batch(&schema, ids, 0), &ops, &[]).expect("the rows fit");
    }
    let holed = table.publish(Tick(1));
    let first = Cpu::now();
    black_box(total(&holed));
    let first = first.elapsed();
    let again = best(|| total(&holed));
    let ratio = |time: Duration| format!("{:.2}", time.as_secs_f64() / of_plain.as_secs_f64());
    report("sum of a column with 10 % dead, to plain Arrow, first scan", ratio(first), "");
    report("  next scans", ratio(again), "<= 1.5 for an aggregate query");
    black_box(holed.len());
    drop((table, holed, compacted));
    Yardstick::measure(rows).print("after");
}
