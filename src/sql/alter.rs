//! ALTER TABLE.
//!
//! A change of names alone is one of the catalog. Where columns or the key change, the table's rows are written anew in their new
//! form, in the transaction like any other write.

use super::context::quoted;
use super::define::Draft;
use super::interrupt::Operation;
use super::session::{Outcome, Session};
use super::transaction::{PendingChange, View};
use super::write::unique_indexes;
use crate::bind::{self, BindContext, ColumnSource, check_writable, typename};
use crate::catalog::{Catalog, ConstraintKind, Relation, RelationKind};
use crate::store::earlier_twins;
use crate::types::{Oid, PgError, PgResult, SqlState, TableSchema, oid};
use arrow::array::{Array, RecordBatch};
use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType, DropStmt, Node, ObjectType, RenameStmt};
use std::collections::HashMap;
use std::sync::Arc;

/// What a statement does to a table besides its draft.
#[derive(Default)]
struct Plan {
    /// By `attnum`: where a column's values come from, if not from itself.
    sources: HashMap<i16, ColumnSource>,
    dropped_sequences: Vec<Oid>,
}

impl Session {
    pub(super) async fn alter_table(&mut self, statement: &AlterTableStmt, operation: &Operation) -> PgResult<Outcome> {
        let tag = match statement.objtype() {
            ObjectType::ObjectView => "ALTER VIEW",
            ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
            ObjectType::ObjectSequence => "ALTER SEQUENCE",
            ObjectType::ObjectIndex => "ALTER INDEX",
            _ => "ALTER TABLE",
        };
        self.writable(tag)?;
        self.transactional(async |session: &mut Session| {
            let view = session.view();
            let Some(old) = session.altered(&view, statement.relation.as_ref(), statement.missing_ok)? else {
                return Ok(Outcome::done(tag));
            };
            let commands: Vec<&AlterTableCmd> = statement
                .cmds
                .iter()
                .filter_map(|node| match &node.node {
                    Some(NodeEnum::AlterTableCmd(command)) => Some(&**command),
                    _ => None,
                })
                .collect();
            if commands.iter().all(|c| c.subtype() == AlterTableType::AtChangeOwner) {
                for command in commands {
                    session.give_relation(&old, command.newowner.as_ref()).await?;
                }
                return Ok(Outcome::done(tag));
            }
            if old.kind != RelationKind::Managed {
                let what = match old.kind {
                    RelationKind::View => "a view",
                    RelationKind::Gold => "a materialized view",
                    _ => "this relation",
                };
                return Err(PgError::unsupported(format!("this ALTER of {what}")));
            }
            check_writable(&view.catalog, &old)?;
            let mut plan = Plan::default();
            let mut notices = Vec::new();
            let (new, sequences) = {
                let mut draft = Draft::of(session.surroundings(&view.catalog), &old);
                for command in commands {
                    alter(&mut draft, &view.catalog, command, &mut plan, &mut notices)?;
                    draft.finish()?;
                    added_defaults(&mut draft, &old, &mut plan)?;
                }
                (draft.relation, draft.sequences)
            };
            notices.into_iter().for_each(|notice| session.notice("NOTICE", notice));
            let temporary = view.catalog.temporary() == Some(old.schema);
            if !sequences.is_empty() || !plan.dropped_sequences.is_empty() {
                let dropped = plan.dropped_sequences.clone();
                let change: PendingChange = Arc::new(move |catalog| {
                    dropped.iter().for_each(|oid| catalog.drop_relation(*oid));
                    sequences.iter().try_for_each(|sequence| catalog.add(sequence.clone()))
                });
                session.apply(&view, change, temporary)?;
            }
            let view = session.view();
            session.change_table_with(&view, &old, new, &plan, operation).await?;
            Ok(Outcome::done(tag))
        })
        .await
    }

