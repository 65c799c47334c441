use super::maintain::Policy;
use super::*;
use crate::change::Tick;
use crate::types::{Column, PgError, PgResult, PgType, TableSchema, oid};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::ScalarValue;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Merges, compacts and collects at every occasion.
const EAGER: Policy = Policy { target_rows: 12, tier: 3, tiny_rows: 5, big_rows: 3, garbage_high: 8 };

/// (a: int4, b: text, v: int8), as the tests think of a row.
type Row = (Option<i32>, Option<String>, Option<i64>);

fn schema(key: &[usize]) -> Arc<TableSchema> {
    let column = |name: &str, ty| Column::new(name, PgType::new(ty), true);
    Arc::new(TableSchema::new(
        vec![column("a", oid::INT4), column("b", oid::TEXT), column("v", oid::INT8)],
        key.to_vec(),
    ))
}

fn batch(rows: &[Row], schema: &TableSchema) -> RecordBatch {
    let a: Int32Array = rows.iter().map(|row| row.0).collect();
    let b: StringArray = rows.iter().map(|row| row.1.as_deref()).collect();
    let v: Int64Array = rows.iter().map(|row| row.2).collect();
    RecordBatch::try_new(Arc::clone(schema.arrow()), vec![Arc::new(a), Arc::new(b), Arc::new(v)]).unwrap()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let a: Vec<_> = batch.column(0).as_primitive::<Int32Type>().iter().collect();
    let b: Vec<_> = batch.column(1).as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect();
    let v: Vec<_> = batch.column(2).as_primitive::<Int64Type>().iter().collect();
    a.into_iter().zip(b).zip(v).map(|((a, b), v)| (a, b, v)).collect()
}

fn scan(snapshot: &TableSnapshot) -> Vec<Row> {
    (0..snapshot.chunks()).flat_map(|i| rows_of(&snapshot.chunk(i, None).unwrap())).collect()
}

fn no_cast(_: &ArrayRef, from: PgType, to: &Column) -> PgResult<ArrayRef> {
    Err(PgError::internal(format!("no cast from {} to {}", from.oid, to.ty.oid)))
}

fn row(a: i32, b: &str, v: i64) -> Row {
    (Some(a), Some(b.to_owned()), Some(v))
}

fn upsert(table: &mut Table, rows: &[Row]) -> TableDelta {
    let batch = batch(rows, table.schema());
    table.apply(&batch, &vec![RowOp::Upsert; rows.len()], &[]).unwrap()
}

/// What a keyed table must hold: by key, in the order in which the versions came.
#[derive(Debug, Clone, Default)]
struct Model {
    rows: BTreeMap<u64, Row>,
    next: u64,
}

impl Model {
    fn id_of(&self, a: Option<i32>, b: &Option<String>) -> Option<u64> {
        self.rows.iter().find(|(_, row)| row.0 == a && row.1 == *b).map(|(id, _)| *id)
    }

    fn apply(&mut self, changes: &[(RowOp, Row)]) {
        for (op, row) in changes {
            if let Some(id) = self.id_of(row.0, &row.1) {
                self.rows.remove(&id);
            }
            if *op == RowOp::Upsert {
                self.rows.insert(self.next, row.clone());
                self.next += 1;
            }
        }
    }

    fn sorted(&self) -> Vec<Row> {
        self.rows.values().cloned().collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<(RowOp, Row)>),
    Maintain(usize),
    Publish {
        pin: bool,
    },
    Release(usize),
    Truncate,
    Alter,
    Index {
        wanted: bool,
    },
    /// A file of all rows that live at the newest publish, as compaction writes it.
    Write,
    /// Some rows of the last file, or of one before it, stay there.
    Evict {
        file: usize,
        from: usize,
        rows: usize,
    },
    FailingBatch,
}

/// Rows outside of a table, with their ids.
#[derive(Debug, Clone)]
struct File {
    rows: RecordBatch,
    ids: Vec<u64>,
}

