//! Floor 2: names, OIDs, definitions and dependencies of everything that SQL can name.
//!
//! A [`Catalog`] is immutable and cheap to clone; the engine alone makes the next one (a changed copy) and publishes it
//! with a tick, so that names and data are always of one snapshot. User objects are durable: the engine writes
//! [`Catalog::to_json`] into each lake manifest. System relations are registered at start and are not written.

use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, TableSchema};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

mod acl;
pub mod password;
mod roles;
mod sequence;
mod table;

pub use acl::{Acl, EVERYBODY, Grant, ObjectKind, PRIVILEGES, Privileges};
pub use password::Verifier;
pub use roles::{
    Access, BOOTSTRAP_NAME, DefaultAcl, Membership, Needed, PG_DATABASE_OWNER, PG_READ_ALL_STATS, PG_SIGNAL_BACKEND,
    Role, Roles, Use, denied, not_owner, relation_word,
};
pub use sequence::{Sequence, SequenceState};
pub use table::{Constraint, ConstraintKind, Foreign, Identity, Index};

/// OIDs below this are PostgreSQL's own or system relations of Sluice; user objects start here.
pub const FIRST_USER_OID: u32 = 16384;

/// The OIDs of the schemas that are always there; `PG_CATALOG` and `PUBLIC` as in PostgreSQL.
pub const PG_CATALOG: Oid = Oid(11);
pub const PUBLIC: Oid = Oid(2200);
pub const INFORMATION_SCHEMA: Oid = Oid(13000);
pub const SLUICE: Oid = Oid(13001);
/// The bootstrap role, owner of everything that nobody else made.
pub const BOOTSTRAP_ROLE: Oid = Oid(10);

/// What a relation is, and for tables who writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// Every record as it arrived; fed by a source.
    Bronze,
    /// Typed, latest row per key; fed by a source.
    Silver,
    /// Made and written over the wire.
    #[default]
    Managed,
    /// A query kept exactly up to date (`CREATE MATERIALIZED VIEW`).
    Gold,
    /// A query that is expanded where it is used (`CREATE VIEW`).
    View,
    /// A counter (`CREATE SEQUENCE`).
    Sequence,
    /// Rows made by Sluice itself: `pg_catalog`, `information_schema`, `sluice`.
    System,
}

impl RelationKind {
    /// `pg_class.relkind`.
    pub fn relkind(self) -> char {
        match self {
            Self::View => 'v',
            Self::Gold => 'm',
            Self::Sequence => 'S',
            Self::Bronze | Self::Silver | Self::Managed | Self::System => 'r',
        }
    }
}

/// A column as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogColumn {
    pub name: String,
    pub type_oid: u32,
    pub typmod: i32,
    pub not_null: bool,
    /// `pg_attribute.attnum`, from 1, never reused.
    pub attnum: i16,
    /// The expression of DEFAULT, or of a generated column, as SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// `GENERATED ALWAYS AS (…) STORED`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// An array column that holds arrays of any shape: those that statements write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_shape: bool,
}

impl CatalogColumn {
    /// A column without a default.
    pub fn new(name: impl Into<String>, ty: PgType, not_null: bool, attnum: i16) -> Self {
        let (type_oid, typmod) = (ty.oid.0, ty.typmod);
        let (default, identity, generated, any_shape) = (None, None, false, false);
        Self { name: name.into(), type_oid, typmod, not_null, attnum, default, identity, generated, any_shape }
    }

    /// Gives it another type.
    pub fn retype(&mut self, ty: PgType, any_shape: bool) {
        (self.type_oid, self.typmod) = (ty.oid.0, ty.typmod);
        self.any_shape = any_shape && crate::types::schema::takes_shapes(ty);
    }

    /// The type, and how the column's values lie.
    pub fn expr_type(&self) -> ExprType {
        ExprType { pg: self.ty(), storage: crate::types::schema::column_storage(self.ty(), self.any_shape) }
    }