    pub(super) async fn drop_indexes(&mut self, statement: &DropStmt, operation: &Operation) -> PgResult<Outcome> {
        const TAG: &str = "DROP INDEX";
        self.writable(TAG)?;
        self.transactional(async |session: &mut Session| {
            for object in &statement.objects {
                let view = session.view();
                let name = super::ddl::name_parts(object);
                let Some(old) = session.relation_with_index(&view.catalog, &name) else {
                    let error = PgError::new(
                        SqlState::UNDEFINED_OBJECT,
                        format!("index \"{}\" does not exist", name.join(".")),
                    );
                    if !statement.missing_ok {
                        return Err(error);
                    }
                    session.notice("NOTICE", skipping(error));
                    continue;
                };
                let index = name.last().map_or("", String::as_str);
                if session.access().must_own(&old).is_err() {
                    return Err(crate::catalog::not_owner("index", index));
                }
                let of_constraint =
                    old.constraints.iter().any(|c| c.name == index && matches!(c.kind, ConstraintKind::Unique(_)));
                if of_constraint || old.primary_key_name() == index {
                    let table = quoted(&old.name);
                    let message = format!(
                        "cannot drop index {} because constraint {} on table {table} requires it",
                        quoted(index),
                        quoted(index)
                    );
                    let error = PgError::new(SqlState::DEPENDENT_OBJECTS, message);
                    let hint = format!("You can drop constraint {} on table {table} instead.", quoted(index));
                    return Err(error.hint(hint));
                }
                let mut new = Relation::clone(&old);
                new.indexes.retain(|i| i.name != index);
                session.change_table(&view, &old, new, operation).await?;
            }
            Ok(Outcome::done(TAG))
        })
        .await
    }

    /// RENAME COLUMN, RENAME CONSTRAINT, ALTER INDEX … RENAME.
    pub(super) async fn rename_part(&mut self, statement: &RenameStmt, operation: &Operation) -> PgResult<Outcome> {
        let kind = statement.rename_type();
        let tag = if kind == ObjectType::ObjectIndex { "ALTER INDEX" } else { "ALTER TABLE" };
        self.writable(tag)?;
        self.transactional(async |session: &mut Session| {
            let view = session.view();
            let range = statement.relation.as_ref();
            let old = if kind == ObjectType::ObjectIndex {
                let parts = range.map(|r| vec![r.schemaname.clone(), r.relname.clone()]).unwrap_or_default();
                let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
                let missing = || {
                    let message = format!("relation \"{}\" does not exist", parts.join("."));
                    PgError::new(SqlState::UNDEFINED_TABLE, message)
                };
                session.relation_with_index(&view.catalog, &parts).ok_or_else(missing)?
            } else {
                match session.altered(&view, range, statement.missing_ok)? {
                    Some(relation) => relation,
                    None => return Ok(Outcome::done(tag)),
                }
            };
            session.access().must_own(&old)?;
            if old.kind != RelationKind::Managed {
                return Err(PgError::unsupported("RENAME COLUMN of anything but a table"));
            }
            let mut new = Relation::clone(&old);
            let to = statement.newname.clone();
            match kind {
                ObjectType::ObjectColumn => {
                    let name = statement.subname.as_str();
                    if new.column(&to).is_some() {
                        let message = format!("column \"{to}\" of relation \"{}\" already exists", old.name);
                        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
                    }
                    let (at, column) = new.column(name).ok_or_else(|| {
                        PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                    })?;
                    let attnum = column.attnum;
                    rename_in_expressions(&mut new, attnum, name, &to)?;
                    new.columns[at].name = to;
                }
                ObjectType::ObjectIndex => {
                    let name = range.map_or("", |r| r.relname.as_str()).to_owned();
                    rename_constraint(&mut new, &name, &to);
                }
                _ => {
                    let name = statement.subname.clone();
                    if !rename_constraint(&mut new, &name, &to) {
                        let message = format!("constraint \"{name}\" for table \"{}\" does not exist", old.name);
                        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
                    }
                }
            }
            session.change_table(&view, &old, new, operation).await?;
            Ok(Outcome::done(tag))
        })
        .await
    }

    /// The table that has an index of this name.
    pub(super) fn relation_with_index(&self, catalog: &Catalog, name: &[String]) -> Option<Arc<Relation>> {
        let (index, schema) = match name {
            [name] => (name, None),
            [.., schema, name] => (name, Some(schema)),
            [] => return None,
        };
        let schemas: Vec<Oid> = match schema {
            Some(schema) => catalog.namespace_named(schema).map(|n| n.oid).into_iter().collect(),
            None => {
                let path = self.search_path().iter().filter_map(|s| catalog.namespace_named(s)).map(|n| n.oid);
                catalog.temporary().into_iter().chain(path).collect()
            }
        };
        let has = |r: &&Arc<Relation>| r.kind == RelationKind::Managed && r.index_names().any(|n| n == *index);
        schemas.iter().find_map(|schema| catalog.relations().filter(|r| r.schema == *schema).find(has).cloned())
    }

