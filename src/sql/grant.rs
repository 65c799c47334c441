//! GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, and changing an owner.

use super::access::{refused, role_named};
use super::context::undefined_schema;
use super::roles::{change_owner, may_give};
use super::session::{Outcome, Session};
use super::tables::sequences_of;
use super::transaction::PendingChange;
use crate::bind::names::strings;
use crate::catalog::{
    Access, Acl, BOOTSTRAP_ROLE, Catalog, DefaultAcl, EVERYBODY, ObjectKind, Privileges, Relation, RelationKind,
    denied, not_owner, relation_word,
};
use crate::types::{Oid, PgError, PgResult, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterDefaultPrivilegesStmt, AlterOwnerStmt, DropBehavior, GrantStmt, GrantTargetType, Node, ObjectType, RoleSpec,
    RoleSpecType,
};
use std::sync::Arc;

/// A GRANT or REVOKE, understood.
#[derive(Clone)]
struct Order {
    is_grant: bool,
    /// WITH GRANT OPTION, GRANT OPTION FOR.
    option: bool,
    cascade: bool,
    /// `None`: PUBLIC.
    grantees: Vec<Option<String>>,
    /// Without columns; `None`: ALL.
    privileges: Option<Privileges>,
    /// With the columns that they are for.
    columns: Vec<(Option<Privileges>, Vec<String>)>,
}

/// Something with a list of grants.
#[derive(Clone)]
enum Object {
    Relation(Oid),
    Column(Oid, i16),
    Schema(Oid),
    Database,
}

/// What a GRANT did, for the client to hear.
#[derive(Default)]
struct Heard {
    /// Objects of which nothing, and of which not everything could be granted.
    nothing: Vec<String>,
    part: Vec<String>,
}

/// Privileges on some columns; `None`: all that there are.
type OnColumns = (Option<Privileges>, Vec<String>);

fn parse_privileges(list: &[Node]) -> PgResult<(Option<Privileges>, Vec<OnColumns>)> {
    if list.is_empty() {
        return Ok((None, Vec::new()));
    }
    let (mut whole, mut columns) = (Some(Privileges::NONE), Vec::new());
    for node in list {
        let Some(NodeEnum::AccessPriv(privilege)) = &node.node else { continue };
        let name = privilege.priv_name.to_ascii_uppercase();
        let one = match name.as_str() {
            "" => None,
            name => Some(Privileges::named(name).ok_or_else(|| {
                PgError::new(SqlState::SYNTAX_ERROR, format!("unrecognized privilege type \"{}\"", name.to_lowercase()))
            })?),
        };
        match privilege.cols.is_empty() {
            true => whole = whole.zip(one).map(|(all, one)| all | one),
            false => {
                columns.push((one, strings(&privilege.cols).into_iter().map(str::to_owned).collect()));
            }
        }
    }
    Ok((whole, columns))
}

fn invalid_privilege(privileges: Privileges, what: &str) -> PgError {
    let name = privileges.each().next().map_or("", |(_, name)| name);
    PgError::new(SqlState(*b"0LP01"), format!("invalid privilege type {name} for {what}"))
}

impl Object {
    fn kind(&self, catalog: &Catalog) -> ObjectKind {
        match self {
            Self::Relation(oid) => catalog.relation(*oid).map_or(ObjectKind::Table, |r| r.object_kind()),
            Self::Column(..) => ObjectKind::Column,
            Self::Schema(_) => ObjectKind::Schema,
            Self::Database => ObjectKind::Database,
        }
    }

