//! What functions see of the statement they run in: [`Context`] over the session, [`CatalogLookup`] over its catalog.

use super::access::{Acting, check_set_role};
use super::advisory::SessionLocks;
use super::channels::{Mailbox, Pending};
use super::database::Database;
use super::fair::{Dropped, aside};
use super::past::AS_OF;
use super::sequences::SessionSequences;
use super::settings::Settings;
use crate::catalog::{Access, Catalog, PG_SIGNAL_BACKEND, Privileges, RelationKind};
use crate::kernels::context::{AdvisoryCall, CatalogLookup, Context, SequenceCall};
use crate::pg_catalog::{Asker, CursorRow, Lookup, PreparedRow};
use crate::types::{Oid, PgError, PgResult, SqlState};
use parking_lot::Mutex;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long `pg_sleep` does not look whether it is still waited for.
const NAP: Duration = Duration::from_millis(50);

/// Who is connected.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who logged in.
    pub user: String,
    /// The catalog had the role when it logged in.
    pub known: bool,
    pub database: String,
    pub backend_pid: i32,
    pub client: Option<SocketAddr>,
    pub server: Option<SocketAddr>,
}

/// One statement's surroundings; fixed from its first row to its last, but for settings that it sets itself.
pub struct StatementContext {
    pub database: Arc<Database>,
    pub identity: Arc<Identity>,
    pub acting: Acting,
    pub settings: Arc<Mutex<Settings>>,
    pub lookup: Lookup,
    pub catalog: Arc<Catalog>,
    pub sequences: Arc<SessionSequences>,
    pub mailbox: Arc<Mailbox>,
    pub pending: Pending,
    pub locks: Arc<SessionLocks>,
    /// This session's prepared statements and cursors, as the system relations list them.
    pub prepared: Vec<PreparedRow>,
    pub cursors: Vec<CursorRow>,
    /// Schemas that exist, `pg_catalog` not among them unless named.
    pub search_path: Vec<String>,
    pub transaction_us: i64,
    pub statement_us: i64,
    pub start_us: i64,
    pub transaction_id: i64,
    /// Nobody waits for the statement any more.
    pub dropped: Dropped,
}

impl fmt::Debug for StatementContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementContext").field("identity", &self.identity).finish_non_exhaustive()
    }
}

fn address(address: Option<SocketAddr>) -> Option<(String, i32)> {
    address.map(|a| (a.ip().to_string(), a.port().into()))
}

impl StatementContext {
    /// Who asks.
    pub fn asker(&self) -> Asker {
        asker(&self.identity, &self.acting.access)
    }
}

