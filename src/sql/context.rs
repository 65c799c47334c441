//! What functions see of the statement they run in: [`Context`] over the session, [`CatalogLookup`] over its catalog.

use super::database::Database;
use super::sequences::SessionSequences;
use super::settings::Settings;
use crate::catalog::Catalog;
use crate::kernels::context::{CatalogLookup, Context, SequenceCall};
use crate::pg_catalog::{CursorRow, Lookup, PreparedRow, role_oid};
use crate::types::{Oid, PgError, PgResult, SqlState};
use parking_lot::Mutex;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

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
    pub database: Arc<Database>,
    pub identity: Arc<Identity>,
    pub settings: Arc<Mutex<Settings>>,
    pub lookup: Lookup,
    pub catalog: Arc<Catalog>,
    pub sequences: Arc<SessionSequences>,
    /// This session's prepared statements and cursors, as the system relations list them.
    pub prepared: Vec<PreparedRow>,
    pub cursors: Vec<CursorRow>,
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
        role_oid(&self.identity.user)
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
        &self.lookup
    }

    fn sequence(&self, call: SequenceCall) -> PgResult<i64> {
        self.sequences.call(&self.catalog, call)
    }

    fn signal(&self, pid: i32, end: bool) -> PgResult<bool> {
        if end {
            return Err(PgError::unsupported("ending another session"));
        }
        Ok(self.database.activities.cancel(pid))
    }
}

/// An identifier as SQL text.
pub fn quoted(name: &str) -> String {
    super::settings::quote_name(name)
}

pub fn undefined_schema(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}
