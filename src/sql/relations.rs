//! The relations that one statement reads.

use super::context::StatementContext;
use super::database::Database;
use super::parameters::{Changed, Kind, Parameter};
use super::past::Guest;
use super::transaction::View;
use crate::bind::{Relations, STAGED};
use crate::catalog::RelationKind;
use crate::pg_catalog::{
    CursorRow, Facts, LockRow, PreparedRow, SessionFacts, SessionRow, SettingRow, State, SystemContext,
};
use crate::types::{Oid, PgError, SqlState};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::{Arc, OnceLock};

/// Stored relations from the snapshot; system relations from the statement's own catalog.
pub struct SnapshotRelations {
    database: Arc<Database>,
    view: View,
    context: Arc<StatementContext>,
    /// The rows that the statement has made so far: [`STAGED`].
    staged: Staged,
    // Made when a system relation asks for them.
    state: OnceLock<State>,
    session: OnceLock<SessionFacts>,
    guests: Vec<Guest>,
}

/// The rows that a statement has made so far.
#[derive(Debug, Clone, Default)]
pub struct Staged {
    pub rows: Option<RecordBatch>,
    /// What the statements in WITH returned.
    pub ctes: Arc<Vec<(Oid, RecordBatch)>>,
}

impl SnapshotRelations {
    pub fn new(database: &Arc<Database>, view: &View, context: &Arc<StatementContext>, staged: Staged) -> Self {
        let (database, view, context) = (Arc::clone(database), view.clone(), Arc::clone(context));
        let (state, session) = (OnceLock::new(), OnceLock::new());
        Self { database, view, context, staged, state, session, guests: Vec::new() }
    }

    /// Tables of the past that the statement reads.
    pub fn with_guests(mut self, guests: Vec<Guest>) -> Self {
        self.guests = guests;
        self
    }

    fn system_rows(&self, oid: Oid) -> Result<RecordBatch> {
        let cx = SystemContext::new(&self.view.catalog, self);
        // A catalog that a transaction has changed is its own.
        let tick = (!self.view.changed).then(|| self.view.snapshot.tick().0);
        Ok(self.database.system_rows.rows(oid, tick, &cx)?)
    }
}

impl Facts for SnapshotRelations {
    fn state(&self) -> &State {
        self.state.get_or_init(|| self.view.snapshot.state(&self.database.sources))
    }

    fn session(&self) -> &SessionFacts {
        self.session.get_or_init(|| SessionFacts {
            user: self.context.identity.user.clone(),
            access: Some(Arc::clone(&self.context.acting.access)),
            database: self.context.identity.database.clone(),
        })
    }

    fn settings(&self) -> Vec<SettingRow> {
        self.context.settings.lock().all().map(setting_row).collect()
    }

    fn prepared(&self) -> Vec<PreparedRow> {
        self.context.prepared.clone()
    }

    fn cursors(&self) -> Vec<CursorRow> {
        self.context.cursors.clone()
    }

    fn sessions(&self) -> Vec<SessionRow> {
        self.database.activities.rows()
    }

    fn locks(&self) -> Vec<LockRow> {
        self.database.locks.rows()
    }

    fn now_us(&self) -> i64 {
        super::database::now_us()
    }
}

impl Relations for SnapshotRelations {
    fn scan(
        &self,
        oid: Oid,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if oid == STAGED || self.staged.ctes.iter().any(|(staged, _)| *staged == oid) {
            let missing = || DataFusionError::from(PgError::internal("a statement has no rows of its own"));
            let of_cte = self.staged.ctes.iter().find(|(staged, _)| *staged == oid).map(|(_, rows)| rows);
            let batch = of_cte.or(self.staged.rows.as_ref()).ok_or_else(missing)?;
            let field = |(i, field): (usize, &Arc<Field>)| Field::new(format!("s{i}"), field.data_type().clone(), true);
            let fields: Vec<Field> = batch.schema_ref().fields().iter().enumerate().map(field).collect();
            let schema = Arc::new(Schema::new(fields));
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
            return Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?);
        }
        if let Some(guest) = self.guests.iter().find(|guest| guest.oid == oid) {
            let newest = self.database.storage.snapshot();
            let access = &self.context.acting.access;
            return guest.scan(access, newest.catalog(), projection, filters, self.database.query_threads);
        }
        if super::lake::is_lake_relation(oid) {
            return super::lake::scan(oid, &self.database, &self.view, &self.context, projection, filters);
        }
        if let Some(written) = self.view.written.get(&oid) {
            return written.scan(projection, filters, self.database.query_threads);
        }
        let relation = self
            .view
            .catalog
            .relation(oid)
            .ok_or_else(|| DataFusionError::from(PgError::internal(format!("no relation with OID {oid}"))))?;
        if relation.kind == RelationKind::System {
            let batch = self.system_rows(oid)?;
            let schema = batch.schema();
            let exec = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?;
            return Ok(exec);
        }
        if let Some(sequence) = &relation.sequence {
            let batch = super::sequences::row(relation, sequence)?;
            let schema = batch.schema();
            return Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?);
        }
        if self.view.changed && self.view.snapshot.catalog().relation(oid).is_none() {
            let message =
                format!("materialized view \"{}\" is not filled before its transaction commits", relation.name);
            let error = PgError::new(SqlState::OBJECT_NOT_IN_STATE, message);
            return Err(error.hint("COMMIT first, then read it.").into());
        }
        self.view.snapshot.scan(oid, projection, filters, self.database.query_threads)
    }
}

fn setting_row((name, parameter, value, reset): (&str, Option<&'static Parameter>, &str, &str)) -> SettingRow {
    let row = SettingRow {
        name: name.to_owned(),
        value: value.to_owned(),
        reset: reset.to_owned(),
        source: match () {
            () if value != reset => "session",
            () if parameter.is_some_and(|parameter| value != parameter.default) => "client",
            () => "default",
        }
        .to_owned(),
        ..SettingRow::default()
    };
    let Some(parameter) = parameter else {
        let (category, context, kind) = ("Customized Options".into(), "user".into(), "string".into());
        return SettingRow { category, context, kind, ..row };
    };
    let (mut unit, mut minimum, mut maximum, mut allowed) = (None, None, None, None);
    match parameter.kind {
        Kind::Integer { min, max, unit: of } => {
            (minimum, maximum) = (Some(min.to_string()), Some(max.to_string()));
            unit = Some(of.to_owned()).filter(|unit| !unit.is_empty());
        }
        Kind::Real { min, max } => (minimum, maximum) = (Some(min.to_string()), Some(max.to_string())),
        Kind::Enum(values, _) => allowed = Some(values.iter().map(|v| (*v).to_owned()).collect()),
        _ => {}
    }
    SettingRow {
        boot: parameter.default.to_owned(),
        unit,
        category: parameter.category.to_owned(),
        description: parameter.description.to_owned(),
        context: if parameter.changed == Changed::User { "user" } else { "internal" }.to_owned(),
        kind: parameter.vartype().to_owned(),
        minimum,
        maximum,
        allowed,
        ..row
    }
}
