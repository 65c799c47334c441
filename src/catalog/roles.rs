//! Roles and who is a member of which; what a role may do with the catalog's objects.

use super::acl::{Acl, ObjectKind, Privileges};
use super::{BOOTSTRAP_ROLE, Catalog, FIRST_USER_OID, Namespace, Relation, RelationKind};
use crate::types::{Oid, PgError, PgResult, SqlState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of the bootstrap role, which owns everything that nobody else made.
pub const BOOTSTRAP_NAME: &str = "sluice";

/// Roles that are always there and cannot log in, with PostgreSQL's OIDs.
const PREDEFINED: &[(u32, &str)] = &[
    (3373, "pg_monitor"),
    (3374, "pg_read_all_settings"),
    (3375, "pg_read_all_stats"),
    (3377, "pg_stat_scan_tables"),
    (4200, "pg_signal_backend"),
    (4544, "pg_checkpoint"),
    (4569, "pg_read_server_files"),
    (4570, "pg_write_server_files"),
    (4571, "pg_execute_server_program"),
    (6171, "pg_database_owner"),
    (6181, "pg_read_all_data"),
    (6182, "pg_write_all_data"),
];

/// Members of PostgreSQL's predefined roles: `pg_monitor` has the three others' rights.
const PREDEFINED_MEMBERS: &[(u32, u32)] = &[(3374, 3373), (3375, 3373), (3377, 3373)];

pub const PG_DATABASE_OWNER: Oid = Oid(6171);
pub const PG_READ_ALL_STATS: Oid = Oid(3375);
pub const PG_SIGNAL_BACKEND: Oid = Oid(4200);
const PG_READ_ALL_DATA: Oid = Oid(6181);
const PG_WRITE_ALL_DATA: Oid = Oid(6182);

/// A role: a user, a group, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    #[serde(with = "super::oid_as_number")]
    pub oid: Oid,
    pub name: String,
    #[serde(default)]
    pub superuser: bool,
    #[serde(default)]
    pub inherit: bool,
    #[serde(default)]
    pub create_role: bool,
    #[serde(default)]
    pub create_database: bool,
    #[serde(default)]
    pub login: bool,
    #[serde(default)]
    pub replication: bool,
    #[serde(default)]
    pub bypass_rls: bool,
    /// -1: none.
    pub connection_limit: i32,
    /// A SCRAM-SHA-256 verifier in PostgreSQL's form; never the password itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<String>,
    /// When the password ceases to count: µs since 1970 (`i64::MAX`: infinity).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_us: Option<i64>,
    /// Settings that its sessions begin with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Role {
    /// A role that may do nothing yet.
    pub fn new(oid: Oid, name: &str) -> Self {
        Self {
            oid,
            name: name.to_owned(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_database: false,
            login: false,
            replication: false,
            bypass_rls: false,
            connection_limit: -1,
            verifier: None,
            valid_until_us: None,
            settings: BTreeMap::new(),
            comment: None,
        }
    }

    /// One that may log in and do everything.
    pub fn superuser(oid: Oid, name: &str) -> Self {
        let all = true;
        Self {
            superuser: all,
            create_role: all,
            create_database: all,
            login: all,
            replication: all,
            bypass_rls: all,
            ..Self::new(oid, name)
        }
    }

    pub fn is_predefined(&self) -> bool {
        self.oid.0 < FIRST_USER_OID && self.oid != BOOTSTRAP_ROLE
    }
}

/// `member` has been given `role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    #[serde(with = "super::oid_as_number")]
    pub role: Oid,
    #[serde(with = "super::oid_as_number")]
    pub member: Oid,
    #[serde(with = "super::oid_as_number")]
    pub grantor: Oid,
    /// The member may give it to others.
    pub admin: bool,
}

/// What objects get that a role will make: ALTER DEFAULT PRIVILEGES.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultAcl {
    pub oid: u32,
    #[serde(with = "super::oid_as_number")]
    pub role: Oid,
    /// 0: in every schema.
    #[serde(with = "super::oid_as_number")]
    pub schema: Oid,
    pub kind: ObjectKind,
    pub acl: Acl,
}

/// Roles, memberships and default privileges of a catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    #[serde(with = "by_oid")]
    pub all: BTreeMap<Oid, Arc<Role>>,
    #[serde(default)]
    pub members: Vec<Membership>,
    #[serde(default)]
    pub defaults: Vec<DefaultAcl>,
    /// Of the one database.
    #[serde(default)]
    pub database_acl: Option<Acl>,
}

