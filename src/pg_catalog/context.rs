//! What system relations are made from: one catalog, one state of the engine, one session.
//!
//! Whoever asks for rows gives them from the snapshot that the statement reads, so that system relations are at the same
//! tick as everything else. A fact is made when a relation asks for it, and which kinds of facts were asked for is
//! noted: rows that follow from the catalog alone are the same for as long as the catalog is.

use crate::catalog::{Access, Catalog, Namespace, ObjectKind, Relation, Sequence};
use crate::lake::{LakeCommit, PastFile};
use crate::types::Oid;
use std::cell::Cell;
use std::sync::Arc;

/// What is known besides the catalog.
pub trait Facts {
    fn state(&self) -> &State;
    fn session(&self) -> &SessionFacts;
    /// The settings as this session sees them.
    fn settings(&self) -> Vec<SettingRow>;
    /// This session's prepared statements and cursors.
    fn prepared(&self) -> Vec<PreparedRow>;
    fn cursors(&self) -> Vec<CursorRow>;
    /// All sessions of the process, this one too.
    fn sessions(&self) -> Vec<SessionRow>;
    /// Advisory locks of all sessions.
    fn locks(&self) -> Vec<LockRow> {
        Vec::new()
    }
    /// µs since 1970: what ages are counted from.
    fn now_us(&self) -> i64;
}

/// Which kinds of facts rows were made from, besides the catalog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// Who asks, and what they may do.
    pub session: bool,
    /// How many rows relations have, which changes with the snapshot.
    pub counts: bool,
    /// What may be different the next moment.
    pub live: bool,
}

/// Everything that [`super::rows`] may read.
pub struct SystemContext<'a> {
    pub catalog: &'a Catalog,
    facts: &'a dyn Facts,
    uses: Cell<Uses>,
}

/// The session that asks.
#[derive(Debug, Clone, Default)]
pub struct SessionFacts {
    pub user: String,
    /// What the session's role may do; `None`: everything.
    pub access: Option<Arc<Access>>,
    pub database: String,
}

/// A setting as this session sees it.
#[derive(Debug, Clone, Default)]
pub struct SettingRow {
    pub name: String,
    pub value: String,
    /// What RESET sets it to.
    pub reset: String,
    pub boot: String,
    pub unit: Option<String>,
    pub category: String,
    pub description: String,
    /// `user`, `internal`, …
    pub context: String,
    /// `bool`, `integer`, `real`, `string`, `enum`.
    pub kind: String,
    /// `default`, `session`, `client`, `configuration file`.
    pub source: String,
    pub minimum: Option<String>,
    pub maximum: Option<String>,
    pub allowed: Option<Vec<String>>,
}

/// A prepared statement of this session.
#[derive(Debug, Clone)]
pub struct PreparedRow {
    pub name: String,
    pub statement: String,
    pub prepared_us: i64,
    pub parameter_types: Vec<Oid>,
    /// Made by PREPARE, not by the protocol.
    pub from_sql: bool,
}

/// An advisory lock that a session holds or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// `classid`, `objid`, `objsubid`.
    pub key: (u32, u32, i16),
    pub pid: i32,
    pub shared: bool,
    /// µs since 1970; `None`: it is held.
    pub waiting_since_us: Option<i64>,
}

/// An open cursor of this session.
#[derive(Debug, Clone)]
pub struct CursorRow {
    pub name: String,
    pub statement: String,
    pub holdable: bool,
    pub binary: bool,
    pub scrollable: bool,
    pub created_us: i64,
}

/// A session for `pg_stat_activity`. Times are µs since 1970.
#[derive(Debug, Clone, Default)]
pub struct SessionRow {
    pub pid: i32,
    pub user: String,
    pub database: String,
    pub application_name: String,
    pub client_address: Option<String>,
    pub client_port: Option<i32>,
    pub started_us: i64,
    pub transaction_us: Option<i64>,
    pub query_us: Option<i64>,
    pub state_us: Option<i64>,
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: String,
    pub query: String,
}

