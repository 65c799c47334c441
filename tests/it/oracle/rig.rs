//! An engine and a session in this process, over a lake in a temporary folder.

use super::compare::shown;
use super::tables::{Change, Delivered, Table, Ty, announced};
use crate::support::PATIENCE;
use arrow::array::RecordBatch;
use futures::StreamExt;
use sluice::change::{Delivery, Position, Schemas, StreamId};
use sluice::engine::{self, EngineHandle, EngineOptions, ViewPhase, ViewState};
use sluice::lake::{LakeError, LakeOptions};
use sluice::pg_catalog::system_relations;
use sluice::source::{DeliveryLimits, StreamSender, deliveries};
use sluice::sql::{Database, DatabaseOptions, Outcome, Session, Startup};
use sluice::types::codec::{BoundColumn, ColumnEncoder, Format, TextSettings};
use sluice::types::{ExprType, PgError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Cells as text.
pub type Row = Vec<Option<String>>;

pub struct Rig {
    folder: Arc<TempDir>,
    engine: EngineHandle,
    database: Arc<Database>,
    session: Session,
    sender: StreamSender,
    next: Position,
}

/// A session that only changes the catalog.
pub struct Other(Session);

impl Other {
    pub async fn run(mut self, sql: String) -> Result<(), PgError> {
        self.0.begin_statement();
        let prepared = self.0.parse(&sql, &[]).await?;
        drop(self.0.execute(&prepared, vec![]).await?);
        self.0.end_implicit().await
    }
}

impl Rig {
    pub async fn start() -> Self {
        Self::over(Arc::new(crate::support::folder()), Position(0), None).await
    }

    /// With an engine that fills every view beside its loop.
    pub async fn filling_beside() -> Self {
        Self::over(Arc::new(crate::support::folder()), Position(0), Some(0)).await
    }

    /// A second session on the same database.
    pub fn other_session(&self) -> Other {
        let startup = Startup { user: "other".into(), database: "sluice".into(), ..Startup::default() };
        Other(self.database.session(startup).expect("a session"))
    }

    async fn over(folder: Arc<TempDir>, next: Position, fill_beside_rows: Option<u64>) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let (sender, engine) = loop {
            let (sender, receiver) = deliveries(DeliveryLimits::default());
            let mut options = EngineOptions::new(LakeOptions::new(folder.path().join("lake").to_string_lossy()));
            // Only what a statement waits for is flushed.
            options.flush_interval = Duration::from_secs(3600);
            options.fill_beside_rows = fill_beside_rows.unwrap_or(options.fill_beside_rows);
            let start =
                move || engine::start(options, system_relations(), Arc::new(Schemas::default()), receiver, vec![]);
            match tokio::task::spawn_blocking(start).await.expect("the engine's start does not panic") {
                Ok(recovered) => break (sender, recovered.handle),
                // The engine before has said that it is done; its threads are ending.
                Err(LakeError::Locked { .. }) if Instant::now() < deadline => tokio::task::yield_now().await,
                Err(error) => panic!("the engine does not start over a folder of ours: {error}"),
            }
        };
        let options = DatabaseOptions { query_threads: 1, ..DatabaseOptions::default() };
        let database = Database::new(engine.clone(), vec![], options).expect("a database over an engine");
        let startup = Startup { user: "oracle".into(), database: "sluice".into(), ..Startup::default() };
        let session = database.session(startup).expect("a session");
        let sender = sender.stream(StreamId("oracle/changes".into()));
        Self { folder, engine, database, session, sender, next }
    }

    /// Ends the engine in order and starts another one over its lake, which fills its views beside the loop if so asked.
    pub async fn restart(&mut self, beside: bool) {
        self.engine.shutdown().await.expect("the engine ends in order");
        *self = Self::over(Arc::clone(&self.folder), self.next, beside.then_some(0)).await;
    }

    /// Waits until no view is being filled.
    pub async fn filled(&self) {
        let mut ticks = self.engine.ticks();
        let filled = ticks.wait_for(|_| !self.phases().contains(&ViewPhase::Hydrating));
        tokio::time::timeout(PATIENCE, filled).await.expect("the views are filled").expect("the engine lives");
    }

    /// Waits until no view is in error.
    pub async fn healed(&self) {
        let mut ticks = self.engine.ticks();
        let healed = ticks.wait_for(|_| self.phases().iter().all(|phase| *phase == ViewPhase::Live));
        tokio::time::timeout(PATIENCE, healed).await.expect("the views heal").expect("the engine lives");
    }

    pub async fn stop(self) {
        self.engine.shutdown().await.expect("the engine ends in order");
    }

    /// Delivers changes and waits for the tick that shows them.
    pub async fn feed(&mut self, delivered: Delivered) {
        let Delivered { changes, bronze, events } = delivered;
        // A delivery without changes has a record all the same: one that no table wanted.
        let events = events.max(1) as i64;
        let positions: Vec<Position> = (self.next.0..self.next.0 + events).map(Position).collect();
        self.next = Position(self.next.0 + events);
        let delivery = Delivery {
            source: "oracle".into(),
            stream: self.sender.id().clone(),
            positions,
            next: self.next,
            bronze,
            changes,
            dead: vec![],
            transactions: vec![],
            transaction_kind: None,
            marks: vec![],
            moves: vec![],
            blocks: vec![],
            newest_source_ts: None,
            bytes: 1,
        };
        self.sender.send_now(delivery).expect("the engine takes deliveries");
        let mut ticks = self.engine.ticks();
        let (engine, stream, next) = (&self.engine, self.sender.id(), self.next);
        let shown = || engine.snapshot().status.streams.iter().any(|s| s.stream == *stream && s.position >= next);
        let shown = ticks.wait_for(|_| shown());
        tokio::time::timeout(PATIENCE, shown).await.expect("a tick shows the delivery").expect("the engine lives");
        assert_eq!(self.engine.snapshot().status.dead_letters, 0, "the oracle's own changes fit");
    }

    /// The phase of each view, as of the newest tick.
    pub fn phases(&self) -> Vec<ViewPhase> {
        self.views().into_iter().map(|view| view.phase).collect()
    }

    /// What each view says of itself, as of the newest tick.
    pub fn views(&self) -> Vec<ViewState> {
        self.engine.snapshot().status.views.clone()
    }

    /// The rows of a gold view at the newest tick, or why it has none, as the engine publishes them: without a query.
    pub fn held(&self, view: &str) -> Result<Vec<Row>, String> {
        let snapshot = self.engine.snapshot();
        let relation = snapshot.catalog.user_relations().find(|r| snapshot.catalog.qualified_name(r) == view);
        let relation = relation.unwrap_or_else(|| panic!("no view {view}"));
        let state = snapshot.status.views.iter().find(|state| state.oid == relation.oid);
        match state.map(|state| &state.phase) {
            Some(ViewPhase::Live) => {}
            phase => return Err(format!("{phase:?}")),
        }
        let table = snapshot.table(relation.oid).expect("a gold view's rows are in memory");
        let schema = relation.table_schema();
        let types: Vec<ExprType> = schema.columns.iter().map(|c| ExprType { pg: c.ty, storage: c.storage() }).collect();
        let mut rows = Vec::new();
        for i in 0..table.chunks() {
            let chunk = table.chunk(i, None).expect("a chunk of a view");
            rows.extend(as_text(&types, &chunk).expect("values have a text"));
        }
        Ok(rows)
    }

    /// What a client sees of a gold view: its rows, or its error. `told`: the error that `sluice.views` tells; `Err` where the
    /// two do not agree.
    pub async fn shown(&mut self, view: &str, told: Option<String>) -> Result<Result<Vec<Row>, String>, String> {
        let held = self.run(&format!("SELECT * FROM {view}")).await;
        match (&held, told) {
            (Ok(_), Some(error)) => Err(format!("{view} can be read, and sluice.views says: {error}")),
            (Err(error), None) => Err(format!("{view} fails, and sluice.views does not say so: {}", shown(error))),
            _ => Ok(held.map_err(|error| shown(&error))),
        }
    }

    /// What each gold view says of itself: its error, if any.
    pub async fn errors(&mut self) -> HashMap<String, Option<String>> {
        let rows = self.must("SELECT schema_name || '.' || view_name, error FROM sluice.views").await;
        let named = |row: Row| {
            let [name, error] = <[Option<String>; 2]>::try_from(row).ok()?;
            Some((name?, error))
        };
        rows.into_iter().filter_map(named).collect()
    }

    /// One statement as the simple protocol runs it.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Row>, PgError> {
        let outcome = self.statement(sql).await;
        match outcome {
            Ok(rows) => self.session.end_implicit().await.map(|()| rows),
            Err(error) => {
                self.session.fail();
                Err(error)
            }
        }
    }

    async fn statement(&mut self, sql: &str) -> Result<Vec<Row>, PgError> {
        self.session.begin_statement();
        let prepared = self.session.parse(sql, &[]).await?;
        let Outcome::Rows { columns, mut stream, .. } = self.session.execute(&prepared, vec![]).await? else {
            return Ok(vec![]);
        };
        let types: Vec<ExprType> = columns.iter().map(|c| c.ty.clone()).collect();
        let mut rows = Vec::new();
        while let Some(batch) = stream.next().await {
            rows.extend(as_text(&types, &batch.map_err(PgError::from)?)?);
        }
        Ok(rows)
    }

    /// As [`Self::run`] within a transaction block, which an error does not end.
    pub async fn run_inside(&mut self, sql: &str) -> Result<Vec<Row>, PgError> {
        self.must("SAVEPOINT inside").await;
        let result = self.run(sql).await;
        self.must(if result.is_ok() { "RELEASE inside" } else { "ROLLBACK TO inside" }).await;
        result
    }

    pub async fn must(&mut self, sql: &str) -> Vec<Row> {
        match self.run(sql).await {
            Ok(rows) => rows,
            Err(error) => panic!("{sql}\n{error:?}"),
        }
    }
}