impl File {
    fn of(snapshot: &TableSnapshot) -> Option<Self> {
        let parts = snapshot.rows_from(RowId(0)).unwrap();
        let ids: Vec<u64> = parts.iter().flat_map(|(_, ids)| ids.iter().map(|id| id.0)).collect();
        let rows =
            arrow::compute::concat_batches(snapshot.schema().arrow(), parts.iter().map(|(rows, _)| rows)).unwrap();
        (!ids.is_empty()).then_some(Self { rows, ids })
    }

    /// Some of them as a row group.
    fn group(&self, from: usize, rows: usize) -> ColdGroup {
        let from = from % self.ids.len();
        let rows = rows.min(self.ids.len() - from);
        let part = Self { rows: self.rows.slice(from, rows), ids: self.ids[from..from + rows].to_vec() };
        let run = |(row, id): (usize, &u64)| IdRun { id: *id, row: row as u32, len: 1 };
        ColdGroup { ids: part.ids.iter().enumerate().map(run).collect(), rows: Arc::new(part) }
    }
}

impl ColdRows for File {
    fn rows(&self) -> usize {
        self.ids.len()
    }

    fn read(&self, columns: &[usize], rows: Option<&[u32]>) -> PgResult<ColdPieces> {
        let mut batch = self.rows.project(columns)?;
        if let Some(rows) = rows {
            assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{rows:?} ascend");
            batch = arrow::compute::take_record_batch(&batch, &arrow::array::UInt32Array::from(rows.to_vec()))?;
        }
        let pieces = (0..batch.num_rows()).step_by(3).map(move |at| Ok(batch.slice(at, 3.min(batch.num_rows() - at))));
        Ok(Box::new(pieces))
    }

    fn bounds(&self, _: usize) -> Option<(ScalarValue, ScalarValue)> {
        None
    }

    fn bytes(&self) -> usize {
        self.ids.len() * 20
    }

    fn file(&self) -> &str {
        "a file"
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    (
        prop::option::weighted(0.9, 0..6i32),
        prop::option::weighted(0.9, prop::sample::select(vec!["", "x", "y "]).prop_map(str::to_owned)),
        prop::option::weighted(0.8, 0..4i64),
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let op = prop_oneof![3 => Just(RowOp::Upsert), 1 => Just(RowOp::Delete)];
    prop_oneof![
        10 => prop::collection::vec((op, any_row()), 0..12).prop_map(Step::Apply),
        4 => (1..40usize).prop_map(Step::Maintain),
        6 => any::<bool>().prop_map(|pin| Step::Publish { pin }),
        2 => any::<usize>().prop_map(Step::Release),
        1 => Just(Step::Truncate),
        1 => Just(Step::Alter),
        1 => prop::bool::weighted(0.7).prop_map(|wanted| Step::Index { wanted }),
        1 => Just(Step::FailingBatch),
        2 => Just(Step::Write),
        6 => (0..3usize, any::<usize>(), 1..20usize).prop_map(|(file, from, rows)| Step::Evict { file, from, rows }),
    ]
}

/// Scans, look-ups of every key (NULLs too, and one that is not there), and the rows of a flush.
fn check(snapshot: &TableSnapshot, model: &Model, key: &[usize]) -> Result<(), TestCaseError> {
    let expected = model.sorted();
    prop_assert_eq!(scan(snapshot), expected.clone(), "scan at tick {}", snapshot.tick());
    prop_assert_eq!(snapshot.len(), expected.len());
    let mut asked: Vec<Row> = Vec::new();
    for a in [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(77)] {
        for b in [None, Some(""), Some("x"), Some("y ")] {
            asked.push((a, b.map(str::to_owned), None));
        }
    }
    let columns = batch(&asked, &schema(&[])).columns().to_vec();
    let keys: Vec<ArrayRef> = key.iter().map(|c| Arc::clone(&columns[*c])).collect();
    let (found, numbers) = snapshot.lookup_each(&keys, None).unwrap();
    for (row, number) in rows_of(&found).iter().zip(numbers) {
        let asked = &asked[number as usize];
        prop_assert!((&row.0, &row.1) == (&asked.0, &asked.1), "{:?} found for {:?}", row, asked);
    }
    let sort = |mut rows: Vec<Row>| {
        rows.sort();
        rows
    };
    prop_assert_eq!(sort(rows_of(&found)), sort(expected.clone()), "look-ups at tick {}", snapshot.tick());
    prop_assert_eq!(sort(rows_of(&snapshot.lookup(&keys, None).unwrap())), sort(expected.clone()));
    if snapshot.has_index(&[2]) {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(0), Some(1), Some(2), Some(3), Some(9)]));
        let (found, numbers) = snapshot.lookup_by(&[2], &[Arc::clone(&values)], None).unwrap();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] <= pair[1]));
        let values = values.as_primitive::<Int64Type>();
        let asked = numbers.iter().map(|n| values.is_valid(*n as usize).then(|| values.value(*n as usize)));
        prop_assert!(rows_of(&found).iter().map(|row| row.2).eq(asked));
        prop_assert_eq!(sort(rows_of(&found)), sort(expected.clone()), "index at tick {}", snapshot.tick());
    }
    let from = RowId(snapshot.next_row_id().0 / 2);
    let mut flushed = Vec::new();
    let mut ids = Vec::new();
    for (batch, part) in snapshot.rows_from(from).unwrap() {
        prop_assert_eq!(batch.num_rows(), part.len());
        flushed.extend(rows_of(&batch));
        ids.extend(part);
    }
    prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]) && ids.iter().all(|id| *id >= from));
    let tail = expected.len() - flushed.len();
    prop_assert_eq!(&expected[tail..], &flushed[..]);
    Ok(())
}