/// Who asks, for results that are kept.
pub fn asker(identity: &Identity, access: &Access) -> Asker {
    let role = Some((access.role, access.superuser));
    Asker { user: identity.user.clone(), database: identity.database.clone(), role }
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
        &self.acting.session_user
    }

    fn current_user(&self) -> &str {
        &self.acting.user
    }

    fn current_user_oid(&self) -> Oid {
        self.acting.access.role
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
        if name.eq_ignore_ascii_case("role") {
            check_set_role(&self.catalog, &self.acting.session_user, self.identity.known, value)?;
            self.settings.lock().set_identity("role", value, local);
            return Ok(value.to_owned());
        }
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

    fn compact(&self, relation: Oid) -> PgResult<String> {
        self.compact_table(relation)
    }

    fn rebuild(&self, relation: Oid) -> PgResult<String> {
        self.rebuild_table(relation)
    }

    fn sequence(&self, call: SequenceCall) -> PgResult<i64> {
        let moves = matches!(call, SequenceCall::Next(_) | SequenceCall::Set(..));
        if moves && self.settings.lock().raw(AS_OF).is_some_and(|moment| !moment.is_empty()) {
            let message = format!("cannot move a sequence while {AS_OF} is set");
            return Err(PgError::new(SqlState::READ_ONLY_TRANSACTION, message));
        }
        self.sequences.check(&self.catalog, &self.acting.access, call)?;
        self.sequences.call(&self.catalog, call)
    }

    fn advisory(&self, call: AdvisoryCall) -> PgResult<bool> {
        match call {
            AdvisoryCall::Unlock { key, shared } => Ok(self.locks.unlock(key, shared)),
            AdvisoryCall::UnlockAll => {
                self.locks.unlock_all();
                Ok(true)
            }
            AdvisoryCall::Lock { key, shared, transaction, wait: false } => {
                self.locks.take(key, shared, transaction, None)
            }
            AdvisoryCall::Lock { key, shared, transaction, wait: true } => {
                let (begun, longest) = (Instant::now(), self.settings.lock().duration("lock_timeout"));
                let go_on = || {
                    if self.dropped.load(Ordering::Relaxed) {
                        return Err(PgError::new(SqlState::QUERY_CANCELED, "nobody waits for this query"));
                    }
                    match longest.is_some_and(|longest| begun.elapsed() >= longest) {
                        true => Err(PgError::new(SqlState(*b"55P03"), "canceling statement due to lock timeout")),
                        false => Ok(()),
                    }
                };
                aside(|| self.locks.take(key, shared, transaction, Some(&go_on)))
            }
        }
    }

    fn notify(&self, channel: &str, payload: &str) -> PgResult<()> {
        super::channels::notify(&self.pending, self.identity.backend_pid, channel, payload)
    }

    fn listened_channels(&self) -> Vec<String> {
        self.mailbox.channels()
    }

    fn notification_queue_usage(&self) -> f64 {
        self.database.channels.usage()
    }

    fn sleep(&self, time: Duration) -> PgResult<()> {
        let begun = Instant::now();
        aside(|| {
            while !self.dropped.load(Ordering::Relaxed) {
                let left = time.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Ok(());
                }
                std::thread::sleep(left.min(NAP));
            }
            Err(PgError::new(SqlState::QUERY_CANCELED, "nobody waits for this query"))
        })
    }

    fn notify_on_change(&self, relation: Oid, channel: Option<&str>) -> PgResult<()> {
        let found = self.catalog.relation(relation);
        let found = found.ok_or_else(|| PgError::internal(format!("no relation with OID {relation}")))?;
        self.acting.access.must_have(found, Privileges::SELECT)?;
        if !matches!(
            found.kind,
            RelationKind::Bronze | RelationKind::Silver | RelationKind::Managed | RelationKind::Gold
        ) {
            let message = format!("\"{}\" has no rows of its own", found.name);
            let error = PgError::new(SqlState::WRONG_OBJECT_TYPE, message);
            return Err(error.hint("Name a table or a materialized view."));
        }
        self.database.notify_on_change(&self.mailbox, relation, channel)
    }

    fn signal(&self, pid: i32, end: bool) -> PgResult<bool> {
        let Some(user) = self.database.activities.user(pid) else { return Ok(false) };
        let roles = self.catalog.roles();
        let access = &self.acting.access;
        if !access.superuser {
            let other = roles.named(&user);
            if other.is_none_or(|role| role.superuser) {
                let what = if end { "terminate" } else { "cancel" };
                let message = match what {
                    "terminate" => "must be a superuser to terminate superuser process",
                    _ => "must be a superuser to cancel superuser query",
                };
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            let may =
                other.is_some_and(|role| access.has_rights_of(role.oid)) || access.has_rights_of(PG_SIGNAL_BACKEND);
            if !may {
                let message = match end {
                    true => {
                        "must be a member of the role whose process is being terminated or member of pg_signal_backend"
                    }
                    false => {
                        "must be a member of the role whose query is being canceled or member of pg_signal_backend"
                    }
                };
                return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
        }
        Ok(self.database.activities.signal(pid, end))
    }
}

/// An identifier as SQL text.
pub fn quoted(name: &str) -> String {
    super::settings::quote_name(name)
}

pub fn undefined_schema(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}