    /// Its owner, its list, how messages call it.
    fn state(&self, catalog: &Catalog) -> PgResult<(Oid, Acl, String, String)> {
        let gone = || PgError::internal("what a grant is for is gone");
        Ok(match self {
            Self::Relation(oid) => {
                let relation = catalog.relation(*oid).ok_or_else(gone)?;
                let word = relation_word(relation).to_owned();
                (relation.owner(), relation.effective_acl(), word, relation.name.clone())
            }
            Self::Column(oid, attnum) => {
                let relation = catalog.relation(*oid).ok_or_else(gone)?;
                let acl = relation.column_acls.get(attnum).cloned().unwrap_or_default();
                let name = relation.column_numbered(*attnum).map_or("?", |(_, c)| c.name.as_str());
                (relation.owner(), acl, "column".into(), name.to_owned())
            }
            Self::Schema(oid) => {
                let namespace = catalog.namespace(*oid).ok_or_else(gone)?;
                (namespace.owner(), namespace.effective_acl(), "schema".into(), namespace.name.clone())
            }
            Self::Database => {
                let acl = catalog.roles().database_acl.clone();
                let acl = acl.unwrap_or_else(|| Acl::default_of(ObjectKind::Database, BOOTSTRAP_ROLE));
                (BOOTSTRAP_ROLE, acl, "database".into(), "sluice".into())
            }
        })
    }

    fn store(&self, catalog: &mut Catalog, acl: Acl) -> PgResult<()> {
        match self {
            Self::Relation(oid) => catalog.change(*oid, |relation| relation.acl = Some(acl)),
            Self::Column(oid, attnum) => catalog.change(*oid, |relation| match acl.0.is_empty() {
                true => drop(relation.column_acls.remove(attnum)),
                false => drop(relation.column_acls.insert(*attnum, acl)),
            }),
            Self::Schema(oid) => catalog.change_schema(*oid, |namespace| namespace.acl = Some(acl)),
            Self::Database => catalog.change_roles(|roles| {
                roles.database_acl = Some(acl);
                Ok(())
            }),
        }
    }
}

/// Who grants, and what of it they may: PostgreSQL's choice among the roles whose rights one has.
fn best_grantor(access: &Access, catalog: &Catalog, owner: Oid, acl: &Acl, wanted: Privileges) -> (Oid, Privileges) {
    if access.has_rights_of(owner) {
        return (owner, wanted);
    }
    let mut best = (access.role, Privileges::NONE);
    for role in catalog.roles().memberships_of(access.role, true) {
        let (_, grantable) = acl.held(|of| of == role);
        let may = grantable & wanted;
        if may == wanted {
            return (role, may);
        }
        if may.each().count() > best.1.each().count() {
            best = (role, may);
        }
    }
    best
}

impl Order {
    /// The privileges on one object of this kind.
    fn wanted(&self, kind: ObjectKind) -> PgResult<Privileges> {
        let Some(wanted) = self.privileges else { return Ok(kind.all()) };
        match (wanted - kind.all()).is_empty() {
            true => Ok(wanted),
            false if kind == ObjectKind::Table => Err(invalid_privilege(wanted - kind.all(), "relation")),
            false => Err(invalid_privilege(wanted - kind.all(), kind.word())),
        }
    }

