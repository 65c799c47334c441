//! One client's session: its settings, transaction, prepared statements and cursors.

use super::access::{Acting, check_set_role};
use super::activity::Activity;
use super::advisory::SessionLocks;
use super::channels::{Mailbox, Pending};
use super::context::{Identity, StatementContext};
use super::cursor::Cursor;
use super::database::{Database, now_us};
use super::fair::Dropped;
use super::interrupt::{CancelHandle, Operation};
use super::past::{AS_OF, Travel};
use super::plan_cache::KeyRef;
use super::prepare::{Kind, Known, Needs, Preparation, Prepared};
use super::query::{Execution, QueryPlan};
use super::relations::Staged;
use super::sequences::SessionSequences;
use super::settings::Settings;
use super::template::Text;
use super::temporary::Temporaries;
use super::transaction::{Phase, Transaction, View};
use super::{CopyIn, CopyOptions, OutputColumn, explain};
use crate::engine::{BuiltIndexes, Commit};
use crate::pg_catalog::{Lookup, PreparedRow};
use crate::types::codec::TextSettings;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;
use pg_query::NodeEnum;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// How a session begins.
#[derive(Debug, Clone, Default)]
pub struct Startup {
    pub user: String,
    pub database: String,
    /// Settings from the startup packet, in order.
    pub settings: Vec<(String, String)>,
    pub backend_pid: i32,
    pub client: Option<SocketAddr>,
    pub server: Option<SocketAddr>,
}

/// The word of CommandComplete for a statement with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsTag {
    word: &'static str,
    counted: bool,
}

impl RowsTag {
    pub fn counted(word: &'static str) -> Self {
        Self { word, counted: true }
    }

    pub fn plain(word: &'static str) -> Self {
        Self { word, counted: false }
    }

    /// The whole tag after that many rows.
    pub fn with_count(self, rows: u64) -> String {
        match self.counted {
            true => format!("{} {rows}", self.word),
            false => self.word.to_owned(),
        }
    }
}

/// What a statement gives.
pub enum Outcome {
    Rows {
        columns: Arc<[OutputColumn]>,
        stream: SendableRecordBatchStream,
        tag: RowsTag,
    },
    /// `COPY … TO STDOUT`.
    CopyOut {
        columns: Arc<[OutputColumn]>,
        stream: SendableRecordBatchStream,
        options: CopyOptions,
    },
    /// `COPY … FROM STDIN`: see [`Session::copy_in`].
    CopyIn(CopyIn),
    Done {
        tag: String,
    },
    Empty,
}

impl Outcome {
    pub fn done(tag: &str) -> Self {
        Self::Done { tag: tag.to_owned() }
    }
}

/// Something to tell the client that is no error.
#[derive(Debug, Clone)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`.
    pub severity: &'static str,
    pub error: PgError,
}

/// Query strings above this are taken apart on the query runtime, for the sake of the other connections.
const LONG_TEXT: usize = 16 << 10;

pub struct Session {
    pub(super) database: Arc<Database>,
    pub(super) identity: Arc<Identity>,
    pub(super) settings: Arc<Mutex<Settings>>,
    pub(super) transaction: Transaction,
    pub(super) statements: HashMap<String, Arc<Prepared>>,
    pub(super) cursors: HashMap<String, Cursor>,
    notices: Vec<Notice>,
    /// Notices of a statement that goes on, where somebody listens.
    live_notices: Option<UnboundedSender<Notice>>,
    cancel: CancelHandle,
    operation: Option<Operation>,
    statement_us: i64,
    pub(super) derived: Derived,
    activity: Arc<Activity>,
    pub(super) temporary: Temporaries,
    pub(super) sequences: Arc<SessionSequences>,
    /// More of the protocol's messages wait before Sync: what a statement writes is committed there.
    pub(super) pipelined: bool,
    pub(super) acting: Acting,
    pub(super) mailbox: Arc<Mailbox>,
    /// LISTEN and NOTIFY that wait for COMMIT.
    pub(super) pending: Pending,
    /// Where `sluice.as_of` has brought the session.
    pub(super) travel: Option<Travel>,
    /// The advisory locks that it holds.
    pub(super) locks: Arc<SessionLocks>,
}

/// What follows from the settings, kept until they change.
pub(super) struct Derived {
    version: u64,
    text: TextSettings,
    literals: String,
    pub search_path: Vec<String>,
    /// `statement_timeout`, `idle_session_timeout`, `idle_in_transaction_session_timeout`.
    statement_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    idle_in_transaction_timeout: Option<Duration>,
    /// The moment in the past that is read.
    pub as_of: Option<String>,
}