    pub fn ty(&self) -> PgType {
        PgType { oid: Oid(self.type_oid), typmod: self.typmod }
    }
}

/// A table, view, materialized view or sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    #[serde(with = "oid_as_number")]
    pub oid: Oid,
    #[serde(with = "oid_as_number")]
    pub schema: Oid,
    pub name: String,
    pub kind: RelationKind,
    pub columns: Vec<CatalogColumn>,
    /// Indexes into `columns`; empty: no primary key.
    pub key: Vec<usize>,
    /// OID of the primary key's index and of its constraint, where there is a key.
    #[serde(default)]
    pub key_index_oid: u32,
    #[serde(default)]
    pub key_constraint_oid: u32,
    /// OID of the row type (`pg_class.reltype`).
    #[serde(default)]
    pub row_type_oid: u32,
    /// The query of a view or materialized view, as the user wrote it, without the CREATE around it.
    pub definition: Option<String>,
    /// The search path under which `definition` was bound.
    #[serde(default)]
    pub search_path: Vec<String>,
    /// Relations that `definition` reads.
    #[serde(default)]
    pub depends_on: Vec<u32>,
    #[serde(default)]
    pub comment: Option<String>,
    #[serde(default)]
    pub column_comments: BTreeMap<i16, String>,
    /// Comments on its indexes and constraints, by their OIDs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub part_comments: BTreeMap<u32, String>,
    /// The primary key's name where it is not `<table>_pkey`.
    #[serde(default)]
    pub key_name: Option<String>,
    /// Without the primary key.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// Without the primary key's.
    #[serde(default)]
    pub indexes: Vec<Index>,
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// The highest `attnum` that a column ever had.
    #[serde(default)]
    pub last_attnum: i16,
    /// See [`Relation::owner`]; 0: the bootstrap role.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owner: u32,
    /// `None`: nothing was granted or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
    /// By `attnum`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub column_acls: BTreeMap<i16, Acl>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Relation {
    pub fn table_schema(&self) -> TableSchema {
        let columns = self
            .columns
            .iter()
            .map(|c| crate::types::Column::new(&c.name, c.ty(), !c.not_null).of_any_shape(c.any_shape));
        let columns = columns.collect();
        TableSchema::new(columns, self.key.clone())
    }

    pub fn column(&self, name: &str) -> Option<(usize, &CatalogColumn)> {
        self.columns.iter().enumerate().find(|(_, c)| c.name == name)
    }
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    #[serde(with = "oid_as_number")]
    pub oid: Oid,
    pub name: String,
    #[serde(default)]
    pub comment: Option<String>,
    /// See [`Namespace::owner`]; 0: the bootstrap role, or `pg_database_owner` for `public`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub owner: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
}

impl Namespace {
    pub fn new(oid: Oid, name: impl Into<String>) -> Self {
        // What pg_dump takes for unchanged.
        let comment = (oid == PUBLIC).then(|| "standard public schema".to_owned());
        Self { oid, name: name.into(), comment, owner: 0, acl: None }
    }

    /// Whether it differs from how it is made at every start.
    fn is_changed(&self) -> bool {
        *self != Self::new(self.oid, self.name.as_str())
    }
}

/// A new relation, before it has OIDs.
#[derive(Debug, Clone)]
pub struct NewRelation {
    pub schema: Oid,
    pub name: String,
    pub kind: RelationKind,
    pub table: TableSchema,
    pub definition: Option<String>,
    pub search_path: Vec<String>,
    pub depends_on: Vec<Oid>,
}

/// All names and definitions at one tick.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Grows with every change; plans are cached by it.
    version: u64,
    namespaces: BTreeMap<Oid, Arc<Namespace>>,
    relations: BTreeMap<Oid, Arc<Relation>>,
    by_name: HashMap<(Oid, String), Oid>,
    /// The schema of a session's temporary relations, searched before all others.
    temporary: Option<Oid>,
    roles: Arc<Roles>,
    /// Owner of what is made.
    creator: Oid,
    /// Versions and OIDs are unique over all copies of one catalog: those of a transaction stay its own until COMMIT.
    versions: Arc<AtomicU64>,
    oids: Arc<AtomicU32>,
    /// OIDs that a change took when it was tried, to be taken again when it is applied.
    replay: VecDeque<Oid>,
    taken: Vec<Oid>,
}

