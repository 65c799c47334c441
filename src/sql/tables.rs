//! CREATE TABLE, CREATE TABLE AS, TRUNCATE, CREATE INDEX, sequences.

use super::context::undefined_schema;
use super::define::{Draft, Surroundings, sequence_of, sequence_relation};
use super::interrupt::Operation;
use super::prepare::{Kind, Known};
use super::session::{Outcome, Session};
use super::temporary::OnCommit;
use super::transaction::{PendingChange, Phase, View};
use super::write::WriteStatement;
use crate::bind::{self, check_writable};
use crate::catalog::{Catalog, Namespace, Needed, Privileges, Relation, RelationKind};
use crate::engine::TableWrites;
use crate::types::{Oid, PgError, PgResult, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterSeqStmt, CreateSeqStmt, CreateStmt, CreateTableAsStmt, DropBehavior, IndexStmt, InsertStmt, Node,
    OnCommitAction, OverridingKind, RangeVar, SelectStmt, TruncateStmt,
};
use std::sync::Arc;

/// Where a new relation goes.
pub(super) struct Place {
    pub schema: Oid,
    /// As the catalog is asked for it later.
    pub schema_name: String,
    pub name: String,
    pub temporary: bool,
}

impl Session {
    /// Runs `f` in the transaction, or in one of its own.
    pub(super) async fn transactional<T>(&mut self, f: impl AsyncFnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        if self.transaction.phase != Phase::Idle {
            return f(self).await;
        }
        self.begin(Phase::Implicit);
        let result = f(self).await?;
        self.commit().await?;
        Ok(result)
    }

    /// Applies a change to the transaction's catalog.
    pub(super) fn apply(&mut self, view: &View, change: PendingChange, temporary: bool) -> PgResult<()> {
        let creator = self.acting.creator;
        let by_creator: PendingChange = Arc::new(move |catalog| catalog.as_role(creator, |catalog| change(catalog)));
        self.transaction.change(view, by_creator, temporary)
    }

    pub(super) fn surroundings<'a>(&'a self, catalog: &'a Catalog) -> Surroundings<'a> {
        Surroundings { catalog, search_path: self.search_path(), text: self.text(), access: self.access() }
    }

