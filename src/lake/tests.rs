//! The lake against a model: what is flushed is what is loaded, whatever happens between.

use super::*;
use crate::change::{IdRun, Position, RowId, StreamId, Tick};
use crate::types::numeric::Numeric;
use crate::types::{Column, PgType, jsonb, oid};
use arrow::array::*;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path as FsPath;

pub(super) fn options(folder: &FsPath) -> LakeOptions {
    LakeOptions::new(folder.to_str().expect("a temporary path is UTF-8"))
}

pub(super) fn manifest(tick: u64, tables: &[(&str, &LakeTable)]) -> Manifest {
    Manifest {
        tick: Tick(tick),
        tables: tables
            .iter()
            .map(|(name, table)| ((*name).to_owned(), ManifestTable { version: table.version(), next_row_id: 0 }))
            .collect(),
        positions: BTreeMap::from([("demo/0".to_owned(), tick as i64)]),
        catalog: serde_json::json!({ "tick": tick }),
        ..Manifest::claim()
    }
}

pub(super) fn schema(columns: &[(&str, PgType)], key: Vec<usize>) -> Arc<TableSchema> {
    let columns = columns.iter().map(|(name, ty)| Column::new(*name, *ty, true)).collect();
    Arc::new(TableSchema::new(columns, key))
}

pub(super) fn pairs() -> Arc<TableSchema> {
    schema(&[("id", PgType::new(oid::INT4)), ("note", PgType::new(oid::TEXT))], vec![0])
}

pub(super) fn pair_batch(schema: &TableSchema, rows: &[(i32, String)]) -> RecordBatch {
    let ids = Int32Array::from_iter_values(rows.iter().map(|(id, _)| *id));
    let notes = StringArray::from_iter_values(rows.iter().map(|(_, note)| note));
    RecordBatch::try_new(Arc::clone(schema.arrow()), vec![Arc::new(ids), Arc::new(notes)]).expect("two columns")
}

pub(super) async fn flush_rows(
    table: &mut LakeTable,
    tick: u64,
    rows: &[(RecordBatch, Vec<RowId>)],
    dead: &[RowId],
    next: u64,
) -> LakeResult<i64> {
    let schema = Arc::clone(table.schema());
    table
        .flush(Flush {
            rows,
            dead,
            positions: &[(StreamId("demo/0".into()), Position(tick as i64))],
            tick: Tick(tick),
            schema: &schema,
            next_row_id: RowId(next),
            truncate: false,
        })
        .await
}

pub(super) async fn load(table: &mut LakeTable) -> (Vec<(RecordBatch, Vec<RowId>)>, RowId) {
    let mut batches = Vec::new();
    let next = table
        .load(|batch, ids| {
            batches.push((batch, ids));
            Ok(())
        })
        .await
        .expect("the table loads");
    (batches, next)
}

fn sortable(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    Numeric::parse(text).expect("a numeric").to_sortable(&mut bytes);
    bytes
}

