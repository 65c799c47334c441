//! Sessions over a storage of fixed tables.

use super::*;
use crate::catalog::{Catalog, NewRelation, PUBLIC, RelationKind};
use crate::change::Tick;
use crate::pg_catalog::{State, system_relations};
use crate::source::SourceStatus;
use crate::types::{Column, Oid, PgError, PgResult, PgType, SqlState, TableSchema, oid};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows of `many` in a batch, and batches.
pub const MANY_BATCH: usize = 8192;
pub const MANY_BATCHES: usize = 2000;

/// `t(a int4, b text)` with three rows, `many(n int8)` with 16 million that are made when they are read, `endless(n int8)`
/// whose first row never comes. A materialized view is empty.
pub struct FixedStorage {
    catalog: Mutex<Arc<Catalog>>,
    tick: AtomicUsize,
    /// Batches of `many` that were made.
    pub made: Arc<AtomicUsize>,
}

struct FixedSnapshot {
    tick: Tick,
    catalog: Arc<Catalog>,
    made: Arc<AtomicUsize>,
}

impl FixedStorage {
    pub fn new() -> Arc<Self> {
        let mut catalog = Catalog::new(system_relations());
        let int8 = || vec![Column::new("n", PgType::new(oid::INT8), true)];
        let t = vec![Column::new("a", PgType::new(oid::INT4), false), Column::new("b", PgType::new(oid::TEXT), true)];
        for (name, columns, kind) in [
            ("t", t, RelationKind::Silver),
            ("many", int8(), RelationKind::Silver),
            ("endless", int8(), RelationKind::Silver),
        ] {
            let new = NewRelation {
                schema: PUBLIC,
                name: name.into(),
                kind,
                table: TableSchema::new(columns, vec![]),
                definition: None,
                search_path: vec![],
                depends_on: vec![],
            };
            catalog.create(new).unwrap();
        }
        let catalog = Mutex::new(Arc::new(catalog));
        Arc::new(Self { catalog, tick: AtomicUsize::new(1), made: Arc::default() })
    }
}

#[async_trait]
impl Storage for Arc<FixedStorage> {
    fn snapshot(&self) -> Arc<dyn StorageSnapshot> {
        let tick = Tick(self.tick.load(Ordering::SeqCst) as u64);
        Arc::new(FixedSnapshot { tick, catalog: Arc::clone(&self.catalog.lock()), made: Arc::clone(&self.made) })
    }

    async fn commit(&self, commit: crate::engine::Commit) -> PgResult<()> {
        let mut catalog = self.catalog.lock();
        let mut changed = Catalog::clone(&catalog);
        if let Some(change) = commit.change {
            change(&mut changed)?;
        }
        *catalog = Arc::new(changed);
        self.tick.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl StorageSnapshot for FixedSnapshot {
    fn tick(&self) -> Tick {
        self.tick
    }

    fn at_us(&self) -> i64 {
        0
    }

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _partitions: usize,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let relation = self.catalog.relation(oid).expect("the relation is in the snapshot");
        let schema = Arc::clone(relation.table_schema().arrow());
        let made = Arc::clone(&self.made);
        let rows = FixedRows { name: relation.name.clone(), schema: Arc::clone(&schema), made };
        let exec = StreamingTableExec::try_new(schema, vec![Arc::new(rows)], projection, [], false, None)?;
        Ok(Arc::new(exec))
    }

    fn table(&self, _: Oid) -> Option<crate::store::TableSnapshot> {
        None
    }

    fn state(&self, _: &[Arc<SourceStatus>]) -> State {
        State { tick: self.tick.0, ..State::default() }
    }

    fn look_up(&self, _: Oid, _: &[(usize, &ScalarValue)], _: &[usize]) -> Option<PgResult<RecordBatch>> {
        None
    }

    fn changed_tick(&self, _: Oid) -> Option<Tick> {
        None
    }

    fn sizes(&self) -> Arc<HashMap<Oid, u64>> {
        Arc::default()
    }
}

#[derive(Debug)]
struct FixedRows {
    name: String,
    schema: SchemaRef,
    made: Arc<AtomicUsize>,
}

impl PartitionStream for FixedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batch = move |columns: Vec<ArrayRef>| Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?);
        let stream = match self.name.as_str() {
            "t" => {
                let b = StringArray::from(vec![Some("one"), None, Some("drei ä")]);
                let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(vec![1, 2, 3])), Arc::new(b)];
                futures::stream::iter([batch(columns)]).boxed()
            }
            "many" => {
                let made = Arc::clone(&self.made);
                let rows = move |i: usize| {
                    made.fetch_add(1, Ordering::SeqCst);
                    let start = (i * MANY_BATCH) as i64;
                    batch(vec![Arc::new(Int64Array::from_iter_values(start..start + MANY_BATCH as i64))])
                };
                futures::stream::iter((0..MANY_BATCHES).map(rows)).boxed()
            }
            "endless" => futures::stream::pending().boxed(),
            _ => futures::stream::empty().boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