    /// Puts a changed table in the place of `old`; its rows are checked against what is new.
    pub(super) async fn change_table(
        &mut self,
        view: &View,
        old: &Arc<Relation>,
        new: Relation,
        operation: &Operation,
    ) -> PgResult<()> {
        self.change_table_with(view, old, new, &Plan::default(), operation).await
    }

    async fn change_table_with(
        &mut self,
        view: &View,
        old: &Arc<Relation>,
        new: Relation,
        plan: &Plan,
        operation: &Operation,
    ) -> PgResult<()> {
        let (before, after) = (old.table_schema(), new.table_schema());
        let form = |schema: &TableSchema| {
            let columns: Vec<_> = schema.columns.iter().map(|c| (c.name.clone(), c.ty, c.any_shape)).collect();
            (columns, schema.key.clone())
        };
        let rewrite = form(&before) != form(&after) || !plan.sources.is_empty();
        let stricter = stricter(old, &new);
        if form(&before).0 != form(&after).0 {
            self.check_dependents(view, old, &new)?;
        }
        let rows = match rewrite || stricter {
            true => Some(self.rewritten(view, old, &new, plan, operation).await?),
            false => None,
        };
        if let Some(rows) = &rows {
            self.check_all(view, old, &new, rows, operation).await?;
        }
        let temporary = view.catalog.temporary() == Some(old.schema);
        let (was, becomes) = (Arc::clone(old), new.clone());
        // The same statement may change it in several steps.
        self.apply(view, Arc::new(move |catalog| catalog.replace(&was, becomes.clone())), temporary)?;
        if let (true, Some(rows)) = (rewrite, rows) {
            self.open_writes(view, old)?;
            if let Some(writes) = self.transaction.writes(old.oid) {
                writes.replace(&Arc::new(after), unique_indexes(&new), &rows)?;
            }
        }
        Ok(())
    }

