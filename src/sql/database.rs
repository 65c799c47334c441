//! What all sessions share: storage, the query runtime, memory, the plan cache.

use super::activity::Activities;
use super::advisory::AdvisoryLocks;
use super::channels::Channels;
use super::effort::Effort;
use super::plan_cache::PlanCache;
use super::session::{Outcome, Session, Startup};
use super::storage::{CatalogChange, Storage, StorageSnapshot};
use crate::bind;
use crate::engine::{Commit, give_way};
use crate::pg_catalog::RowCache;
use crate::source::SourceStatus;
use crate::types::{PgError, PgResult};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::StreamExt;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::{Handle, Runtime};

#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// Threads that execute queries.
    pub query_threads: usize,
    /// Bytes that all queries together may hold; beyond it a query fails with `53200`.
    pub memory_limit: usize,
    /// Plans that are kept.
    pub plan_cache: usize,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { query_threads: cores, memory_limit: 1 << 30, plan_cache: 1024 }
    }
}

/// Counters since start.
#[derive(Debug, Default)]
pub struct DatabaseMetrics {
    pub plan_cache_hits: AtomicU64,
    pub plan_cache_misses: AtomicU64,
    pub plan_cache_evictions: AtomicU64,
    pub queries_started: AtomicU64,
    pub catalog_changes: AtomicU64,
}

pub struct Database {
    pub(super) storage: Box<dyn Storage>,
    pub(super) sources: Vec<Arc<SourceStatus>>,
    pub(super) plans: PlanCache,
    /// The same for texts that differ in constants only: see [`super::template`].
    pub(super) templates: PlanCache,
    pub(super) system_rows: RowCache,
    pub metrics: DatabaseMetrics,
    pub(super) state: SessionState,
    /// µs since 1970.
    pub(super) started_us: i64,
    pub(super) next_transaction: AtomicI64,
    pub(super) query_threads: usize,
    pub(super) activities: Activities,
    pub(super) locks: Arc<AdvisoryLocks>,
    pub(super) channels: Channels,
    /// Roles whose passwords are in the configuration.
    configured: OnceLock<Vec<String>>,
    runtime: Option<Runtime>,
    /// Where queries run that may take long: other threads, to which the system prefers all others.
    long: Option<Runtime>,
}

impl Database {
    /// `sources`: what `sluice.sources` and its relatives report.
    pub fn new(
        storage: impl Storage,
        sources: Vec<Arc<SourceStatus>>,
        options: DatabaseOptions,
    ) -> PgResult<Arc<Self>> {
        let threads = options.query_threads.max(1);
        let runtime = query_threads("sluice-query", threads, || {})?;
        // Twice as many: operators that do not yield hold a thread each.
        let long = query_threads("sluice-long", 2 * threads, give_way)?;
        let environment = environment(options.memory_limit)?;
        Ok(Arc::new(Self {
            storage: Box::new(storage),
            sources,
            plans: PlanCache::new(options.plan_cache),
            templates: PlanCache::new(options.plan_cache),
            system_rows: RowCache::default(),
            metrics: DatabaseMetrics::default(),
            state: bind::session_state(bind::optimize::session_config(options.query_threads), environment),
            started_us: now_us(),
            next_transaction: AtomicI64::new(1),
            query_threads: options.query_threads.max(1),
            activities: Activities::default(),
            locks: Arc::default(),
            channels: Channels::default(),
            configured: OnceLock::new(),
            runtime: Some(runtime),
            long: Some(long),
        }))
    }

    pub fn session(self: &Arc<Self>, startup: Startup) -> PgResult<Session> {
        Session::new(Arc::clone(self), startup)
    }

    /// Makes roles of the users of the configuration, superusers where they are new. Errors: what a commit says.
    pub async fn configure_users(&self, names: Vec<String>) -> PgResult<()> {
        let snapshot = self.storage.snapshot();
        let missing = names.iter().any(|name| snapshot.catalog().roles().named(name).is_none());
        let _ = self.configured.set(names.clone());
        if !missing {
            return Ok(());
        }
        let change: CatalogChange = Box::new(move |catalog| super::roles::ensure_users(catalog, &names));
        self.storage.commit(Commit { change: Some(change), ..Commit::default() }).await
    }

    pub(super) fn has_configured_password(&self, role: &str) -> bool {
        self.configured.get().is_some_and(|names| names.iter().any(|name| name == role))
    }

    /// Sessions that this role has.
    pub fn sessions_of(&self, role: &str) -> usize {
        self.activities.count(role)
    }

    /// Runs the statements of a script, as one transaction, in a session of its own.
    pub async fn run_script(self: &Arc<Self>, sql: &str) -> PgResult<()> {
        let startup = Startup { user: "sluice".into(), database: "sluice".into(), ..Startup::default() };
        let mut session = self.session(startup)?;
        let statements = session.split(sql).await?;
        session.begin_implicit();
        for range in statements {
            let start = range.start;
            // Positions are the whole script's.
            let located = |mut error: PgError| {
                if let Some(position) = error.rest.as_mut().and_then(|rest| rest.position.as_mut()) {
                    *position += start;
                }
                error
            };
            session.begin_statement();
            let prepared = session.parse(&sql[range], &[]).await.map_err(located)?;
            if let Outcome::Rows { mut stream, .. } = session.execute(&prepared, Vec::new()).await.map_err(located)? {
                while let Some(batch) = stream.next().await {
                    batch.map_err(PgError::from)?;
                }
            }
        }
        session.end_implicit().await
    }

    /// The newest tick's state, for whoever reports about it.
    pub fn snapshot(&self) -> Arc<dyn StorageSnapshot> {
        self.storage.snapshot()
    }

    /// Plans in the cache.
    pub fn cached_plans(&self) -> usize {
        self.plans.len()
    }

    pub(super) fn runtime(&self) -> &Handle {
        self.runtime.as_ref().expect("the runtime is only taken on drop").handle()
    }

    /// The threads for queries of this effort.
    pub(super) fn runtime_for(&self, effort: Effort) -> &Handle {
        match (effort, &self.long) {
            (Effort::Long, Some(long)) => long.handle(),
            _ => self.runtime(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Dropping a runtime inside another one's task panics; its queries were stopped with their sessions.
        for runtime in [self.runtime.take(), self.long.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

fn query_threads(name: &str, threads: usize, on_start: impl Fn() + Send + Sync + 'static) -> PgResult<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        // Optimizer passes and nested plans recurse deeply.
        .thread_stack_size(8 << 20)
        .on_thread_start(on_start)
        .enable_all()
        .build()
        .map_err(|e| PgError::internal(format!("cannot start the query threads: {e}")))
}

fn environment(memory_limit: usize) -> PgResult<Arc<RuntimeEnv>> {
    // Greedy: one query may use what is free. Spilling goes to the system's temporary folder.
    let pool = bind::memory_pool(Some(memory_limit));
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?)
}

/// µs since 1970.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
