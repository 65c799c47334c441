//! What a function may know of the session and the catalog it runs in.
//!
//! A kernel that needs more than its arguments (`now()`, `current_user`, `pg_table_is_visible`, casts to `regclass`, the
//! text of a timestamptz) finds a [`Context`] in the extensions of the `ConfigOptions` that DataFusion hands to each call.
//! Whoever executes a plan puts it there as a [`SessionExtension`]; a statement keeps one context from its first row to
//! its last, so that `now()` is one instant and all names are of one catalog.

use crate::types::codec::{ByteaOutput, TextSettings};
use crate::types::datetime::{DateOrder, Zone};
use crate::types::interval::IntervalStyle;
use crate::types::{Oid, PgError, PgResult, PgType};
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// One session as functions see it.
pub trait Context: Send + Sync + Debug {
    /// `now()`: the start of the transaction, in µs since 1970-01-01 00:00 UTC
    fn transaction_us(&self) -> i64;
    /// `statement_timestamp()`, same unit.
    fn statement_us(&self) -> i64;
    /// `pg_postmaster_start_time()`, same unit.
    fn start_us(&self) -> i64;
    fn session_user(&self) -> &str;
    fn current_user(&self) -> &str;
    fn current_user_oid(&self) -> Oid;
    fn database(&self) -> &str;
    /// The effective search path of schemas that exist, without the implicit `pg_catalog`.
    fn search_path(&self) -> &[String];
    /// `current_setting`: `None` where there is no such parameter. Names are case-insensitive.
    fn setting(&self, name: &str) -> Option<String>;
    /// `set_config`: gives the value as it is shown afterwards.
    fn set_setting(&self, name: &str, value: &str, local: bool) -> PgResult<String>;
    /// What reading and printing values depends on; kept by sessions that do not want it parsed each time.
    fn text_settings(&self) -> TextSettings {
        let mut settings = TextSettings::default();
        let lower = |name: &str| self.setting(name).map(|v| v.to_ascii_lowercase());
        if let Some(zone) = self.setting("TimeZone").and_then(|z| Zone::parse(&z).ok()) {
            settings.timezone = zone;
        }
        if let Some(style) = lower("DateStyle") {
            settings.date_order = match () {
                () if style.contains("dmy") => DateOrder::Dmy,
                () if style.contains("ymd") => DateOrder::Ymd,
                () => DateOrder::Mdy,
            };
        }
        match lower("IntervalStyle").as_deref() {
            Some("iso_8601") => settings.interval_style = IntervalStyle::Iso8601,
            Some("postgres_verbose") => settings.interval_style = IntervalStyle::Verbose,
            _ => {}
        }
        if lower("bytea_output").as_deref() == Some("escape") {
            settings.bytea_output = ByteaOutput::Escape;
        }
        if let Some(digits) = self.setting("extra_float_digits").and_then(|d| d.parse().ok()) {
            settings.extra_float_digits = digits;
        }
        settings
    }
    fn backend_pid(&self) -> i32;
    /// `txid_current()`: one number for each transaction, ascending.
    fn transaction_id(&self) -> i64;
    /// Address and port of the client and of this server, where the connection has them.
    fn client_address(&self) -> Option<(String, i32)>;
    fn server_address(&self) -> Option<(String, i32)>;
    fn catalog(&self) -> &dyn CatalogLookup;
    /// Moves or reads a sequence.
    fn sequence(&self, _call: SequenceCall) -> PgResult<i64> {
        Err(PgError::unsupported("a sequence here"))
    }
    /// `pg_advisory_lock` and its relatives: whether it was taken, or let go of.
    fn advisory(&self, _call: AdvisoryCall) -> PgResult<bool> {
        Err(PgError::unsupported("an advisory lock here"))
    }
    /// `pg_notify`.
    fn notify(&self, _channel: &str, _payload: &str) -> PgResult<()> {
        Err(PgError::unsupported("NOTIFY here"))
    }
    /// `pg_sleep`: comes back early, with an error, where nobody waits for the statement any more.
    fn sleep(&self, _time: Duration) -> PgResult<()> {
        Err(PgError::unsupported("pg_sleep here"))
    }
    /// `pg_listening_channels`.
    fn listened_channels(&self) -> Vec<String> {
        Vec::new()
    }
    /// From 0 to 1.
    fn notification_queue_usage(&self) -> f64 {
        0.0
    }
    /// `sluice.notify_on_change`: tell changes of a relation on a channel, or no longer.
    fn notify_on_change(&self, _relation: Oid, _channel: Option<&str>) -> PgResult<()> {
        Err(PgError::unsupported("watching a relation here"))
    }
    /// `sluice.compact`: merges the files of a relation; what was done, in words.
    fn compact(&self, _relation: Oid) -> PgResult<String> {
        Err(PgError::unsupported("compaction here"))
    }
    /// `sluice.rebuild`: makes a silver table anew out of bronze; what was done, in words.
    fn rebuild(&self, _relation: Oid) -> PgResult<String> {
        Err(PgError::unsupported("making a table anew here"))
    }
    /// Asks another session to cancel its statement, or to end: whether it was there.
    fn signal(&self, _pid: i32, _end: bool) -> PgResult<bool> {
        Err(PgError::unsupported("signalling another session"))
    }
}

