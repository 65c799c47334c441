//! Reading the past: the setting `sluice.as_of`, and `sluice.table_at` in FROM.
//!
//! With `sluice.as_of` set, statements read the newest flush of the lake that is not younger than that moment, its catalog
//! included; rights are those that the role has now and, of what has been dropped since, those that it had. Nothing is written.

use super::prepare::Preparation;
use super::session::{Outcome, Session};
use super::storage::{LakeTableAt, StorageSnapshot};
use crate::bind::PastTables;
use crate::catalog::{Access, Catalog, Privileges, Relation, RelationKind, denied};
use crate::change::Tick;
use crate::engine::PastSnapshot;
use crate::lake::Moment;
use crate::pg_catalog::{LakeRow, State, TableRow};
use crate::source::SourceStatus;
use crate::store::TableSnapshot;
use crate::types::codec::TextSettings;
use crate::types::datetime::Input;
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use pg_query::NodeEnum;
use pg_query::protobuf::VariableSetStmt;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The name of the setting.
pub const AS_OF: &str = "sluice.as_of";
/// Tables of the past within a plan have OIDs from here on: no catalog has such, and no statement so many.
const FIRST_GUEST: u32 = 0xf000_0000;

/// Where `sluice.as_of` has brought a session.
pub struct Travel {
    text: String,
    outcome: PgResult<Arc<dyn StorageSnapshot>>,
}

impl Travel {
    pub fn snapshot(&self) -> Option<&Arc<dyn StorageSnapshot>> {
        self.outcome.as_ref().ok()
    }

    pub fn check(&self) -> PgResult<()> {
        self.outcome.as_ref().map(drop).map_err(PgError::clone)
    }
}

/// A tick, or a time in the session's zone. Errors: PostgreSQL's of a timestamp.
pub fn moment(text: &str, settings: &TextSettings) -> PgResult<Moment> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let tick = text
            .parse()
            .map_err(|_| PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("tick \"{text}\" is out of range")))?;
        return Ok(Moment::Tick(Tick(tick)));
    }
    let input = Input { zone: &settings.timezone, order: settings.date_order };
    Ok(Moment::At(input.timestamptz(text, -1)?))
}

impl Session {
    /// Follows the setting, where it has changed.
    pub(super) async fn settle_past(&mut self) {
        self.refresh();
        let Some(text) = self.derived.as_of.clone() else {
            self.travel = None;
            return;
        };
        if self.travel.as_ref().is_some_and(|travel| travel.text == text) {
            return;
        }
        let outcome = match moment(&text, &self.text()) {
            Ok(moment) => self.database.storage.past(moment).await,
            Err(error) => Err(error),
        };
        self.travel = Some(Travel { text, outcome });
    }

    /// `SET sluice.as_of`: a moment that cannot be read leaves the setting as it was.
    pub(super) async fn set_as_of(&mut self, statement: &VariableSetStmt) -> PgResult<Outcome> {
        let before = self.settings.lock().save();
        let outcome = self.set(statement)?;
        self.settle_past().await;
        let Some(travel) = &self.travel else { return Ok(outcome) };
        let checked = travel.check().and_then(|()| match self.transaction.has_changes() {
            false => Ok(()),
            true => {
                let message = format!("{AS_OF} cannot be set in a transaction that has written");
                Err(PgError::new(SqlState::ACTIVE_TRANSACTION, message))
            }
        });
        if let Err(error) = checked {
            self.settings.lock().restore(before);
            self.settle_past().await;
            return Err(error);
        }
        Ok(outcome)
    }

    /// `25006` while the session reads the past.
    pub(super) fn in_present(&self, what: &str) -> PgResult<()> {
        match &self.derived.as_of {
            None => Ok(()),
            Some(_) => {
                let message = format!("cannot execute {what} while {AS_OF} is set");
                Err(PgError::new(SqlState::READ_ONLY_TRANSACTION, message).hint(format!("RESET {AS_OF} first.")))
            }
        }
    }
}

/// A table of the past that a plan reads under an OID of its own.
#[derive(Clone)]
pub struct Guest {
    pub oid: Oid,
    relation: Arc<Relation>,
    schema: String,
    snapshot: Arc<dyn StorageSnapshot>,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guest({} of tick {})", self.relation.name, self.snapshot.tick())
    }
}