/// A delta, applied to the rows before by content, must give the rows after.
fn check_delta(before: &[Row], delta: &TableDelta, after: &[Row]) -> Result<(), TestCaseError> {
    prop_assert_eq!(delta.dead.len(), delta.retracted.num_rows());
    prop_assert_eq!((delta.inserted_ids.end - delta.inserted_ids.start) as usize, delta.inserted.num_rows());
    let mut rows = before.to_vec();
    for gone in rows_of(&delta.retracted) {
        let at = rows.iter().position(|row| *row == gone);
        prop_assert!(at.is_some(), "{:?} retracted, but it was not there", gone);
        rows.remove(at.unwrap());
    }
    rows.extend(rows_of(&delta.inserted));
    rows.sort();
    let mut after = after.to_vec();
    after.sort();
    prop_assert_eq!(rows, after);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn a_snapshot_keeps_answering_as_of_its_tick(
        steps in prop::collection::vec(any_step(), 1..60),
        eager in any::<bool>(),
    ) {
        let key = [0, 1];
        let mut table = Table::new(schema(&key));
        if eager {
            table.policy = EAGER;
        }
        let mut model = Model::default();
        let mut pinned: Vec<(TableSnapshot, Model)> = Vec::new();
        let mut files: Vec<File> = Vec::new();
        for (tick, step) in steps.into_iter().enumerate() {
            match step {
                Step::Apply(changes) => {
                    let before = model.sorted();
                    model.apply(&changes);
                    let rows: Vec<Row> = changes.iter().map(|(_, row)| row.clone()).collect();
                    let ops: Vec<RowOp> = changes.iter().map(|(op, _)| *op).collect();
                    let delta = table.apply(&batch(&rows, table.schema()), &ops, &[]).unwrap();
                    check_delta(&before, &delta, &model.sorted())?;
                }
                Step::Maintain(budget) => { table.maintain(budget); }
                Step::Publish { pin } => {
                    let snapshot = table.publish(Tick(tick as u64));
                    check(&snapshot, &model, &key)?;
                    if pin { pinned.push((snapshot, model.clone())) }
                }
                Step::Release(which) if !pinned.is_empty() => { pinned.remove(which % pinned.len()); }
                Step::Release(_) => {}
                Step::Truncate => {
                    let delta = table.truncate().unwrap();
                    check_delta(&model.sorted(), &delta, &[])?;
                    model.rows.clear();
                }
                Step::Alter => table.alter(schema(&key), no_cast).unwrap(),
                Step::Index { wanted: true } => table.ensure_index(&[2]).unwrap(),
                Step::Index { wanted: false } => table.release_index(&[2]),
                Step::Write => files.extend(File::of(&table.publish(Tick(tick as u64)))),
                Step::Evict { file, from, rows } if file < files.len() => {
                    let group = files[files.len() - 1 - file].group(from, rows);
                    table.evict(&group).unwrap();
                }
                Step::Evict { .. } => {}
                Step::FailingBatch => {
                    let rows = batch(&[row(1, "x", 1)], table.schema());
                    prop_assert!(table.apply(&rows, &[], &[]).is_err());
                    prop_assert!(table.append(&rows).is_err());
                }
            }
            prop_assert_eq!(table.len(), model.rows.len());
            for (snapshot, model) in &pinned {
                check(snapshot, model, &key)?;
            }
        }
        drop(pinned);
        while table.maintain(1000) {}
        if let super::table::Rows::Keyed(index) = &table.rows {
            prop_assert_eq!(index.len(), (table.len(), 0), "the index holds the live rows when no snapshot is held");
        }
        for index in &table.secondaries {
            prop_assert_eq!(index.postings.len(), table.len(), "so does a secondary index");
        }
    }

    #[test]
    fn a_bag_holds_each_row_as_often_as_the_deltas_say(
        ticks in prop::collection::vec((prop::collection::vec((any_row(), -2..4i64), 0..10), any::<bool>()), 1..30)
    ) {
        let mut table = Table::bag(schema(&[]));
        table.policy = EAGER;
        let mut model: BTreeMap<Row, i64> = BTreeMap::new();
        let expand = |model: &BTreeMap<Row, i64>| -> Vec<Row> {
            model.iter().flat_map(|(row, n)| std::iter::repeat_n(row.clone(), *n as usize)).collect()
        };
        let mut pinned: Vec<(TableSnapshot, Vec<Row>)> = Vec::new();
        for (tick, (delta, maintain)) in ticks.into_iter().enumerate() {
            let (rows, weights): (Vec<Row>, Vec<i64>) = delta.into_iter().unzip();
            let mut after = model.clone();
            rows.iter().zip(&weights).for_each(|(row, weight)| *after.entry(row.clone()).or_default() += weight);
            let result = table.apply_weighted(&batch(&rows, table.schema()), &weights);
            if after.values().any(|n| *n < 0) {
                prop_assert!(result.is_err());
            } else {
                check_delta(&expand(&model), &result.unwrap(), &expand(&after))?;
                model = after;
            }
            if maintain { table.maintain(10); }
            let snapshot = table.publish(Tick(tick as u64));
            pinned.push((snapshot, expand(&model)));
            for (snapshot, expected) in &pinned {
                let mut rows = scan(snapshot);
                rows.sort();
                prop_assert_eq!(&rows, expected);
            }
        }
    }

    #[test]
    fn unchanged_columns_keep_the_value_that_was_stored_before(
        ticks in prop::collection::vec(prop::collection::vec((any::<bool>(), any_row(), any::<bool>()), 1..8), 1..12)
    ) {
        let mut table = Table::new(schema(&[0]));
        let mut model: BTreeMap<Option<i32>, Row> = BTreeMap::new();
        for changes in ticks {
            let rows: Vec<Row> = changes.iter().map(|(_, row, _)| row.clone()).collect();
            let ops: Vec<RowOp> =
                changes.iter().map(|(delete, _, _)| if *delete { RowOp::Delete } else { RowOp::Upsert }).collect();
            let mask: BooleanBuffer = changes.iter().map(|(_, _, unchanged)| *unchanged).collect();
            let before = model.clone();
            // Keys whose newest version has a value that nobody knows.
            let mut unknown = BTreeSet::new();
            for (delete, row, unchanged) in &changes {
                let mut row = row.clone();
                let stored = model.remove(&row.0);
                if *delete || !*unchanged {
                    unknown.remove(&row.0);
                }
                match stored {
                    _ if *delete => continue,
                    Some(stored) if *unchanged => row.1 = stored.1,
                    None if *unchanged => drop(unknown.insert(row.0)),
                    _ => {}
                }
                model.insert(row.0, row);
            }
            let applied = table.apply(&batch(&rows, table.schema()), &ops, &[(1, mask)]);
            prop_assert_eq!(applied.is_err(), !unknown.is_empty());
            if applied.is_err() {
                model = before;
            }
            let mut rows = scan(&table.publish(Tick(0)));
            rows.sort();
            prop_assert_eq!(rows, model.values().cloned().collect::<Vec<_>>());
        }
    }
}