fn fixed(width: i32, values: &[Option<Vec<u8>>]) -> ArrayRef {
    let mut builder = FixedSizeBinaryBuilder::new(width);
    for value in values {
        match value {
            Some(value) => builder.append_value(value).expect("of that width"),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn interval(months: i32, days: i32, us: i64) -> Vec<u8> {
    [&months.to_be_bytes()[..], &days.to_be_bytes()[..], &us.to_be_bytes()[..]].concat()
}

fn timetz(us: i64, west: i32) -> Vec<u8> {
    [&us.to_be_bytes()[..], &west.to_be_bytes()[..]].concat()
}

/// One column of each type: three rows, the last NULL.
fn every_type() -> Vec<(&'static str, PgType, ArrayRef)> {
    let json = |text: &str| jsonb::from_text(text.as_bytes()).expect("JSON");
    let list = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(arrow::datatypes::Field::new_list_field(values.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([values.len(), 0, 0]);
        let nulls = arrow::buffer::NullBuffer::from(vec![true, true, false]);
        Arc::new(ListArray::new(field, offsets, values, Some(nulls)))
    };
    let array_of = |element| PgType::new(oid::array_of(element).expect("it has an array type"));
    let micros = |values: Vec<Option<i64>>| TimestampMicrosecondArray::from(values);
    vec![
        ("a_bool", PgType::new(oid::BOOL), Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("a_int2", PgType::new(oid::INT2), Arc::new(Int16Array::from(vec![Some(i16::MIN), Some(7), None]))),
        ("a_int4", PgType::new(oid::INT4), Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None]))),
        ("a_int8", PgType::new(oid::INT8), Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        (
            "a_float4",
            PgType::new(oid::FLOAT4),
            Arc::new(Float32Array::from(vec![Some(-0.0), Some(f32::INFINITY), None])),
        ),
        ("a_float8", PgType::new(oid::FLOAT8), Arc::new(Float64Array::from(vec![Some(0.1), Some(f64::MAX), None]))),
        ("a_text", PgType::new(oid::TEXT), Arc::new(StringArray::from(vec![Some(""), Some("ü\n\"'\\"), None]))),
        (
            "a_char",
            PgType { oid: oid::BPCHAR, typmod: 9 },
            Arc::new(StringArray::from(vec![Some("ab   "), Some("     "), None])),
        ),
        ("a_json", PgType::new(oid::JSON), Arc::new(StringArray::from(vec![Some("{\"a\" : 1}"), Some("null"), None]))),
        (
            "a_bytea",
            PgType::new(oid::BYTEA),
            Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), Some(b""), None])),
        ),
        ("a_date", PgType::new(oid::DATE), Arc::new(Date32Array::from(vec![Some(i32::MAX), Some(i32::MIN), None]))),
        (
            "a_time",
            PgType::new(oid::TIME),
            Arc::new(Time64MicrosecondArray::from(vec![Some(0), Some(86_400_000_000), None])),
        ),
        (
            "a_timetz",
            PgType::new(oid::TIMETZ),
            fixed(12, &[Some(timetz(1, -19_800)), Some(timetz(86_399_999_999, 18_015)), None]),
        ),
        ("a_timestamp", PgType::new(oid::TIMESTAMP), Arc::new(micros(vec![Some(i64::MAX), Some(-1), None]))),
        (
            "a_timestamptz",
            PgType::new(oid::TIMESTAMPTZ),
            Arc::new(micros(vec![Some(i64::MIN), Some(1_700_000_000_123_456), None]).with_timezone("UTC")),
        ),
        (
            "a_decimal",
            PgType::numeric(12, 2),
            Arc::new(
                Decimal128Array::from(vec![Some(-1), Some(999_999_999_999), None])
                    .with_precision_and_scale(12, 2)
                    .expect("fits"),
            ),
        ),
        (
            "a_numeric",
            PgType::new(oid::NUMERIC),
            Arc::new(BinaryArray::from_iter([Some(sortable("1.500")), Some(sortable("NaN")), None])),
        ),
        (
            "a_jsonb",
            PgType::new(oid::JSONB),
            Arc::new(LargeBinaryArray::from_iter([
                Some(json(r#"{"a": "ü", "b": [1.50, null]}"#)),
                Some(json("[]")),
                None,
            ])),
        ),
        ("a_uuid", PgType::new(oid::UUID), fixed(16, &[Some((0..16).collect()), Some(vec![255; 16]), None])),
        (
            "an_interval",
            PgType::new(oid::INTERVAL),
            fixed(16, &[Some(interval(14, -3, 1)), Some(interval(0, 0, -1)), None]),
        ),
        ("an_oid", PgType::new(oid::OID), Arc::new(UInt32Array::from(vec![Some(0), Some(u32::MAX), None]))),
        ("a_regclass", PgType::new(oid::REGCLASS), Arc::new(UInt32Array::from(vec![Some(1), Some(2), None]))),
        ("ints", array_of(oid::INT4), list(Arc::new(Int32Array::from(vec![Some(1), None, Some(-3)])))),
        ("texts", array_of(oid::TEXT), list(Arc::new(StringArray::from(vec![Some("a"), None])))),
        ("numerics", array_of(oid::NUMERIC), list(Arc::new(BinaryArray::from_iter([Some(sortable("-0.10")), None])))),
        ("uuids", array_of(oid::UUID), list(fixed(16, &[Some(vec![7; 16]), None]))),
        ("vector", PgType::new(oid::OIDVECTOR), list(Arc::new(UInt32Array::from(vec![1, 2])))),
    ]
}

#[tokio::test]
async fn every_type_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let columns = every_type();
    let schema = schema(&columns.iter().map(|(name, ty, _)| (*name, *ty)).collect::<Vec<_>>(), vec![2]);
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(schema.arrow()), arrays).expect("storage forms");
    {
        let (mut lake, found) = open(options(folder.path())).await.expect("it opens");
        assert!(found.is_none(), "a new lake has no manifest");
        let mut table = lake.table("silver.types", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
        let ids = vec![RowId(0), RowId(1), RowId(2)];
        flush_rows(&mut table, 1, &[(batch.clone(), ids)], &[], 3).await.expect("flushed");
        lake.write_manifest(manifest(1, &[("silver.types", &table)])).await.expect("written");
    }
    let (lake, found) = open(options(folder.path())).await.expect("it opens again");
    assert_eq!(found.expect("there is one").tick, Tick(1));
    let mut table = lake.table("silver.types", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("opened");
    let (loaded, next) = load(&mut table).await;
    assert_eq!(next, RowId(3));
    assert_eq!(loaded.len(), 1);
    for (n, column) in batch.columns().iter().enumerate() {
        assert_eq!(loaded[0].0.column(n), column, "column {}", schema.columns[n].name);
    }
    let files = table.files();
    let two: Vec<RecordBatch> = files.read(0, Some(&[6, 2]), Arc::default()).try_collect().await.expect("it reads");
    assert_eq!(two[0], batch.project(&[6, 2]).expect("two columns"));
    let none: Vec<RecordBatch> = files.read(0, Some(&[]), Arc::default()).try_collect().await.expect("it reads");
    assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    let open = table.open_files().expect("footers");
    let mut read = Vec::new();
    let next = table.load_partly(&open, 0, &[2], |rows| {
        read.push(rows);
        Ok(())
    });
    assert_eq!(next.expect("it loads"), RowId(3));
    // Few rows come into memory, whatever the budget.
    let [Loaded::Resident(rows, ids)] = &read[..] else { panic!("{} parts", read.len()) };
    assert_eq!((rows, ids), (&batch, &vec![RowId(0), RowId(1), RowId(2)]));
}

/// A table in memory beside its lake: key → (row id, note).
#[derive(Clone, Default)]
struct Model {
    rows: BTreeMap<i32, (RowId, String)>,
    next: u64,
}

async fn reopened(folder: &FsPath, model: &mut Model) -> (Lake, LakeTable) {
    let (lake, _) = open(options(folder)).await.expect("it opens");
    let mut table = lake.table("silver.pairs", pairs(), LakeTableKind::Upsert).await.expect("it opens");
    let (loaded, next) = load(&mut table).await;
    let mut rows = BTreeMap::new();
    for (batch, ids) in loaded {
        let keys = batch.column(0).as_primitive::<Int32Type>().values().to_vec();
        let notes = batch.column(1).as_string::<i32>();
        for ((key, note), id) in keys.into_iter().zip(notes).zip(ids) {
            let before = rows.insert(key, (id, note.expect("never NULL").to_owned()));
            assert!(before.is_none(), "key {key} twice");
        }
    }
    let content = |rows: &BTreeMap<i32, (RowId, String)>| -> Vec<(i32, String)> {
        rows.iter().map(|(key, (_, note))| (*key, note.clone())).collect()
    };
    assert_eq!(content(&rows), content(&model.rows));
    *model = Model { rows, next: next.0 };
    (lake, table)
}

async fn random_rounds(seed: u64, rounds: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = StdRng::seed_from_u64(seed);
    let how = Maintenance {
        compact_every: 7,
        merge_files: 3,
        checkpoint_every: 20,
        retention: std::time::Duration::ZERO,
        ..Maintenance::default()
    };
    let schema = pairs();
    let mut model = Model::default();
    let (mut lake, mut table) = reopened(folder.path(), &mut model).await;
    lake.write_manifest(manifest(0, &[("silver.pairs", &table)])).await.expect("written");
    let mut durable = model.clone();
    for round in 1..=rounds {
        let mut dead = Vec::new();
        let mut born: BTreeMap<i32, RowId> = BTreeMap::new();
        let truncate = random.random_ratio(1, 60);
        if truncate {
            model.rows.clear();
        }
        let many = if random.random_ratio(1, 10) { 6000 } else { 40 };
        for _ in 0..random.random_range(0..many) {
            let key = random.random_range(0..8000);
            let old = if random.random_ratio(1, 4) {
                model.rows.remove(&key)
            } else {
                let id = RowId(model.next);
                model.next += 1;
                model.rows.insert(key, (id, format!("{round}/{key}")))
            };
            if let Some((id, _)) = old
                && born.get(&key) != Some(&id)
            {
                dead.push(id);
            }
            match model.rows.get(&key) {
                Some((id, _)) => born.insert(key, *id),
                None => born.remove(&key),
            };
        }
        let mut rows: Vec<(RowId, i32, String)> =
            born.iter().map(|(key, id)| (*id, *key, model.rows[key].1.clone())).collect();
        rows.sort();
        let halves = rows.split_at(rows.len() / 2);
        let batches: Vec<(RecordBatch, Vec<RowId>)> = [halves.0, halves.1]
            .into_iter()
            .map(|rows| {
                let pairs: Vec<_> = rows.iter().map(|(_, key, note)| (*key, note.clone())).collect();
                (pair_batch(&schema, &pairs), rows.iter().map(|(id, _, _)| *id).collect())
            })
            .collect();
        let flush = Flush {
            rows: &batches,
            dead: &dead,
            positions: &[(StreamId("demo/0".into()), Position(round as i64))],
            tick: Tick(round),
            schema: &schema,
            next_row_id: RowId(model.next),
            truncate,
        };
        table.flush(flush).await.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        table.maintain(&how).await.unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        assert_eq!(table.rows(), model.rows.len() as u64, "seed {seed}, round {round}");
        // A kill between the table's commit and the manifest: the round never happened.
        let is_killed = random.random_ratio(1, 8);
        if is_killed {
            model = durable.clone();
        } else {
            lake.write_manifest(manifest(round, &[("silver.pairs", &table)])).await.expect("written");
            durable = model.clone();
        }
        if is_killed || random.random_ratio(1, 12) {
            drop(table);
            drop(lake);
            (lake, table) = reopened(folder.path(), &mut model).await;
            durable = model.clone();
        }
    }
    drop((table, lake));
    reopened(folder.path(), &mut model).await;
}

#[tokio::test]
async fn random_flushes_kills_and_compactions_lose_and_double_nothing() {
    random_rounds(1, 150).await;
}

#[tokio::test]
async fn random_flushes_kills_and_compactions_with_another_seed() {
    random_rounds(2, 150).await;
}

#[tokio::test]
async fn columns_may_come_widen_and_go() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
    let first = pairs();
    let mut table = lake.table("silver.moving", Arc::clone(&first), LakeTableKind::Upsert).await.expect("created");
    let rows = [(pair_batch(&first, &[(1, "one".into()), (2, "two".into())]), vec![RowId(0), RowId(1)])];
    flush_rows(&mut table, 1, &rows, &[], 2).await.expect("flushed");

    let added = schema(
        &[("id", PgType::new(oid::INT8)), ("note", PgType::new(oid::TEXT)), ("at", PgType::new(oid::TIMESTAMP))],
        vec![0],
    );
    let batch = RecordBatch::try_new(
        Arc::clone(added.arrow()),
        vec![
            Arc::new(Int64Array::from(vec![1 << 40])),
            Arc::new(StringArray::from(vec!["big"])),
            Arc::new(TimestampMicrosecondArray::from(vec![5])),
        ],
    )
    .expect("three columns");
    let flush = Flush {
        rows: &[(batch, vec![RowId(2)])],
        dead: &[RowId(0)],
        positions: &[],
        tick: Tick(2),
        schema: &added,
        next_row_id: RowId(3),
        truncate: false,
    };
    table.flush(flush).await.expect("a wider column and a new one");

    let gone = schema(&[("id", PgType::new(oid::INT8)), ("at", PgType::new(oid::TIMESTAMP))], vec![0]);
    let flush = Flush {
        rows: &[],
        dead: &[],
        positions: &[],
        tick: Tick(3),
        schema: &gone,
        next_row_id: RowId(3),
        truncate: false,
    };
    table.flush(flush).await.expect("a column less");
    let flush = Flush { rows: &[], dead: &[RowId(1)], ..flush_of(&added, 4, 3) };
    table.flush(flush).await.expect("the column is back, its old values are not");
    lake.write_manifest(manifest(4, &[("silver.moving", &table)])).await.expect("written");
    drop((table, lake));

    let (lake, _) = open(options(folder.path())).await.expect("it opens");
    let mut table = lake.table("silver.moving", Arc::clone(&added), LakeTableKind::Upsert).await.expect("opened");
    let (loaded, _) = load(&mut table).await;
    let rows =
        arrow::compute::concat_batches(added.arrow(), loaded.iter().map(|(batch, _)| batch)).expect("one schema");
    let expected = RecordBatch::try_new(
        Arc::clone(added.arrow()),
        vec![
            Arc::new(Int64Array::from(vec![1 << 40])),
            new_null_array(&DataType::Utf8, 1),
            Arc::new(TimestampMicrosecondArray::from(vec![5])),
        ],
    )
    .expect("three columns");
    assert_eq!(rows, expected);
}