mod by_oid {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(all: &BTreeMap<Oid, Arc<Role>>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(all.values().filter(|role| !role.is_predefined()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<Oid, Arc<Role>>, D::Error> {
        let roles = Vec::<Role>::deserialize(d)?;
        Ok(roles.into_iter().map(|role| (role.oid, Arc::new(role))).collect())
    }
}

impl Roles {
    /// The roles that are always there.
    pub fn built_in() -> Self {
        let mut roles = Self::default();
        roles.complete();
        roles
    }

    /// Adds those of the roles that are always there which are missing.
    pub fn complete(&mut self) {
        for (oid, name) in PREDEFINED {
            self.all.entry(Oid(*oid)).or_insert_with(|| Arc::new(Role::new(Oid(*oid), name)));
        }
        let bootstrap = || Arc::new(Role::superuser(BOOTSTRAP_ROLE, BOOTSTRAP_NAME));
        self.all.entry(BOOTSTRAP_ROLE).or_insert_with(bootstrap);
    }

    pub fn get(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.all.get(&oid)
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Role>> {
        self.all.values().find(|role| role.name == name)
    }

    /// Memberships, PostgreSQL's own among them.
    pub fn memberships(&self) -> impl Iterator<Item = (Oid, Oid, Oid, bool)> {
        let own = PREDEFINED_MEMBERS.iter().map(|(role, member)| (Oid(*role), Oid(*member), BOOTSTRAP_ROLE, false));
        own.chain(self.members.iter().map(|m| (m.role, m.member, m.grantor, m.admin)))
    }

    /// `role` and all whose member it is. `inheriting`: through roles alone that use their memberships' rights by themselves.
    pub fn memberships_of(&self, role: Oid, inheriting: bool) -> Vec<Oid> {
        let mut found = vec![role];
        let mut at = 0;
        while let Some(member) = found.get(at).copied() {
            at += 1;
            if inheriting && self.get(member).is_some_and(|r| !r.inherit) {
                continue;
            }
            for (role, of, ..) in self.memberships() {
                if of == member && !found.contains(&role) {
                    found.push(role);
                }
            }
        }
        found
    }

    /// Whether `member` may become `role`, a superuser's right aside.
    pub fn is_member(&self, member: Oid, role: Oid) -> bool {
        self.memberships_of(member, false).contains(&role)
    }

    /// Whether `member` may give `role` to others.
    pub fn is_admin(&self, member: Oid, role: Oid) -> bool {
        let of = self.memberships_of(member, false);
        self.members.iter().any(|m| m.role == role && m.admin && of.contains(&m.member))
    }
}

/// What a role may do. Made for one version of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub role: Oid,
    pub superuser: bool,
    /// The role, and all whose rights it has.
    roles: Vec<Oid>,
}

/// System relations that are not for everybody.
const PRIVATE: &[&str] = &[
    "pg_authid",
    "pg_shadow",
    "pg_largeobject",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_subscription",
    "pg_user_mapping",
    "pg_replication_origin_status",
    "dead_letters",
    "schema_blocks",
];

impl Relation {
    pub fn owner(&self) -> Oid {
        if self.owner == 0 { BOOTSTRAP_ROLE } else { Oid(self.owner) }
    }

    pub fn object_kind(&self) -> ObjectKind {
        match self.kind {
            RelationKind::Sequence => ObjectKind::Sequence,
            _ => ObjectKind::Table,
        }
    }

    /// Who may do what with it, its kind's default where nothing was granted.
    pub fn effective_acl(&self) -> Acl {
        let mut acl = self.acl.clone().unwrap_or_else(|| Acl::default_of(self.object_kind(), self.owner()));
        if self.acl.is_none() && self.is_public() {
            acl.grant(self.owner(), super::acl::EVERYBODY, Privileges::SELECT, false);
        }
        acl
    }

    /// A system relation that everybody may read.
    pub fn is_public(&self) -> bool {
        self.kind == RelationKind::System && !PRIVATE.contains(&self.name.as_str())
    }
}

impl Namespace {
    pub fn owner(&self) -> Oid {
        match (self.owner, self.oid) {
            (0, super::PUBLIC) => PG_DATABASE_OWNER,
            (0, _) => BOOTSTRAP_ROLE,
            (owner, _) => Oid(owner),
        }
    }

    /// As [`Relation::effective_acl`]; PUBLIC may use the schemas that are always there.
    pub fn effective_acl(&self) -> Acl {
        if let Some(acl) = &self.acl {
            return acl.clone();
        }
        let mut acl = Acl::default_of(ObjectKind::Schema, self.owner());
        if self.oid.0 < FIRST_USER_OID {
            acl.grant(self.owner(), super::acl::EVERYBODY, Privileges::USAGE, false);
        }
        acl
    }
}

/// `42501` in PostgreSQL's words.
pub fn denied(what: &str, name: &str) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for {what} {name}"))
}

/// How messages call a relation.
pub fn relation_word(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::View => "view",
        RelationKind::Gold => "materialized view",
        RelationKind::Sequence => "sequence",
        _ => "table",
    }
}

impl Access {
    /// What the role of this OID may do: nothing, where there is no such role.
    pub fn of(catalog: &Catalog, role: Oid) -> Self {
        let roles = catalog.roles();
        match roles.get(role) {
            Some(found) if found.superuser => Self { role, superuser: true, roles: Vec::new() },
            Some(_) => {
                let mut of = roles.memberships_of(role, true);
                // The rights of a superuser are not inherited: being one is an attribute.
                of.sort_unstable();
                Self { role, superuser: false, roles: of }
            }
            None => Self { role, superuser: false, roles: Vec::new() },
        }
    }