#[test]
fn one_row_ticks_leave_few_chunks_and_right_bounds() {
    let mut table = Table::new(schema(&[0]));
    for i in 0..1000 {
        upsert(&mut table, &[row(i, "t", i64::from(i))]);
        table.publish(Tick(i as u64));
    }
    let snapshot = table.publish(Tick(1000));
    assert!(snapshot.chunks() < 64, "{} chunks", snapshot.chunks());
    assert_eq!(snapshot.len(), 1000);
    let (min, _) = snapshot.bounds(0, 0).unwrap();
    let (_, max) = snapshot.bounds(snapshot.chunks() - 1, 2).unwrap();
    assert_eq!((min, max), (ScalarValue::Int32(Some(0)), ScalarValue::Int64(Some(999))));
}

#[test]
fn maintenance_merges_and_compacts_until_nothing_is_to_do() {
    let mut table = Table::new(schema(&[0]));
    for start in (0..100_000).step_by(2_000) {
        let rows: Vec<Row> = (start..start + 2_000).map(|i| row(i, "some text", 0)).collect();
        upsert(&mut table, &rows);
        table.publish(Tick(0));
    }
    while table.maintain(10_000) {}
    let merged = table.publish(Tick(1));
    assert!(merged.chunks() <= 8, "{} chunks", merged.chunks());
    let updates: Vec<Row> = (0..100_000).step_by(3).map(|i| row(i, "new", 1)).collect();
    let delta = upsert(&mut table, &updates);
    assert_eq!(delta.dead.len(), updates.len());
    let before = table.publish(Tick(2));
    while table.maintain(10_000) {}
    let after = table.publish(Tick(3));
    let count = |snapshot: &TableSnapshot| -> usize {
        (0..snapshot.chunks()).map(|i| snapshot.chunk(i, Some(&[0])).unwrap().num_rows()).sum()
    };
    assert_eq!((count(&merged), count(&before), count(&after)), (100_000, 100_000, 100_000));
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values([3, 4, 99_999, 100_000, 3]));
    let found = rows_of(&after.lookup(&[Arc::clone(&keys)], None).unwrap());
    assert_eq!(found, [row(3, "new", 1), row(4, "some text", 0), row(99_999, "new", 1)]);
    let found = rows_of(&merged.lookup(&[keys], None).unwrap());
    assert_eq!(found, [row(3, "some text", 0), row(4, "some text", 0), row(99_999, "some text", 0)]);
    drop((merged, before));
    while table.maintain(100_000) {}
    let memory = table.memory();
    assert!(memory.index < 100_000 * 50 && memory.tombstones < 100_000 * 5, "{memory:?}");
}

