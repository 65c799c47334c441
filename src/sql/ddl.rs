//! Schemas, views, materialized views, comments.
//!
//! A change is made by name (see [`super::transaction::PendingChange`]): tried on the transaction's own catalog, applied
//! by COMMIT; a statement outside a transaction is applied before it returns.

use super::OutputColumn;
use super::access::role_named;
use super::context::{quoted, undefined_schema};
use super::interrupt::Operation;
use super::rename;
use super::roles::may_give;
use super::session::{Outcome, Session};
use super::tables::sequences_of;
use super::transaction::{PendingChange, Phase, View};
use crate::bind;
use crate::catalog::{
    Catalog, CatalogColumn, FIRST_USER_OID, Needed, NewRelation, Privileges, Relation, RelationKind, denied, not_owner,
};
use crate::types::array::is_shaped;
use crate::types::{Column, Oid, PgError, PgResult, SqlState, TableSchema, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterObjectSchemaStmt, CommentStmt, CreateSchemaStmt, CreateTableAsStmt, DropBehavior, DropStmt, Node, ObjectType,
    RangeVar, RefreshMatViewStmt, RenameStmt, SelectStmt, ViewStmt,
};
use std::sync::Arc;

/// Says no at once, naming the statement.
pub fn check_supported(node: &NodeEnum) -> PgResult<()> {
    use NodeEnum as N;
    let what = match node {
        N::CreateSchemaStmt(_)
        | N::ViewStmt(_)
        | N::DropStmt(_)
        | N::RenameStmt(_)
        | N::AlterObjectSchemaStmt(_)
        | N::CommentStmt(_)
        | N::RefreshMatViewStmt(_)
        | N::CreateTableAsStmt(_)
        | N::CreateStmt(_)
        | N::TruncateStmt(_)
        | N::IndexStmt(_)
        | N::AlterTableStmt(_)
        | N::CreateSeqStmt(_)
        | N::AlterSeqStmt(_)
        | N::AlterOwnerStmt(_)
        | N::GrantStmt(_)
        | N::GrantRoleStmt(_)
        | N::CreateRoleStmt(_)
        | N::AlterRoleStmt(_)
        | N::AlterRoleSetStmt(_)
        | N::DropRoleStmt(_)
        | N::ReassignOwnedStmt(_)
        | N::DropOwnedStmt(_)
        | N::AlterDefaultPrivilegesStmt(_) => return Ok(()),
        N::CreateFunctionStmt(_) => "CREATE FUNCTION",
        N::CreateTrigStmt(_) => "CREATE TRIGGER",
        N::CreateEnumStmt(_) | N::CompositeTypeStmt(_) | N::DefineStmt(_) => "CREATE TYPE",
        N::CreateDomainStmt(_) => "CREATE DOMAIN",
        N::CreateExtensionStmt(_) => "CREATE EXTENSION",
        N::CreatedbStmt(_) => "CREATE DATABASE",
        N::DropdbStmt(_) => "DROP DATABASE",
        N::DoStmt(_) => "DO",
        N::CallStmt(_) => "CALL",
        N::ReindexStmt(_) => "REINDEX",
        N::ClusterStmt(_) => "CLUSTER",
        N::LoadStmt(_) => "LOAD",
        other => {
            // The parser's own name for it is better than none.
            let debug = format!("{other:?}");
            let name = debug.split(['(', ' ']).next().unwrap_or_default().trim_end_matches("Stmt").to_owned();
            return Err(PgError::unsupported(format!("the statement {name}")));
        }
    };
    Err(PgError::unsupported(what))
}

impl Session {
    pub(super) async fn ddl(&mut self, node: &NodeEnum, text: &str, operation: &Operation) -> PgResult<Outcome> {
        self.in_present("DDL")?;
        match node {
            NodeEnum::CreateStmt(statement) => self.create_table(statement).await,
            NodeEnum::CreateTableAsStmt(statement) if statement.objtype() != ObjectType::ObjectMatview => {
                self.create_table_as(statement, operation).await
            }
            NodeEnum::TruncateStmt(statement) => self.truncate(statement).await,
            NodeEnum::IndexStmt(statement) => self.create_index(statement, operation).await,
            NodeEnum::AlterTableStmt(statement) => self.alter_table(statement, operation).await,
            NodeEnum::CreateSeqStmt(statement) => self.create_sequence(statement).await,
            NodeEnum::AlterSeqStmt(statement) => self.alter_sequence(statement).await,
            NodeEnum::GrantStmt(statement) => self.grant(statement).await,
            NodeEnum::GrantRoleStmt(statement) => self.grant_role(statement).await,
            NodeEnum::AlterDefaultPrivilegesStmt(statement) => self.alter_default_privileges(statement).await,
            NodeEnum::CreateRoleStmt(statement) => self.create_role(statement).await,
            NodeEnum::AlterRoleStmt(statement) => self.alter_role(statement).await,
            NodeEnum::AlterRoleSetStmt(statement) => self.alter_role_set(statement).await,
            NodeEnum::DropRoleStmt(statement) => self.drop_role(statement).await,
            NodeEnum::ReassignOwnedStmt(statement) => self.reassign_owned(statement).await,
            NodeEnum::DropOwnedStmt(statement) => self.drop_owned(statement).await,
            NodeEnum::AlterOwnerStmt(statement) => self.alter_owner(statement).await,
            NodeEnum::CreateSchemaStmt(statement) => self.create_schema(statement).await,
            NodeEnum::ViewStmt(statement) => self.create_view(statement, text).await,
            NodeEnum::CreateTableAsStmt(statement) => self.create_materialized_view(statement, text).await,
            NodeEnum::DropStmt(statement) => {
                // Foreign keys, temporary and lasting relations may all be in it: one transaction.
                self.transactional(async |session: &mut Self| session.drop_objects(statement, operation).await).await
            }
            NodeEnum::RenameStmt(statement) => self.rename(statement, operation).await,
            NodeEnum::AlterObjectSchemaStmt(statement) => self.set_schema(statement).await,
            NodeEnum::CommentStmt(statement) => self.comment(statement).await,
            NodeEnum::RefreshMatViewStmt(statement) => self.refresh_view(statement),
            node => {
                check_supported(node)?;
                Err(PgError::internal("a statement was prepared that cannot run"))
            }
        }
    }

