//! What functions see of the statement they run in: [`Context`] over the session, [`CatalogLookup`] over its catalog.

use super::settings::Settings;
use super::storage::StorageSnapshot;
use crate::catalog::{BOOTSTRAP_ROLE, Catalog, Relation, RelationKind};
use crate::kernels::context::{CatalogLookup, Context, PrivilegeOn, RelationSize};
use crate::types::{Oid, PgError, PgResult, PgType, SqlState};
use parking_lot::Mutex;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The one database; `pg_database` lists it under the name that the session connected to.
pub const DATABASE_OID: Oid = Oid(5);

/// Who is connected.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user: String,
    pub database: String,
    pub backend_pid: i32,
    pub client: Option<SocketAddr>,
    pub server: Option<SocketAddr>,
}

/// One statement's surroundings; fixed from its first row to its last, but for settings that it sets itself.
pub struct StatementContext {
    pub identity: Arc<Identity>,
    pub settings: Arc<Mutex<Settings>>,
    pub catalog: Arc<Catalog>,
    pub snapshot: Arc<dyn StorageSnapshot>,
    /// Schemas that exist, `pg_catalog` not among them unless named.
    pub search_path: Vec<String>,
    pub transaction_us: i64,
    pub statement_us: i64,
    pub start_us: i64,
    pub transaction_id: i64,
}

impl fmt::Debug for StatementContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementContext").field("identity", &self.identity).finish_non_exhaustive()
    }
}

fn address(address: Option<SocketAddr>) -> Option<(String, i32)> {
    address.map(|a| (a.ip().to_string(), a.port().into()))
}

impl Context for StatementContext {
    fn transaction_us(&self) -> i64 {
        self.transaction_us
    }

    fn statement_us(&self) -> i64 {
        self.statement_us
    }

    fn start_us(&self) -> i64 {
        self.start_us
    }

    fn session_user(&self) -> &str {
        &self.identity.user
    }

    fn current_user(&self) -> &str {
        &self.identity.user
    }

    fn current_user_oid(&self) -> Oid {
        BOOTSTRAP_ROLE
    }

    fn database(&self) -> &str {
        &self.identity.database
    }

    fn search_path(&self) -> &[String] {
        &self.search_path
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.settings.lock().show(name)
    }

    fn set_setting(&self, name: &str, value: &str, local: bool) -> PgResult<String> {
        self.settings.lock().set(name, value, local)
    }

    fn backend_pid(&self) -> i32 {
        self.identity.backend_pid
    }

    fn transaction_id(&self) -> i64 {
        self.transaction_id
    }

    fn client_address(&self) -> Option<(String, i32)> {
        address(self.identity.client)
    }

    fn server_address(&self) -> Option<(String, i32)> {
        address(self.identity.server)
    }

    fn catalog(&self) -> &dyn CatalogLookup {
        self
    }
}

impl StatementContext {
    fn resolve(&self, schema: Option<&str>, name: &str) -> Option<&Arc<Relation>> {
        self.catalog.resolve(&self.search_path, schema, name).ok()
    }

    fn visible(&self, relation: &Relation) -> bool {
        self.resolve(None, &relation.name).is_some_and(|found| found.oid == relation.oid)
    }

    fn row_type(&self, ty: Oid) -> Option<&Arc<Relation>> {
        self.catalog.relations().find(|r| r.row_type_oid == ty.0 && ty.0 != 0)
    }