fn flush_of<'a>(schema: &'a Arc<TableSchema>, tick: u64, next: u64) -> Flush<'a> {
    Flush { rows: &[], dead: &[], positions: &[], tick: Tick(tick), schema, next_row_id: RowId(next), truncate: false }
}

#[tokio::test]
async fn an_append_table_needs_no_reader_features_and_refuses_deaths() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, _) = open(options(folder.path())).await.expect("it opens");
    let schema = pairs();
    let mut table = lake.table("bronze.pairs", Arc::clone(&schema), LakeTableKind::Append).await.expect("created");
    for n in 0..20u64 {
        let rows = [(pair_batch(&schema, &[(n as i32, "x".into())]), vec![RowId(n)])];
        flush_rows(&mut table, n, &rows, &[], n + 1).await.expect("flushed");
    }
    let refused = flush_rows(&mut table, 21, &[], &[RowId(3)], 20).await.expect_err("rows cannot die");
    assert!(refused.to_string().contains("bronze.pairs"), "{refused}");
    let done = table.maintain(&Maintenance { compact_every: 1, ..Maintenance::default() }).await.expect("maintained");
    assert_eq!(done.merged_files, 20);
    let files = table.files();
    assert_eq!((files.len(), files.rows()), (1, 20));
    let rows: Vec<RecordBatch> = files.read(0, Some(&[0]), Arc::default()).try_collect().await.expect("it reads");
    let ids: Vec<i32> =
        rows.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    let log = std::fs::read_to_string(folder.path().join("bronze/pairs/_delta_log/00000000000000000000.json"))
        .expect("it is there");
    assert!(log.contains("\"minReaderVersion\":1"), "{log}");
}