    /// Applies a change now, or keeps it for COMMIT.
    pub(super) async fn change(&mut self, view: &View, change: PendingChange) -> PgResult<()> {
        self.writable("DDL")?;
        if self.transaction.phase == Phase::Idle {
            self.begin(Phase::Implicit);
            self.apply(view, change, false)?;
            return self.commit().await;
        }
        self.apply(view, change, false)
    }

    /// [`Session::change`], or of the session's own catalog where the relation is temporary.
    pub(super) async fn change_of(&mut self, view: &View, relation: &Relation, change: PendingChange) -> PgResult<()> {
        match view.catalog.temporary() == Some(relation.schema) {
            true => self.change_temporary(view, change).await,
            false => self.change(view, change).await,
        }
    }

    async fn change_temporary(&mut self, view: &View, change: PendingChange) -> PgResult<()> {
        if self.transaction.phase == Phase::Idle {
            self.begin(Phase::Implicit);
            self.apply(view, change, true)?;
            return self.commit().await;
        }
        self.apply(view, change, true)
    }

    pub(super) fn skip(&mut self, state: SqlState, message: String) {
        self.notice("NOTICE", PgError::new(state, message));
    }

    async fn create_schema(&mut self, statement: &CreateSchemaStmt) -> PgResult<Outcome> {
        if !statement.schema_elts.is_empty() {
            return Err(PgError::unsupported("CREATE SCHEMA with objects in it"));
        }
        let view = self.view();
        let name = match statement.schemaname.as_str() {
            "" => self.role_name(statement.authrole.as_ref())?,
            name => name.to_owned(),
        };
        if name.starts_with("pg_") {
            let error = PgError::new(SqlState(*b"42939"), format!("unacceptable schema name \"{name}\""));
            return Err(error.detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        if statement.if_not_exists && view.catalog.namespace_named(&name).is_some() {
            let message = format!("schema \"{name}\" already exists, skipping");
            self.skip(SqlState::DUPLICATE_SCHEMA, message);
            return Ok(Outcome::done("CREATE SCHEMA"));
        }
        if !self.access().superuser && !self.access().on_database(&view.catalog).0.contains(Privileges::CREATE) {
            return Err(denied("database", &self.identity.database));
        }
        let owner = match &statement.authrole {
            Some(role) => {
                let owner = self.role_name(Some(role))?;
                let owner = role_named(&view.catalog, &owner)?;
                may_give(self.access(), &view.catalog, owner)?;
                owner.oid
            }
            None => self.acting.creator,
        };
        let change: PendingChange =
            Arc::new(move |catalog| catalog.as_role(owner, |catalog| catalog.create_schema(&name).map(|_| ())));
        self.change(&view, change).await?;
        Ok(Outcome::done("CREATE SCHEMA"))
    }

    /// The schema in which a new relation goes, and its name.
    pub(super) fn target(&self, catalog: &Catalog, relation: Option<&RangeVar>) -> PgResult<(String, String)> {
        let relation = relation.ok_or_else(|| PgError::internal("a relation without a name"))?;
        if relation.relpersistence == "t" || relation.schemaname == "pg_temp" {
            return Err(PgError::unsupported("a temporary view"));
        }
        let schema = match relation.schemaname.as_str() {
            "" => {
                let exists = |name: &&String| catalog.namespace_named(name).is_some();
                self.search_path().iter().find(exists).cloned().ok_or_else(|| {
                    PgError::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in")
                })?
            }
            name => name.to_owned(),
        };
        let namespace = catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?;
        if namespace.oid.0 < FIRST_USER_OID && namespace.oid != crate::catalog::PUBLIC {
            let message = format!("permission denied for schema {schema}");
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        self.access().must_create_in(namespace, catalog)?;
        Ok((schema, relation.relname.clone()))
    }

    /// A view's query, understood: its columns under their final names, and what it reads.
    pub(super) fn bind_view(&self, view: &View, query: Option<&Node>, aliases: &[Node]) -> PgResult<BoundView> {
        let select = match query.and_then(|n| n.node.as_ref()) {
            Some(NodeEnum::SelectStmt(select)) => select as &SelectStmt,
            _ => return Err(PgError::unsupported("a view over a statement other than a query")),
        };
        if select.into_clause.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "views must not contain SELECT INTO"));
        }
        let bound = {
            let path = self.search_path();
            let mut cx = bind::BindContext::new(&view.catalog, path);
            cx.access = Some(self.access());
            bind::bind_query(select, &mut cx)?
        };
        if !bound.params.is_empty() {
            return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        // What cannot be lowered must not be stored.
        bind::lower(&bound)?;
        let mut columns = view_columns(&bound.columns)?;
        if aliases.len() > columns.len() {
            let message = "CREATE VIEW specifies more column names than columns";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        for (column, alias) in columns.iter_mut().zip(aliases) {
            if let Some(NodeEnum::String(name)) = &alias.node {
                column.name.clone_from(&name.sval);
            }
        }
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|c| c.name == column.name) {
                let message = format!("column \"{}\" specified more than once", column.name);
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
        }
        let named = |oid: &Oid| {
            let relation = view.catalog.relation(*oid)?;
            let schema = view.catalog.namespace(relation.schema)?;
            Some((schema.name.clone(), relation.name.clone()))
        };
        let reads = bound.relations.iter().filter_map(named).collect();
        Ok(BoundView { columns, reads, volatile: bound.volatile_functions, needed: bound.needed })
    }

    async fn create_view(&mut self, statement: &ViewStmt, text: &str) -> PgResult<Outcome> {
        if statement.with_check_option > 1 {
            return Err(PgError::unsupported("WITH CHECK OPTION"));
        }
        let view = self.view();
        let (schema, name) = self.target(&view.catalog, statement.view.as_ref())?;
        let bound = self.bind_view(&view, statement.query.as_deref(), &statement.aliases)?;
        let namespace = view.catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?;
        if let Some(old) = view.catalog.relation_named(namespace.oid, &name).filter(|_| statement.replace) {
            self.access().must_own(old)?;
        }
        let definition = view_query(text)?;
        let (search_path, replace) = (self.search_path().to_vec(), statement.replace);
        let change: PendingChange = Arc::new(move |catalog| {
            let namespace = catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?.oid;
            let depends_on = bound.dependencies(catalog)?;
            let Some(old) = catalog.relation_named(namespace, &name).filter(|_| replace).cloned() else {
                return catalog
                    .create(NewRelation {
                        schema: namespace,
                        name: name.clone(),
                        kind: RelationKind::View,
                        table: TableSchema::new(bound.columns.clone(), Vec::new()),
                        definition: Some(definition.clone()),
                        search_path: search_path.clone(),
                        depends_on,
                    })
                    .map(|_| ());
            };
            replaceable(&old, &bound.columns)?;
            if reads(catalog, &depends_on, old.oid) {
                let message = format!("view \"{name}\" would read itself");
                return Err(PgError::new(SqlState(*b"42P17"), message));
            }
            catalog.change(old.oid, |relation| {
                for (i, column) in bound.columns.iter().enumerate().skip(relation.columns.len()) {
                    relation.columns.push(catalog_column(column, i));
                }
                relation.definition = Some(definition.clone());
                relation.search_path.clone_from(&search_path);
                relation.depends_on = depends_on.iter().map(|oid| oid.0).collect();
            })
        });
        self.change(&view, change).await?;
        Ok(Outcome::done("CREATE VIEW"))
    }

    async fn create_materialized_view(&mut self, statement: &CreateTableAsStmt, text: &str) -> PgResult<Outcome> {
        const TAG: &str = "CREATE MATERIALIZED VIEW";
        let into = statement.into.as_deref().ok_or_else(|| PgError::internal("a view without a name"))?;
        if into.skip_data {
            let error = PgError::unsupported("WITH NO DATA");
            return Err(error.detail("A materialized view is always filled and always up to date."));
        }
        let view = self.view();
        let (schema, name) = self.target(&view.catalog, into.rel.as_ref())?;
        let namespace = view.catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?;
        if statement.if_not_exists && view.catalog.relation_named(namespace.oid, &name).is_some() {
            let message = format!("relation \"{name}\" already exists, skipping");
            self.skip(SqlState::DUPLICATE_TABLE, message);
            return Ok(Outcome::done(TAG));
        }
        let bound = self.bind_view(&view, statement.query.as_deref(), &into.col_names)?;
        crate::view::refuse_unsteady(&bound.volatile)?;
        self.check_needed(&bound.needed)?;
        let (definition, search_path) = (view_query(text)?, self.search_path().to_vec());
        let change: PendingChange = Arc::new(move |catalog| {
            let namespace = catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?.oid;
            let new = NewRelation {
                schema: namespace,
                name: name.clone(),
                kind: RelationKind::Gold,
                table: TableSchema::new(bound.columns.clone(), Vec::new()),
                definition: Some(definition.clone()),
                search_path: search_path.clone(),
                depends_on: bound.dependencies(catalog)?,
            };
            catalog.create(new).map(|_| ())
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    async fn drop_objects(&mut self, statement: &DropStmt, operation: &Operation) -> PgResult<Outcome> {
        let kind = statement.remove_type();
        let tag = match kind {
            ObjectType::ObjectView => "DROP VIEW",
            ObjectType::ObjectMatview => "DROP MATERIALIZED VIEW",
            ObjectType::ObjectTable => "DROP TABLE",
            ObjectType::ObjectSchema => "DROP SCHEMA",
            ObjectType::ObjectSequence => "DROP SEQUENCE",
            ObjectType::ObjectIndex => return self.drop_indexes(statement, operation).await,
            other => {
                let name = format!("{other:?}").trim_start_matches("Object").to_uppercase();
                return Err(PgError::unsupported(format!("DROP {name}")));
            }
        };
        let view = self.view();
        let cascade = statement.behavior() == DropBehavior::DropCascade;
        let mut doomed = Vec::new();
        let mut schemas = Vec::new();
        for object in &statement.objects {
            let name = name_parts(object);
            let found = match kind {
                ObjectType::ObjectSchema => {
                    let name = name.last().cloned().unwrap_or_default();
                    match view.catalog.namespace_named(&name) {
                        Some(namespace) => {
                            if !self.access().has_rights_of(namespace.owner()) {
                                return Err(not_owner("schema", &name));
                            }
                            schemas.push(name);
                            Ok(())
                        }
                        None => Err(undefined_schema(&name)),
                    }
                }
                _ => self.droppable(&view.catalog, kind, &name).map(|relation| doomed.push(relation)),
            };
            match found {
                Err(error)
                    if statement.missing_ok
                        && matches!(error.state, SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME) =>
                {
                    self.skip(SqlState(*b"00000"), format!("{error}, skipping"));
                }
                found => found?,
            }
        }
        for schema in &schemas {
            doomed.extend(contents(&view.catalog, schema, cascade)?);
        }
        let (all, cascaded) = with_dependents(&view.catalog, &doomed, &schemas, cascade)?;
        self.drop_references(&view, &all, cascade).await?;
        let view = self.view();
        if let [only] = &cascaded[..] {
            let message = format!("drop cascades to {}", described(&view.catalog, only));
            self.skip(SqlState(*b"00000"), message);
        } else if !cascaded.is_empty() {
            let message = format!("drop cascades to {} other objects", cascaded.len());
            let lines = cascaded.iter().map(|r| format!("drop cascades to {}", described(&view.catalog, r)));
            let detail = lines.collect::<Vec<_>>().join("\n");
            self.notice("NOTICE", PgError::new(SqlState(*b"00000"), message).detail(detail));
        }
        if all.is_empty() && schemas.is_empty() {
            return Ok(Outcome::done(tag));
        }
        // A session's own relations are dropped in its own catalog alone.
        let own = |relation: &Arc<Relation>| view.catalog.temporary() == Some(relation.schema);
        let (temporary, all): (Vec<_>, Vec<_>) = all.into_iter().partition(own);
        if !temporary.is_empty() {
            let drop: PendingChange = Arc::new(move |catalog| {
                temporary.iter().for_each(|relation| catalog.drop_relation(relation.oid));
                Ok(())
            });
            self.change_temporary(&view, drop).await?;
            if all.is_empty() && schemas.is_empty() {
                return Ok(Outcome::done(tag));
            }
        }
        let view = self.view();
        let is_named = |r: &&Arc<Relation>| doomed.iter().any(|d| d.oid == r.oid);
        let names: Vec<(String, String)> = all.iter().filter(is_named).map(|r| full_name(&view.catalog, r)).collect();
        let change: PendingChange = Arc::new(move |catalog| {
            let mut oids = Vec::with_capacity(names.len());
            for (schema, name) in &names {
                oids.push(find(catalog, schema, name)?.oid);
            }
            // What depends on them now: some of it may be gone since the statement, some may have come.
            let mut at = 0;
            while let Some(oid) = oids.get(at).copied() {
                at += 1;
                for dependent in catalog.dependents(oid) {
                    if oids.contains(&dependent.oid) {
                        continue;
                    }
                    if !cascade {
                        return Err(has_dependents(catalog, oid, dependent));
                    }
                    oids.push(dependent.oid);
                }
            }
            for oid in &oids {
                for sequence in sequences_of(catalog, *oid) {
                    catalog.drop_relation(sequence.oid);
                }
                catalog.drop_relation(*oid);
            }
            for schema in &schemas {
                let oid = catalog.namespace_named(schema).ok_or_else(|| undefined_schema(schema))?.oid;
                if catalog.relations().any(|r| r.schema == oid) {
                    return Err(schema_in_use(schema));
                }
                catalog.drop_schema(oid);
            }
            Ok(())
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(tag))
    }

    /// Foreign keys of other tables to what is dropped go with CASCADE, or are in the way.
    async fn drop_references(&mut self, view: &View, doomed: &[Arc<Relation>], cascade: bool) -> PgResult<()> {
        let mut keys: Vec<(Arc<Relation>, Vec<String>)> = Vec::new();
        for relation in doomed {
            let mut in_the_way: Vec<String> = Vec::new();
            for (table, name) in super::foreign::dependents(&view.catalog, relation.oid) {
                if doomed.iter().any(|d| d.oid == table.oid) {
                    continue;
                }
                let what = described(&view.catalog, relation);
                let key = format!("constraint {} on {}", quoted(&name), described(&view.catalog, &table));
                if !cascade {
                    in_the_way.push(format!("{key} depends on {what}"));
                    continue;
                }
                self.skip(SqlState(*b"00000"), format!("drop cascades to {key}"));
                match keys.iter_mut().find(|(t, _)| t.oid == table.oid) {
                    Some((_, names)) => names.push(name),
                    None => keys.push((table, vec![name])),
                }
            }
            if !in_the_way.is_empty() {
                let what = described(&view.catalog, relation);
                let message = format!("cannot drop {what} because other objects depend on it");
                let error = PgError::new(SqlState::DEPENDENT_OBJECTS, message).detail(in_the_way.join("\n"));
                return Err(error.hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        let change: PendingChange = Arc::new(move |catalog| {
            for (table, names) in &keys {
                // What is gone meanwhile refers to nothing.
                if catalog.relation(table.oid).is_some() {
                    catalog.change(table.oid, |relation| relation.constraints.retain(|c| !names.contains(&c.name)))?;
                }
            }
            Ok(())
        });
        self.change(view, change).await
    }

    /// The relation, if it is what the statement says and a client may drop it.
    fn droppable(&self, catalog: &Catalog, kind: ObjectType, name: &[String]) -> PgResult<Arc<Relation>> {
        let (word, wanted) = match kind {
            ObjectType::ObjectView => ("view", RelationKind::View),
            ObjectType::ObjectMatview => ("materialized view", RelationKind::Gold),
            ObjectType::ObjectSequence => ("sequence", RelationKind::Sequence),
            _ => ("table", RelationKind::Managed),
        };
        let shown = name.join(".");
        let found = self.resolve(catalog, name).map_err(|error| match error.state {
            SqlState::UNDEFINED_TABLE => {
                PgError::new(SqlState::UNDEFINED_TABLE, format!("{word} \"{shown}\" does not exist"))
            }
            _ => error,
        })?;
        if found.kind == wanted {
            // The owner of a schema may drop what is in it.
            let schema = catalog.namespace(found.schema).map(|n| n.owner());
            if !schema.is_some_and(|owner| self.access().has_rights_of(owner)) {
                self.access().must_own(&found)?;
            }
            return Ok(found);
        }
        if kind == ObjectType::ObjectTable {
            not_fed(&found)?;
        }
        if kind == ObjectType::ObjectSequence && found.kind == wanted {
            let internal = found.sequence.as_ref().is_some_and(|s| s.internal);
            if internal {
                let message = format!("cannot drop sequence {} because a column requires it", quoted(&found.name));
                let error = PgError::new(SqlState::DEPENDENT_OBJECTS, message);
                return Err(error.hint("You can drop the column instead."));
            }
        }
        let error = PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a {word}", found.name));
        Err(error.hint(match found.kind {
            RelationKind::View => "Use DROP VIEW to remove a view.",
            RelationKind::Gold => "Use DROP MATERIALIZED VIEW to remove a materialized view.",
            RelationKind::Sequence => "Use DROP SEQUENCE to remove a sequence.",
            _ => "Use DROP TABLE to remove a table.",
        }))
    }

    pub(super) fn resolve(&self, catalog: &Catalog, name: &[String]) -> PgResult<Arc<Relation>> {
        let (schema, name) = match name {
            [name] => (None, name),
            [.., schema, name] => (Some(schema.as_str()), name),
            [] => return Err(PgError::internal("a relation without a name")),
        };
        catalog.resolve(self.search_path(), schema, name).cloned()
    }

    pub(super) fn resolve_range(&self, catalog: &Catalog, relation: Option<&RangeVar>) -> PgResult<Arc<Relation>> {
        let relation = relation.ok_or_else(|| PgError::internal("a relation without a name"))?;
        let mut name = vec![relation.schemaname.clone(), relation.relname.clone()];
        name.retain(|part| !part.is_empty());
        let at = usize::try_from(relation.location).unwrap_or(0);
        self.resolve(catalog, &name).map_err(|e| e.at(at))
    }

    async fn rename(&mut self, statement: &RenameStmt, operation: &Operation) -> PgResult<Outcome> {
        let kind = statement.rename_type();
        let tag = match kind {
            ObjectType::ObjectView => "ALTER VIEW",
            ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
            ObjectType::ObjectTable => "ALTER TABLE",
            ObjectType::ObjectSchema => return Err(PgError::unsupported("ALTER SCHEMA ... RENAME")),
            ObjectType::ObjectRole => return self.rename_role(statement).await,
            ObjectType::ObjectSequence => "ALTER SEQUENCE",
            ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint | ObjectType::ObjectIndex => {
                return self.rename_part(statement, operation).await;
            }
            _ => return Err(PgError::unsupported("this ALTER ... RENAME")),
        };
        let view = self.view();
        let Some(relation) = self.altered(&view, statement.relation.as_ref(), statement.missing_ok)? else {
            return Ok(Outcome::done(tag));
        };
        let (schema, name) = full_name(&view.catalog, &relation);
        let new = statement.newname.clone();
        let change: PendingChange = Arc::new(move |catalog| {
            let oid = find(catalog, &schema, &name)?.oid;
            rename::change_name(catalog, oid, |relation| relation.name.clone_from(&new))
        });
        self.change_of(&view, &relation, change).await?;
        Ok(Outcome::done(tag))
    }

    async fn set_schema(&mut self, statement: &AlterObjectSchemaStmt) -> PgResult<Outcome> {
        let tag = match statement.object_type() {
            ObjectType::ObjectView => "ALTER VIEW",
            ObjectType::ObjectMatview => "ALTER MATERIALIZED VIEW",
            ObjectType::ObjectTable => "ALTER TABLE",
            _ => return Err(PgError::unsupported("this ALTER ... SET SCHEMA")),
        };
        let view = self.view();
        let Some(relation) = self.altered(&view, statement.relation.as_ref(), statement.missing_ok)? else {
            return Ok(Outcome::done(tag));
        };
        let (schema, name) = full_name(&view.catalog, &relation);
        let new = statement.newschema.clone();
        let target = view.catalog.namespace_named(&new).ok_or_else(|| undefined_schema(&new))?;
        self.access().must_create_in(target, &view.catalog)?;
        let change: PendingChange = Arc::new(move |catalog| {
            let target = catalog.namespace_named(&new).ok_or_else(|| undefined_schema(&new))?.oid;
            let oid = find(catalog, &schema, &name)?.oid;
            let indexes: Vec<String> = find(catalog, &schema, &name)?.index_names().collect();
            indexes.iter().try_for_each(|index| catalog.check_free(target, index))?;
            for sequence in sequences_of(catalog, oid) {
                catalog.change(sequence.oid, |sequence| sequence.schema = target)?;
            }
            rename::change_name(catalog, oid, |relation| relation.schema = target)
        });
        self.change_of(&view, &relation, change).await?;
        Ok(Outcome::done(tag))
    }

    /// The relation that an ALTER changes; `None` where it is missing and may be.
    pub(super) fn altered(
        &mut self,
        view: &View,
        relation: Option<&RangeVar>,
        missing_ok: bool,
    ) -> PgResult<Option<Arc<Relation>>> {
        match self.resolve_range(&view.catalog, relation) {
            Ok(relation) => {
                not_fed(&relation)?;
                self.access().must_own(&relation)?;
                Ok(Some(relation))
            }
            Err(error) if missing_ok && error.state == SqlState::UNDEFINED_TABLE => {
                self.skip(SqlState(*b"00000"), format!("{error}, skipping"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn comment(&mut self, statement: &CommentStmt) -> PgResult<Outcome> {
        let view = self.view();
        let text = Some(statement.comment.clone()).filter(|text| !text.is_empty());
        let name = statement.object.as_deref().map(name_parts).unwrap_or_default();
        let change: PendingChange = match statement.objtype() {
            ObjectType::ObjectSchema => {
                let schema = name.last().cloned().unwrap_or_default();
                let known = view.catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?;
                if !self.access().has_rights_of(known.owner()) {
                    return Err(not_owner("schema", &schema));
                }
                Arc::new(move |catalog| {
                    let oid = catalog.namespace_named(&schema).ok_or_else(|| undefined_schema(&schema))?.oid;
                    catalog.comment_on_schema(oid, text.clone());
                    Ok(())
                })
            }
            ObjectType::ObjectTable
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectSequence => {
                let relation = self.resolve(&view.catalog, &name)?;
                not_system(&relation)?;
                self.access().must_own(&relation)?;
                let (schema, name) = full_name(&view.catalog, &relation);
                Arc::new(move |catalog| {
                    let oid = find(catalog, &schema, &name)?.oid;
                    catalog.change(oid, |relation| relation.comment.clone_from(&text))
                })
            }
            ObjectType::ObjectColumn => {
                let (column, table) = name.split_last().ok_or_else(|| PgError::internal("a column without a name"))?;
                let relation = self.resolve(&view.catalog, table)?;
                not_system(&relation)?;
                self.access().must_own(&relation)?;
                let (schema, name) = full_name(&view.catalog, &relation);
                let column = column.clone();
                Arc::new(move |catalog| {
                    let relation = find(catalog, &schema, &name)?;
                    let attnum = relation.column(&column).map(|(_, c)| c.attnum).ok_or_else(|| {
                        let message = format!("column \"{column}\" of relation \"{name}\" does not exist");
                        PgError::new(SqlState::UNDEFINED_COLUMN, message)
                    })?;
                    catalog.change(relation.oid, |relation| {
                        match &text {
                            Some(text) => relation.column_comments.insert(attnum, text.clone()),
                            None => relation.column_comments.remove(&attnum),
                        };
                    })
                })
            }
            kind @ (ObjectType::ObjectIndex | ObjectType::ObjectTabconstraint) => {
                let index = kind == ObjectType::ObjectIndex;
                let part = name.last().cloned().unwrap_or_default();
                let missing = |table: &str| match index {
                    true => PgError::new(
                        SqlState::UNDEFINED_TABLE,
                        format!("relation \"{}\" does not exist", name.join(".")),
                    ),
                    false => {
                        let message = format!("constraint \"{part}\" for table \"{table}\" does not exist");
                        PgError::new(SqlState::UNDEFINED_OBJECT, message)
                    }
                };
                let relation = match index {
                    true => self.relation_with_index(&view.catalog, &name).ok_or_else(|| missing(""))?,
                    false => self.resolve(&view.catalog, name.split_last().map_or(&[][..], |(_, table)| table))?,
                };
                not_system(&relation)?;
                self.access().must_own(&relation)?;
                if part_oid(&relation, &part, index).is_none() {
                    return Err(missing(&relation.name));
                }
                let (schema, table) = full_name(&view.catalog, &relation);
                Arc::new(move |catalog| {
                    let relation = find(catalog, &schema, &table)?;
                    let gone = || PgError::internal(format!("\"{part}\" has gone"));
                    let part = part_oid(&relation, &part, index).ok_or_else(gone)?;
                    catalog.change(relation.oid, |relation| {
                        match &text {
                            Some(text) => relation.part_comments.insert(part, text.clone()),
                            None => relation.part_comments.remove(&part),
                        };
                    })
                })
            }
            other => {
                let name = format!("{other:?}").trim_start_matches("Object").to_uppercase();
                return Err(PgError::unsupported(format!("COMMENT ON {name}")));
            }
        };
        self.change(&view, change).await?;
        Ok(Outcome::done("COMMENT"))
    }

    /// A materialized view is up to date at every tick, and nobody waits for it: a refresh has nothing left to do.
    fn refresh_view(&mut self, statement: &RefreshMatViewStmt) -> PgResult<Outcome> {
        let view = self.view();
        let relation = self.resolve_range(&view.catalog, statement.relation.as_ref())?;
        if relation.kind != RelationKind::Gold {
            let message = format!("\"{}\" is not a materialized view", relation.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        self.access().must_own(&relation)?;
        if statement.skip_data && statement.concurrent {
            let message = "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        if statement.skip_data {
            let message = format!("materialized view \"{}\" keeps its rows", relation.name);
            let detail = "It is kept equal to its query at every tick, and is never without data.";
            self.notice("NOTICE", PgError::new(SqlState(*b"00000"), message).detail(detail));
        }
        Ok(Outcome::done("REFRESH MATERIALIZED VIEW"))
    }
}

/// The OID of a table's index, or constraint, of this name.
fn part_oid(relation: &Relation, name: &str, index: bool) -> Option<u32> {
    if !relation.key.is_empty() && relation.primary_key_name() == name {
        return Some(if index { relation.key_index_oid } else { relation.key_constraint_oid });
    }
    match index {
        true => relation.indexes.iter().find(|i| i.name == name).map(|i| i.oid),
        false => relation.constraints.iter().find(|c| c.name == name).map(|c| c.oid),
    }
}

pub(super) struct BoundView {
    pub columns: Vec<Column>,
    /// (schema, name) of what it reads.
    reads: Vec<(String, String)>,
    volatile: Vec<String>,
    /// The rights that its rows take.
    needed: Needed,
}

impl BoundView {
    fn dependencies(&self, catalog: &Catalog) -> PgResult<Vec<Oid>> {
        self.reads.iter().map(|(schema, name)| find(catalog, schema, name).map(|r| r.oid)).collect()
    }
}

/// A result's columns as a relation's; what has no type yet is text, as in PostgreSQL.
fn view_columns(columns: &[OutputColumn]) -> PgResult<Vec<Column>> {
    let column = |c: &OutputColumn| {
        let ty = match c.ty.pg.oid {
            oid::UNKNOWN => crate::types::PgType::new(oid::TEXT),
            oid::RECORD | oid::VOID => {
                let message = format!("column \"{}\" has pseudo-type record", c.name);
                return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
            }
            _ => c.ty.pg,
        };
        Ok(Column::new(&c.name, ty, true).of_any_shape(is_shaped(&c.ty.storage)))
    };
    columns.iter().map(column).collect()
}

fn catalog_column(column: &Column, index: usize) -> CatalogColumn {
    let any_shape = column.any_shape;
    CatalogColumn { any_shape, ..CatalogColumn::new(&column.name, column.ty, false, index as i16 + 1) }
}

/// PostgreSQL's rule: a new view has the old one's columns, and may have more behind them.
fn replaceable(old: &Relation, columns: &[Column]) -> PgResult<()> {
    if old.kind != RelationKind::View {
        let message = format!("\"{}\" is not a view", old.name);
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    let invalid = |message: String| Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    if columns.len() < old.columns.len() {
        return invalid("cannot drop columns from view".into());
    }
    for (old, new) in old.columns.iter().zip(columns) {
        if old.name != new.name {
            return invalid(format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name));
        }
        if old.ty() != new.ty {
            return invalid(format!("cannot change data type of view column \"{}\"", old.name));
        }
    }
    Ok(())
}

/// Whether one of `from` is `wanted` or reads it.
fn reads(catalog: &Catalog, from: &[Oid], wanted: Oid) -> bool {
    from.iter().any(|oid| {
        let below = || catalog.relation(*oid).map(|r| r.depends_on.iter().map(|o| Oid(*o)).collect::<Vec<_>>());
        *oid == wanted || below().is_some_and(|below| reads(catalog, &below, wanted))
    })
}

fn find(catalog: &Catalog, schema: &str, name: &str) -> PgResult<Arc<Relation>> {
    catalog.resolve(&[], Some(schema), name).cloned()
}

fn full_name(catalog: &Catalog, relation: &Relation) -> (String, String) {
    let schema = catalog.namespace(relation.schema).map(|n| n.name.clone()).unwrap_or_default();
    (schema, relation.name.clone())
}

pub(super) fn described(catalog: &Catalog, relation: &Relation) -> String {
    let (schema, name) = full_name(catalog, relation);
    let word = match relation.kind {
        RelationKind::View => "view",
        RelationKind::Gold => "materialized view",
        RelationKind::Sequence => "sequence",
        _ => "table",
    };
    match schema.as_str() {
        "public" => format!("{word} {}", quoted(&name)),
        schema => format!("{word} {}.{}", quoted(schema), quoted(&name)),
    }
}

fn not_system(relation: &Relation) -> PgResult<()> {
    match relation.kind {
        RelationKind::System => {
            let message = format!("permission denied: \"{}\" is a system catalog", relation.name);
            Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
        }
        _ => Ok(()),
    }
}

fn not_fed(relation: &Relation) -> PgResult<()> {
    not_system(relation)?;
    match relation.kind {
        RelationKind::Bronze | RelationKind::Silver => {
            let message = format!("table \"{}\" cannot be changed", relation.name);
            let error = PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message);
            Err(error.detail("It is fed by a source."))
        }
        _ => Ok(()),
    }
}

fn has_dependents(catalog: &Catalog, oid: Oid, dependent: &Relation) -> PgError {
    let what = catalog.relation(oid).map(|r| described(catalog, r)).unwrap_or_default();
    let message = format!("cannot drop {what} because other objects depend on it");
    PgError::new(SqlState::DEPENDENT_OBJECTS, message)
        .detail(format!("{} depends on {what}", described(catalog, dependent)))
        .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

fn schema_in_use(schema: &str) -> PgError {
    let message = format!("cannot drop schema {} because other objects depend on it", quoted(schema));
    PgError::new(SqlState::DEPENDENT_OBJECTS, message).hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// What goes with a schema.
fn contents(catalog: &Catalog, schema: &str, cascade: bool) -> PgResult<Vec<Arc<Relation>>> {
    let namespace = catalog.namespace_named(schema).ok_or_else(|| undefined_schema(schema))?;
    if namespace.oid.0 < FIRST_USER_OID || matches!(schema, "bronze" | "silver" | "gold") {
        let message = format!("cannot drop schema {schema} because it is required by the database system");
        return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message));
    }
    let inside: Vec<_> = catalog.relations().filter(|r| r.schema == namespace.oid).cloned().collect();
    inside.iter().try_for_each(|relation| not_fed(relation))?;
    match inside.first() {
        Some(first) if !cascade => {
            let detail = format!("{} depends on schema {}", described(catalog, first), quoted(schema));
            Err(schema_in_use(schema).detail(detail))
        }
        _ => Ok(inside),
    }
}

type Relations = Vec<Arc<Relation>>;

/// The doomed and all that depends on them, and of these the ones that the statement did not name.
fn with_dependents(
    catalog: &Catalog,
    doomed: &[Arc<Relation>],
    schemas: &[String],
    cascade: bool,
) -> PgResult<(Relations, Relations)> {
    let mut all: Vec<Arc<Relation>> = doomed.to_vec();
    let mut at = 0;
    while let Some(relation) = all.get(at).cloned() {
        at += 1;
        for dependent in catalog.dependents(relation.oid) {
            if all.iter().any(|r| r.oid == dependent.oid) {
                continue;
            }
            if !cascade {
                return Err(has_dependents(catalog, relation.oid, dependent));
            }
            all.push(Arc::clone(dependent));
        }
    }
    // With a schema go its contents, which the client hears of as well.
    let named = if schemas.is_empty() { doomed.len() } else { 0 };
    let cascaded = all[named..].to_vec();
    Ok((all, cascaded))
}

/// The parts of a dotted name.
pub(super) fn name_parts(node: &Node) -> Vec<String> {
    match &node.node {
        Some(NodeEnum::List(list)) => list.items.iter().flat_map(name_parts).collect(),
        Some(NodeEnum::String(s)) => vec![s.sval.clone()],
        _ => Vec::new(),
    }
}

/// The query of `CREATE [MATERIALIZED] VIEW … AS query [WITH …]`, as it was written.
fn view_query(text: &str) -> PgResult<String> {
    let query = text_after_as(text).ok_or_else(|| PgError::internal("a view without a query"))?;
    Ok(query.to_owned())
}

/// What stands behind the first AS outside parentheses, without `WITH [NO] DATA` and the semicolon at its end.
pub fn text_after_as(text: &str) -> Option<&str> {
    use pg_query::protobuf::Token;
    let scanned = pg_query::scan(text).ok()?;
    let comment = |t: i32| matches!(Token::try_from(t), Ok(Token::SqlComment | Token::CComment));
    let tokens: Vec<_> = scanned.tokens.iter().filter(|t| !comment(t.token)).collect();
    let is = |i: usize, token: Token| tokens.get(i).is_some_and(|t| t.token == token as i32);
    let mut depth = 0;
    let start = tokens.iter().position(|token| {
        match Token::try_from(token.token) {
            Ok(Token::Ascii40) => depth += 1,
            Ok(Token::Ascii41) => depth -= 1,
            _ => {}
        }
        depth == 0 && token.token == Token::As as i32
    });
    let start = start? + 1;
    let mut end = tokens.len();
    while end > start && is(end - 1, Token::Ascii59) {
        end -= 1;
    }
    if end >= start + 2 && is(end - 1, Token::DataP) {
        let with = if is(end - 2, Token::No) { end - 3 } else { end - 2 };
        if is(with, Token::With) || is(with, Token::WithLa) {
            end = with;
        }
    }
    let (first, last) = (tokens.get(start)?, tokens.get(end.checked_sub(1)?)?);
    text.get(usize::try_from(first.start).ok()?..usize::try_from(last.end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_keeps_its_query_as_it_was_written() {
        for (text, query) in [
            ("CREATE VIEW v AS SELECT 1 AS a", "SELECT 1 AS a"),
            ("create view \"as\" (x, y) as  select 'ä as b', 2 ;", "select 'ä as b', 2"),
            ("CREATE MATERIALIZED VIEW m AS /* why */ TABLE t WITH DATA", "TABLE t"),
            ("CREATE MATERIALIZED VIEW m WITH (a = 1) AS (SELECT 1) WITH NO DATA;", "(SELECT 1)"),
            ("PREPARE p (int) AS SELECT $1 -- end", "SELECT $1"),
        ] {
            assert_eq!(text_after_as(text), Some(query), "{text}");
        }
    }
}