    /// The schema and name that a CREATE gives.
    pub(super) fn place(&mut self, range: Option<&RangeVar>) -> PgResult<Place> {
        let range = range.ok_or_else(|| PgError::internal("a relation without a name"))?;
        let temporary = range.relpersistence == "t" || range.schemaname == "pg_temp";
        if range.relpersistence == "t" && !matches!(range.schemaname.as_str(), "" | "pg_temp") {
            let message = "cannot create temporary relation in non-temporary schema";
            return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        if temporary {
            let view = self.view();
            if !self.access().on_database(&view.catalog).0.contains(Privileges::TEMPORARY) {
                let database = &self.identity.database;
                let message = format!("permission denied to create temporary tables in database \"{database}\"");
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            let namespace = self.temporary_namespace();
            let (schema, schema_name) = (namespace.oid, namespace.name);
            return Ok(Place { schema, schema_name, name: range.relname.clone(), temporary });
        }
        let view = self.view();
        let at = usize::try_from(range.location).unwrap_or(0);
        let placed = self.target(&view.catalog, Some(range)).map_err(|error| match error.state {
            SqlState::INSUFFICIENT_PRIVILEGE => error.at(at),
            _ => error,
        });
        let (schema_name, name) = placed?;
        let namespace = view.catalog.namespace_named(&schema_name).ok_or_else(|| undefined_schema(&schema_name))?;
        Ok(Place { schema: namespace.oid, schema_name, name, temporary })
    }

    /// The schema of the session's temporary relations, in sight of the transaction.
    fn temporary_namespace(&mut self) -> Namespace {
        let view = self.view();
        let pid = self.identity.backend_pid;
        let namespace = self.temporary.namespace(pid, &view.catalog);
        if let Some(catalog) = self.transaction.changed_catalog()
            && catalog.temporary().is_none()
        {
            let with = catalog.with_temporary(namespace.clone(), []);
            self.transaction.set_catalog(with);
        }
        namespace
    }

    /// `true` where the relation is there already and may be.
    fn is_there(&mut self, place: &Place, if_not_exists: bool) -> PgResult<bool> {
        let view = self.view();
        match view.catalog.check_free(place.schema, &place.name) {
            Err(error) if if_not_exists => {
                self.notice("NOTICE", PgError::new(error.state, format!("{}, skipping", error.message)));
                Ok(true)
            }
            checked => checked.map(|()| false),
        }
    }

    pub(super) async fn create_table(&mut self, statement: &CreateStmt) -> PgResult<Outcome> {
        const TAG: &str = "CREATE TABLE";
        self.writable(TAG)?;
        if !statement.inh_relations.is_empty() || statement.partspec.is_some() || statement.partbound.is_some() {
            return Err(PgError::unsupported("a table with parents or partitions"));
        }
        if statement.of_typename.is_some() {
            return Err(PgError::unsupported("CREATE TABLE OF"));
        }
        self.transactional(async |session: &mut Session| {
            let place = session.place(statement.relation.as_ref())?;
            if session.is_there(&place, statement.if_not_exists)? {
                return Ok(Outcome::done(TAG));
            }
            let view = session.view();
            let (relation, sequences) = {
                let mut draft = Draft::new(session.surroundings(&view.catalog), place.schema, &place.name);
                let mut constraints = Vec::new();
                for node in &statement.table_elts {
                    match &node.node {
                        Some(NodeEnum::ColumnDef(def)) => {
                            draft.column(def)?;
                        }
                        Some(NodeEnum::Constraint(constraint)) => constraints.push(constraint),
                        Some(NodeEnum::TableLikeClause(clause)) => draft.like(clause)?,
                        _ => return Err(PgError::unsupported("this part of CREATE TABLE")),
                    }
                }
                for constraint in constraints {
                    draft.constraint(constraint, None)?;
                }
                draft.finish()?;
                (draft.relation, draft.sequences)
            };
            session.add_table(&view, &place, relation, sequences, statement.oncommit())?;
            Ok(Outcome::done(TAG))
        })
        .await
    }

    /// Adds a table, empty, and what belongs to it.
    fn add_table(
        &mut self,
        view: &View,
        place: &Place,
        relation: Relation,
        sequences: Vec<Relation>,
        on_commit: OnCommitAction,
    ) -> PgResult<()> {
        let on_commit = match on_commit {
            OnCommitAction::OncommitDrop => Some(OnCommit::Drop),
            OnCommitAction::OncommitDeleteRows => Some(OnCommit::DeleteRows),
            _ => None,
        };
        if on_commit.is_some() && !place.temporary {
            let message = "ON COMMIT can only be used on temporary tables";
            return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        let (oid, schema) = (relation.oid, Arc::new(relation.table_schema()));
        let uniques = super::write::unique_indexes(&relation);
        let namespace = place.schema_name.clone();
        let change: PendingChange = Arc::new(move |catalog| {
            catalog.namespace_named(&namespace).ok_or_else(|| undefined_schema(&namespace))?;
            sequences.iter().try_for_each(|sequence| catalog.add(sequence.clone()))?;
            catalog.add(relation.clone())
        });
        self.apply(view, change, place.temporary)?;
        self.transaction.put_writes(oid, TableWrites::new(None, &schema, uniques)?);
        if let Some(on_commit) = on_commit {
            self.temporary.on_commit(oid, on_commit);
        }
        Ok(())
    }

    pub(super) async fn create_table_as(
        &mut self,
        statement: &CreateTableAsStmt,
        operation: &Operation,
    ) -> PgResult<Outcome> {
        const TAG: &str = "CREATE TABLE AS";
        self.writable(TAG)?;
        let into = statement.into.as_deref().ok_or_else(|| PgError::internal("a table without a name"))?;
        let Some(NodeEnum::SelectStmt(select)) = statement.query.as_deref().and_then(|n| n.node.as_ref()) else {
            return Err(PgError::unsupported("CREATE TABLE AS of a statement other than a query"));
        };
        self.transactional(async |session: &mut Session| {
            let place = session.place(into.rel.as_ref())?;
            if session.is_there(&place, statement.if_not_exists)? {
                return Ok(Outcome::done(TAG));
            }
            let view = session.view();
            let bound = session.bind_view(&view, statement.query.as_deref(), &into.col_names)?;
            let relation = {
                let mut draft = Draft::new(session.surroundings(&view.catalog), place.schema, &place.name);
                for column in &bound.columns {
                    draft.add_plain(&column.name, column.ty)?;
                }
                draft.relation
            };
            session.add_table(&view, &place, relation, Vec::new(), into.on_commit())?;
            if into.skip_data {
                return Ok(Outcome::done(TAG));
            }
            let range = RangeVar {
                schemaname: place.schema_name.clone(),
                relname: place.name.clone(),
                inh: true,
                relpersistence: "p".into(),
                location: -1,
                ..RangeVar::default()
            };
            let rows = session.insert_into(range, select, operation).await?;
            Ok(Outcome::done(&format!("SELECT {rows}")))
        })
        .await
    }

    /// `INSERT INTO range select`: how many rows.
    async fn insert_into(&mut self, range: RangeVar, select: &SelectStmt, operation: &Operation) -> PgResult<u64> {
        let insert = InsertStmt {
            relation: Some(range),
            select_stmt: Some(Box::new(Node { node: Some(NodeEnum::SelectStmt(Box::new(select.clone()))) })),
            r#override: OverridingKind::OverridingNotSet as i32,
            ..InsertStmt::default()
        };
        let plan = self.write_plan(NodeEnum::InsertStmt(Box::new(insert)), operation).await?;
        match Box::pin(self.write(&plan, Vec::new(), operation)).await? {
            Outcome::Done { tag } => Ok(tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            _ => Err(PgError::internal("an INSERT without RETURNING gave rows")),
        }
    }

    /// Plans a statement that was made here, on the query runtime.
    pub(super) async fn write_plan(&mut self, node: NodeEnum, operation: &Operation) -> PgResult<Arc<WriteStatement>> {
        let (plan, needed) = self.unchecked_plan(node, operation).await?;
        self.check_needed(&needed)?;
        Ok(plan)
    }

    /// The same, with the rights that it would take.
    pub(super) async fn unchecked_plan(
        &mut self,
        node: NodeEnum,
        operation: &Operation,
    ) -> PgResult<(Arc<WriteStatement>, Needed)> {
        let view = self.view();
        let preparation = self.preparation(&view, &[]);
        let task = self
            .database
            .runtime()
            .spawn(async move { preparation.prepare_node(String::new(), node, &|_| None::<Known>) });
        let prepared = operation.guard(task).await?;
        let prepared = prepared.map_err(|e| PgError::internal(format!("a statement could not be prepared: {e}")))??;
        match prepared.kind {
            Kind::Write(plan) => Ok((plan, prepared.needed)),
            _ => Err(PgError::internal("a statement that was to write does not")),
        }
    }

    pub(super) async fn truncate(&mut self, statement: &TruncateStmt) -> PgResult<Outcome> {
        self.writable("TRUNCATE TABLE")?;
        self.transactional(async |session: &mut Session| {
            let view = session.view();
            let mut tables = Vec::with_capacity(statement.relations.len());
            for node in &statement.relations {
                let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
                let relation = session.resolve_range(&view.catalog, Some(range))?;
                check_writable(&view.catalog, &relation)?;
                session.access().must_have(&relation, Privileges::TRUNCATE)?;
                tables.push(relation);
            }
            if statement.behavior() == DropBehavior::DropCascade {
                let named = tables.len();
                tables = super::foreign::with_referring(&view, tables);
                for table in &tables[named..] {
                    session.access().must_have(table, Privileges::TRUNCATE)?;
                    session.skip(SqlState(*b"00000"), format!("truncate cascades to table \"{}\"", table.name));
                }
            }
            super::foreign::check_truncated(&view, &tables)?;
            for relation in tables {
                let view = session.view();
                session.open_writes(&view, &relation)?;
                if let Some(writes) = session.transaction.writes(relation.oid) {
                    writes.truncate()?;
                }
                if statement.restart_seqs {
                    for owned in sequences_of(&view.catalog, relation.oid) {
                        if let Some(sequence) = &owned.sequence {
                            sequence.state.set(sequence.start, false);
                        }
                    }
                }
            }
            Ok(Outcome::done("TRUNCATE TABLE"))
        })
        .await
    }

    pub(super) async fn create_index(&mut self, statement: &IndexStmt, operation: &Operation) -> PgResult<Outcome> {
        const TAG: &str = "CREATE INDEX";
        self.writable(TAG)?;
        self.transactional(async |session: &mut Session| {
            let view = session.view();
            let old = session.resolve_range(&view.catalog, statement.relation.as_ref())?;
            match old.kind {
                // Its rows are those of its query, whatever an index says.
                RelationKind::Gold if statement.unique => {
                    return Err(PgError::unsupported("a unique index on a materialized view"));
                }
                RelationKind::Gold => {}
                _ => check_writable(&view.catalog, &old)?,
            }
            session.access().must_own(&old)?;
            let name = &statement.idxname;
            if statement.if_not_exists && view.catalog.is_taken(old.schema, name) {
                let message = format!("relation \"{name}\" already exists, skipping");
                session.notice("NOTICE", PgError::new(SqlState::DUPLICATE_TABLE, message));
                return Ok(Outcome::done(TAG));
            }
            let new = {
                let mut draft = Draft::of(session.surroundings(&view.catalog), &old);
                draft.index(statement)?;
                draft.relation
            };
            session.change_table(&view, &old, new, operation).await?;
            Ok(Outcome::done(TAG))
        })
        .await
    }

    pub(super) async fn create_sequence(&mut self, statement: &CreateSeqStmt) -> PgResult<Outcome> {
        const TAG: &str = "CREATE SEQUENCE";
        self.writable(TAG)?;
        self.transactional(async |session: &mut Session| {
            let place = session.place(statement.sequence.as_ref())?;
            if session.is_there(&place, statement.if_not_exists)? {
                return Ok(Outcome::done(TAG));
            }
            let view = session.view();
            let mut sequence = sequence_of(oid::INT8, &statement.options, None)?;
            sequence.owner = session.owner_of(&view.catalog, &statement.options)?.flatten();
            let relation = sequence_relation(&view.catalog, place.schema, place.name.clone(), sequence);
            session.apply(&view, Arc::new(move |catalog| catalog.add(relation.clone())), place.temporary)?;
            Ok(Outcome::done(TAG))
        })
        .await
    }

    pub(super) async fn alter_sequence(&mut self, statement: &AlterSeqStmt) -> PgResult<Outcome> {
        const TAG: &str = "ALTER SEQUENCE";
        self.writable(TAG)?;
        self.transactional(async |session: &mut Session| {
            let view = session.view();
            let old = match session.resolve_range(&view.catalog, statement.sequence.as_ref()) {
                Err(error) if statement.missing_ok && error.state == SqlState::UNDEFINED_TABLE => {
                    session.notice("NOTICE", PgError::new(SqlState(*b"00000"), format!("{error}, skipping")));
                    return Ok(Outcome::done(TAG));
                }
                found => found?,
            };
            session.access().must_own(&old)?;
            let Some(sequence) = &old.sequence else {
                let message = format!("\"{}\" is not a sequence", old.name);
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            };
            let mut changed = sequence_of(Oid(sequence.type_oid), &statement.options, Some(sequence))?;
            if let Some(owner) = session.owner_of(&view.catalog, &statement.options)? {
                changed.owner = owner;
            }
            let new = Relation { sequence: Some(changed), ..Relation::clone(&old) };
            let temporary = view.catalog.temporary() == Some(old.schema);
            session.apply(&view, Arc::new(move |catalog| catalog.replace(&old, new.clone())), temporary)?;
            Ok(Outcome::done(TAG))
        })
        .await
    }

    /// What `OWNED BY` says; `None` where it is not there.
    fn owner_of(&self, catalog: &Catalog, options: &[Node]) -> PgResult<Option<Option<(u32, i16)>>> {
        for node in options {
            let Some(NodeEnum::DefElem(element)) = &node.node else { continue };
            if element.defname != "owned_by" {
                continue;
            }
            let Some(NodeEnum::List(list)) = element.arg.as_deref().and_then(|n| n.node.as_ref()) else { continue };
            let parts: Vec<String> = bind::names::strings(&list.items).into_iter().map(str::to_owned).collect();
            let Some((column, table)) = parts.split_last() else { continue };
            if table.is_empty() {
                return Ok(Some(None));
            }
            let table = self.resolve(catalog, table)?;
            let found = table.column(column).map(|(_, c)| c.attnum).ok_or_else(|| {
                let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
                PgError::new(SqlState::UNDEFINED_COLUMN, message)
            })?;
            return Ok(Some(Some((table.oid.0, found))));
        }
        Ok(None)
    }
}

/// The sequences that go with a table.
pub(super) fn sequences_of(catalog: &Catalog, table: Oid) -> Vec<Arc<Relation>> {
    let owned =
        |r: &&Arc<Relation>| r.sequence.as_ref().is_some_and(|s| s.owner.is_some_and(|(owner, _)| owner == table.0));
    catalog.relations().filter(owned).cloned().collect()
}
