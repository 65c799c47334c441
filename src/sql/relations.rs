//! The relations that one statement reads.

use super::context::StatementContext;
use super::database::Database;
use super::parameters::{Changed, Kind, Parameter};
use super::past::Guest;
use super::transaction::View;
use crate::bind::{Relations, STAGED};
use crate::catalog::RelationKind;
use crate::pg_catalog::{self, SessionFacts, SettingRow, SystemContext};
use crate::types::{Oid, PgError, SqlState};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Stored relations from the snapshot; system relations from the statement's own catalog.
pub struct SnapshotRelations {
    database: Arc<Database>,
    view: View,
    context: Arc<StatementContext>,
    /// The rows that the statement has made so far: [`STAGED`].
    staged: Staged,
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
        Self {
            database: Arc::clone(database),
            view: view.clone(),
            context: Arc::clone(context),
            staged,
            guests: Vec::new(),
        }
    }

    /// Tables of the past that the statement reads.
    pub fn with_guests(mut self, guests: Vec<Guest>) -> Self {
        self.guests = guests;
        self
    }

    fn system_rows(&self, oid: Oid) -> Result<RecordBatch> {
        let identity = &self.context.identity;
        let settings = self.context.settings.lock().all().map(setting_row).collect();
        let session = SessionFacts {
            user: identity.user.clone(),
            access: Some(Arc::clone(&self.context.acting.access)),
            database: identity.database.clone(),
            backend_pid: identity.backend_pid,
            settings,
            prepared: self.context.prepared.clone(),
            cursors: self.context.cursors.clone(),
        };
        let state = self.view.snapshot.state(&self.database.sources);
        let sessions = self.database.activities.rows();
        let cx = SystemContext {
            catalog: &self.view.catalog,
            state: &state,
            session: &session,
            sessions: &sessions,
            now_us: super::database::now_us(),
        };
        Ok(pg_catalog::rows(oid, &cx)?)
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
        source: if value == reset { "default" } else { "session" }.to_owned(),
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