/// The engine and its sources as of the statement's tick. Times are µs since 1970.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub tick: u64,
    pub published_us: i64,
    pub lake: LakeRow,
    pub torn_transactions: u64,
    pub events: u64,
    pub dead_letters: u64,
    pub sources: Vec<SourceRow>,
    pub streams: Vec<StreamRow>,
    pub tables: Vec<TableRow>,
    pub views: Vec<ViewRow>,
    /// Only where they are asked for.
    pub lake_files: Vec<LakeFileRow>,
    pub lake_commits: Vec<LakeCommitRow>,
    /// What was read last of rows that are in the lake alone.
    pub cold_cache_bytes: u64,
    /// Bytes that the process has allocated, and may.
    pub used_bytes: u64,
    pub memory_limit: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub struct LakeRow {
    pub durable_tick: u64,
    /// `None` before the first flush.
    pub flushed_us: Option<i64>,
    pub flushes: u64,
    pub last_flush_us: u64,
    pub error: Option<String>,
}

/// A data file of a table.
#[derive(Debug, Clone)]
pub struct LakeFileRow {
    pub oid: Oid,
    pub version: i64,
    pub file: PastFile,
}

/// A commit of a table.
#[derive(Debug, Clone)]
pub struct LakeCommitRow {
    pub oid: Oid,
    pub commit: LakeCommit,
}

#[derive(Debug, Clone)]
pub struct SourceRow {
    pub name: Arc<str>,
    pub kind: &'static str,
    pub state: &'static str,
    pub message: String,
    pub since_us: i64,
}

#[derive(Debug, Clone)]
pub struct StreamRow {
    pub source: Arc<str>,
    pub stream: String,
    /// `None` for a stream that the lake knows and no running source reads.
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub state: &'static str,
    pub message: String,
    /// Up to here the stream is visible at the tick.
    pub position: Option<i64>,
    /// Up to here it was fetched and decoded.
    pub fetched: Option<i64>,
    /// The end of the stream at its source, where the source says it.
    pub high: Option<i64>,
    pub checkpoint: Option<i64>,
    pub newest_source_us: Option<i64>,
    pub applied_us: Option<i64>,
    pub events: u64,
    pub bytes: u64,
    pub dead_letters: u64,
    /// Positions lost to the source's retention: (from, to), `to` not included.
    pub gaps: Vec<(i64, i64)>,
}

impl StreamRow {
    /// Records that the source has and that are not visible yet.
    pub fn lag_events(&self) -> Option<i64> {
        Some((self.high? - self.position?).max(0))
    }

    /// How far the stream is behind in time, µs: nothing when all that the source has is visible, otherwise the age of
    /// the newest change that is.
    pub fn lag_us(&self, now_us: i64) -> Option<i64> {
        match self.lag_events()? {
            0 => Some(0),
            _ => Some((now_us - self.newest_source_us?).max(0)),
        }
    }
}

#[derive(Debug, Clone)]
pub struct TableRow {
    pub oid: Oid,
    pub rows: u64,
    pub bytes: u64,
    pub unflushed_rows: u64,
    pub durable_tick: u64,
    pub delta_version: Option<i64>,
    pub changed_tick: u64,
    pub memory: Vec<MemoryRow>,
    /// Rows that are in the lake alone but for their keys, and about how many bytes more they would take in memory.
    pub evicted_rows: u64,
    pub evicted_bytes: u64,
}

/// A part of a relation's memory.
#[derive(Debug, Clone)]
pub struct MemoryRow {
    /// `table`, `tail`, `key-index` or `index`.
    pub kind: &'static str,
    /// Of an index, counted from 0.
    pub columns: Vec<usize>,
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub struct ViewRow {
    pub oid: Oid,
    /// `live`, `hydrating`, `error` or `out-of-memory`.
    pub state: &'static str,
    /// Why its query fails, where it does.
    pub error: Option<String>,
    /// `incremental`, `partly-recomputed` or `recomputed`.
    pub maintenance: &'static str,
    /// What is recomputed, and why.
    pub reason: Option<String>,
    /// How it is maintained, a line for each operator.
    pub plan: Arc<[String]>,
    /// Bytes of its operators' own state.
    pub state_bytes: u64,
    /// While it is hydrating: the share of its inputs' rows that has been read.
    pub progress: Option<f64>,
    pub rows: u64,
    pub changed_tick: u64,
    pub runs: u64,
    pub total_us: u64,
    pub last_us: u64,
}

impl State {
    pub fn table(&self, oid: Oid) -> Option<&TableRow> {
        self.tables.iter().find(|t| t.oid == oid)
    }

