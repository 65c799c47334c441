//! What the lake says of itself (`sluice.lake_files`, `sluice.lake_commits`), VACUUM, ANALYZE.
//!
//! The rows of the two relations come from the tables' Delta logs when they are read: of the versions that the
//! statement's snapshot has, and only of the tables that its conditions name.

use super::context::StatementContext;
use super::database::Database;
use super::interrupt::Operation;
use super::session::{Outcome, Session};
use super::transaction::{Phase, View};
use crate::catalog::{Relation, RelationKind};
use crate::engine::Work;
use crate::pg_catalog::{
    self, CursorRow, Facts, LakeCommitRow, LakeFileRow, PreparedRow, SessionFacts, SessionRow, SettingRow, State,
    SystemContext,
};
use crate::types::{Oid, PgError, PgResult, SqlState};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::scalar::ScalarValue;
use pg_query::NodeEnum;
use pg_query::protobuf::VacuumStmt;
use std::fmt;
use std::sync::Arc;

/// Whether a relation's rows come from here.
pub fn is_lake_relation(oid: Oid) -> bool {
    [pg_catalog::LAKE_FILES, pg_catalog::LAKE_COMMITS].contains(&oid)
}

/// A plan that reads one of the relations.
pub fn scan(
    oid: Oid,
    database: &Arc<Database>,
    view: &View,
    context: &Arc<StatementContext>,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let missing = || PgError::internal(format!("no system relation with OID {oid}"));
    let schema = Arc::clone(pg_catalog::schema(oid).ok_or_else(missing)?.arrow());
    let listing = Listing {
        oid,
        schema: Arc::clone(&schema),
        database: Arc::clone(database),
        view: view.clone(),
        context: Arc::clone(context),
        schema_name: fixed(filters, "schema_name"),
        table_name: fixed(filters, "table_name"),
    };
    Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(listing)], projection, [], false, None)?))
}

/// The text that filters fix a column to.
fn fixed(filters: &[Expr], column: &str) -> Option<String> {
    filters.iter().find_map(|filter| {
        let Expr::BinaryExpr(binary) = filter else { return None };
        match (binary.op, binary.left.as_ref(), binary.right.as_ref()) {
            (Operator::Eq, Expr::Column(name), Expr::Literal(ScalarValue::Utf8(Some(value)), _))
            | (Operator::Eq, Expr::Literal(ScalarValue::Utf8(Some(value)), _), Expr::Column(name))
                if name.name == column =>
            {
                Some(value.clone())
            }
            _ => None,
        }
    })
}

#[derive(Clone)]
struct Listing {
    oid: Oid,
    schema: SchemaRef,
    database: Arc<Database>,
    view: View,
    context: Arc<StatementContext>,
    schema_name: Option<String>,
    table_name: Option<String>,
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listing({})", self.oid)
    }
}

impl PartitionStream for Listing {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let listing = self.clone();
        let rows = futures::stream::once(async move { Ok(listing.rows().await?) });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

impl Listing {
    async fn rows(&self) -> PgResult<RecordBatch> {
        let catalog = &self.view.catalog;
        let mut state = State::default();
        if let Some(reader) = self.database.storage.lake() {
            for table in self.view.snapshot.lake_tables() {
                let Some(relation) = catalog.relation(table.oid) else { continue };
                let schema = catalog.namespace(relation.schema).map_or("", |schema| schema.name.as_str());
                let wanted = self.schema_name.as_deref().is_none_or(|wanted| wanted == schema)
                    && self.table_name.as_deref().is_none_or(|wanted| wanted == relation.name);
                if !wanted {
                    continue;
                }
                let oid = table.oid;
                if self.oid == pg_catalog::LAKE_FILES {
                    let files = reader.list_files(&table.folder, table.version).await?;
                    let row = |file| LakeFileRow { oid, version: table.version, file };
                    state.lake_files.extend(files.into_iter().map(row));
                } else {
                    let commits = reader.commits(&table.folder, table.version).await?;
                    state.lake_commits.extend(commits.into_iter().map(|commit| LakeCommitRow { oid, commit }));
                }
            }
        }
        let session = SessionFacts {
            user: self.context.identity.user.clone(),
            access: Some(Arc::clone(&self.context.acting.access)),
            database: self.context.identity.database.clone(),
        };
        pg_catalog::rows(self.oid, &SystemContext::new(catalog, &Listed { state, session }))
    }
}

/// What the relations of the lake are made from.
struct Listed {
    state: State,
    session: SessionFacts,
}

impl Facts for Listed {
    fn state(&self) -> &State {
        &self.state
    }

    fn session(&self) -> &SessionFacts {
        &self.session
    }

    fn settings(&self) -> Vec<SettingRow> {
        Vec::new()
    }

    fn prepared(&self) -> Vec<PreparedRow> {
        Vec::new()
    }

    fn cursors(&self) -> Vec<CursorRow> {
        Vec::new()
    }