pub fn database(storage: &Arc<FixedStorage>) -> Arc<Database> {
    let options = DatabaseOptions { query_threads: 2, memory_limit: 64 << 20, plan_cache: 64 };
    Database::new(Arc::clone(storage), Vec::new(), options).unwrap()
}

fn session() -> Session {
    let startup = Startup { user: "me".into(), database: "sluice".into(), ..Startup::default() };
    database(&FixedStorage::new()).session(startup).unwrap()
}

/// Runs one statement as the simple protocol does: its tag, or `rows:` and what the first column shows.
async fn run(session: &mut Session, sql: &str) -> PgResult<String> {
    let result = async {
        session.begin_statement();
        let prepared = session.parse(sql, &[]).await?;
        match session.execute(&prepared, vec![]).await? {
            Outcome::Rows { mut stream, .. } => {
                let mut values = Vec::new();
                while let Some(batch) = stream.next().await {
                    let batch = batch.map_err(PgError::from)?;
                    for row in 0..batch.num_rows() {
                        values.push(arrow::util::display::array_value_to_string(batch.column(0), row)?);
                    }
                }
                Ok(format!("rows:{}", values.join(",")))
            }
            Outcome::Done { tag } => Ok(tag),
            Outcome::Empty => Ok(String::new()),
            Outcome::CopyOut { .. } | Outcome::CopyIn(_) => Ok("COPY".into()),
        }
    }
    .await;
    if result.is_err() {
        session.fail();
    }
    session.end_implicit().await?;
    result
}

/// Runs each statement and compares: a tag or rows, or `!` and the SQLSTATE.
async fn script(session: &mut Session, steps: &[(&str, &str)]) {
    for (sql, expected) in steps {
        let got = match run(session, sql).await {
            Ok(tag) => tag,
            Err(error) => format!("!{}", error.state.as_str()),
        };
        assert_eq!(got, *expected, "{sql}");
    }
}