    fn run(
        &self,
        catalog: &mut Catalog,
        access: &Access,
        object: &Object,
        wanted: Privileges,
        heard: &mut Heard,
    ) -> PgResult<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let (owner, mut acl, word, name) = object.state(catalog)?;
        let (grantor, may) = best_grantor(access, catalog, owner, &acl, wanted);
        if may.is_empty() {
            let (held, _) = match object {
                Object::Relation(oid) => catalog.relation(*oid).map(|r| access.on_relation(r)).unwrap_or_default(),
                Object::Column(oid, attnum) => {
                    catalog.relation(*oid).map(|r| access.on_column(r, *attnum)).unwrap_or_default()
                }
                Object::Schema(oid) => {
                    catalog.namespace(*oid).map(|n| access.on_schema(n, catalog)).unwrap_or_default()
                }
                Object::Database => access.on_database(catalog),
            };
            if held.is_empty() {
                return Err(denied(&word, &name));
            }
            heard.nothing.push(name);
            return Ok(());
        }
        if may != wanted && self.privileges.is_some() {
            heard.part.push(name.clone());
        }
        for grantee in &self.grantees {
            let grantee = match grantee {
                Some(name) => role_named(catalog, name)?.oid,
                None => EVERYBODY,
            };
            if self.is_grant {
                if self.option && grantee == EVERYBODY {
                    let message = "grant options can only be granted to roles";
                    return Err(PgError::new(SqlState(*b"0LP01"), message));
                }
                acl.grant(grantor, grantee, may, self.option);
            } else {
                acl.revoke(owner, grantor, grantee, may, self.option, self.cascade)?;
            }
        }
        object.store(catalog, acl)
    }

    fn on_relation(
        &self,
        catalog: &mut Catalog,
        access: &Access,
        relation: &Relation,
        kind: ObjectKind,
        heard: &mut Heard,
    ) -> PgResult<()> {
        if self.privileges != Some(Privileges::NONE) {
            // GRANT ON TABLE is taken for sequences too; what only tables have is then no use.
            let wanted = match (kind, relation.object_kind(), self.privileges) {
                (ObjectKind::Table, ObjectKind::Sequence, Some(wanted)) => ObjectKind::Table
                    .all()
                    .contains(wanted - Privileges::USAGE)
                    .then_some(wanted & ObjectKind::Sequence.all()),
                _ => None,
            };
            let wanted = wanted.map_or_else(|| self.wanted(relation.object_kind()), Ok)?;
            self.run(catalog, access, &Object::Relation(relation.oid), wanted, heard)?;
            if !self.is_grant {
                // As PostgreSQL: taking a table's privilege takes that of its columns.
                let columns: Vec<i16> = relation.column_acls.keys().copied().collect();
                for attnum in columns {
                    let of_columns = wanted & ObjectKind::Column.all();
                    self.run(
                        catalog,
                        access,
                        &Object::Column(relation.oid, attnum),
                        of_columns,
                        &mut Heard::default(),
                    )?;
                }
            }
        }
        for (privileges, columns) in &self.columns {
            let wanted = privileges.unwrap_or(ObjectKind::Column.all());
            if !(wanted - ObjectKind::Column.all()).is_empty() {
                return Err(invalid_privilege(wanted, "column"));
            }
            for name in columns {
                let attnum = relation.column(name).map(|(_, c)| c.attnum).ok_or_else(|| {
                    let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
                    PgError::new(SqlState::UNDEFINED_COLUMN, message)
                })?;
                self.run(catalog, access, &Object::Column(relation.oid, attnum), wanted, heard)?;
            }
        }
        Ok(())
    }
}

impl Session {
    fn grantees(&self, nodes: &[Node]) -> PgResult<Vec<Option<String>>> {
        let grantee = |node: &Node| match &node.node {
            Some(NodeEnum::RoleSpec(spec)) if spec.roletype() == RoleSpecType::RolespecPublic => Ok(None),
            Some(NodeEnum::RoleSpec(spec)) => self.role_name(Some(spec)).map(Some),
            _ => Err(PgError::internal("a grantee that is no role")),
        };
        nodes.iter().map(grantee).collect()
    }

    fn order(&self, statement: &GrantStmt) -> PgResult<Order> {
        let (privileges, columns) = parse_privileges(&statement.privileges)?;
        Ok(Order {
            is_grant: statement.is_grant,
            option: statement.grant_option,
            cascade: statement.behavior() == DropBehavior::DropCascade,
            grantees: self.grantees(&statement.grantees)?,
            privileges,
            columns,
        })
    }