/// What `nextval` and its relatives ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceCall {
    Next(Oid),
    Current(Oid),
    Last,
    /// The value, and whether it counts as given.
    Set(Oid, i64, bool),
}

/// What `pg_advisory_lock` and its relatives ask for. A key is `pg_locks`' classid, objid and objsubid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvisoryCall {
    Lock { key: (u32, u32, i16), shared: bool, transaction: bool, wait: bool },
    Unlock { key: (u32, u32, i16), shared: bool },
    UnlockAll,
}

/// Sizes that `pg_relation_size` and its relatives report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationSize {
    /// Rows alone.
    Main,
    /// Rows and what belongs to them, without indexes.
    Table,
    Indexes,
    Total,
}

/// What a privilege is asked for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivilegeOn {
    Relation(Oid),
    /// `attnum`; 0 asks for any column.
    Column(Oid, i16),
    Schema(Oid),
    Database,
    Function(Oid),
    Type(Oid),
    Language(Oid),
    Tablespace(Oid),
    Sequence(Oid),
    /// Membership in, or use of, a role.
    Role(Oid),
}

/// Names, OIDs and definitions of one snapshot. `None` is "no such object" throughout.
pub trait CatalogLookup: Send + Sync {
    /// `schema` `None` resolves through the search path.
    fn relation_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid>;
    /// (schema, name).
    fn relation_name(&self, relation: Oid) -> Option<(String, String)>;
    fn relation_visible(&self, relation: Oid) -> Option<bool>;
    /// Row types and domains of user objects; built-in types are facts and are not asked for here.
    fn type_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid>;
    fn type_name(&self, ty: Oid) -> Option<(String, String)>;
    fn type_visible(&self, ty: Oid) -> Option<bool>;
    fn namespace_oid(&self, name: &str) -> Option<Oid>;
    fn namespace_name(&self, namespace: Oid) -> Option<String>;
    fn role_oid(&self, name: &str) -> Option<Oid>;
    fn role_name(&self, role: Oid) -> Option<String>;
    fn database_oid(&self, name: &str) -> Option<Oid>;
    fn database_name(&self, database: Oid) -> Option<String>;
    fn column_number(&self, relation: Oid, column: &str) -> Option<i16>;
    fn column_name(&self, relation: Oid, attnum: i16) -> Option<String>;
    fn column_type(&self, relation: Oid, attnum: i16) -> Option<PgType>;
    /// `pg_get_viewdef`: the query of a view or materialized view.
    fn view_definition(&self, relation: Oid, pretty: bool) -> Option<String>;
    /// `sluice.explain_view`: how a materialized view is maintained, a line for each operator.
    fn view_plan(&self, _relation: Oid) -> Option<String> {
        None
    }
    /// `pg_get_indexdef`; `column` 0 is the whole `CREATE INDEX`.
    fn index_definition(&self, index: Oid, column: i32, pretty: bool) -> Option<String>;
    fn constraint_definition(&self, constraint: Oid, pretty: bool) -> Option<String>;
    /// `pg_get_expr`: a stored expression as the session's search path shows it.
    fn expression(&self, tree: &str) -> String {
        tree.to_owned()
    }
    /// `pg_get_serial_sequence`: the sequence that goes with a column.
    fn serial_sequence(&self, _relation: Oid, _attnum: i16) -> Option<String> {
        None
    }
    /// `obj_description` / `col_description`: `class` is the catalog's name (`pg_class`), `sub` the column or 0.
    fn description(&self, object: Oid, class: Option<&str>, sub: i32) -> Option<String>;
    /// `shobj_description`.
    fn shared_description(&self, object: Oid, class: &str) -> Option<String>;
    /// Whether `role` holds `privilege` (upper case, `SELECT`; ` WITH GRANT OPTION` cut off and passed as `grant`).
    /// `None` where the object does not exist.
    fn has_privilege(&self, role: Oid, on: PrivilegeOn, privilege: &str, grant: bool) -> Option<bool>;
    /// Bytes.
    fn relation_size(&self, relation: Oid, what: RelationSize) -> Option<i64>;
    fn database_size(&self) -> i64;
}

/// Carries a [`Context`] in `ConfigOptions::extensions`.
#[derive(Debug, Clone)]
pub struct SessionExtension(pub Arc<dyn Context>);

impl ConfigExtension for SessionExtension {
    const PREFIX: &'static str = "sluice_session";
}

impl ExtensionOptions for SessionExtension {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> datafusion::error::Result<()> {
        Err(PgError::internal(format!("a session has no option \"{key}\"")).into())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// The context of the statement that these options belong to.
pub fn context_of(config: &ConfigOptions) -> PgResult<&Arc<dyn Context>> {
    let extension = config.extensions.get::<SessionExtension>();
    extension.map(|e| &e.0).ok_or_else(|| PgError::internal("a function that needs a session ran without one"))
}