impl Derived {
    fn of(settings: &Settings) -> Self {
        let value = |name| settings.raw(name).unwrap_or_default().to_owned();
        let (date, zone, interval) = (value("DateStyle"), value("TimeZone"), value("IntervalStyle"));
        let digits = value("extra_float_digits");
        Self {
            version: settings.version(),
            text: super::settings::text_settings(settings),
            literals: format!("{date}|{zone}|{interval}|{digits}"),
            search_path: settings.search_path(),
            statement_timeout: settings.duration("statement_timeout"),
            idle_timeout: settings.duration("idle_session_timeout"),
            idle_in_transaction_timeout: settings.duration("idle_in_transaction_session_timeout"),
            as_of: Some(value(AS_OF)).filter(|moment| !moment.is_empty()),
        }
    }
}

/// The text of a value of a type like regclass.
pub type ObjectNames = Box<dyn Fn(Oid, Oid) -> String + Send + Sync>;

/// Whether text of this type needs the catalog; regtype's names are facts.
pub fn shown_by_name(ty: Oid) -> bool {
    oid::is_reg_type(ty) && ty != oid::REGTYPE
}

impl Session {
    pub(super) fn new(database: Arc<Database>, startup: Startup) -> PgResult<Self> {
        let snapshot = database.storage.snapshot();
        let role = snapshot.catalog().roles().named(&startup.user).cloned();
        let known = role.is_some();
        let (mut settings, mut become_role) = (Vec::new(), None);
        let of_role = role.iter().flat_map(|role| &role.settings);
        for (setting, value) in of_role.chain(startup.settings.iter().map(|(name, value)| (name, value))) {
            match setting.eq_ignore_ascii_case("role") {
                true => become_role = Some(value.clone()),
                false => settings.push((setting.clone(), value.clone())),
            }
        }
        let mut settings = Settings::new(&startup.user, &settings)?;
        if let Some(role) = become_role {
            check_set_role(snapshot.catalog(), &startup.user, known, &role)?;
            settings.become_role(&role);
        }
        let derived = Derived::of(&settings);
        let Startup { user, database: name, backend_pid, client, server, .. } = startup;
        let identity = Arc::new(Identity { user, known, database: name, backend_pid, client, server });
        let settings = Arc::new(Mutex::new(settings));
        let cancel = CancelHandle::default();
        let mailbox = Arc::new(Mailbox::default());
        let (about, heard) = (Arc::clone(&identity), Arc::clone(&mailbox));
        let activity = Arc::new(Activity::new(about, Arc::clone(&settings), cancel.clone(), heard));
        database.activities.add(&activity);
        let locks = Arc::new(SessionLocks::new(Arc::clone(&database.locks), backend_pid));
        let mut session = Self {
            database,
            identity,
            settings,
            activity,
            transaction: Transaction::idle(),
            statements: HashMap::new(),
            cursors: HashMap::new(),
            notices: Vec::new(),
            live_notices: None,
            cancel,
            operation: None,
            statement_us: now_us(),
            derived,
            temporary: Temporaries::default(),
            sequences: Arc::default(),
            pipelined: false,
            acting: Acting::nobody(),
            mailbox,
            pending: Pending::default(),
            travel: None,
            locks,
        };
        session.refresh_acting();
        Ok(session)
    }

    // What the protocol asks between statements.

    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Somebody has ended the session.
    pub fn is_terminated(&self) -> bool {
        self.activity.is_terminated()
    }

    /// `I`dle, in a `T`ransaction, in a failed one (`E`).
    pub fn transaction_status(&self) -> u8 {
        self.transaction.status()
    }

    /// Changes whenever a transaction ends.
    pub fn transaction_number(&self) -> u64 {
        self.transaction.number
    }

    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Gives the notices that come while a statement runs.
    pub fn live_notices(&mut self) -> UnboundedReceiver<Notice> {
        let (sender, receiver) = unbounded_channel();
        self.live_notices = Some(sender);
        receiver
    }

    pub fn take_parameter_changes(&mut self) -> Vec<(&'static str, String)> {
        self.settings.lock().take_changes()
    }

    /// What shows the values of these columns that stand for objects (regclass, regrole, …); `None` where there is none.
    pub fn object_names(&mut self, columns: &[OutputColumn]) -> Option<ObjectNames> {
        if !columns.iter().any(|column| shown_by_name(column.ty.pg.oid)) {
            return None;
        }
        let view = self.view();
        let context = self.context(&view);
        Some(Box::new(move |ty, value| crate::kernels::reg_out(&*context, ty, value)))
    }

    pub fn text_settings(&mut self) -> TextSettings {
        self.refresh();
        self.derived.text
    }