#[test]
fn a_hot_key_under_a_long_query_does_not_pile_up_versions() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &[row(1, "x", 0)]);
    let long = table.publish(Tick(0));
    let mut current = long.clone();
    for i in 1..500 {
        upsert(&mut table, &[row(1, "x", i)]);
        current = table.publish(Tick(i as u64));
        table.maintain(100);
    }
    let super::table::Rows::Keyed(index) = &table.rows else { panic!("keyed") };
    let links = index.before.load();
    let versions = std::iter::successors(Some(table.next_row_id().0 - 1), |id| links.before(*id)).count();
    assert!(versions <= 4, "{versions} versions of one key");
    assert!(index.bytes() < 32_000, "{} bytes", index.bytes());
    assert_eq!((scan(&long), scan(&current)), (vec![row(1, "x", 0)], vec![row(1, "x", 499)]));
}

#[test]
fn an_alter_adds_widens_drops_and_reorders_columns() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &[row(1, "x", 10), row(2, "y", 20)]);
    let old = table.publish(Tick(0));
    upsert(&mut table, &[row(2, "z", 30)]);
    let column = |name: &str, ty| Column::new(name, PgType::new(ty), true);
    let wider = Arc::new(TableSchema::new(
        vec![column("new", oid::TEXT), column("b", oid::TEXT), column("a", oid::INT8)],
        vec![2],
    ));
    table.alter(Arc::clone(&wider), no_cast).unwrap();
    let new = table.publish(Tick(1));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![2, 1]));
    let found = new.lookup(&[keys], None).unwrap();
    assert_eq!(found.schema(), *wider.arrow());
    assert_eq!(found.column(0).null_count(), 2);
    assert_eq!(found.column(1).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["z", "x"]);
    assert_eq!(scan(&old), [row(1, "x", 10), row(2, "y", 20)]);
    let refused = Arc::new(TableSchema::new(vec![column("b", oid::INT4)], vec![]));
    assert!(table.alter(refused, no_cast).is_err());
    assert_eq!(table.schema(), &wider);
}