/// What of a catalog is durable.
#[derive(Serialize, Deserialize)]
struct Durable {
    format: u32,
    version: u64,
    next_oid: u32,
    namespaces: Vec<Arc<Namespace>>,
    relations: Vec<Arc<Relation>>,
    #[serde(default)]
    roles: Roles,
}

const FORMAT: u32 = 1;

impl Catalog {
    /// An empty catalog with the built-in schemas, `bronze`, `silver`, `gold`, and the given system relations.
    pub fn new(system: impl IntoIterator<Item = Relation>) -> Self {
        let mut catalog = Self {
            version: 1,
            namespaces: BTreeMap::new(),
            relations: BTreeMap::new(),
            by_name: HashMap::new(),
            temporary: None,
            roles: Arc::new(Roles::built_in()),
            creator: BOOTSTRAP_ROLE,
            versions: Arc::new(AtomicU64::new(1)),
            oids: Arc::new(AtomicU32::new(FIRST_USER_OID)),
            replay: VecDeque::new(),
            taken: Vec::new(),
        };
        for (oid, name) in [
            (PG_CATALOG, "pg_catalog"),
            (PUBLIC, "public"),
            (INFORMATION_SCHEMA, "information_schema"),
            (SLUICE, "sluice"),
        ] {
            catalog.namespaces.insert(oid, Arc::new(Namespace::new(oid, name)));
        }
        for relation in system {
            catalog.put(relation);
        }
        for name in ["bronze", "silver", "gold"] {
            let oid = catalog.take_oid();
            catalog.namespaces.insert(oid, Arc::new(Namespace::new(oid, name)));
        }
        catalog
    }