    /// Memory of a stored relation; a view or system relation has none.
    fn bytes(&self, relation: Oid) -> Option<i64> {
        self.catalog.relation(relation)?;
        let bytes = self.snapshot.relation_bytes(relation).unwrap_or(0);
        Some(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    fn key_columns(relation: &Relation) -> String {
        let names = relation.key.iter().map(|i| quoted(&relation.columns[*i].name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn full_name(&self, relation: &Relation) -> String {
        let schema = self.namespace_name(relation.schema).unwrap_or_default();
        format!("{}.{}", quoted(&schema), quoted(&relation.name))
    }
}

/// An identifier as SQL text.
pub fn quoted(name: &str) -> String {
    super::settings::quote_name(name)
}

impl CatalogLookup for StatementContext {
    fn relation_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        self.resolve(schema, name).map(|r| r.oid)
    }

    fn relation_name(&self, relation: Oid) -> Option<(String, String)> {
        if let Some(relation) = self.catalog.relation(relation) {
            return Some((self.namespace_name(relation.schema)?, relation.name.clone()));
        }
        // The index of a primary key is a relation too.
        let of = self.catalog.relations().find(|r| r.key_index_oid == relation.0 && relation.0 != 0)?;
        Some((self.namespace_name(of.schema)?, format!("{}_pkey", of.name)))
    }

    fn relation_visible(&self, relation: Oid) -> Option<bool> {
        let indexed = || self.catalog.relations().find(|r| r.key_index_oid == relation.0 && relation.0 != 0);
        let relation = self.catalog.relation(relation).or_else(indexed)?;
        Some(self.visible(relation))
    }

    fn type_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        let relation = self.resolve(schema, name)?;
        (relation.row_type_oid != 0).then_some(Oid(relation.row_type_oid))
    }

    fn type_name(&self, ty: Oid) -> Option<(String, String)> {
        let relation = self.row_type(ty)?;
        Some((self.namespace_name(relation.schema)?, relation.name.clone()))
    }

    fn type_visible(&self, ty: Oid) -> Option<bool> {
        self.row_type(ty).map(|relation| self.visible(relation))
    }

    fn namespace_oid(&self, name: &str) -> Option<Oid> {
        self.catalog.namespace_named(name).map(|n| n.oid)
    }

    fn namespace_name(&self, namespace: Oid) -> Option<String> {
        self.catalog.namespace(namespace).map(|n| n.name.clone())
    }

    fn role_oid(&self, name: &str) -> Option<Oid> {
        (name == self.identity.user).then_some(BOOTSTRAP_ROLE)
    }

    fn role_name(&self, role: Oid) -> Option<String> {
        (role == BOOTSTRAP_ROLE).then(|| self.identity.user.clone())
    }

    fn database_oid(&self, name: &str) -> Option<Oid> {
        (name == self.identity.database).then_some(DATABASE_OID)
    }

    fn database_name(&self, database: Oid) -> Option<String> {
        (database == DATABASE_OID).then(|| self.identity.database.clone())
    }

    fn column_number(&self, relation: Oid, column: &str) -> Option<i16> {
        self.catalog.relation(relation)?.column(column).map(|(_, c)| c.attnum)
    }

    fn column_name(&self, relation: Oid, attnum: i16) -> Option<String> {
        let columns = &self.catalog.relation(relation)?.columns;
        columns.iter().find(|c| c.attnum == attnum).map(|c| c.name.clone())
    }

    fn column_type(&self, relation: Oid, attnum: i16) -> Option<PgType> {
        let columns = &self.catalog.relation(relation)?.columns;
        columns.iter().find(|c| c.attnum == attnum).map(|c| c.ty())
    }

    fn view_definition(&self, relation: Oid, _pretty: bool) -> Option<String> {
        let definition = self.catalog.relation(relation)?.definition.as_ref()?;
        Some(format!("{};", definition.trim().trim_end_matches(';')))
    }

    fn index_definition(&self, index: Oid, column: i32, _pretty: bool) -> Option<String> {
        let relation = self.catalog.relations().find(|r| r.key_index_oid == index.0 && index.0 != 0)?;
        match usize::try_from(column) {
            Ok(0) => {
                let (name, table) = (quoted(&format!("{}_pkey", relation.name)), self.full_name(relation));
                let columns = Self::key_columns(relation);
                Some(format!("CREATE UNIQUE INDEX {name} ON {table} USING btree ({columns})"))
            }
            Ok(column) => relation.key.get(column - 1).map(|i| quoted(&relation.columns[*i].name)),
            Err(_) => None,
        }
    }

    fn constraint_definition(&self, constraint: Oid, _pretty: bool) -> Option<String> {
        let of = self.catalog.relations().find(|r| r.key_constraint_oid == constraint.0 && constraint.0 != 0)?;
        Some(format!("PRIMARY KEY ({})", Self::key_columns(of)))
    }

    fn description(&self, object: Oid, class: Option<&str>, sub: i32) -> Option<String> {
        let relation = self.catalog.relation(object).filter(|_| matches!(class, None | Some("pg_class")));
        if let Some(relation) = relation {
            return match sub {
                0 => relation.comment.clone(),
                attnum => relation.column_comments.get(&i16::try_from(attnum).ok()?).cloned(),
            };
        }
        match class {
            None | Some("pg_namespace") => self.catalog.namespace(object)?.comment.clone(),
            Some(_) => None,
        }
    }

    fn shared_description(&self, _object: Oid, _class: &str) -> Option<String> {
        None
    }

    /// There are no roles yet: everyone may read everything and write what can be written.
    fn has_privilege(&self, _role: Oid, on: PrivilegeOn, privilege: &str, _grant: bool) -> Option<bool> {
        let relation = match on {
            PrivilegeOn::Relation(oid) | PrivilegeOn::Column(oid, _) => self.catalog.relation(oid)?,
            PrivilegeOn::Schema(oid) => {
                self.catalog.namespace(oid)?;
                return Some(true);
            }
            _ => return Some(true),
        };
        Some(privilege == "SELECT" || relation.kind == RelationKind::Managed)
    }

    fn relation_size(&self, relation: Oid, what: RelationSize) -> Option<i64> {
        // Indexes are part of their table's memory.
        match what {
            RelationSize::Indexes => self.catalog.relation(relation).map(|_| 0),
            _ => self.bytes(relation),
        }
    }

    fn database_size(&self) -> i64 {
        self.catalog.user_relations().filter_map(|r| self.bytes(r.oid)).sum()
    }
}

pub fn undefined_schema(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}