#[test]
fn rows_in_a_file_follow_an_alter_and_are_read_where_values_are_asked_for() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &[row(1, "x", 10), row(2, "y", 20), row(3, "z", 30)]);
    let file = File::of(&table.publish(Tick(0))).expect("rows");
    assert!(table.evict(&file.group(0, 3)).unwrap());
    upsert(&mut table, &[row(2, "w", 21)]);
    assert_eq!((table.evicted().0, table.first_resident(RowId(0))), (2, Some(RowId(3))));
    let column = |name: &str, ty| Column::new(name, PgType::new(ty), true);
    let columns = vec![column("new", oid::TEXT), column("b", oid::TEXT), column("a", oid::INT8)];
    let wider = Arc::new(TableSchema::new(columns, vec![2]));
    table.alter(Arc::clone(&wider), no_cast).unwrap();
    assert_eq!(table.evicted().0, 2);
    let new = table.publish(Tick(1));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![3, 2, 1]));
    let found = new.lookup(&[keys], None).unwrap();
    assert_eq!(found.schema(), *wider.arrow());
    assert_eq!(found.column(0).null_count(), 3);
    assert_eq!(found.column(1).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["z", "w", "x"]);
    assert_eq!(new.bounds(0, 2), Some((ScalarValue::Int64(Some(1)), ScalarValue::Int64(Some(3)))));
    let refused = Arc::new(TableSchema::new(vec![column("b", oid::INT4), column("a", oid::INT8)], vec![1]));
    assert!(table.alter(refused, no_cast).is_err());
}

#[test]
fn a_table_opens_with_rows_in_a_file() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &[row(1, "x", 10), row(2, "y", 20), row(3, "z", 30)]);
    let file = File::of(&table.publish(Tick(0))).expect("rows");
    let mut opened = Table::new(schema(&[0]));
    let group = file.group(0, 2);
    opened.load_cold(&group, &[(0, file.rows.column(0).slice(0, 2))]).unwrap();
    opened.load(&file.rows.slice(2, 1), &[RowId(2)]).unwrap();
    assert_eq!(opened.len(), 3);
    upsert(&mut opened, &[row(1, "u", 11)]);
    assert_eq!(scan(&opened.publish(Tick(1))), [row(2, "y", 20), row(3, "z", 30), row(1, "u", 11)]);
    let twice = opened.load_cold(&file.group(0, 2), &[(0, file.rows.column(0).slice(0, 2))]);
    assert!(twice.is_err());
}