#[tokio::test]
async fn a_flush_without_changes_makes_no_commit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, _) = open(options(folder.path())).await.expect("it opens");
    let mut table = lake.table("silver.pairs", pairs(), LakeTableKind::Upsert).await.expect("created");
    assert_eq!(flush_rows(&mut table, 1, &[], &[], 0).await.expect("nothing to do"), 0);
}

#[tokio::test]
async fn a_second_process_is_refused_by_the_folders_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = open(options(folder.path())).await.expect("it opens");
    let refused = open(options(folder.path())).await.expect_err("it is locked");
    let name = folder.path().file_name().and_then(|name| name.to_str()).expect("it has one");
    assert!(matches!(refused, LakeError::Locked { .. }) && refused.to_string().contains(name), "{refused}");
    drop(first);
    open(options(folder.path())).await.expect("the lock is free again");
}

#[tokio::test]
async fn another_writer_is_noticed_before_anything_is_doubled() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
    let schema = pairs();
    let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
    std::fs::write(folder.path().join("silver/pairs/_delta_log/00000000000000000001.json"), "{}").expect("written");
    let rows = [(pair_batch(&schema, &[(1, "x".into())]), vec![RowId(0)])];
    let fenced = flush_rows(&mut table, 1, &rows, &[], 1).await.expect_err("the version is taken");
    assert!(matches!(fenced, LakeError::Fenced { .. }), "{fenced}");
    std::fs::create_dir_all(folder.path().join("_sluice/manifests")).expect("created");
    std::fs::write(folder.path().join("_sluice/manifests/00000000000000000002.json"), "{}").expect("written");
    let fenced = lake.write_manifest(manifest(1, &[])).await.expect_err("the number is taken");
    assert!(matches!(fenced, LakeError::Fenced { .. }), "{fenced}");
}