impl Guest {
    /// A plan over its rows. Errors: `42501` for a role that may not read the table as it is now, or, where it was dropped, as
    /// it was.
    pub fn scan(
        &self,
        access: &Access,
        now: &Catalog,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let relation = now.relation(self.relation.oid).unwrap_or(&self.relation);
        let schema_usable = now.namespace_named(&self.schema).is_none_or(|schema| access.may_use_schema(schema, now));
        if !access.superuser && !schema_usable {
            return Err(denied("schema", &self.schema).into());
        }
        if !access.superuser && !access.on_relation(relation).0.contains(Privileges::SELECT) {
            return Err(denied("table", &relation.name).into());
        }
        self.snapshot.scan(self.relation.oid, projection, filters, partitions)
    }
}

impl PastTables for Preparation {
    fn table_at(&self, name: &str, at: &str) -> PgResult<Arc<Relation>> {
        let statement = crate::bind::parse(&format!("TABLE {name}")).ok().filter(|all| all.len() == 1);
        let select = statement.and_then(|all| match all.into_iter().next()?.node {
            NodeEnum::SelectStmt(select) => Some(select),
            _ => None,
        });
        let range = select.as_ref().and_then(|select| match select.from_clause.as_slice() {
            [only] => match &only.node {
                Some(NodeEnum::RangeVar(range)) => Some(range),
                _ => None,
            },
            _ => None,
        });
        let range =
            range.ok_or_else(|| PgError::new(SqlState(*b"42602"), format!("\"{name}\" is not the name of a table")))?;
        let moment = moment(at, &self.text)?;
        let storage = &self.database.storage;
        let snapshot = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { storage.past(moment).await })
        })?;
        let catalog = snapshot.catalog();
        let schema = Some(range.schemaname.as_str()).filter(|schema| !schema.is_empty());
        let relation = catalog.resolve(&self.needs.search_path, schema, &range.relname);
        let relation =
            relation.map_err(|error| error.detail(format!("It was not there at tick {}.", snapshot.tick())))?;
        if matches!(relation.kind, RelationKind::View | RelationKind::Sequence | RelationKind::System) {
            let message = format!("\"{name}\" is not a table or materialized view");
            let error = PgError::new(SqlState::WRONG_OBJECT_TYPE, message);
            return Err(error.hint(format!("SET {AS_OF} reads everything as it was, views too.")));
        }
        let schema = catalog.namespace(relation.schema).map_or_else(String::new, |schema| schema.name.clone());
        let mut guests = self.guests.lock();
        let oid = Oid(FIRST_GUEST + guests.len() as u32);
        let guest = Guest { oid, relation: Arc::clone(relation), schema, snapshot: Arc::clone(&snapshot) };
        let seen = Arc::new(Relation { oid, ..Relation::clone(relation) });
        guests.push(guest);
        Ok(seen)
    }
}

impl StorageSnapshot for PastSnapshot {
    fn tick(&self) -> Tick {
        self.tick
    }

    fn at_us(&self) -> i64 {
        self.at_us
    }

    fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        partitions: usize,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        Self::scan(self, oid, projection, filters, partitions)
    }

    fn table(&self, _: Oid) -> Option<TableSnapshot> {
        None
    }

    fn rows(&self, oid: Oid) -> Option<u64> {
        self.has(oid).then_some(u64::MAX)
    }

    fn look_up(&self, _: Oid, _: &[(usize, &ScalarValue)], _: &[usize]) -> Option<PgResult<RecordBatch>> {
        None
    }

    fn changed_tick(&self, _: Oid) -> Option<Tick> {
        None
    }

    fn state(&self, _: &[Arc<SourceStatus>]) -> State {
        let table = |(oid, version): (Oid, Option<i64>)| TableRow {
            evicted_rows: 0,
            evicted_bytes: 0,
            oid,
            rows: 0,
            bytes: 0,
            unflushed_rows: 0,
            durable_tick: self.tick.0,
            delta_version: version,
            changed_tick: self.tick.0,
            memory: Vec::new(),
        };
        State {
            tick: self.tick.0,
            published_us: self.at_us,
            lake: LakeRow { durable_tick: self.tick.0, flushed_us: Some(self.at_us), ..LakeRow::default() },
            tables: self.versions().map(table).collect(),
            ..State::default()
        }
    }

    fn sizes(&self) -> Arc<HashMap<Oid, u64>> {
        Arc::default()
    }

    fn lake_tables(&self) -> Vec<LakeTableAt> {
        let at = |(oid, folder, version): (Oid, &str, i64)| LakeTableAt { oid, folder: folder.to_owned(), version };
        self.folders().map(at).collect()
    }
}