    /// Somebody who may do everything.
    pub fn unlimited(role: Oid) -> Self {
        Self { role, superuser: true, roles: Vec::new() }
    }

    /// Whether it has the rights of this role.
    pub fn has_rights_of(&self, role: Oid) -> bool {
        self.superuser || self.roles.binary_search(&role).is_ok()
    }

    fn held(&self, kind: ObjectKind, owner: Oid, acl: &Acl) -> (Privileges, Privileges) {
        if self.superuser {
            return (kind.all(), kind.all());
        }
        let (held, grantable) = acl.held(|role| self.has_rights_of(role));
        (held, if self.has_rights_of(owner) { kind.all() } else { grantable })
    }

    /// What it may do with a relation as a whole, and what of that it may hand on.
    pub fn on_relation(&self, relation: &Relation) -> (Privileges, Privileges) {
        let kind = relation.object_kind();
        let (mut held, grantable) = self.held(kind, relation.owner(), &relation.effective_acl());
        if self.superuser {
            return (held, grantable);
        }
        if relation.kind == RelationKind::System {
            return (held, grantable);
        }
        if self.has_rights_of(PG_READ_ALL_DATA) {
            held = held | Privileges::SELECT;
        }
        if self.has_rights_of(PG_WRITE_ALL_DATA) && kind == ObjectKind::Table {
            held = held | Privileges::INSERT | Privileges::UPDATE | Privileges::DELETE;
        }
        (held, grantable)
    }

    /// What it may do with one column beyond what it may do with the whole relation.
    pub fn on_column(&self, relation: &Relation, attnum: i16) -> (Privileges, Privileges) {
        match relation.column_acls.get(&attnum) {
            Some(acl) => self.held(ObjectKind::Column, relation.owner(), acl),
            None => self.held(ObjectKind::Column, relation.owner(), &Acl::default()),
        }
    }

    pub fn on_schema(&self, namespace: &Namespace, catalog: &Catalog) -> (Privileges, Privileges) {
        if catalog.temporary() == Some(namespace.oid) {
            return (ObjectKind::Schema.all(), ObjectKind::Schema.all());
        }
        let (mut held, grantable) = self.held(ObjectKind::Schema, namespace.owner(), &namespace.effective_acl());
        if self.has_rights_of(PG_READ_ALL_DATA) || self.has_rights_of(PG_WRITE_ALL_DATA) {
            held = held | Privileges::USAGE;
        }
        (held, grantable)
    }

    pub fn on_database(&self, catalog: &Catalog) -> (Privileges, Privileges) {
        let default = || Acl::default_of(ObjectKind::Database, BOOTSTRAP_ROLE);
        let acl = catalog.roles().database_acl.clone().unwrap_or_else(default);
        self.held(ObjectKind::Database, BOOTSTRAP_ROLE, &acl)
    }

    pub fn may_use_schema(&self, namespace: &Namespace, catalog: &Catalog) -> bool {
        self.superuser || self.on_schema(namespace, catalog).0.contains(Privileges::USAGE)
    }