#[tokio::test]
async fn a_lake_of_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(folder.path().join("_sluice/manifests")).expect("created");
    std::fs::write(folder.path().join("_sluice/manifests/00000000000000000007.json"), r#"{"format": 99}"#)
        .expect("written");
    let refused = open(options(folder.path())).await.expect_err("it is newer");
    assert!(matches!(refused, LakeError::NewerFormat { found: 99, .. }), "{refused}");
}

#[tokio::test]
async fn a_foreign_delta_table_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("silver/pairs/_delta_log");
    std::fs::create_dir_all(&log).expect("created");
    let commit = concat!(
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        "\n",
        r#"{"metaData":{"id":"7b2c0ce0-0000-4000-8000-000000000000","format":{"provider":"parquet","options":{}},"#,
        r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{},"createdTime":0}}"#,
        "\n"
    );
    let path = log.join("00000000000000000000.json");
    std::fs::write(&path, commit).expect("written");
    let (lake, _) = open(options(folder.path())).await.expect("it opens");
    let refused = lake.table("silver.pairs", pairs(), LakeTableKind::Upsert).await.expect_err("it is not ours");
    assert!(matches!(refused, LakeError::Foreign { .. }), "{refused}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "no folder").expect("written");
    let refused = open(options(&file.join("lake"))).await.expect_err("a file is no folder");
    let shown = crate::types::PgError::from(refused);
    assert!(shown.message.contains("a-file"), "{shown:?}");

    use std::os::unix::fs::PermissionsExt;
    let shut = folder.path().join("shut");
    std::fs::create_dir(&shut).expect("created");
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o555)).expect("set");
    // Root may write everywhere; then there is nothing to refuse.
    if let Err(refused) = open(options(&shut)).await {
        assert!(refused.to_string().contains("shut"), "{refused}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("right to write")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_dropped_table_leaves_nothing_and_its_name_is_free() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
    let table = lake.table("Odd Schema.a/b", pairs(), LakeTableKind::Upsert).await.expect("created");
    lake.write_manifest(manifest(1, &[("Odd Schema.a/b", &table)])).await.expect("written");
    lake.drop_table("Odd Schema.a/b").await.expect_err("the manifest names it");
    lake.write_manifest(manifest(2, &[])).await.expect("written");
    lake.drop_table("Odd Schema.a/b").await.expect("nothing names it");
    assert!(!folder.path().join("Odd_x20_Schema/a_x2f_b").exists());
    lake.table("Odd Schema.a/b", pairs(), LakeTableKind::Append).await.expect("created anew");
}

#[tokio::test]
async fn a_copy_whose_newest_manifest_runs_ahead_opens_at_an_older_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
    let schema = pairs();
    let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
    for n in 0..2u64 {
        let rows = [(pair_batch(&schema, &[(n as i32, "x".into())]), vec![RowId(n)])];
        flush_rows(&mut table, n, &rows, &[], n + 1).await.expect("flushed");
        lake.write_manifest(manifest(n, &[("silver.pairs", &table)])).await.expect("written");
    }
    drop((table, lake));
    std::fs::remove_file(folder.path().join("silver/pairs/_delta_log/00000000000000000002.json"))
        .expect("it was there");
    let (lake, found) = open(options(folder.path())).await.expect("it opens");
    assert_eq!(found.expect("the older one").tick, Tick(0));
    let table = lake.table("silver.pairs", schema, LakeTableKind::Upsert).await.expect("opened");
    assert_eq!(table.rows(), 1);
}