#[test]
fn a_key_that_is_not_unique_any_more_is_refused() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &[row(1, "x", 1), row(2, "x", 2)]);
    let error = table.alter(schema(&[1]), no_cast).unwrap_err();
    assert_eq!(error.state.as_str(), "23505");
    assert_eq!(scan(&table.publish(Tick(0))).len(), 2);
}

#[test]
fn loaded_rows_keep_their_ids_and_are_found_by_key() {
    let mut table = Table::new(schema(&[0]));
    let rows = batch(&[row(1, "x", 1), row(2, "y", 2)], table.schema());
    table.load(&rows, &[RowId(5), RowId(9)]).unwrap();
    assert!(table.load(&rows, &[RowId(9), RowId(10)]).is_err());
    assert_eq!(table.load(&rows, &[RowId(10), RowId(11)]).unwrap_err().state.as_str(), "XX001");
    assert_eq!(table.next_row_id(), RowId(10));
    let delta = upsert(&mut table, &[row(2, "z", 3)]);
    assert_eq!((delta.dead, delta.inserted_ids), (vec![RowId(9)], 10..11));
}

#[test]
fn keys_are_equal_when_postgres_says_so() {
    let char_key = TableSchema::new(vec![Column::new("k", PgType { oid: oid::BPCHAR, typmod: 9 }, false)], vec![0]);
    let mut table = Table::new(Arc::new(char_key));
    let of = |values: &[&str], table: &Table| {
        let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        RecordBatch::try_new(Arc::clone(table.schema().arrow()), vec![column]).unwrap()
    };
    let rows = of(&["a    ", "a", " a"], &table);
    table.apply(&rows, &[RowOp::Upsert; 3], &[]).unwrap();
    assert_eq!(table.len(), 2);

    let floats = TableSchema::new(vec![Column::new("k", PgType::new(oid::FLOAT8), false)], vec![0]);
    let mut table = Table::new(Arc::new(floats));
    let column: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]));
    let rows = RecordBatch::try_new(Arc::clone(table.schema().arrow()), vec![column]).unwrap();
    table.apply(&rows, &[RowOp::Upsert; 5], &[]).unwrap();
    assert_eq!(table.len(), 3);

    // 1.5 and 1.50 in the sortable form: header, digits, end, display scale.
    let numerics = TableSchema::new(vec![Column::new("k", PgType::new(oid::NUMERIC), false)], vec![0]);
    let mut table = Table::new(Arc::new(numerics));
    let spellings: Vec<&[u8]> =
        vec![&[128, 0, 1, 2, 51, 0, 0, 1], &[128, 0, 1, 2, 51, 0, 0, 2], &[128, 0, 1, 3, 0, 0, 0]];
    let column: ArrayRef = Arc::new(arrow::array::BinaryArray::from(spellings));
    let rows = RecordBatch::try_new(Arc::clone(table.schema().arrow()), vec![column]).unwrap();
    table.apply(&rows, &[RowOp::Upsert; 3], &[]).unwrap();
    assert_eq!(table.len(), 2);
}

#[test]
fn big_batches_are_cut_and_keep_their_ids() {
    let mut table = Table::new(schema(&[0]));
    table.policy = EAGER;
    let delta = upsert(&mut table, &(0..100).map(|i| row(i, "x", 0)).collect::<Vec<_>>());
    assert_eq!(delta.inserted_ids, 0..100);
    let ids: Vec<RowId> = (0..100).map(|i| RowId(200 + 2 * i)).collect();
    table.load(&batch(&(100..200).map(|i| row(i, "x", 0)).collect::<Vec<_>>(), table.schema()), &ids).unwrap();
    let snapshot = table.publish(Tick(0));
    assert!(snapshot.chunks() >= 10, "{}", snapshot.chunks());
    let delta = upsert(&mut table, &[row(99, "y", 1), row(199, "y", 1), row(130, "y", 1)]);
    assert_eq!(delta.dead, [RowId(99), RowId(398), RowId(260)]);
    assert_eq!(delta.inserted_ids, 399..402);
    assert_eq!(scan(&snapshot).len(), 200);
}