    /// `42501` where somebody else owns it.
    pub fn must_own(&self, relation: &Relation) -> PgResult<()> {
        match self.has_rights_of(relation.owner()) {
            true => Ok(()),
            false => Err(not_owner(relation_word(relation), &relation.name)),
        }
    }

    /// `42501` without all of `wanted` on the relation.
    pub fn must_have(&self, relation: &Relation, wanted: Privileges) -> PgResult<()> {
        match self.superuser || self.on_relation(relation).0.contains(wanted) {
            true => Ok(()),
            false => Err(denied(relation_word(relation), &relation.name)),
        }
    }

    /// `42501` without any of `wanted` on the relation.
    pub fn must_have_any(&self, relation: &Relation, wanted: Privileges) -> PgResult<()> {
        match self.superuser || !(self.on_relation(relation).0 & wanted).is_empty() {
            true => Ok(()),
            false => Err(denied(relation_word(relation), &relation.name)),
        }
    }

    /// `42501` without CREATE on the schema.
    pub fn must_create_in(&self, namespace: &Namespace, catalog: &Catalog) -> PgResult<()> {
        match self.superuser || self.on_schema(namespace, catalog).0.contains(Privileges::CREATE) {
            true => Ok(()),
            false => Err(denied("schema", &namespace.name)),
        }
    }

    /// Whether it holds the privilege for all of these columns, or without columns for any at all.
    fn on_columns(&self, relation: &Relation, columns: &[i16], wanted: Privileges) -> bool {
        let holds = |attnum: &i16| self.on_column(relation, *attnum).0.contains(wanted);
        match columns.is_empty() {
            true => relation.column_acls.keys().any(holds),
            false => columns.iter().all(holds),
        }
    }
}

pub fn not_owner(what: &str, name: &str) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be owner of {what} {name}"))
}

/// What a statement does to one relation that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    pub relation: Oid,
    /// Whose rights count: a view's owner; `None`: whoever runs the statement.
    pub by: Option<Oid>,
    /// The columns (`attnum`) that it reads, where it reads.
    pub read: Option<Vec<i16>>,
    pub inserted: Option<Vec<i16>>,
    pub updated: Option<Vec<i16>>,
    pub deletes: bool,
}

/// Everything for which a statement needs rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// Schemas that it names, and where in its text.
    pub schemas: Vec<(Oid, Option<usize>)>,
    pub uses: Vec<Use>,
}

impl Needed {
    pub fn is_empty(&self) -> bool {
        self.schemas.is_empty() && self.uses.is_empty()
    }

    pub fn extend(&mut self, other: Self) {
        self.schemas.extend(other.schemas);
        self.uses.extend(other.uses);
    }

    /// `42501` for the first schema that may not be used.
    pub fn check_schemas(&self, access: &Access, catalog: &Catalog) -> PgResult<()> {
        if access.superuser {
            return Ok(());
        }
        for (schema, at) in &self.schemas {
            let Some(namespace) = catalog.namespace(*schema) else { continue };
            if !access.may_use_schema(namespace, catalog) {
                let error = denied("schema", &namespace.name);
                return Err(if let Some(at) = at { error.at(*at) } else { error });
            }
        }
        Ok(())
    }

    /// `42501` for the first relation that may not be used so.
    pub fn check(&self, access: &Access, catalog: &Catalog) -> PgResult<()> {
        self.check_schemas(access, catalog)?;
        for need in &self.uses {
            let other;
            let access = match need.by {
                Some(owner) if owner != access.role => {
                    other = Access::of(catalog, owner);
                    &other
                }
                _ => access,
            };
            if access.superuser {
                continue;
            }
            // What is gone is found missing later.
            let Some(relation) = catalog.relation(need.relation) else { continue };
            need.check(access, relation)?;
        }
        Ok(())
    }
}

impl Use {
    fn check(&self, access: &Access, relation: &Relation) -> PgResult<()> {
        let (held, _) = access.on_relation(relation);
        let by_column = [
            (&self.read, Privileges::SELECT),
            (&self.inserted, Privileges::INSERT),
            (&self.updated, Privileges::UPDATE),
        ];
        let allowed = by_column.iter().all(|(columns, wanted)| match columns {
            Some(columns) => held.contains(*wanted) || access.on_columns(relation, columns, *wanted),
            None => true,
        });
        match allowed && (!self.deletes || held.contains(Privileges::DELETE)) {
            true => Ok(()),
            false => Err(denied(relation_word(relation), &relation.name)),
        }
    }
}