    /// How long the client may be silent now, and what it hears after that.
    pub fn idle_limit(&mut self) -> Option<(Duration, PgError)> {
        self.refresh();
        match self.transaction.phase {
            Phase::Idle | Phase::Implicit => {
                let limit = self.derived.idle_timeout?;
                let message = "terminating connection due to idle-session timeout";
                Some((limit, PgError::new(SqlState(*b"57P05"), message)))
            }
            Phase::Block | Phase::Failed => {
                let limit = self.derived.idle_in_transaction_timeout?;
                let message = "terminating connection due to idle-in-transaction timeout";
                Some((limit, PgError::new(SqlState(*b"25P03"), message)))
            }
        }
    }

    /// A statement begins: from here `statement_timeout` counts, and a cancel means it.
    pub fn begin_statement(&mut self) -> Operation {
        self.refresh_acting();
        self.statement_us = now_us();
        let operation = self.cancel.begin(self.derived.statement_timeout.map(|t| Instant::now() + t));
        self.operation = Some(operation.clone());
        self.activity.begin(self.statement_us, self.transaction_us());
        operation
    }

    /// Nothing runs any more.
    pub fn end_statement(&mut self) {
        if self.operation.take().is_some() {
            self.cancel.end();
            self.activity.end(self.transaction.status(), self.transaction_us());
        }
    }

    /// When the transaction block began, where there is one.
    fn transaction_us(&self) -> Option<i64> {
        (self.transaction.phase != Phase::Idle).then_some(self.transaction.started_us)
    }

    pub(super) fn refresh(&mut self) {
        let version = self.settings.lock().version();
        if version != self.derived.version {
            self.refresh_acting();
        }
    }

    /// Reads the settings anew.
    pub(super) fn derive(&mut self) {
        self.derived = Derived::of(&self.settings.lock());
    }

    fn operation(&mut self) -> Operation {
        match &self.operation {
            Some(operation) => operation.clone(),
            None => self.begin_statement(),
        }
    }

    pub(super) fn notice(&mut self, severity: &'static str, error: PgError) {
        if self.wants(severity) {
            self.notices.push(Notice { severity, error });
        }
    }

    /// Whether `client_min_messages` lets a notice pass.
    fn wants(&self, severity: &str) -> bool {
        match (self.settings.lock().raw("client_min_messages").unwrap_or_default(), severity) {
            (_, "INFO") => true,
            ("error", _) => false,
            ("warning", "NOTICE") => false,
            _ => true,
        }
    }

    // Text to statements.

    /// Where the statements of a query string are; none for an empty one.
    pub async fn split(&mut self, sql: &str) -> PgResult<Vec<Range<usize>>> {
        self.refresh();
        // What is in the cache is one statement.
        let view = self.view();
        if self.cached(sql, &[], &view).is_some() {
            return Ok(vec![Range { start: 0, end: sql.len() }]);
        }
        let statements = match sql.len() > LONG_TEXT {
            true => {
                let text = sql.to_owned();
                let task = self.database.runtime().spawn_blocking(move || crate::bind::parse(&text));
                task.await.map_err(|e| PgError::internal(format!("a query could not be parsed: {e}")))??
            }
            false => crate::bind::parse(sql)?,
        };
        if let [only] = &statements[..] {
            // Kept whole, so that the next time it is found.
            if !only.text.is_empty() {
                return Ok(vec![Range { start: 0, end: sql.len() }]);
            }
        }
        Ok(statements.iter().map(|s| Range { start: s.offset, end: s.offset + s.text.len() }).collect())
    }

    fn cached(&self, sql: &str, params: &[Oid], view: &View) -> Option<Arc<Prepared>> {
        if view.changed {
            return None;
        }
        self.database.plans.get(self.key(sql, params, view))
    }

    /// Understands one statement (or none). `param_types`: OIDs of the parameters that the client declares, 0 where
    /// it leaves the type open.
    pub async fn parse(&mut self, sql: &str, param_types: &[Oid]) -> PgResult<Arc<Prepared>> {
        let operation = self.operation();
        self.activity.query(sql);
        operation.guard(self.settle_past()).await?;
        let failed = self.transaction.phase == Phase::Failed;
        let view = self.view();
        let prepared = match self.cached(sql, param_types, &view) {
            Some(prepared) => {
                self.database.metrics.plan_cache_hits.fetch_add(1, Ordering::Relaxed);
                prepared
            }
            // Nothing but the end of the transaction is understood in a failed one.
            None if failed => {
                let preparation = self.preparation(&view, param_types);
                let statements = crate::bind::parse(sql)?;
                if statements.iter().any(|s| !super::utility::ends_transaction(&s.node)) {
                    return Err(in_failed_transaction());
                }
                Arc::new(preparation.prepare(sql, &|_| None)?)
            }
            None => {
                self.database.metrics.plan_cache_misses.fetch_add(1, Ordering::Relaxed);
                let preparing = self.prepare(sql, param_types, &view);
                let prepared = operation.guard(preparing).await??;
                self.keep(sql, param_types, &view, &prepared);
                prepared
            }
        };
        self.may_run(&prepared)?;
        self.check_schemas(&prepared.needed)?;
        Ok(prepared)
    }