#[tokio::test]
async fn a_table_that_no_manifest_names_yet_begins_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let schema = pairs();
    {
        let (lake, _) = open(options(folder.path())).await.expect("it opens");
        let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
        let rows = [(pair_batch(&schema, &[(1, "x".into())]), vec![RowId(0)])];
        flush_rows(&mut table, 1, &rows, &[], 1).await.expect("flushed");
    }
    let (lake, found) = open(options(folder.path())).await.expect("it opens");
    assert!(found.is_none(), "no manifest was written: {found:?}");
    let table = lake.table("silver.pairs", schema, LakeTableKind::Upsert).await.expect("created anew");
    assert_eq!((table.version(), table.rows()), (0, 0));
}

#[tokio::test]
async fn a_killed_schema_change_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let old = pairs();
    {
        let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
        let mut table = lake.table("silver.pairs", Arc::clone(&old), LakeTableKind::Upsert).await.expect("created");
        let rows = [(pair_batch(&old, &[(1, "one".into()), (2, "two".into())]), vec![RowId(0), RowId(1)])];
        flush_rows(&mut table, 1, &rows, &[], 2).await.expect("flushed");
        lake.write_manifest(manifest(1, &[("silver.pairs", &table)])).await.expect("written");
        let new = schema(&[("id", PgType::new(oid::INT8)), ("at", PgType::new(oid::TIMESTAMP))], vec![0]);
        let before = table.version();
        let flush = Flush { dead: &[RowId(0)], ..flush_of(&new, 2, 2) };
        assert_eq!(table.flush(flush).await.expect("rewritten"), before + 1);
        assert_eq!(table.rows(), 1);
    }
    let (lake, found) = open(options(folder.path())).await.expect("it opens");
    let found = found.expect("there is one");
    assert_eq!((found.tick, found.tables["silver.pairs"].version), (Tick(1), 3));
    let mut table = lake.table("silver.pairs", Arc::clone(&old), LakeTableKind::Upsert).await.expect("opened");
    let (loaded, _) = load(&mut table).await;
    assert_eq!(loaded[0].0, pair_batch(&old, &[(1, "one".into()), (2, "two".into())]));
    let unchanged = table.flush(flush_of(&old, 2, 2)).await.expect("nothing to do");
    assert_eq!(unchanged, 3, "the schema in the log is the old one again");
}