    /// The table's rows in their new form.
    async fn rewritten(
        &mut self,
        view: &View,
        old: &Relation,
        new: &Relation,
        plan: &Plan,
        operation: &Operation,
    ) -> PgResult<RecordBatch> {
        let columns: Vec<(String, crate::types::ExprType, ColumnSource)> = new
            .columns
            .iter()
            .map(|column| {
                let source = match plan.sources.get(&column.attnum) {
                    Some(source) => source.clone(),
                    None => match old.column_numbered(column.attnum) {
                        Some((i, _)) => ColumnSource::Column(i),
                        None => ColumnSource::Null,
                    },
                };
                (column.name.clone(), column.expr_type(), source)
            })
            .collect();
        let bound = {
            let mut cx = BindContext::new(&view.catalog, self.search_path());
            bind::bind_columns(old, old.oid, &columns, &mut cx)?
        };
        let plan = self.preparation(view, &[]).plan(&bound)?.0;
        let mut execution = self.execution(&plan, Vec::new());
        execution.view = view.clone();
        let rows = operation.guard(execution.collect()).await??;
        let schema = new.table_schema();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema.arrow()), rows.columns().to_vec(), &options)?)
    }

    /// Holds all rows against what the new definition demands.
    async fn check_all(
        &mut self,
        view: &View,
        old: &Relation,
        new: &Relation,
        rows: &RecordBatch,
        operation: &Operation,
    ) -> PgResult<()> {
        let schema_name = view.catalog.namespace(new.schema).map_or("", |n| n.name.as_str());
        for (i, column) in new.columns.iter().enumerate().filter(|(_, c)| c.not_null) {
            if rows.column(i).null_count() > 0 {
                let message = format!("column \"{}\" of relation \"{}\" contains null values", column.name, new.name);
                let error = PgError::new(SqlState::NOT_NULL_VIOLATION, message);
                return Err(error.table(schema_name, &new.name).column(&column.name));
            }
        }
        let schema = new.table_schema();
        let known = old.uniques();
        for (columns, name) in new.uniques().into_iter().filter(|unique| !known.contains(unique)) {
            let twins = earlier_twins(&schema, &columns, rows)?;
            if let Some(row) = twins.iter().position(Option::is_some) {
                let key = crate::engine::key_text(new, &columns, rows, row).unwrap_or_default();
                let error =
                    PgError::new(SqlState::UNIQUE_VIOLATION, format!("could not create unique index \"{name}\""));
                let error = error.detail(format!("Key {key} is duplicated."));
                return Err(error.table(schema_name, &new.name).constraint(name));
            }
        }
        let had = |name: &str| old.constraints.iter().any(|c| c.name == name);
        super::foreign::check_written(view, new, rows, &|c| !had(&c.name))?;
        for constraint in new.constraints.iter().filter(|c| !had(&c.name)) {
            let ConstraintKind::Check(condition) = &constraint.kind else { continue };
            if !self.holds(view, new, condition, rows, operation).await? {
                let message = format!(
                    "check constraint \"{}\" of relation \"{}\" is violated by some row",
                    constraint.name, new.name
                );
                let error = PgError::new(SqlState::CHECK_VIOLATION, message);
                return Err(error.table(schema_name, &new.name).constraint(&constraint.name));
            }
        }
        Ok(())
    }

    /// Whether no row makes the condition false.
    async fn holds(
        &mut self,
        view: &View,
        relation: &Relation,
        condition: &str,
        rows: &RecordBatch,
        operation: &Operation,
    ) -> PgResult<bool> {
        let column = (
            "holds".to_owned(),
            crate::types::ExprType::of(crate::types::PgType::new(oid::BOOL)),
            ColumnSource::Expression { node: Box::new(bind::expression(condition)?), explicit: false },
        );
        let bound = {
            let mut cx = BindContext::new(&view.catalog, self.search_path());
            bind::bind_columns(relation, bind::STAGED, &[column], &mut cx)?
        };
        let plan = self.preparation(view, &[]).plan(&bound)?.0;
        let mut execution = self.execution(&plan, Vec::new());
        execution.staged.rows = Some(rows.clone());
        let holds = operation.guard(execution.collect()).await??;
        let holds = arrow::array::AsArray::as_boolean(holds.column(0));
        Ok(holds.iter().all(|holds| holds != Some(false)))
    }

    /// A view that would not be what it is over the changed table.
    fn broken_by(&self, view: &View, old: &Relation, new: &Relation) -> PgResult<Option<Arc<Relation>>> {
        let mut catalog = Catalog::clone(&view.catalog);
        catalog.change(old.oid, |relation| *relation = new.clone())?;
        let mut over = vec![old.oid];
        while let Some(oid) = over.pop() {
            for dependent in view.catalog.dependents(oid) {
                // The rows of a materialized view are kept by the places of the columns that it reads.
                if dependent.kind != RelationKind::View || !same_query(&catalog, dependent) {
                    return Ok(Some(Arc::clone(dependent)));
                }
                over.push(dependent.oid);
            }
        }
        Ok(None)
    }

    /// A view keeps the columns that it reads: their names and types stay while it is there.
    fn check_dependents(&mut self, view: &View, old: &Relation, new: &Relation) -> PgResult<()> {
        let Some(dependent) = self.broken_by(view, old, new)? else { return Ok(()) };
        let kept = |c: &crate::catalog::CatalogColumn| {
            new.column_numbered(c.attnum).is_some_and(|(_, n)| n.name == c.name && n.ty() == c.ty())
        };
        match old.columns.iter().find(|c| !kept(c)) {
            None => Ok(()),
            Some(column) => {
                let message = format!(
                    "cannot change column {} of table {} because other objects depend on it",
                    quoted(&column.name),
                    quoted(&old.name)
                );
                let detail = format!("{} depends on table {}.", dependent.name, quoted(&old.name));
                Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message).detail(detail))
            }
        }
    }
}