    /// The result of a text that was understood before, or whose like was, where it needs no running.
    pub fn answer(&mut self, sql: &str) -> PgResult<Option<Ready>> {
        if self.transaction.phase == Phase::Failed {
            return Ok(None);
        }
        let view = self.view();
        let (prepared, params) = match self.cached(sql, &[], &view) {
            Some(prepared) => (prepared, Vec::new()),
            None => {
                let Some(text) = Text::of(sql) else { return Ok(None) };
                let Some(prepared) = self.template(&text, &view) else { return Ok(None) };
                let Some(values) = text.values(&prepared.params) else { return Ok(None) };
                (prepared, values)
            }
        };
        self.activity.query(sql);
        self.check_schemas(&prepared.needed)?;
        let ready = self.ready(&prepared, &params)?;
        if ready.is_some() {
            self.database.metrics.plan_cache_hits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(ready)
    }

    fn template(&self, text: &Text, view: &View) -> Option<Arc<Prepared>> {
        (!view.changed).then(|| self.database.templates.get(self.key(&text.shape, &[], view)))?
    }

    fn key<'a>(&'a self, text: &'a str, params: &'a [Oid], view: &View) -> KeyRef<'a> {
        let (search_path, literals) = (&self.derived.search_path, &self.derived.literals);
        KeyRef { text, params, search_path, literals, catalog_version: view.catalog.version() }
    }

    /// The result of a query that needs no running: constants, the row of a key, a result that was kept.
    pub fn ready(&mut self, prepared: &Prepared, params: &[ScalarValue]) -> PgResult<Option<Ready>> {
        let Kind::Query(query) = &prepared.kind else { return Ok(None) };
        if query.direct.is_none() && query.kept.is_none() || params.len() < prepared.params.len() {
            return Ok(None);
        }
        self.refresh();
        let view = self.view();
        if self.transaction.phase == Phase::Failed || !self.is_current(prepared, &view) {
            return Ok(None);
        }
        self.check_needed(&prepared.needed)?;
        let Some(batches) = self.at_hand(query, &view, params)? else { return Ok(None) };
        self.database.metrics.queries_started.fetch_add(1, Ordering::Relaxed);
        let columns = prepared.columns.clone().unwrap_or_default();
        Ok(Some(Ready { columns, batches, tag: RowsTag::counted("SELECT") }))
    }

    /// Whether the statement means now what it meant when it was prepared.
    fn is_current(&self, prepared: &Prepared, view: &View) -> bool {
        let needs = &prepared.needs;
        needs.catalog_version == view.catalog.version()
            && needs.search_path == self.derived.search_path
            && needs.literals == self.derived.literals
    }

    fn keep(&self, sql: &str, params: &[Oid], view: &View, prepared: &Arc<Prepared>) {
        if view.changed || !prepared.is_shared() || matches!(prepared.kind, Kind::Empty) {
            return;
        }
        if params.is_empty()
            && let Some(text) = Text::of(sql)
            && let Some(template) = text.learn(prepared, &view.catalog)
        {
            self.database.templates.put(self.key(&text.shape, &[], view), Arc::new(template));
        }
        let evicted = self.database.plans.put(self.key(sql, params, view), Arc::clone(prepared));
        self.database.metrics.plan_cache_evictions.fetch_add(evicted as u64, Ordering::Relaxed);
    }

    pub(super) fn preparation(&self, view: &View, declared: &[Oid]) -> Preparation {
        Preparation {
            database: Arc::clone(&self.database),
            view: view.clone(),
            needs: Needs {
                declared: declared.to_vec(),
                catalog_version: view.catalog.version(),
                search_path: self.derived.search_path.clone(),
                literals: self.derived.literals.clone(),
                at_us: self.statement_us,
            },
            text: self.derived.text,
            access: Arc::clone(&self.acting.access),
            guests: Mutex::default(),
        }
    }

    /// On the query runtime, which binding and optimizing belong to.
    fn prepare(
        &self,
        sql: &str,
        declared: &[Oid],
        view: &View,
    ) -> impl Future<Output = PgResult<Arc<Prepared>>> + Send + use<> {
        let preparation = self.preparation(view, declared);
        let sql = sql.to_owned();
        let known = self.known_columns();
        let task = self.database.runtime().spawn(async move {
            let known = move |node: &NodeEnum| known.find(node);
            preparation.prepare(&sql, &known)
        });
        async move {
            let prepared = task.await;
            prepared.map_err(|e| PgError::internal(format!("a statement could not be prepared: {e}")))?.map(Arc::new)
        }
    }

    fn known_columns(&self) -> OwnObjects {
        OwnObjects {
            statements: self.statements.iter().map(|(n, p)| (n.clone(), p.columns.clone())).collect(),
            cursors: self.cursors.iter().map(|(n, c)| (n.clone(), Arc::clone(&c.columns))).collect(),
        }
    }

    /// What a cursor made by DECLARE gives.
    pub fn cursor_columns(&self, name: &str) -> Option<Arc<[OutputColumn]>> {
        self.cursors.get(name).map(|cursor| Arc::clone(&cursor.columns))
    }

    /// Whether this is a FETCH from a cursor that was declared BINARY.
    pub fn fetches_binary(&self, prepared: &Prepared) -> bool {
        let Kind::Utility(node) = &prepared.kind else { return false };
        let NodeEnum::FetchStmt(fetch) = &**node else { return false };
        self.cursors.get(&fetch.portalname).is_some_and(|cursor| cursor.options.binary)
    }

    /// A statement made by PREPARE.
    pub fn prepared(&self, name: &str) -> Option<Arc<Prepared>> {
        self.statements.get(name).cloned()
    }

    /// `25P02` where the transaction has failed and this does not end it.
    pub fn may_run(&self, prepared: &Prepared) -> PgResult<()> {
        match self.transaction.phase == Phase::Failed && !prepared.ends_transaction() {
            true => Err(in_failed_transaction()),
            false => Ok(()),
        }
    }

    // Statements to outcomes.

    /// What this statement reads.
    pub(super) fn view(&mut self) -> View {
        let past = self.travel.as_ref().filter(|_| self.derived.as_of.is_some()).and_then(Travel::snapshot);
        if let Some(snapshot) = past {
            let (snapshot, catalog) = (Arc::clone(snapshot), Arc::clone(snapshot.catalog()));
            return View { snapshot, catalog, changed: false, written: Arc::default() };
        }
        self.present()
    }

    /// What a statement reads that is not about the past.
    pub(super) fn present(&mut self) -> View {
        let database = &self.database;
        let mut view = self.transaction.view(|| database.storage.snapshot());
        if !self.temporary.is_empty() {
            if self.transaction.changed_catalog().is_none() {
                view.catalog = self.temporary.over(&view.catalog);
            }
            view.changed = true;
            if self.transaction.phase == Phase::Idle {
                view.written = Arc::new(self.temporary.overlays());
            }
        }
        view
    }

    /// Whether the protocol has more for this transaction.
    pub fn set_pipelined(&mut self, pipelined: bool) {
        self.pipelined = pipelined;
    }

    pub async fn execute(&mut self, prepared: &Arc<Prepared>, params: Vec<ScalarValue>) -> PgResult<Outcome> {
        if params.len() < prepared.params.len() {
            let message = format!("there is no parameter ${}", params.len() + 1);
            return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, message));
        }
        self.may_run(prepared)?;
        let operation = self.operation();
        operation.guard(self.settle_past()).await?;
        if let Some(travel) = self.travel.as_ref().filter(|_| !matches!(prepared.kind, Kind::Empty | Kind::Utility(_)))
        {
            travel.check()?;
        }
        let prepared = self.current(prepared, &operation).await?;
        self.check_needed(&prepared.needed)?;
        match &prepared.kind {
            Kind::Empty => Ok(Outcome::Empty),
            Kind::Query(query) => {
                let stream = self.rows(query, params)?;
                let columns = prepared.columns.clone().unwrap_or_default();
                Ok(Outcome::Rows { columns, stream, tag: RowsTag::counted("SELECT") })
            }
            Kind::Explain { query, options } => {
                let columns = prepared.columns.clone().unwrap_or_default();
                let execution = self.execution(query, params);
                operation.guard(explain::run(execution, columns, *options)).await?
            }
            Kind::CopyOut { query, columns, options } => {
                let stream = self.rows(query, params)?;
                Ok(Outcome::CopyOut { columns: Arc::clone(columns), stream, options: options.clone() })
            }
            Kind::CopyIn { plan, columns, options } => {
                self.writable("COPY FROM")?;
                let (plan, columns) = (Arc::clone(plan), Arc::clone(columns));
                Ok(Outcome::CopyIn(CopyIn { plan, columns, options: options.clone() }))
            }
            Kind::Declare { query, columns, name, options } => {
                if self.transaction.phase == Phase::Idle && !options.hold {
                    let message = "DECLARE CURSOR can only be used in transaction blocks";
                    return Err(PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
                }
                if self.cursors.contains_key(name) {
                    let message = format!("cursor \"{name}\" already exists");
                    return Err(PgError::new(SqlState::DUPLICATE_CURSOR, message));
                }
                let stream = self.rows(query, params)?;
                self.cursors.insert(name.clone(), Cursor::new(Arc::clone(columns), stream, *options, &prepared.text));
                Ok(Outcome::done("DECLARE CURSOR"))
            }
            Kind::Write(plan) => Box::pin(self.write(plan, params, &operation)).await,
            Kind::Utility(node) => self.utility(node, &prepared.text, &operation).await,
        }
    }

    /// The statement as it is for the catalog and settings of now.
    async fn current(&mut self, prepared: &Arc<Prepared>, operation: &Operation) -> PgResult<Arc<Prepared>> {
        if matches!(prepared.kind, Kind::Empty | Kind::Utility(_)) {
            return Ok(Arc::clone(prepared));
        }
        self.refresh();
        let view = self.view();
        if self.is_current(prepared, &view) {
            return Ok(Arc::clone(prepared));
        }
        // With the types that the parameters were decoded to.
        let types: Vec<Oid> = prepared.params.iter().map(|p| p.oid).collect();
        let again = match self.cached(&prepared.text, &types, &view) {
            Some(again) => again,
            None => {
                let preparing = self.prepare(&prepared.text, &types, &view);
                let again = operation.guard(preparing).await??;
                self.keep(&prepared.text, &types, &view, &again);
                again
            }
        };
        let shape = |p: &Prepared| -> Option<Vec<(String, PgType)>> {
            p.columns.as_ref().map(|columns| columns.iter().map(|c| (c.name.clone(), c.ty.pg)).collect())
        };
        if shape(&again) != shape(prepared) {
            let message = "cached plan must not change result type";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        Ok(again)
    }

    /// The rows of a query that needs no running.
    fn at_hand(&self, query: &QueryPlan, view: &View, params: &[ScalarValue]) -> PgResult<Option<Vec<RecordBatch>>> {
        if !is_settled(view) {
            return Ok(None);
        }
        if let Some(direct) = &query.direct
            && let Some(rows) = direct.run(&*view.snapshot, params)?
        {
            return Ok(Some(vec![rows]));
        }
        let Some(kept) = query.kept.as_ref().filter(|kept| !kept.is_empty()) else { return Ok(None) };
        let asker = || super::context::asker(&self.identity, &self.acting.access);
        let versions = kept.versions(view, &self.database.system_rows, asker);
        Ok(versions.and_then(|versions| kept.get(&versions)))
    }

    /// The result of a query, on its way.
    fn rows(&mut self, query: &Arc<QueryPlan>, params: Vec<ScalarValue>) -> PgResult<SendableRecordBatchStream> {
        let view = self.view();
        if let Some(batches) = self.at_hand(query, &view, &params)? {
            self.database.metrics.queries_started.fetch_add(1, Ordering::Relaxed);
            return Ok(super::query::ready_all(Arc::clone(query.plan.schema().inner()), batches));
        }
        let keep = query.kept.is_some() && is_settled(&view);
        // Over the very view that the result would be kept for.
        let mut execution = self.execution_over(view, query, params);
        execution.keep = keep;
        Ok(execution.start())
    }

    pub(super) fn execution(&mut self, query: &Arc<QueryPlan>, params: Vec<ScalarValue>) -> Execution {
        let view = self.view();
        self.execution_over(view, query, params)
    }

    fn execution_over(&self, view: View, query: &Arc<QueryPlan>, params: Vec<ScalarValue>) -> Execution {
        let context = self.context(&view);
        let database = Arc::clone(&self.database);
        let (query, staged) = (Arc::clone(query), Staged::default());
        Execution { database, view, context, query, params, staged, keep: false }
    }

    fn context(&self, view: &View) -> Arc<StatementContext> {
        let exists = |name: &&String| view.catalog.namespace_named(name).is_some();
        let search_path: Vec<String> = self.derived.search_path.iter().filter(exists).cloned().collect();
        let idle = self.transaction.phase == Phase::Idle;
        let transaction_id = match idle {
            true => self.database.next_transaction.fetch_add(1, Ordering::Relaxed),
            false => self.transaction.id,
        };
        Arc::new(StatementContext {
            database: Arc::clone(&self.database),
            identity: Arc::clone(&self.identity),
            acting: self.acting.clone(),
            settings: Arc::clone(&self.settings),
            lookup: Lookup::new(
                Arc::clone(&view.catalog),
                search_path.clone().into(),
                self.identity.database.as_str().into(),
                self.database.activities.users(&self.identity.user).into(),
                view.snapshot.sizes(),
            )
            .with_plans(view.snapshot.plans()),
            catalog: Arc::clone(&view.catalog),
            sequences: Arc::clone(&self.sequences),
            mailbox: Arc::clone(&self.mailbox),
            pending: Arc::clone(&self.pending),
            locks: Arc::clone(&self.locks),
            search_path,
            prepared: self.statements.iter().map(|(name, p)| prepared_row(name, p)).collect(),
            cursors: self.cursors.iter().map(|(name, c)| c.row(name)).collect(),
            transaction_us: if idle { self.statement_us } else { self.transaction.started_us },
            statement_us: self.statement_us,
            start_us: self.database.started_us,
            transaction_id,
            dropped: Dropped::default(),
        })
    }

    pub(super) fn text(&self) -> TextSettings {
        self.derived.text
    }

    pub(super) fn search_path(&self) -> &[String] {
        &self.derived.search_path
    }

    // Transactions.

    pub(super) fn begin(&mut self, phase: Phase) {
        let id = self.database.next_transaction.fetch_add(1, Ordering::Relaxed);
        let saved = self.settings.lock().save();
        self.transaction.begin(phase, id, self.statement_us, saved);
        self.temporary.lend(&mut self.transaction);
    }

    /// The statements of a simple query are one transaction.
    pub fn begin_implicit(&mut self) {
        if self.transaction.phase == Phase::Idle {
            self.begin(Phase::Implicit);
        }
    }

    /// The end of a simple query, or Sync: what is not in a block is committed.
    pub async fn end_implicit(&mut self) -> PgResult<()> {
        match self.transaction.phase {
            Phase::Implicit => self.commit().await,
            Phase::Idle => {
                let room = self.check_room();
                self.end(room.is_ok());
                room?;
                match self.sequences.take_moved() {
                    true => self.database.keep_sequences().await,
                    false => Ok(()),
                }
            }
            Phase::Block | Phase::Failed => Ok(()),
        }
    }

    /// The client was told of an error: what was begun is lost.
    pub fn fail(&mut self) {
        self.end_statement();
        match self.transaction.phase {
            Phase::Block | Phase::Failed => self.transaction.phase = Phase::Failed,
            Phase::Idle | Phase::Implicit => self.end(false),
        }
    }

    /// Applies what the transaction changed; it is over even if that fails.
    pub(super) async fn commit(&mut self) -> PgResult<()> {
        let prepared = match self.check_room().and_then(|()| self.check_deferred()) {
            Ok(()) => {
                // Before there is anything that cannot be called off any more.
                let building = Box::pin(build_indexes(Arc::clone(&self.database), self.transaction.new_indexes()));
                match &self.operation {
                    Some(operation) => operation.guard(building).await.and_then(|built| built),
                    None => building.await,
                }
            }
            Err(error) => Err(error),
        };
        let made = self.transaction.made();
        let commit = prepared.and_then(|built| {
            let commit = self.transaction.take_commit()?;
            Ok(commit.map(|commit| Commit { built, ..commit }))
        });
        let applied = match commit {
            Ok(Some(commit)) => {
                if commit.change.is_some() {
                    self.database.metrics.catalog_changes.fetch_add(1, Ordering::Relaxed);
                }
                let live = self.live_notices.clone().filter(|_| !made.is_empty() && self.wants("NOTICE"));
                let database = Arc::clone(&self.database);
                let filled = made.clone();
                let applied = told_while_filling(&database, live, made, database.storage.commit(commit));
                match &self.operation {
                    // As PostgreSQL when somebody will not wait for a standby any longer, but not as a success.
                    Some(operation) => match operation.guard(applied).await {
                        Ok(applied) => applied,
                        Err(stopped) if taken_back(&database, &filled).await => Err(stopped),
                        Err(stopped) => {
                            Err(stopped.detail("The change may be visible already; it is not known to be durable."))
                        }
                    },
                    None => applied.await,
                }
            }
            Ok(None) if self.sequences.take_moved() => self.database.keep_sequences().await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        self.end(applied.is_ok());
        applied
    }

    /// The transaction is over.
    pub(super) fn end(&mut self, committed: bool) {
        if self.transaction.phase != Phase::Idle
            && let Err(error) = self.temporary.take_back(&mut self.transaction, committed)
        {
            // Only what was read before is written again; where that fails the rows are gone, and that must be seen.
            tracing::error!(%error, "temporary tables are lost");
        }
        let saved = self.transaction.end();
        let mut settings = self.settings.lock();
        if let (Some(saved), false) = (saved, committed) {
            settings.restore(saved);
        }
        settings.end_transaction();
        drop(settings);
        self.locks.end_transaction();
        self.cursors.retain(|_, cursor| cursor.options.hold && committed);
        self.finish_pending(committed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.locks.close();
    }
}

/// A result that was there already.
pub struct Ready {
    pub columns: Arc<[OutputColumn]>,
    pub batches: Vec<RecordBatch>,
    pub tag: RowsTag,
}

/// Whether the transaction itself has written nothing: that is not in the snapshot.
fn is_settled(view: &View) -> bool {
    view.written.is_empty() && !view.changed
}

/// Whether what a commit made is gone again: it was called off while views of it were being filled, which takes them back.
async fn taken_back(database: &Database, made: &[Oid]) -> bool {
    let newest = || database.storage.snapshot();
    let filling = newest().filling().iter().any(|filling| made.contains(&filling.oid));
    let (Some(mut ticks), true) = (database.storage.ticks(), filling) else { return false };
    let gone = ticks.wait_for(|_| made.iter().all(|oid| newest().catalog().relation(*oid).is_none()));
    tokio::time::timeout(TAKEN_BACK, gone).await.is_ok_and(|seen| seen.is_ok())
}

/// How long a client that has called off its statement waits to hear that nothing is left of it.
const TAKEN_BACK: Duration = Duration::from_secs(2);

/// Indexes of large tables that a commit is about to ask for.
async fn build_indexes(database: Arc<Database>, wanted: Vec<(Oid, Vec<usize>)>) -> PgResult<BuiltIndexes> {
    match wanted.is_empty() {
        true => Ok(BuiltIndexes::new()),
        false => database.storage.build_indexes(wanted).await,
    }
}

/// How often a client hears how far the views are that its statement fills.
const PROGRESS_STEP: Duration = Duration::from_secs(1);

/// Awaits a commit, and says meanwhile how far those of the relations `made` are that it fills.
async fn told_while_filling(
    database: &Database,
    live: Option<UnboundedSender<Notice>>,
    made: Vec<Oid>,
    applied: impl Future<Output = PgResult<()>>,
) -> PgResult<()> {
    let Some(live) = live else { return applied.await };
    let mut applied = std::pin::pin!(applied);
    loop {
        tokio::select! {
            biased;
            done = &mut applied => return done,
            () = tokio::time::sleep(PROGRESS_STEP) => {}
        }
        let snapshot = database.storage.snapshot();
        for filling in snapshot.filling().into_iter().filter(|filling| made.contains(&filling.oid)) {
            let catalog = snapshot.catalog();
            let Some(relation) = catalog.relation(filling.oid) else { continue };
            let name = catalog.qualified_name(relation);
            let message = match filling.rows {
                Some((read, all)) => {
                    let percent = (read * 100).checked_div(all).unwrap_or(100).min(100);
                    format!("materialized view \"{name}\" is being filled: {read} of {all} rows read ({percent} %)")
                }
                None => format!("materialized view \"{name}\" waits to be filled"),
            };
            let error = PgError::new(SqlState(*b"00000"), message);
            // Whoever listened has gone, and what he waits for with him.
            drop(live.send(Notice { severity: "NOTICE", error }));
        }
    }
}

/// Columns of the session's own statements and cursors, for Describe of EXECUTE and FETCH.
struct OwnObjects {
    statements: HashMap<String, Option<Arc<[OutputColumn]>>>,
    cursors: HashMap<String, Arc<[OutputColumn]>>,
}

impl OwnObjects {
    fn find(&self, node: &NodeEnum) -> Option<Known> {
        let columns = match node {
            NodeEnum::ExecuteStmt(s) => self.statements.get(&s.name)?.clone(),
            NodeEnum::FetchStmt(s) if !s.ismove => self.cursors.get(&s.portalname).cloned(),
            _ => None,
        };
        Some(Known { columns })
    }
}

fn prepared_row(name: &str, prepared: &Prepared) -> PreparedRow {
    PreparedRow {
        name: name.to_owned(),
        statement: prepared.text.clone(),
        prepared_us: prepared.needs.at_us,
        parameter_types: prepared.params.iter().map(|p| p.oid).collect(),
        from_sql: true,
    }
}

fn in_failed_transaction() -> PgError {
    let message = "current transaction is aborted, commands ignored until end of transaction block";
    PgError::new(SqlState::IN_FAILED_TRANSACTION, message)
}

/// Columns of type text.
pub(super) fn text_columns(names: &[&str]) -> Arc<[OutputColumn]> {
    let column = |name: &&str| OutputColumn {
        name: (*name).to_owned(),
        ty: ExprType::of(PgType::new(oid::TEXT)),
        table: oid::INVALID,
        attnum: 0,
    };
    names.iter().map(column).collect()
}

/// Rows of such columns.
pub(super) fn text_batch(columns: &[OutputColumn], rows: Vec<Vec<Option<String>>>) -> PgResult<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, DataType::Utf8, true)).collect();
    let arrays = (0..columns.len()).map(|i| {
        let values = rows.iter().map(|row| row.get(i).and_then(Option::as_deref));
        Arc::new(StringArray::from_iter(values)) as ArrayRef
    });
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?)
}