#[tokio::test]
async fn rows_are_read_out_of_their_row_group_and_its_file_stays_meanwhile() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let without_past = LakeOptions { history: Duration::ZERO, ..options(folder.path()) };
    let (mut lake, _) = open(without_past.clone()).await.expect("it opens");
    lake.cold().set_cache(1 << 20);
    let schema = pairs();
    let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
    let rows = |ids: std::ops::Range<i32>| {
        let rows: Vec<(i32, String)> = ids.clone().map(|id| (id, format!("note {id}"))).collect();
        vec![(pair_batch(&schema, &rows), ids.map(|id| RowId(id as u64)).collect::<Vec<_>>())]
    };
    flush_rows(&mut table, 1, &rows(0..20_000), &[], 20_000).await.expect("flushed");
    let dead: Vec<RowId> = (0..20_000).step_by(3).map(RowId).collect();
    flush_rows(&mut table, 2, &rows(20_000..20_010), &dead, 20_010).await.expect("flushed");
    let group_of = |table: &LakeTable, id| match table.files().evictable(RowId(id)).expect("it reads").expect("a group")
    {
        Evictable::Group(group) => group,
        Evictable::TooSmall { next } => panic!("too small up to {next}"),
    };
    let group = group_of(&table, 7);
    assert_eq!((group.span(), group.rows.rows()), (Some(0..=19_999), 20_000));
    let small = table.files().evictable(RowId(20_003)).expect("it reads");
    assert!(matches!(small, Some(Evictable::TooSmall { next: RowId(20_010) })), "{small:?}");
    assert!(table.files().evictable(RowId(20_010)).expect("it reads").is_none());
    assert_eq!(group.rows.bounds(0), Some((ScalarValue::Int32(Some(0)), ScalarValue::Int32(Some(19_999)))));
    let read = |columns: &[usize], some: Option<&[u32]>| {
        let pieces = group.rows.read(columns, some).expect("it reads").collect::<Result<Vec<_>, _>>().expect("rows");
        arrow::compute::concat_batches(&pieces[0].schema(), &pieces).expect("alike")
    };
    let all = rows(0..20_000)[0].0.clone();
    assert_eq!(read(&[1, 0], None), all.project(&[1, 0]).expect("two columns"));
    let some = [0, 7, 8, 9, 4_711, 19_999];
    let wanted = arrow::compute::take_record_batch(&all, &UInt32Array::from(some.to_vec())).expect("rows");
    for _ in 0..2 {
        assert_eq!(read(&[0, 1], Some(&some)), wanted);
    }
    assert_eq!(read(&[], Some(&some)).num_rows(), 6);
    let cache = lake.cold().cache();
    assert!((cache.hits, cache.misses) == (2, 2) && cache.bytes > 0, "{cache:?}");

    // Compaction takes the file out of the table; nobody would need it any more.
    let old = folder.path().join("silver/pairs").join(group.rows.file());
    let compaction = table.next_compaction(&Maintenance::default(), &mut 0).expect("two files");
    let compacted = compaction.run().await.expect("compacted");
    table.replace(compacted, &mut Maintained::default()).await.expect("replaced");
    for n in 0..30 {
        lake.write_manifest(manifest(3 + n, &[("silver.pairs", &table)])).await.expect("written");
    }
    let at_once = Maintenance { retention: Duration::ZERO, ..Maintenance::default() };
    let clean = |table: &LakeTable| table.cleaning(&at_once, false).expect("it can be cleaned").run();
    clean(&table).await.expect("cleaned");
    assert_eq!(read(&[0, 1], None), all);
    assert!(old.exists() && lake.is_read("silver.pairs").expect("a table"));
    drop(group);
    clean(&table).await.expect("cleaned");
    assert!(!old.exists() && !lake.is_read("silver.pairs").expect("a table"));
    let group = group_of(&table, 7);
    assert_eq!(group.ids[..2], [IdRun { id: 1, row: 0, len: 2 }, IdRun { id: 4, row: 2, len: 2 }]);
    drop((group, table, lake));

    let (lake, _) = open(without_past).await.expect("it opens again");
    let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("opened");
    let open = table.open_files().expect("footers");
    let (mut ids, mut keys) = (0, Vec::new());
    let next = table.load_partly(&open, 0, &[0], |rows| {
        let Loaded::Cold(group, kept) = rows else { panic!("rows in memory") };
        ids += group.ids.iter().map(|run| run.len).sum::<u32>();
        keys.extend(kept[0].1.as_primitive::<Int32Type>().values().iter().copied());
        Ok(())
    });
    assert_eq!((next.expect("it loads"), ids), (RowId(13_343), 13_343));
    assert_eq!(keys, (0..20_010).filter(|id| *id >= 20_000 || id % 3 > 0).collect::<Vec<_>>());
}

#[tokio::test]
async fn pinned_files_stay_readable_while_the_table_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, _) = open(options(folder.path())).await.expect("it opens");
    let schema = pairs();
    let mut table = lake.table("silver.pairs", Arc::clone(&schema), LakeTableKind::Upsert).await.expect("created");
    for n in 0..10u64 {
        let rows = [(pair_batch(&schema, &[(n as i32, "x".into())]), vec![RowId(n)])];
        flush_rows(&mut table, n, &rows, &[], n + 1).await.expect("flushed");
    }
    let pinned = table.files();
    flush_rows(&mut table, 11, &[], &[RowId(3), RowId(4)], 10).await.expect("flushed");
    let done = table.maintain(&Maintenance { compact_every: 1, ..Maintenance::default() }).await.expect("maintained");
    assert_eq!((done.merged_files, done.rewritten_rows), (8, 8), "files without a live row are gone already");
    let cleaning = table.cleaning(&Maintenance::default(), true).expect("it can be cleaned");
    cleaning.run().await.expect("cleaned");
    let mut seen = Vec::new();
    for i in 0..pinned.len() {
        let batches: Vec<RecordBatch> =
            pinned.read(i, Some(&[0]), Arc::default()).try_collect().await.expect("it reads");
        seen.extend(batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()));
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(table.files().rows(), 8);
}