/// Does a view's query still give the view's columns?
fn same_query(catalog: &Catalog, view: &Relation) -> bool {
    let select = || {
        let statement = bind::parse(view.definition.as_deref()?).ok()?.pop()?;
        match statement.node {
            NodeEnum::SelectStmt(select) => Some(select),
            _ => None,
        }
    };
    let mut cx = BindContext::new(catalog, &view.search_path);
    let bound = select().and_then(|select| bind::bind_query(&select, &mut cx).ok());
    bound.is_some_and(|bound| bound.columns.iter().map(|c| c.ty.pg.oid.0).eq(view.columns.iter().map(|c| c.type_oid)))
}

/// Does the new definition demand more of rows than the old?
fn stricter(old: &Relation, new: &Relation) -> bool {
    let nulls = new
        .columns
        .iter()
        .any(|c| c.not_null && old.column_numbered(c.attnum).is_none_or(|(_, before)| !before.not_null));
    let known = old.uniques();
    let uniques = new.uniques().into_iter().any(|unique| !known.contains(&unique));
    let checks = new.constraints.iter().any(|c| {
        matches!(c.kind, ConstraintKind::Check(_) | ConstraintKind::Foreign(_))
            && !old.constraints.iter().any(|o| o.name == c.name)
    });
    nulls || uniques || checks
}

/// New columns take their defaults in the rows that are there.
fn added_defaults(draft: &mut Draft<'_>, old: &Relation, plan: &mut Plan) -> PgResult<()> {
    for column in draft.relation.columns.iter().filter(|c| old.column_numbered(c.attnum).is_none()) {
        if let (false, Some(default)) = (plan.sources.contains_key(&column.attnum), &column.default) {
            let node = bind::expression(default)?;
            plan.sources.insert(column.attnum, ColumnSource::Expression { node: Box::new(node), explicit: false });
        }
    }
    Ok(())
}

fn undefined_column(relation: &Relation, name: &str) -> PgError {
    let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
    PgError::new(SqlState::UNDEFINED_COLUMN, message)
}

fn in_quotes(name: &str) -> String {
    format!("\"{name}\"")
}

fn skipping(error: PgError) -> PgError {
    PgError::new(SqlState(*b"00000"), format!("{}, skipping", error.message))
}