    /// The catalog of a lake, with this binary's system relations.
    pub fn from_json(json: &serde_json::Value, system: impl IntoIterator<Item = Relation>) -> PgResult<Self> {
        // The format comes first: another one need not look like ours otherwise.
        let format = json.get("format").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if format != u64::from(FORMAT) {
            let order = if format > u64::from(FORMAT) { "newer" } else { "older" };
            let message =
                format!("the lake's catalog has format {format}, {order} than format {FORMAT} of this version");
            let hint = match order {
                "newer" => "Use the version of sluice that wrote it, or a newer one.",
                _ => "Use the version of sluice that wrote it.",
            };
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_STATE, message).hint(hint));
        }
        let durable: Durable = serde_json::from_value(json.clone())
            .map_err(|e| PgError::new(SqlState::DATA_CORRUPTED, format!("the lake's catalog cannot be read: {e}")))?;
        let mut catalog = Self::new(system);
        catalog.namespaces.retain(|oid, _| oid.0 < FIRST_USER_OID);
        catalog.namespaces.extend(durable.namespaces.into_iter().map(|n| (n.oid, n)));
        for relation in durable.relations {
            catalog.put((*relation).clone());
        }
        let mut roles = durable.roles;
        roles.complete();
        catalog.roles = Arc::new(roles);
        catalog.version = durable.version;
        catalog.versions.store(durable.version, Ordering::Relaxed);
        catalog.oids.store(durable.next_oid, Ordering::Relaxed);
        Ok(catalog)
    }

    /// User schemas and relations, to be read by [`Catalog::from_json`].
    pub fn to_json(&self) -> serde_json::Value {
        let durable = Durable {
            format: FORMAT,
            version: self.version,
            next_oid: self.oids.load(Ordering::Relaxed),
            namespaces: self
                .namespaces
                .values()
                .filter(|n| n.oid.0 >= FIRST_USER_OID || n.is_changed())
                .cloned()
                .collect(),
            relations: self.user_relations().cloned().collect(),
            roles: (*self.roles).clone(),
        };
        serde_json::to_value(durable).expect("a catalog has only string keys")
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn namespaces(&self) -> impl Iterator<Item = &Arc<Namespace>> {
        self.namespaces.values()
    }

    pub fn namespace(&self, oid: Oid) -> Option<&Arc<Namespace>> {
        self.namespaces.get(&oid)
    }

    pub fn namespace_named(&self, name: &str) -> Option<&Arc<Namespace>> {
        if name == "pg_temp" {
            return self.namespaces.get(&self.temporary?);
        }
        self.namespaces.values().find(|n| n.name == name)
    }

    /// All relations, by OID.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    pub fn user_relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values().filter(|r| r.kind != RelationKind::System && r.oid.0 >= FIRST_USER_OID)
    }

    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid)
    }

    pub fn relation_named(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(&(schema, name.to_string())).and_then(|oid| self.relations.get(oid))
    }

    /// `schema.name` as the engine and the lake spell it.
    pub fn qualified_name(&self, relation: &Relation) -> String {
        let schema = self.namespace(relation.schema).map_or("?", |n| n.name.as_str());
        format!("{schema}.{}", relation.name)
    }

    /// The relation that `[schema.]name` means under a search path. `pg_catalog` is searched first where the path does
    /// not name it, as in PostgreSQL.
    pub fn resolve(&self, search_path: &[String], schema: Option<&str>, name: &str) -> PgResult<&Arc<Relation>> {
        if let Some(schema) = schema {
            let found = self.namespace_named(schema).and_then(|n| self.relation_named(n.oid, name));
            return found.ok_or_else(|| undefined_table(&format!("{schema}.{name}")));
        }
        let implicit = (!search_path.iter().any(|s| s == "pg_catalog")).then_some(PG_CATALOG);
        let path = search_path.iter().filter_map(|s| self.namespace_named(s)).map(|n| n.oid);
        self.temporary
            .into_iter()
            .chain(implicit)
            .chain(path)
            .find_map(|schema| self.relation_named(schema, name))
            .ok_or_else(|| undefined_table(name))
    }

    /// Relations that read `oid` directly.
    pub fn dependents(&self, oid: Oid) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values().filter(move |r| r.depends_on.contains(&oid.0))
    }

    /// A new OID.
    pub fn take_oid(&mut self) -> Oid {
        let oid = self.replay.pop_front().unwrap_or_else(|| Oid(self.oids.fetch_add(1, Ordering::Relaxed)));
        self.taken.push(oid);
        oid
    }

    /// A new OID, for something that is not in the catalog yet.
    pub fn new_oid(&self) -> Oid {
        Oid(self.oids.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a relation that has its OIDs.
    pub fn add(&mut self, relation: Relation) -> PgResult<()> {
        self.check_free(relation.schema, &relation.name)?;
        for index in relation.index_names() {
            self.check_free(relation.schema, &index)?;
        }
        let relation = self.owned(relation);
        self.put(relation);
        Ok(())
    }

    /// A new relation with its owner, and with the grants that its owner wants on everything new.
    fn owned(&mut self, mut relation: Relation) -> Relation {
        relation.owner = if self.creator == BOOTSTRAP_ROLE { 0 } else { self.creator.0 };
        relation.acl = self.default_acl(relation.object_kind(), relation.schema);
        relation
    }

    /// What ALTER DEFAULT PRIVILEGES says of a new object; `None`: nothing.
    fn default_acl(&self, kind: ObjectKind, schema: Oid) -> Option<Acl> {
        let of = |schema: Oid| {
            let same = |d: &&DefaultAcl| d.role == self.creator && d.kind == kind && d.schema == schema;
            self.roles.defaults.iter().find(same).map(|d| &d.acl)
        };
        let (everywhere, here) = (of(crate::types::oid::INVALID), of(schema));
        if everywhere.is_none() && here.is_none() {
            return None;
        }
        let mut acl = everywhere.cloned().unwrap_or_else(|| Acl::default_of(kind, self.creator));
        for grant in here.iter().flat_map(|acl| &acl.0) {
            acl.grant(grant.grantor, grant.grantee, grant.privileges, false);
            acl.grant(grant.grantor, grant.grantee, grant.grantable, true);
        }
        Some(acl)
    }

    /// Runs `change` as this role: what it makes is the role's.
    pub fn as_role<T>(&mut self, role: Oid, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.creator, role);
        let changed = change(self);
        self.creator = before;
        changed
    }

    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    pub fn change_roles<T>(&mut self, change: impl FnOnce(&mut Roles) -> PgResult<T>) -> PgResult<T> {
        let mut roles = (*self.roles).clone();
        let changed = change(&mut roles)?;
        self.roles = Arc::new(roles);
        self.changed();
        Ok(changed)
    }

    pub fn change_schema(&mut self, oid: Oid, change: impl FnOnce(&mut Namespace)) -> PgResult<()> {
        let old = self.namespaces.get(&oid).ok_or_else(|| PgError::internal(format!("no schema with OID {oid}")))?;
        let mut namespace = Namespace::clone(old);
        change(&mut namespace);
        self.namespaces.insert(oid, Arc::new(namespace));
        self.changed();
        Ok(())
    }

    /// Puts a changed relation in the place of `old`. `40001` where it has been changed meanwhile.
    pub fn replace(&mut self, old: &Relation, new: Relation) -> PgResult<()> {
        if self.relations.get(&old.oid).is_none_or(|now| **now != *old) {
            let message = "could not serialize access due to concurrent update";
            return Err(PgError::new(SqlState::SERIALIZATION_FAILURE, message));
        }
        let before: Vec<String> = old.index_names().collect();
        let moved = old.schema != new.schema;
        for index in new.index_names().filter(|name| moved || !before.contains(name)) {
            self.check_free(new.schema, &index)?;
        }
        self.change(old.oid, |relation| *relation = new)
    }

    /// Runs a change for the first time: gives the OIDs that it took.
    pub fn try_change(&mut self, change: impl FnOnce(&mut Self) -> PgResult<()>) -> PgResult<Vec<Oid>> {
        self.taken.clear();
        change(self)?;
        Ok(std::mem::take(&mut self.taken))
    }

    /// Runs a change again, with the OIDs that it took the first time.
    pub fn apply_change(&mut self, oids: &[Oid], change: impl FnOnce(&mut Self) -> PgResult<()>) -> PgResult<()> {
        self.replay = oids.iter().copied().collect();
        let applied = change(self);
        self.replay.clear();
        self.taken.clear();
        applied
    }

    fn changed(&mut self) {
        self.version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
    }

    /// Puts a session's temporary relations before all others.
    pub fn with_temporary(&self, schema: Namespace, relations: impl IntoIterator<Item = Arc<Relation>>) -> Self {
        let mut catalog = self.clone();
        catalog.temporary = Some(schema.oid);
        catalog.namespaces.insert(schema.oid, Arc::new(schema));
        for relation in relations {
            catalog.put((*relation).clone());
        }
        catalog.changed();
        catalog
    }

    /// The schema of the session's temporary relations.
    pub fn temporary(&self) -> Option<Oid> {
        self.temporary
    }

    fn put(&mut self, relation: Relation) {
        self.by_name.insert((relation.schema, relation.name.clone()), relation.oid);
        self.relations.insert(relation.oid, Arc::new(relation));
        self.changed();
    }

    pub fn create_schema(&mut self, name: &str) -> PgResult<Oid> {
        if self.namespace_named(name).is_some() {
            let message = format!("schema \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, message));
        }
        let oid = self.take_oid();
        let owner = if self.creator == BOOTSTRAP_ROLE { 0 } else { self.creator.0 };
        let acl = self.default_acl(ObjectKind::Schema, crate::types::oid::INVALID);
        self.namespaces.insert(oid, Arc::new(Namespace { owner, acl, ..Namespace::new(oid, name) }));
        self.changed();
        Ok(oid)
    }

    /// Drops an empty schema.
    pub fn drop_schema(&mut self, oid: Oid) {
        self.namespaces.remove(&oid);
        self.changed();
    }

    /// Whether a relation or an index of this schema is called so; they share their names.
    pub fn is_taken(&self, schema: Oid, name: &str) -> bool {
        if self.relation_named(schema, name).is_some() {
            return true;
        }
        let mut inside = self.relations.values().filter(|r| r.schema == schema);
        inside.any(|r| r.index_names().any(|index| index == name))
    }

    /// `42P07` where the name is taken in the schema.
    pub fn check_free(&self, schema: Oid, name: &str) -> PgResult<()> {
        if !self.is_taken(schema, name) {
            return Ok(());
        }
        let message = format!("relation \"{name}\" already exists");
        Err(PgError::new(SqlState::DUPLICATE_TABLE, message))
    }

    /// `<table>_<column>_<suffix>`, cut and numbered as PostgreSQL does it, not among `others`.
    pub fn free_name(&self, schema: Oid, table: &str, columns: &str, suffix: &str, others: &[String]) -> String {
        (0..)
            .map(|nth| table::object_name(table, columns, suffix, nth))
            .find(|name| !others.contains(name) && !self.is_taken(schema, name))
            .expect("one of endlessly many names is free")
    }

    pub fn create(&mut self, new: NewRelation) -> PgResult<Oid> {
        self.check_free(new.schema, &new.name)?;
        let oid = self.take_oid();
        let row_type_oid = self.take_oid().0;
        let (key_index_oid, key_constraint_oid) = match new.table.key.is_empty() {
            true => (0, 0),
            false => (self.take_oid().0, self.take_oid().0),
        };
        let columns = new.table.columns.iter().zip(1..);
        let columns = columns.map(|(c, attnum)| CatalogColumn {
            any_shape: c.any_shape,
            ..CatalogColumn::new(&c.name, c.ty, !c.nullable, attnum)
        });
        let relation = self.owned(Relation {
            oid,
            schema: new.schema,
            name: new.name,
            kind: new.kind,
            columns: columns.collect(),
            key: new.table.key.clone(),
            key_index_oid,
            key_constraint_oid,
            row_type_oid,
            definition: new.definition,
            search_path: new.search_path,
            depends_on: new.depends_on.iter().map(|o| o.0).collect(),
            last_attnum: new.table.columns.len() as i16,
            ..Relation::default()
        });
        self.put(relation);
        Ok(oid)
    }

    pub fn drop_relation(&mut self, oid: Oid) {
        if let Some(relation) = self.relations.remove(&oid) {
            self.by_name.remove(&(relation.schema, relation.name.clone()));
            self.changed();
        }
    }

    /// Replaces a relation by a changed copy (rename, new columns, comment); its OID stays.
    pub fn change(&mut self, oid: Oid, change: impl FnOnce(&mut Relation)) -> PgResult<()> {
        let old = self.relations.get(&oid).ok_or_else(|| PgError::internal(format!("no relation with OID {oid}")))?;
        let mut relation = Relation::clone(old);
        change(&mut relation);
        let moved = (old.schema, old.name.clone()) != (relation.schema, relation.name.clone());
        if moved {
            self.check_free(relation.schema, &relation.name)?;
        }
        self.by_name.remove(&(old.schema, old.name.clone()));
        self.put(relation);
        Ok(())
    }

    pub fn comment_on_schema(&mut self, oid: Oid, comment: Option<String>) {
        if let Some(old) = self.namespaces.get(&oid) {
            let changed = Namespace { comment, ..Namespace::clone(old) };
            self.namespaces.insert(oid, Arc::new(changed));
            self.changed();
        }
    }
}

fn undefined_table(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

mod oid_as_number {
    use crate::types::Oid;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(oid: &Oid, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u32(oid.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Oid, D::Error> {
        u32::deserialize(d).map(Oid)
    }
}