    fn sessions(&self) -> Vec<SessionRow> {
        Vec::new()
    }

    fn now_us(&self) -> i64 {
        super::database::now_us()
    }
}

impl StatementContext {
    /// A table that its owner asks something for. Errors: `42501` for all others, `42809` for what holds no rows.
    fn own_table(&self, oid: Oid) -> PgResult<&Arc<Relation>> {
        let missing = || PgError::new(SqlState::UNDEFINED_TABLE, format!("relation with OID {oid} does not exist"));
        let relation = self.catalog.relation(oid).ok_or_else(missing)?;
        if !has_files(relation.kind) {
            let message = format!("\"{}\" has no files", relation.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        if !self.acting.access.has_rights_of(relation.owner()) {
            return Err(super::access::refused(format!("must be owner of table {}", relation.name)));
        }
        Ok(relation)
    }

    /// `sluice.rebuild`: waits until the silver table that was made anew out of bronze is in the lake.
    pub(super) fn rebuild_table(&self, oid: Oid) -> PgResult<String> {
        self.own_table(oid)?;
        let storage = &self.database.storage;
        let rebuilt = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { storage.rebuild(oid).await })
        })?;
        Ok(rebuilt.to_string())
    }

    /// `sluice.compact`: waits until the table has as few files as it can.
    pub(super) fn compact_table(&self, oid: Oid) -> PgResult<String> {
        self.own_table(oid)?;
        let storage = &self.database.storage;
        let worked = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { storage.upkeep(oid, Work::Compact).await })
        })?;
        Ok(format!("{} files merged, {} rows rewritten", worked.merged_files, worked.rewritten_rows))
    }
}

fn has_files(kind: RelationKind) -> bool {
    matches!(kind, RelationKind::Bronze | RelationKind::Silver | RelationKind::Managed | RelationKind::Gold)
}

impl Session {
    /// VACUUM: a checkpoint of each table's log, and the end of files and log entries that the lake's history does not
    /// reach; FULL compacts first. ANALYZE has nothing to do: bounds and counts are kept as rows come.
    pub(super) async fn vacuum(&mut self, statement: &VacuumStmt, operation: &Operation) -> PgResult<Outcome> {
        let tag = if statement.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
        if statement.is_vacuumcmd && self.transaction.phase == Phase::Block {
            let message = "VACUUM cannot run inside a transaction block";
            return Err(PgError::new(SqlState::ACTIVE_TRANSACTION, message));
        }
        self.in_present(tag)?;
        let (mut full, mut verbose) = (false, false);
        for option in &statement.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else { continue };
            let on = match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
                None => true,
                Some(NodeEnum::Boolean(value)) => value.boolval,
                Some(NodeEnum::Integer(value)) => value.ival != 0,
                Some(NodeEnum::String(value)) => !matches!(value.sval.to_ascii_lowercase().as_str(), "false" | "off"),
                Some(_) => true,
            };
            match option.defname.as_str() {
                "full" => full = on,
                "verbose" => verbose = on,
                _ => {}
            }
        }
        let view = self.view();
        let mut tables = Vec::new();
        for relation in &statement.rels {
            let Some(NodeEnum::VacuumRelation(named)) = &relation.node else { continue };
            tables.push(self.resolve_range(&view.catalog, named.relation.as_ref())?);
        }
        let all = tables.is_empty();
        if all {
            tables = view.catalog.user_relations().cloned().collect();
        }
        for relation in tables {
            if !has_files(relation.kind) || view.catalog.temporary() == Some(relation.schema) {
                if !all {
                    let message = format!("skipping \"{}\" --- cannot vacuum what has no files", relation.name);
                    self.notice("WARNING", PgError::new(SqlState(*b"01000"), message));
                }
                continue;
            }
            if !self.access().has_rights_of(relation.owner()) {
                let verb = tag.to_lowercase();
                let message = format!("permission denied to {verb} \"{}\", skipping it", relation.name);
                self.notice("WARNING", PgError::new(SqlState(*b"01000"), message));
                continue;
            }
            if !statement.is_vacuumcmd {
                continue;
            }
            let work = if full { vec![Work::Compact, Work::Vacuum] } else { vec![Work::Vacuum] };
            for work in work {
                let database = Arc::clone(&self.database);
                let worked = operation.guard(database.storage.upkeep(relation.oid, work)).await??;
                if verbose {
                    let name = view.catalog.qualified_name(&relation);
                    let message = match work {
                        Work::Compact => format!(
                            "compacting \"{name}\": {} files merged, {} rows rewritten",
                            worked.merged_files, worked.rewritten_rows
                        ),
                        Work::Vacuum => format!("vacuuming \"{name}\": {} objects removed", worked.removed_objects),
                    };
                    self.notice("INFO", PgError::new(SqlState(*b"00000"), message));
                }
            }
        }
        Ok(Outcome::done(tag))
    }
}