/// Applies one command to the draft.
fn alter(
    draft: &mut Draft<'_>,
    catalog: &Catalog,
    command: &AlterTableCmd,
    plan: &mut Plan,
    notices: &mut Vec<PgError>,
) -> PgResult<()> {
    use AlterTableType as T;
    let name = command.name.as_str();
    let def = command.def.as_deref().and_then(|n| n.node.as_ref());
    let attnum = |draft: &Draft<'_>| {
        draft.relation.column(name).map(|(_, c)| c.attnum).ok_or_else(|| undefined_column(&draft.relation, name))
    };
    match command.subtype() {
        T::AtAddColumn => {
            let Some(NodeEnum::ColumnDef(def)) = def else { return Err(PgError::internal("a column without one")) };
            if draft.relation.column(&def.colname).is_some() {
                let message =
                    format!("column \"{}\" of relation \"{}\" already exists", def.colname, draft.relation.name);
                let error = PgError::new(SqlState::DUPLICATE_COLUMN, message);
                if !command.missing_ok {
                    return Err(error);
                }
                notices.push(skipping(error));
                return Ok(());
            }
            draft.column(def).map(|_| ())
        }
        T::AtDropColumn => match attnum(draft) {
            Err(error) if command.missing_ok => {
                notices.push(skipping(error));
                Ok(())
            }
            Err(error) => Err(error),
            Ok(attnum) => drop_column(draft, catalog, attnum, plan),
        },
        T::AtColumnDefault => {
            let attnum = attnum(draft)?;
            match &command.def {
                Some(node) => draft.set_default(attnum, Node::clone(node)),
                None => {
                    draft.with_column(attnum, |c| c.default = None);
                    Ok(())
                }
            }
        }
        T::AtSetNotNull => {
            let attnum = attnum(draft)?;
            draft.with_column(attnum, |c| c.not_null = true);
            Ok(())
        }
        T::AtDropNotNull => {
            let attnum = attnum(draft)?;
            let in_key = draft.relation.key.iter().any(|i| draft.relation.columns[*i].attnum == attnum);
            if in_key {
                let message = format!("column \"{name}\" is in a primary key");
                return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
            }
            draft.with_column(attnum, |c| c.not_null = false);
            Ok(())
        }
        T::AtAlterColumnType => {
            let attnum = attnum(draft)?;
            let Some(NodeEnum::ColumnDef(def)) = def else { return Err(PgError::internal("a type without one")) };
            let ty = def.type_name.as_ref().ok_or_else(|| PgError::internal("a column without a type"))?;
            let ty = typename::resolve(ty)?;
            if let Some(generated) = draft.generated_from(attnum)? {
                let message = "cannot alter type of a column used by a generated column";
                let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                let detail =
                    format!("Column {} is used by generated column {}.", in_quotes(name), in_quotes(&generated));
                return Err(error.detail(detail));
            }
            let source = match &def.raw_default {
                Some(using) => ColumnSource::Expression { node: using.clone(), explicit: false },
                None => {
                    let (_, column) =
                        draft.relation.column_numbered(attnum).ok_or_else(|| PgError::internal("a lost column"))?;
                    let from = column.ty().oid;
                    if !bind::overload::can_coerce(&[from], &[ty.oid], bind::overload::Context::Assignment) {
                        let to = bind::names::type_name(ty.oid);
                        let message = format!("column \"{name}\" cannot be cast automatically to type {to}");
                        let hint = format!("You might need to specify \"USING {}::{to}\".", quoted(name));
                        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).hint(hint));
                    }
                    let node = bind::expression(&quoted(name))?;
                    ColumnSource::Expression { node: Box::new(node), explicit: true }
                }
            };
            plan.sources.insert(attnum, source);
            draft.with_column(attnum, |c| c.retype(ty, true));
            Ok(())
        }
        T::AtAddConstraint => {
            let Some(NodeEnum::Constraint(constraint)) = def else {
                return Err(PgError::internal("a constraint without one"));
            };
            if !constraint.conname.is_empty() && draft.relation.constraints.iter().any(|c| c.name == constraint.conname)
            {
                let message = format!(
                    "constraint \"{}\" for relation \"{}\" already exists",
                    constraint.conname, draft.relation.name
                );
                return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            draft.constraint(constraint, None)
        }
        T::AtDropConstraint => drop_constraint(draft, name, command.missing_ok, notices),
        T::AtAddIdentity => {
            let attnum = attnum(draft)?;
            let Some(NodeEnum::Constraint(constraint)) = def else {
                return Err(PgError::internal("an identity without one"));
            };
            draft.identity(attnum, &constraint.generated_when, &constraint.options)
        }
        T::AtDropIdentity => {
            let attnum = attnum(draft)?;
            let owned = super::tables::sequences_of(catalog, draft.relation.oid);
            let of = |r: &&Arc<Relation>| {
                r.sequence.as_ref().is_some_and(|s| s.internal && s.owner.is_some_and(|(_, column)| column == attnum))
            };
            plan.dropped_sequences.extend(owned.iter().filter(of).map(|r| r.oid));
            draft.with_column(attnum, |c| (c.identity, c.default) = (None, None));
            Ok(())
        }
        T::AtDropExpression => {
            let attnum = attnum(draft)?;
            draft.with_column(attnum, |c| (c.generated, c.default) = (false, None));
            Ok(())
        }
        // What tunes PostgreSQL's own storage has nothing to tune here.
        T::AtChangeOwner
        | T::AtSetStatistics
        | T::AtSetStorage
        | T::AtSetCompression
        | T::AtSetRelOptions
        | T::AtResetRelOptions
        | T::AtValidateConstraint
        | T::AtClusterOn
        | T::AtDropCluster
        | T::AtSetLogged
        | T::AtReplicaIdentity => Ok(()),
        other => {
            let name = format!("{other:?}");
            Err(PgError::unsupported(format!("ALTER TABLE ({})", name.trim_start_matches("At"))))
        }
    }
}