#[tokio::test]
async fn a_failed_transaction_hears_only_its_end() {
    let steps = [
        ("BEGIN", "BEGIN"),
        ("SELECT nope", "!42703"),
        ("SELECT 1", "!25P02"),
        ("SHOW datestyle", "!25P02"),
        ("COMMIT", "ROLLBACK"),
        ("SELECT 1", "rows:1"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn a_rollback_takes_back_views_and_settings() {
    let steps = [
        ("BEGIN", "BEGIN"),
        ("CREATE VIEW v AS SELECT 1 AS a", "CREATE VIEW"),
        ("SET application_name = 'x'", "SET"),
        ("SELECT * FROM v", "rows:1"),
        ("ROLLBACK", "ROLLBACK"),
        ("SELECT * FROM v", "!42P01"),
        ("SHOW application_name", "rows:"),
        ("BEGIN", "BEGIN"),
        ("CREATE VIEW v AS SELECT 2 AS a", "CREATE VIEW"),
        ("SAVEPOINT s", "SAVEPOINT"),
        ("DROP VIEW v", "DROP VIEW"),
        ("SELECT * FROM v", "!42P01"),
        ("ROLLBACK TO s", "ROLLBACK"),
        ("COMMIT", "COMMIT"),
        ("SELECT * FROM v", "rows:2"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn nobody_sees_a_view_before_its_transaction_commits() {
    let database = database(&FixedStorage::new());
    let startup = || Startup { user: "me".into(), ..Startup::default() };
    let (mut one, mut two) = (database.session(startup()).unwrap(), database.session(startup()).unwrap());
    script(&mut two, &[("BEGIN", "BEGIN"), ("SELECT * FROM t", "rows:1,2,3")]).await;
    script(&mut one, &[("BEGIN", "BEGIN"), ("CREATE VIEW v AS SELECT 1 AS a", "CREATE VIEW"), ("COMMIT", "COMMIT")])
        .await;
    // The other's transaction stays at its tick.
    script(&mut two, &[("SELECT * FROM v", "!42P01"), ("ROLLBACK", "ROLLBACK"), ("SELECT * FROM v", "rows:1")]).await;
}

#[tokio::test]
async fn views_are_made_replaced_and_dropped_by_postgresqls_rules() {
    let steps = [
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("CREATE SCHEMA s", "!42P06"),
        ("CREATE SCHEMA IF NOT EXISTS s", "CREATE SCHEMA"),
        ("CREATE SCHEMA pg_own", "!42939"),
        ("CREATE VIEW s.v (x) AS SELECT 1 AS a", "CREATE VIEW"),
        ("CREATE VIEW s.v AS SELECT 1 AS a", "!42P07"),
        ("CREATE OR REPLACE VIEW s.v AS SELECT 2 AS a", "!42P16"),
        ("CREATE OR REPLACE VIEW s.v AS SELECT 2 AS x, 3 AS y", "CREATE VIEW"),
        ("SELECT * FROM s.v", "rows:2"),
        ("CREATE VIEW w AS SELECT * FROM s.v", "CREATE VIEW"),
        ("CREATE OR REPLACE VIEW s.v AS SELECT * FROM w", "!42P17"),
        ("ALTER VIEW s.v RENAME TO \"U v\"", "ALTER VIEW"),
        ("SELECT * FROM w", "rows:2"),
        ("SELECT pg_get_viewdef('w'::regclass)", "rows: SELECT * FROM s.\"U v\" AS v;"),
        ("ALTER VIEW s.\"U v\" SET SCHEMA public", "ALTER VIEW"),
        ("SELECT * FROM w", "rows:2"),
        ("ALTER VIEW \"U v\" SET SCHEMA s", "ALTER VIEW"),
        ("ALTER VIEW s.\"U v\" RENAME TO v", "ALTER VIEW"),
        (
            "CREATE VIEW x AS WITH v AS (SELECT 5 AS a) SELECT v.x, c.a FROM s.v, v AS c WHERE v.x = s.v.x",
            "CREATE VIEW",
        ),
        ("ALTER VIEW s.v RENAME TO y", "!0A000"),
        ("DROP VIEW x", "DROP VIEW"),
        ("DROP VIEW s.v", "!2BP01"),
        ("DROP SCHEMA s", "!2BP01"),
        ("DROP MATERIALIZED VIEW w", "!42809"),
        ("DROP TABLE t", "!42501"),
        ("DROP VIEW IF EXISTS nope", "DROP VIEW"),
        ("DROP SCHEMA s CASCADE", "DROP SCHEMA"),
        ("SELECT * FROM w", "!42P01"),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "CREATE MATERIALIZED VIEW"),
        ("CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1 AS a", "CREATE MATERIALIZED VIEW"),
        ("REFRESH MATERIALIZED VIEW m", "REFRESH MATERIALIZED VIEW"),
        ("ALTER MATERIALIZED VIEW m RENAME TO n", "ALTER MATERIALIZED VIEW"),
        ("ALTER MATERIALIZED VIEW n SET SCHEMA gold", "ALTER MATERIALIZED VIEW"),
        ("SELECT * FROM gold.n", "rows:"),
        ("COMMENT ON MATERIALIZED VIEW gold.n IS 'hello'", "COMMENT"),
        ("COMMENT ON COLUMN gold.n.b IS 'hello'", "!42703"),
        ("DROP MATERIALIZED VIEW gold.n", "DROP MATERIALIZED VIEW"),
        ("INSERT INTO t VALUES (1)", "!42809"),
        ("CREATE TABLE x (a int)", "CREATE TABLE"),
        ("LISTEN x", "LISTEN"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn a_materialized_view_is_read_after_its_commit() {
    let steps = [
        ("BEGIN", "BEGIN"),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "CREATE MATERIALIZED VIEW"),
        ("SELECT * FROM m", "!55000"),
        ("ROLLBACK", "ROLLBACK"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn settings_are_set_shown_and_reset() {
    let steps = [
        ("SET search_path TO gold, \"My S\", public", "SET"),
        ("SHOW search_path", "rows:gold, \"My S\", public"),
        ("SET TIME ZONE 'europe/berlin'", "SET"),
        ("SHOW timezone", "rows:Europe/Berlin"),
        ("SET statement_timeout = '90s'", "SET"),
        ("SHOW statement_timeout", "rows:90s"),
        ("RESET ALL", "RESET"),
        ("SHOW TIME ZONE", "rows:Etc/UTC"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
        ("SHOW default_transaction_read_only", "rows:on"),
        ("SET nonsense = 1", "!42704"),
        ("SET datestyle = 'german'", "!0A000"),
        ("SET intervalstyle = 'sql_standard'", "!0A000"),
        ("SET statement_timeout = 'soon'", "!22023"),
        ("SET server_version = '9'", "!55P02"),
        ("SHOW transaction_isolation", "rows:repeatable read"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN"),
        ("SHOW transaction_isolation", "rows:serializable"),
        ("COMMIT", "COMMIT"),
        ("SHOW transaction_isolation", "rows:repeatable read"),
        ("DISCARD ALL", "DISCARD ALL"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn prepared_statements_and_cursors_live_in_the_session() {
    let steps = [
        ("PREPARE p (int4) AS SELECT $1", "PREPARE"),
        ("PREPARE p AS SELECT 1", "!42P05"),
        ("EXECUTE p(42)", "rows:42"),
        ("EXECUTE p", "!42601"),
        ("DEALLOCATE p", "DEALLOCATE"),
        ("EXECUTE p(1)", "!26000"),
        ("DECLARE c CURSOR FOR SELECT * FROM t", "!25P01"),
        ("BEGIN", "BEGIN"),
        ("DECLARE c CURSOR FOR SELECT * FROM t", "DECLARE CURSOR"),
        ("FETCH c", "rows:1"),
        ("FETCH FORWARD 5 FROM c", "rows:2,3"),
        ("FETCH c", "rows:"),
        ("CLOSE c", "CLOSE CURSOR"),
        ("FETCH c", "!34000"),
        ("ROLLBACK", "ROLLBACK"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn a_plan_is_made_once_for_all_sessions() {
    let database = database(&FixedStorage::new());
    let startup = || Startup { user: "me".into(), ..Startup::default() };
    for _ in 0..3 {
        let mut session = database.session(startup()).unwrap();
        assert_eq!(run(&mut session, "SELECT * FROM t").await.unwrap(), "rows:1,2,3");
    }
    assert_eq!(database.metrics.plan_cache_misses.load(Ordering::SeqCst), 1);
    assert_eq!(database.metrics.plan_cache_hits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_prepared_statement_follows_the_catalog() {
    let mut session = session();
    run(&mut session, "CREATE VIEW v AS SELECT 1 AS a").await.unwrap();
    session.begin_statement();
    let prepared = session.parse("SELECT * FROM v", &[]).await.unwrap();
    run(&mut session, "CREATE OR REPLACE VIEW v AS SELECT 7 AS a").await.unwrap();
    let Outcome::Rows { mut stream, .. } = session.execute(&prepared, vec![]).await.unwrap() else { panic!("no rows") };
    let batch = stream.next().await.unwrap().unwrap();
    assert_eq!(arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap(), "7");
    // Another shape is another statement.
    run(&mut session, "CREATE OR REPLACE VIEW v AS SELECT 7 AS a, 8 AS b").await.unwrap();
    let changed = session.execute(&prepared, vec![]).await.err().unwrap();
    assert_eq!(changed.state, SqlState::FEATURE_NOT_SUPPORTED);
}

#[tokio::test]
async fn a_script_is_one_transaction() {
    let storage = FixedStorage::new();
    let database = database(&storage);
    let script = "CREATE VIEW one AS SELECT 1 AS a;\nCREATE VIEW two AS SELECT nope;";
    let failed = database.run_script(script).await.unwrap_err();
    assert_eq!(failed.state, SqlState::UNDEFINED_COLUMN);
    assert_eq!(failed.rest.unwrap().position, script.find("nope"));
    assert!(storage.snapshot().catalog().relation_named(PUBLIC, "one").is_none());
    database.run_script("CREATE VIEW one AS SELECT 1 AS a; CREATE VIEW two AS SELECT * FROM one").await.unwrap();
    assert!(storage.snapshot().catalog().relation_named(PUBLIC, "two").is_some());
}

#[tokio::test]
async fn system_relations_show_the_session_and_the_catalog() {
    let steps = [
        ("SELECT relname FROM pg_class WHERE relname = 'many'", "rows:many"),
        ("SELECT setting FROM pg_settings WHERE name = 'server_version'", "rows:15.18"),
        ("SELECT usename FROM pg_stat_activity WHERE state = 'active'", "rows:me"),
        ("SELECT 't'::regclass::text", "rows:t"),
        ("SELECT current_user", "rows:me"),
        ("BEGIN", "BEGIN"),
        ("CREATE VIEW v AS SELECT 1 AS a", "CREATE VIEW"),
        ("SELECT relname FROM pg_class WHERE relname = 'v'", "rows:v"),
        ("ROLLBACK", "ROLLBACK"),
        ("SELECT relname FROM pg_class WHERE relname = 'v'", "rows:"),
        ("SELECT set_config('application_name', 'other', false)", "rows:other"),
        ("SHOW application_name", "rows:other"),
    ];
    script(&mut session(), &steps).await;
}

#[tokio::test]
async fn explain_shows_the_plan() {
    let shown = run(&mut session(), "EXPLAIN SELECT * FROM t").await.unwrap();
    assert!(shown.contains("StreamingTableExec"), "{shown}");
    let ran = run(&mut session(), "EXPLAIN ANALYZE SELECT * FROM t").await.unwrap();
    assert!(ran.contains("Rows: 3") && ran.contains("Execution Time"), "{ran}");
}

#[tokio::test]
async fn what_can_run_without_datafusion_is_seen_in_the_plan() {
    use super::direct::Direct;
    use super::prepare::Kind;
    let mut session = session();
    let expected = [
        ("SELECT 1 AS a, 'x', $1::int", "row"),
        ("SELECT b FROM t WHERE a = 1", "key"),
        ("SELECT b, a, b FROM (SELECT * FROM t) x WHERE $1 = a ORDER BY b LIMIT 1", "key"),
        ("SELECT b FROM t WHERE a = 1 LIMIT 0", ""),
        ("SELECT b FROM t WHERE a = 1 OFFSET 1", ""),
        ("SELECT b FROM t WHERE a = 1 AND b <> 'x'", ""),
        ("SELECT a + 1 FROM t WHERE a = 1", ""),
        ("SELECT b FROM t WHERE a = 1.5", ""),
        ("SELECT b FROM t WHERE a > 1", ""),
        ("SELECT count(*) FROM t WHERE a = 1", ""),
        ("SELECT b FROM t", ""),
        ("SELECT now()", ""),
        ("SELECT 1 WHERE $1", ""),
    ];
    for (sql, expected) in expected {
        session.begin_statement();
        let prepared = session.parse(sql, &[]).await.expect(sql);
        let Kind::Query(query) = &prepared.kind else { panic!("{sql} is no query") };
        let found = match &query.direct {
            Some(Direct::Row { .. }) => "row",
            Some(Direct::KeyLookup { .. }) => "key",
            None => "",
        };
        assert_eq!(found, expected, "{sql}");
    }
}