#[test]
fn deaths_outlive_the_epochs_that_they_can_count() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &(0..10).map(|i| row(i, "x", 0)).collect::<Vec<_>>());
    let mut expected = 10;
    let mut held = Vec::new();
    for round in 0..4 {
        let delete = batch(&[row(round, "", 0), row(round + 5, "", 0)], table.schema());
        table.apply(&delete, &[RowOp::Delete; 2], &[]).unwrap();
        expected -= 2;
        held.push((table.publish(Tick(round as u64)), expected));
        table.epoch += u64::from(u32::MAX) - 1 + (round % 2) as u64;
        for (snapshot, expected) in &held {
            assert_eq!((scan(snapshot).len(), snapshot.len()), (*expected, *expected), "round {round}");
        }
    }
}

#[test]
fn a_skewed_index_gives_every_row_and_shrinks_again() {
    let mut table = Table::new(schema(&[0]));
    table.ensure_index(&[1, 2]).unwrap();
    upsert(&mut table, &(0..3_000).map(|i| row(i, "same", 1)).collect::<Vec<_>>());
    let all = table.publish(Tick(0));
    upsert(&mut table, &(1..3_000).map(|i| row(i, "other", 1)).collect::<Vec<_>>());
    while table.maintain(100) {}
    let one = table.publish(Tick(1));
    let keys: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["none", "same"])), Arc::new(Int64Array::from(vec![1, 1]))];
    let count = |snapshot: &TableSnapshot| snapshot.lookup_by(&[1, 2], &keys, Some(&[0])).unwrap().1.len();
    assert_eq!((count(&all), count(&one)), (3_000, 1));
    drop(all);
    while table.maintain(100) {}
    assert_eq!((count(&one), table.secondaries[0].postings.len()), (1, 3_000));
    assert!(one.lookup_by(&[2], &keys[1..], None).is_err());
}

#[test]
fn a_bag_counts_down_many_equal_rows() {
    let mut table = Table::bag(schema(&[]));
    let one = batch(&[row(1, "same", 1)], table.schema());
    table.apply_weighted(&one, &[20_000]).unwrap();
    for _ in 0..200 {
        table.apply_weighted(&one, &[-50]).unwrap();
        table.apply_weighted(&one, &[25]).unwrap();
    }
    assert_eq!(table.len(), 15_000);
    assert!(table.apply_weighted(&one, &[-15_001]).is_err());
    table.apply_weighted(&one, &[-15_000]).unwrap();
    assert!(table.is_empty());
}

#[test]
fn readers_on_other_threads_see_whole_ticks() {
    let mut table = Table::new(schema(&[0]));
    upsert(&mut table, &(0..64).map(|i| row(i, "x", 0)).collect::<Vec<_>>());
    let current = arc_swap::ArcSwap::from_pointee(table.publish(Tick(0)));
    let done = std::sync::atomic::AtomicBool::new(false);
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values(0..64));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let snapshot = current.load_full();
                    let tick = snapshot.tick().0 as i64;
                    let scanned = scan(&snapshot);
                    let found = rows_of(&snapshot.lookup(&[Arc::clone(&keys)], None).unwrap());
                    assert_eq!((scanned.len(), found.len()), (64, 64), "tick {tick}");
                    assert!(scanned.iter().chain(&found).all(|row| row.2 == Some(tick)), "torn tick {tick}");
                }
            });
        }
        for tick in 1..300i64 {
            upsert(&mut table, &(0..64).map(|i| row(i, "x", tick)).collect::<Vec<_>>());
            current.store(Arc::new(table.publish(Tick(tick as u64))));
            table.maintain(200);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