/// The rows of a batch as psql shows them.
fn as_text(types: &[ExprType], batch: &RecordBatch) -> Result<Vec<Row>, PgError> {
    let encoder = |ty: &ExprType| ColumnEncoder::new(ty.pg, &ty.storage, Format::Text, &TextSettings::default());
    let encoders = types.iter().map(encoder).collect::<Result<Vec<_>, _>>()?;
    let bind = |(e, a)| ColumnEncoder::column(e, a);
    let bound =
        encoders.iter().zip(batch.columns().iter().map(|a| a.as_ref())).map(bind).collect::<Result<Vec<_>, _>>()?;
    let row = |i: usize| {
        let cell = |column: &BoundColumn<'_>| {
            let mut out = Vec::new();
            column.write_value(i, &mut out);
            (!column.is_null(i)).then(|| String::from_utf8_lossy(&out).into_owned())
        };
        bound.iter().map(cell).collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

#[tokio::test]
async fn an_engine_that_nobody_holds_any_more_writes_what_it_has_and_ends() {
    let tables = [Table::new("t".to_string(), vec![("id".to_string(), Ty::Int4)], vec![0])];
    let mut rig = Rig::start().await;
    rig.feed(announced(&tables)).await;
    let row = Change::Upsert { table: 0, cells: vec![Some("7".to_string())] };
    rig.feed(Change::together(&[row], &tables)).await;
    let (folder, next) = (Arc::clone(&rig.folder), rig.next);
    drop(rig);
    // The lake is locked until the first one has ended.
    let mut again = Rig::over(folder, next, None).await;
    assert_eq!(again.must("SELECT id FROM silver.t").await, [[Some("7".to_string())]]);
    again.stop().await;
}