#[tokio::test]
async fn a_lake_that_has_lost_its_manifests_is_not_taken_for_a_new_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut lake, _) = open(options(folder.path())).await.expect("it opens");
    let table = lake.table("silver.pairs", pairs(), LakeTableKind::Upsert).await.expect("created");
    lake.write_manifest(manifest(1, &[("silver.pairs", &table)])).await.expect("written");
    drop((table, lake));
    std::fs::remove_dir_all(folder.path().join("_sluice/manifests")).expect("it was there");
    for _ in 0..2 {
        let refused = open(options(folder.path())).await.expect_err("its tables are there");
        assert!(refused.to_string().contains("silver/pairs"), "{refused}");
    }
}

#[test]
fn folder_names_never_meet() {
    assert_eq!(folder_name("orders"), "orders");
    assert_eq!(folder_name("is_paid"), "is_paid");
    let odd = ["a b", "a_b", "a_x20_b", "_a", ".a", "..", "A", "é", "a/b", "a_x2f_b", "x", "_x", "__x"];
    let folders: HashSet<String> = odd.iter().map(|name| folder_name(name)).collect();
    assert_eq!(folders.len(), odd.len(), "{folders:?}");
    assert!(folders.iter().all(|folder| !folder.starts_with(['_', '.']) || folder.starts_with("_x")), "{folders:?}");
}

/// For `tests/real/read_lake.py`: writes two tables to the folder that `SLUICE_LAKE_OUT` names. Not a test of its own.
#[tokio::test]
#[ignore = "writes a lake for other readers, into SLUICE_LAKE_OUT"]
async fn a_lake_for_other_readers() {
    let Ok(folder) = std::env::var("SLUICE_LAKE_OUT") else { return };
    let (mut lake, _) = open(LakeOptions::new(&folder)).await.expect("it opens");
    let columns = every_type();
    let types = schema(&columns.iter().map(|(name, ty, _)| (*name, *ty)).collect::<Vec<_>>(), vec![2]);
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(types.arrow()), arrays).expect("storage forms");
    let mut every = lake.table("silver.types", Arc::clone(&types), LakeTableKind::Upsert).await.expect("created");
    flush_rows(&mut every, 1, &[(batch, (0..3).map(RowId).collect())], &[], 3).await.expect("flushed");

    let narrow = pairs();
    let mut table = lake.table("silver.pairs", Arc::clone(&narrow), LakeTableKind::Upsert).await.expect("created");
    let all: Vec<(i32, String)> = (0..20_000).map(|key| (key, format!("note {key}"))).collect();
    let ids = (0..20_000).map(RowId).collect();
    flush_rows(&mut table, 1, &[(pair_batch(&narrow, &all), ids)], &[], 20_000).await.expect("flushed");
    // Many deaths: a vector in a file. Few: inline.
    for n in 0..30u64 {
        let dead: Vec<RowId> =
            (0..if n < 5 { 1000 } else { 3 }).map(|m| RowId(m * 20 + n % 20 + u64::from(n >= 20))).collect();
        let dead = if n < 20 { dead } else { Vec::new() };
        let rows = [(pair_batch(&narrow, &[(100_000 + n as i32, "new".into())]), vec![RowId(20_000 + n)])];
        flush_rows(&mut table, 2 + n, &rows, &dead, 20_001 + n).await.expect("flushed");
        if n == 12 {
            let cleaning = table.cleaning(&Maintenance::default(), true).expect("it can be cleaned");
            cleaning.run().await.expect("cleaned");
        }
    }
    table
        .maintain(&Maintenance { compact_every: 1, max_rows: 1000, ..Maintenance::default() })
        .await
        .expect("maintained");
    lake.write_manifest(manifest(40, &[("silver.types", &every), ("silver.pairs", &table)])).await.expect("written");
    let (loaded, _) = load(&mut table).await;
    let mut keys: Vec<i32> =
        loaded.iter().flat_map(|(batch, _)| batch.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
    keys.sort_unstable();
    let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
    std::fs::write(FsPath::new(&folder).join("pairs.expected"), text).expect("written");
}