fn drop_column(draft: &mut Draft<'_>, catalog: &Catalog, attnum: i16, plan: &mut Plan) -> PgResult<()> {
    let relation = &mut draft.relation;
    let Some((at, _)) = relation.column_numbered(attnum) else { return Ok(()) };
    relation.last_attnum = relation.last_attnum.max(relation.columns.iter().map(|c| c.attnum).max().unwrap_or(0));
    // What is over the column goes with it.
    if relation.key.contains(&at) {
        relation.key.clear();
        (relation.key_index_oid, relation.key_constraint_oid, relation.key_name) = (0, 0, None);
    }
    let key: Vec<i16> = relation.key.iter().map(|i| relation.columns[*i].attnum).collect();
    relation.constraints.retain(|c| !c.columns.contains(&attnum));
    relation.indexes.retain(|i| !i.columns.contains(&attnum));
    relation.columns.remove(at);
    relation.column_comments.remove(&attnum);
    relation.key = relation.positions(&key);
    plan.sources.remove(&attnum);
    let owned = super::tables::sequences_of(catalog, relation.oid);
    let of =
        |r: &&Arc<Relation>| r.sequence.as_ref().is_some_and(|s| s.owner.is_some_and(|(_, column)| column == attnum));
    plan.dropped_sequences.extend(owned.iter().filter(of).map(|r| r.oid));
    Ok(())
}

fn drop_constraint(draft: &mut Draft<'_>, name: &str, missing_ok: bool, notices: &mut Vec<PgError>) -> PgResult<()> {
    let relation = &mut draft.relation;
    if !relation.key.is_empty() && relation.primary_key_name() == name {
        relation.key.clear();
        (relation.key_index_oid, relation.key_constraint_oid, relation.key_name) = (0, 0, None);
        return Ok(());
    }
    let Some(at) = relation.constraints.iter().position(|c| c.name == name) else {
        let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", relation.name);
        let error = PgError::new(SqlState::UNDEFINED_OBJECT, message);
        if !missing_ok {
            return Err(error);
        }
        notices.push(skipping(error));
        return Ok(());
    };
    if let ConstraintKind::Unique(index) = relation.constraints.remove(at).kind {
        relation.indexes.retain(|i| i.oid != index);
    }
    Ok(())
}

/// A constraint and its index share their name; whether there was one.
fn rename_constraint(relation: &mut Relation, name: &str, to: &str) -> bool {
    let mut found = false;
    if !relation.key.is_empty() && relation.primary_key_name() == name {
        relation.key_name = Some(to.to_owned());
        found = true;
    }
    for constraint in relation.constraints.iter_mut().filter(|c| c.name == name) {
        to.clone_into(&mut constraint.name);
        found = true;
    }
    for index in relation.indexes.iter_mut().filter(|i| i.name == name) {
        to.clone_into(&mut index.name);
        found = true;
    }
    found
}

/// Checks, generated columns and indexes call a renamed column by its new name.
fn rename_in_expressions(relation: &mut Relation, attnum: i16, from: &str, to: &str) -> PgResult<()> {
    let renamed = |text: &str| -> PgResult<String> {
        let scanned =
            pg_query::scan(text).map_err(|e| PgError::internal(format!("an expression cannot be scanned: {e}")))?;
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        let tokens = &scanned.tokens;
        for (i, token) in tokens.iter().enumerate() {
            let (start, end) = (token.start as usize, token.end as usize);
            let word = &text[start..end];
            let call = tokens.get(i + 1).is_some_and(|next| &text[next.start as usize..next.end as usize] == "(");
            let name = word.strip_prefix('"').and_then(|w| w.strip_suffix('"')).map(|w| w.replace("\"\"", "\""));
            if !call && name.as_deref().unwrap_or(word) == from {
                out.push_str(&text[copied..start]);
                out.push_str(&quoted(to));
                copied = end;
            }
        }
        out.push_str(&text[copied..]);
        Ok(out)
    };
    for constraint in relation.constraints.iter_mut().filter(|c| c.columns.contains(&attnum)) {
        if let ConstraintKind::Check(condition) = &mut constraint.kind {
            *condition = renamed(condition)?;
        }
    }
    for column in relation.columns.iter_mut().filter(|c| c.generated) {
        column.default = column.default.as_deref().map(renamed).transpose()?;
    }
    for index in &mut relation.indexes {
        for key in &mut index.keys {
            *key = renamed(key)?;
        }
        index.predicate = index.predicate.as_deref().map(renamed).transpose()?;
    }
    Ok(())
}