    pub fn view(&self, oid: Oid) -> Option<&ViewRow> {
        self.views.iter().find(|v| v.oid == oid)
    }

    /// Rows of a relation that holds rows.
    pub fn rows(&self, oid: Oid) -> Option<u64> {
        self.table(oid).map(|t| t.rows).or_else(|| self.view(oid).map(|v| v.rows))
    }
}

impl<'a> SystemContext<'a> {
    pub fn new(catalog: &'a Catalog, facts: &'a dyn Facts) -> Self {
        Self { catalog, facts, uses: Cell::default() }
    }

    pub fn facts(&self) -> &'a dyn Facts {
        self.facts
    }

    /// What was asked for so far.
    pub fn uses(&self) -> Uses {
        self.uses.get()
    }

    fn live(&self) -> &'a dyn Facts {
        self.uses.set(Uses { live: true, ..self.uses.get() });
        self.facts
    }

    pub fn state(&self) -> &'a State {
        self.live().state()
    }

    pub fn settings(&self) -> Vec<SettingRow> {
        self.live().settings()
    }

    pub fn prepared(&self) -> Vec<PreparedRow> {
        self.live().prepared()
    }

    pub fn cursors(&self) -> Vec<CursorRow> {
        self.live().cursors()
    }

    pub fn sessions(&self) -> Vec<SessionRow> {
        self.live().sessions()
    }

    pub fn locks(&self) -> Vec<LockRow> {
        self.live().locks()
    }

    pub fn now_us(&self) -> i64 {
        self.live().now_us()
    }

    /// The last value of a sequence, and whether it was given out: it moves outside transactions.
    pub fn sequence_state(&self, sequence: &Sequence) -> (i64, bool) {
        self.live();
        sequence.state.get()
    }

    pub fn session(&self) -> &'a SessionFacts {
        self.uses.set(Uses { session: true, ..self.uses.get() });
        self.facts.session()
    }

    /// Rows of a relation that holds rows.
    pub fn row_count(&self, oid: Oid) -> Option<u64> {
        self.uses.set(Uses { counts: true, ..self.uses.get() });
        self.facts.state().rows(oid)
    }

    /// Whether the session's role has the rights of another.
    pub fn has_rights_of(&self, role: Oid) -> bool {
        self.session().access.as_ref().is_none_or(|access| access.has_rights_of(role) || access.role == role)
    }

    /// Whether it may do anything with the relation or one of its columns.
    pub fn sees(&self, relation: &Relation) -> bool {
        let Some(access) = self.session().access.as_ref().filter(|access| !access.superuser) else { return true };
        access.has_rights_of(relation.owner())
            || !access.on_relation(relation).0.is_empty()
            || relation.column_acls.keys().any(|attnum| !access.on_column(relation, *attnum).0.is_empty())
    }

    /// Whether it may do anything with one column.
    pub fn sees_column(&self, relation: &Relation, attnum: i16) -> bool {
        let Some(access) = self.session().access.as_ref().filter(|access| !access.superuser) else { return true };
        access.has_rights_of(relation.owner())
            || !(access.on_relation(relation).0 & ObjectKind::Column.all()).is_empty()
            || !access.on_column(relation, attnum).0.is_empty()
    }

    pub fn sees_schema(&self, namespace: &Namespace) -> bool {
        let Some(access) = self.session().access.as_ref().filter(|access| !access.superuser) else { return true };
        access.has_rights_of(namespace.owner()) || !access.on_schema(namespace, self.catalog).0.is_empty()
    }

    /// The name of a relation's schema.
    pub fn schema_of(&self, relation: &Relation) -> &str {
        self.catalog.namespace(relation.schema).map_or("", |n| n.name.as_str())
    }
}