    pub(super) async fn grant(&mut self, statement: &GrantStmt) -> PgResult<Outcome> {
        let tag = if statement.is_grant { "GRANT" } else { "REVOKE" };
        let order = self.order(statement)?;
        let view = self.view();
        for grantee in order.grantees.iter().flatten() {
            role_named(&view.catalog, grantee)?;
        }
        if let Some(by) = &statement.grantor
            && self.role_name(Some(by))? != *self.acting.user
        {
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "grantor must be current user"));
        }
        let all_in_schema = statement.targtype() == GrantTargetType::AclTargetAllInSchema;
        let kind = match statement.objtype() {
            ObjectType::ObjectTable => ObjectKind::Table,
            ObjectType::ObjectSequence => ObjectKind::Sequence,
            ObjectType::ObjectSchema => ObjectKind::Schema,
            ObjectType::ObjectDatabase => ObjectKind::Database,
            other => {
                let name = format!("{other:?}").trim_start_matches("Object").to_uppercase();
                return Err(PgError::unsupported(format!("GRANT on {name}")));
            }
        };
        let access = Arc::clone(self.access());
        let mut heard = Heard::default();
        // Tried once here for what the client is to hear, then as a change like all others.
        let change: PendingChange = match kind {
            ObjectKind::Table | ObjectKind::Sequence => {
                let mut relations = Vec::new();
                for object in &statement.objects {
                    match &object.node {
                        Some(NodeEnum::RangeVar(range)) => {
                            let mut name = vec![range.schemaname.clone(), range.relname.clone()];
                            name.retain(|part| !part.is_empty());
                            let relation = self.resolve(&view.catalog, &name)?;
                            if kind == ObjectKind::Sequence && relation.kind != RelationKind::Sequence {
                                let message = format!("\"{}\" is not a sequence", relation.name);
                                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
                            }
                            relations.push(relation);
                        }
                        Some(NodeEnum::String(schema)) if all_in_schema => {
                            let schema = &schema.sval;
                            let namespace =
                                view.catalog.namespace_named(schema).ok_or_else(|| undefined_schema(schema))?;
                            let wanted = |r: &&Arc<Relation>| {
                                r.schema == namespace.oid && r.object_kind() == kind && r.kind != RelationKind::System
                            };
                            relations.extend(view.catalog.relations().filter(wanted).cloned());
                        }
                        _ => return Err(PgError::unsupported("GRANT on this")),
                    }
                }
                if let Some(system) = relations.iter().find(|r| r.kind == RelationKind::System) {
                    let name = &system.name;
                    return Err(PgError::unsupported(format!("GRANT on the system relation \"{name}\"")));
                }
                let oids: Vec<Oid> = relations.iter().map(|r| r.oid).collect();
                let (order, access) = (order.clone(), Arc::clone(&access));
                let run = move |catalog: &mut Catalog, heard: &mut Heard| {
                    for oid in &oids {
                        let Some(relation) = catalog.relation(*oid).cloned() else { continue };
                        order.on_relation(catalog, &access, &relation, kind, heard)?;
                    }
                    Ok(())
                };
                self.tried(&view.catalog, &run, &mut heard)?;
                Arc::new(move |catalog| run(catalog, &mut Heard::default()))
            }
            ObjectKind::Schema | ObjectKind::Database => {
                let mut objects = Vec::new();
                for name in strings(&statement.objects) {
                    if kind == ObjectKind::Schema {
                        let namespace = view.catalog.namespace_named(name).ok_or_else(|| undefined_schema(name))?;
                        objects.push(Object::Schema(namespace.oid));
                    } else if name == self.identity.database {
                        objects.push(Object::Database);
                    } else {
                        let message = format!("database \"{name}\" does not exist");
                        return Err(PgError::new(SqlState::INVALID_CATALOG_NAME, message));
                    }
                }
                let (order, access) = (order.clone(), Arc::clone(&access));
                let run = move |catalog: &mut Catalog, heard: &mut Heard| {
                    for object in &objects {
                        let wanted = order.wanted(object.kind(catalog))?;
                        order.run(catalog, &access, object, wanted, heard)?;
                    }
                    Ok(())
                };
                self.tried(&view.catalog, &run, &mut heard)?;
                Arc::new(move |catalog| run(catalog, &mut Heard::default()))
            }
            _ => return Err(PgError::internal("a grant on nothing")),
        };
        self.change(&view, change).await?;
        let past = if statement.is_grant { "granted" } else { "revoked" };
        let could_not = if statement.is_grant { SqlState(*b"01007") } else { SqlState(*b"01006") };
        let from = if statement.is_grant { "were granted for" } else { "could be revoked for" };
        for name in heard.nothing {
            self.notice("WARNING", PgError::new(could_not, format!("no privileges {from} \"{name}\"")));
        }
        for name in heard.part {
            let message = match past {
                "granted" => format!("not all privileges were granted for \"{name}\""),
                _ => format!("not all privileges could be revoked for \"{name}\""),
            };
            self.notice("WARNING", PgError::new(could_not, message));
        }
        Ok(Outcome::done(tag))
    }

    fn tried(
        &self,
        catalog: &Catalog,
        run: &dyn Fn(&mut Catalog, &mut Heard) -> PgResult<()>,
        heard: &mut Heard,
    ) -> PgResult<()> {
        run(&mut catalog.clone(), heard)
    }

    pub(super) async fn alter_default_privileges(
        &mut self,
        statement: &AlterDefaultPrivilegesStmt,
    ) -> PgResult<Outcome> {
        let action = statement.action.as_ref().ok_or_else(|| PgError::internal("default privileges of nothing"))?;
        let order = self.order(action)?;
        let kind = match action.objtype() {
            ObjectType::ObjectTable => ObjectKind::Table,
            ObjectType::ObjectSequence => ObjectKind::Sequence,
            ObjectType::ObjectSchema => ObjectKind::Schema,
            ObjectType::ObjectFunction => ObjectKind::Function,
            ObjectType::ObjectType => ObjectKind::Type,
            _ => return Err(PgError::unsupported("default privileges of this kind of object")),
        };
        let wanted = order.wanted(kind)?;
        let view = self.view();
        let (mut roles, mut schemas) = (Vec::new(), Vec::new());
        for option in &statement.options {
            let Some(NodeEnum::DefElem(element)) = &option.node else { continue };
            let Some(NodeEnum::List(list)) = element.arg.as_deref().and_then(|n| n.node.as_ref()) else { continue };
            match element.defname.as_str() {
                "schemas" => schemas.extend(strings(&list.items).into_iter().map(str::to_owned)),
                "roles" => {
                    for node in &list.items {
                        let Some(NodeEnum::RoleSpec(spec)) = &node.node else { continue };
                        roles.push(self.role_name(Some(spec))?);
                    }
                }
                _ => {}
            }
        }
        let mut for_roles = Vec::new();
        for name in &roles {
            let role = role_named(&view.catalog, name)?;
            if !self.access().has_rights_of(role.oid) {
                return Err(refused("permission denied to change default privileges"));
            }
            for_roles.push(role.oid);
        }
        if for_roles.is_empty() {
            for_roles.push(self.acting.creator);
        }
        let mut in_schemas = Vec::new();
        for name in &schemas {
            in_schemas.push(view.catalog.namespace_named(name).ok_or_else(|| undefined_schema(name))?.oid);
        }
        if in_schemas.is_empty() {
            in_schemas.push(oid::INVALID);
        } else if kind == ObjectKind::Schema {
            let message = "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS";
            return Err(PgError::new(SqlState(*b"0LP01"), message));
        }
        let change: PendingChange = Arc::new(move |catalog| {
            let mut grantees = Vec::with_capacity(order.grantees.len());
            for grantee in &order.grantees {
                grantees.push(match grantee {
                    Some(name) => role_named(catalog, name)?.oid,
                    None => EVERYBODY,
                });
            }
            for (role, schema) in
                for_roles.iter().flat_map(|role| in_schemas.iter().map(move |schema| (*role, *schema)))
            {
                let taken = catalog.take_oid().0;
                catalog.change_roles(|roles| {
                    let place =
                        roles.defaults.iter().position(|d| d.role == role && d.schema == schema && d.kind == kind);
                    let start = match schema {
                        oid::INVALID => Acl::default_of(kind, role),
                        _ => Acl::default(),
                    };
                    let mut acl = place.map_or_else(|| start.clone(), |place| roles.defaults[place].acl.clone());
                    for grantee in &grantees {
                        match order.is_grant {
                            true => acl.grant(role, *grantee, wanted, order.option),
                            false => acl.revoke(role, role, *grantee, wanted, order.option, order.cascade)?,
                        }
                    }
                    match (place, acl == start) {
                        (Some(place), true) => drop(roles.defaults.remove(place)),
                        (Some(place), false) => roles.defaults[place].acl = acl,
                        (None, true) => {}
                        (None, false) => roles.defaults.push(DefaultAcl { oid: taken, role, schema, kind, acl }),
                    }
                    Ok(())
                })?;
            }
            Ok(())
        });
        self.change(&view, change).await?;
        Ok(Outcome::done("ALTER DEFAULT PRIVILEGES"))
    }

    /// ALTER SCHEMA … OWNER TO, and the same of what has no rows to change.
    pub(super) async fn alter_owner(&mut self, statement: &AlterOwnerStmt) -> PgResult<Outcome> {
        match statement.object_type() {
            ObjectType::ObjectSchema => {
                let name = match statement.object.as_deref().and_then(|n| n.node.as_ref()) {
                    Some(NodeEnum::String(name)) => name.sval.clone(),
                    _ => return Err(PgError::internal("a schema without a name")),
                };
                let view = self.view();
                let namespace = view.catalog.namespace_named(&name).ok_or_else(|| undefined_schema(&name))?;
                if !self.access().has_rights_of(namespace.owner()) {
                    return Err(not_owner("schema", &name));
                }
                let new = self.role_name(statement.newowner.as_ref())?;
                let new = Arc::clone(role_named(&view.catalog, &new)?);
                may_give(self.access(), &view.catalog, &new)?;
                let (schema, new) = (namespace.oid, new.oid);
                let change: PendingChange = Arc::new(move |catalog| {
                    catalog.change_schema(schema, |namespace| {
                        let old = namespace.owner();
                        namespace.owner = new.0;
                        namespace.acl.iter_mut().for_each(|acl| acl.change_owner(old, new));
                    })
                });
                self.change(&view, change).await?;
                Ok(Outcome::done("ALTER SCHEMA"))
            }
            ObjectType::ObjectDatabase => Err(PgError::unsupported("ALTER DATABASE ... OWNER TO")),
            other => {
                let name = format!("{other:?}").trim_start_matches("Object").to_uppercase();
                Err(PgError::unsupported(format!("ALTER {name} ... OWNER TO")))
            }
        }
    }

    /// ALTER TABLE, VIEW, MATERIALIZED VIEW or SEQUENCE … OWNER TO: its sequences go along.
    pub(super) async fn give_relation(&mut self, relation: &Relation, new: Option<&RoleSpec>) -> PgResult<()> {
        let view = self.view();
        let new = self.role_name(new)?;
        let new = Arc::clone(role_named(&view.catalog, &new)?);
        if relation.owner() == new.oid {
            return Ok(());
        }
        self.access().must_own(relation)?;
        may_give(self.access(), &view.catalog, &new)?;
        if let Some(namespace) = view.catalog.namespace(relation.schema)
            && !self.access().superuser
        {
            Access::of(&view.catalog, new.oid).must_create_in(namespace, &view.catalog)?;
        }
        let (oid, new) = (relation.oid, new.oid);
        let change: PendingChange = Arc::new(move |catalog| {
            for sequence in sequences_of(catalog, oid) {
                change_owner(catalog, sequence.oid, new)?;
            }
            change_owner(catalog, oid, new)
        });
        self.change_of(&view, relation, change).await
    }
}
