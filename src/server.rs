//! Assembly: sources, engine, sessions, sockets, signals, in this order, and down again in the reverse one.

use crate::catalog::RelationKind;
use crate::change::Schemas;
use crate::config::{self, Config, ConfigError, ViewFile};
use crate::engine::{self, EngineHandle, EngineOptions};
use crate::http;
use crate::lake::{LakeError, LakeOptions};
use crate::pg_catalog;
use crate::source::declare::Routes;
use crate::source::demo::beginning::{self, Beginning};
use crate::source::demo::{self, Business, DemoOptions};
use crate::source::jsonl::{JsonlConfig, JsonlSource};
use crate::source::kafka::{KafkaConfig, KafkaSource};
use crate::source::{DeliveryLimits, Source, SourceContext, SourceError, SourceState, SourceStatus, deliveries};
use crate::sql::{Database, DatabaseOptions};
use crate::types::{PgError, SqlState};
use crate::wire;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("cannot listen on {address} ({what}): {error}{hint}")]
    Listen { what: &'static str, address: SocketAddr, error: std::io::Error, hint: &'static str },
    #[error(
        "{what} would listen on {address}, beyond this machine, where nobody is asked for a password; listen on \
             127.0.0.1, name users in [users] (for postgresql), or set trust_network = true where everybody who reaches the \
             port may read everything"
    )]
    NotLoopback { what: &'static str, address: SocketAddr },
    #[error("{}: tls: {reason}", path.display())]
    Tls { path: PathBuf, reason: String },
    #[error("source {name}: {error}")]
    Source { name: String, error: SourceError },
    #[error("{place}: {error}")]
    View { place: String, error: PgError },
    #[error("{}: {error}", path.display())]
    Beginning { path: PathBuf, error: std::io::Error },
    #[error("{table}: {error}")]
    Rebuild { table: String, error: PgError },
    #[error("the engine has ended: {0}")]
    Engine(PgError),
    #[error("cannot start a runtime: {0}")]
    Runtime(std::io::Error),
}

/// Everything that one process runs.
pub struct Deployment {
    pub listen: SocketAddr,
    pub http: SocketAddr,
    engine: EngineOptions,
    /// Bytes that the process may allocate.
    memory_limit: Option<u64>,
    database: DatabaseOptions,
    max_connections: usize,
    trust_network: bool,
    security: Arc<wire::Security>,
    sources: Vec<Box<dyn Source>>,
    views: Vec<ViewFile>,
    demo: Option<DemoRun>,
}

/// What is particular to the demo.
struct DemoRun {
    businesses: Vec<Business>,
    /// Where to note how it began: at its first start, once the lake is ours.
    note: Option<(PathBuf, Beginning)>,
}

impl Deployment {
    pub fn demo(
        options: &DemoOptions,
        listen: SocketAddr,
        http: SocketAddr,
        data: String,
    ) -> Result<Self, ServerError> {
        let mut options = options.clone();
        let folder = match data.split_once("://") {
            None => Some(PathBuf::from(&data)),
            Some(("file", path)) => Some(PathBuf::from(path)),
            Some(_) => None,
        };
        let note = match folder {
            None => None,
            Some(folder) => resume_beginning(&mut options, folder)?,
        };
        let options = &options;
        let sources =
            demo::sources(options).map_err(|error| ServerError::Source { name: "demo".to_string(), error })?;
        let views = options.businesses.iter().flat_map(|b| b.views());
        let views = views.map(|(name, sql)| ViewFile { path: format!("sql/demo/{name}").into(), sql: sql.to_string() });
        let query = config::QueryConfig::default();
        Ok(Self {
            listen,
            http,
            engine: EngineOptions::new(LakeOptions::new(data)),
            memory_limit: memory_limit(&config::LimitsConfig::default()),
            database: DatabaseOptions {
                query_threads: query.threads,
                memory_limit: query.memory,
                ..DatabaseOptions::default()
            },
            max_connections: query.max_connections,
            trust_network: false,
            security: Arc::default(),
            sources,
            views: views.collect(),
            demo: Some(DemoRun { businesses: options.businesses.clone(), note }),
        })
    }

    /// The lake of a demo, and how its tables are declared; nothing runs.
    pub fn of_demo(data: String) -> Result<Self, ServerError> {
        let mut options = DemoOptions { businesses: Business::ALL.to_vec(), rate: 0.0, rows: 0, seed: 0 };
        if let Ok(Some(begun)) = Beginning::read(Path::new(&data)) {
            (options.rows, options.seed) = (begun.rows, begun.seed);
        }
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::demo(&options, nowhere, nowhere, data)
    }

    /// What a configuration says; reads the files that it names, connects to nothing.
    pub fn configured(path: &Path, config: &Config) -> Result<Self, ServerError> {
        let url = match config.lake.url.contains("://") {
            true => config.lake.url.clone(),
            false => config::beside(path, &config.lake.url).to_string_lossy().into_owned(),
        };
        let mut lake = LakeOptions::new(url);
        lake.storage_options = config.lake.options.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect();
        lake.history = config.lake.history;
        lake.fsync = config.lake.fsync;
        lake.by_day = config.lake.bronze_by_day;
        lake.copy_on_write.clone_from(&config.lake.copy_on_write);
        let mut engine = EngineOptions::new(lake);
        engine.flush_interval = config.lake.flush_interval;
        engine.flush_rows = config.lake.flush_rows;
        engine.unflushed_limit = config.lake.unflushed_limit;
        engine.table_memory = Some(config.limits.table_memory as u64).filter(|bytes| *bytes > 0);
        engine.align.linger = config.transactions.linger;
        engine.align.patience = config.transactions.patience;
        let named = |name: &String, error| ServerError::Source { name: name.clone(), error };
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        for (name, section) in &config.kafka {
            let options = KafkaConfig {
                brokers: section.brokers.clone(),
                topics: section.topics.clone(),
                undeclared: section.undeclared,
                on_gap: section.on_gap,
                refresh_seconds: section.refresh.as_secs_f64(),
                options: section.options.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect(),
            };
            let tables = config::tables(path, &section.tables, &section.table)?;
            let source = KafkaSource::new(name.as_str().into(), options, tables);
            sources.push(Box::new(source.map_err(|e| named(name, e))?));
        }
        for (name, section) in &config.jsonl {
            let options = JsonlConfig {
                path: config::beside(path, &section.path),
                topic: section.topic.clone(),
                undeclared: section.undeclared,
                refresh_seconds: section.refresh.as_secs_f64(),
                settle_seconds: section.settle.as_secs_f64(),
            };
            let tables = config::tables(path, &section.tables, &section.table)?;
            let source = JsonlSource::new(name.as_str().into(), options, tables);
            sources.push(Box::new(source.map_err(|e| named(name, e))?));
        }
        share_tables(&mut sources, &[]);
        Ok(Self {
            listen: config.listen,
            http: config.http,
            engine,
            memory_limit: memory_limit(&config.limits),
            database: DatabaseOptions {
                query_threads: config.query.threads,
                memory_limit: config.query.memory,
                ..DatabaseOptions::default()
            },
            max_connections: config.query.max_connections,
            trust_network: config.trust_network,
            security: Arc::new(security(config, path)?),
            sources,
            views: config.view_files(path)?,
            demo: None,
        })
    }
}

fn memory_limit(limits: &config::LimitsConfig) -> Option<u64> {
    Some(limits.memory as u64).filter(|bytes| *bytes > 0)
}

/// Who may connect, as the configuration says.
fn security(config: &config::Config, path: &Path) -> Result<wire::Security, ServerError> {
    let security =
        wire::Security::new(config.users.iter().map(|(name, password)| (name.as_str(), password.0.as_str())));
    let Some(tls) = &config.tls else { return Ok(security) };
    let beside = |file: &String| config::beside(path, file);
    let client_ca = tls.client_ca.as_ref().map(beside);
    security
        .with_tls(&beside(&tls.certificate), &beside(&tls.key), client_ca.as_deref(), tls.required)
        .map_err(|reason| ServerError::Tls { path: path.to_path_buf(), reason })
}

/// Settles among all sources whose the tables are that have their names from topics.
fn share_tables(sources: &mut [Box<dyn Source>], read: &[crate::change::StreamId]) {
    let owners = Arc::default();
    // What is declared anywhere counts before what was read anywhere.
    sources.iter_mut().for_each(|source| source.share_tables(&owners, &[]));
    sources.iter_mut().for_each(|source| source.share_tables(&owners, read));
}

/// Goes on with the rows and the seed that the folder's demo began with; answers what to note where it begins now.
fn resume_beginning(options: &mut DemoOptions, folder: PathBuf) -> Result<Option<(PathBuf, Beginning)>, ServerError> {
    let asked = Beginning::of(options);
    let noted = Beginning::read(&folder);
    let Some(begun) = noted.map_err(|error| ServerError::Beginning { path: beginning::path(&folder), error })? else {
        return Ok(Some((folder, asked)));
    };
    if begun != asked {
        let Beginning { rows, seed } = begun;
        println!("{} began with --rows {rows} --seed {seed} and goes on with them", folder.display());
    }
    (options.rows, options.seed) = (begun.rows, begun.seed);
    Ok(None)
}

fn runtime() -> Result<tokio::runtime::Runtime, ServerError> {
    tokio::runtime::Builder::new_multi_thread().thread_name("wire").enable_all().build().map_err(ServerError::Runtime)
}

async fn listen(what: &'static str, address: SocketAddr, trusted: bool) -> Result<TcpListener, ServerError> {
    if !address.ip().is_loopback() && !trusted {
        return Err(ServerError::NotLoopback { what, address });
    }
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; another process has the port: end it, or listen on another port",
            _ => "",
        };
        ServerError::Listen { what, address, error, hint }
    })
}

/// Runs until Ctrl-C, SIGTERM, the given time, or a failure that ends it.
pub fn run(deployment: Deployment, duration: Option<Duration>) -> Result<(), ServerError> {
    let runtime = runtime()?;
    let result = runtime.block_on(run_until(deployment, duration));
    // Client sockets that do not close must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

/// Makes silver tables anew out of bronze, without sources and clients, and prints what came of it.
pub fn rebuild(deployment: Deployment, tables: &[String]) -> Result<(), ServerError> {
    runtime()?.block_on(async {
        survive_file_limits();
        let mut options = deployment.engine;
        options.routes = routes(&deployment.sources);
        crate::memory::set_limit(deployment.memory_limit);
        let (sender, receiver) = deliveries(DeliveryLimits::default());
        let started = tokio::task::spawn_blocking(move || {
            engine::start(options, pg_catalog::system_relations(), Arc::new(Schemas::default()), receiver, vec![])
        });
        let recovered = started.await.map_err(|e| ServerError::Engine(PgError::internal(e.to_string())))??;
        let engine = recovered.handle;
        let mut outcome = Ok(());
        for name in tables {
            let snapshot = engine.snapshot();
            let catalog = &snapshot.catalog;
            let found = catalog.user_relations().find(|relation| catalog.qualified_name(relation) == *name);
            let missing =
                || PgError::new(SqlState::UNDEFINED_TABLE, format!("table \"{name}\" does not exist in this lake"));
            let rebuilt = match found {
                Some(relation) => engine.rebuild(relation.oid).await,
                None => Err(missing()),
            };
            match rebuilt {
                Ok(rebuilt) => println!("{name}: {rebuilt}"),
                Err(error) => {
                    outcome = Err(ServerError::Rebuild { table: name.clone(), error });
                    break;
                }
            }
        }
        drop(sender);
        let closed = engine.shutdown().await.map_err(ServerError::Engine);
        outcome.and(closed)
    })
}

fn routes(sources: &[Box<dyn Source>]) -> Arc<Routes> {
    Arc::new(Routes::new(sources.iter().map(|source| source.router()).collect()))
}

async fn run_until(mut deployment: Deployment, duration: Option<Duration>) -> Result<(), ServerError> {
    survive_file_limits();
    let views = view_statements(std::mem::take(&mut deployment.views))?;
    // Ports first: a port in use must be said before a large lake is read.
    let known = deployment.trust_network || deployment.security.asks_for_passwords();
    let postgres = listen("postgresql", deployment.listen, known).await?;
    let pages = listen("http", deployment.http, deployment.trust_network).await?;
    let (sender, receiver) = deliveries(DeliveryLimits::default());
    let schemas = Arc::new(Schemas::default());
    let statuses: Vec<Arc<SourceStatus>> =
        deployment.sources.iter().map(|s| SourceStatus::new(Arc::clone(s.name()), s.kind())).collect();
    crate::memory::set_limit(deployment.memory_limit);
    let mut options = deployment.engine;
    options.routes = routes(&deployment.sources);
    let (known, watched) = (Arc::clone(&schemas), statuses.clone());
    let opened = tokio::task::spawn_blocking(move || {
        engine::start(options, pg_catalog::system_relations(), known, receiver, watched)
    });
    let recovered = opened.await.map_err(|e| ServerError::Engine(PgError::internal(e.to_string())))??;
    let engine = recovered.handle.clone();
    if let Some((folder, beginning)) = deployment.demo.as_ref().and_then(|demo| demo.note.as_ref()) {
        let failed = |error| ServerError::Beginning { path: beginning::path(folder), error };
        beginning.write(folder).map_err(failed)?;
    }
    let database = Database::new(engine.clone(), statuses.clone(), deployment.database).map_err(ServerError::Engine)?;

    let users = deployment.security.user_names();
    database.configure_users(users).await.map_err(ServerError::Engine)?;

    let read: Vec<_> = recovered.resume.keys().cloned().collect();
    share_tables(&mut deployment.sources, &read);
    let shutdown = CancellationToken::new();
    let mut sources = JoinSet::new();
    for (source, status) in std::mem::take(&mut deployment.sources).into_iter().zip(&statuses) {
        let context = SourceContext {
            resume: resume_of(source.name(), &recovered.resume),
            out: sender.clone(),
            status: Arc::clone(status),
            schemas: Arc::clone(&schemas),
            shutdown: shutdown.clone(),
        };
        sources.spawn(run_source(source, context));
    }
    drop(sender);
    crate::allocator::give_back_unused();

    let limits = wire::Limits {
        connections: deployment.max_connections,
        trust_network: deployment.trust_network,
        security: Arc::clone(&deployment.security),
        ..wire::Limits::default()
    };
    let counters = Arc::new(wire::Counters::default());
    println!("listening: postgresql on {}", postgres.local_addr().map_err(ServerError::Runtime)?);
    println!("listening: http on {}", pages.local_addr().map_err(ServerError::Runtime)?);
    let http_pages = http::Pages { engine: engine.clone(), sources: statuses.clone(), wire: Arc::clone(&counters) };
    tokio::spawn(http::serve(pages, http_pages, shutdown.clone()));
    let address = postgres.local_addr().map_err(ServerError::Runtime)?;
    let serving = tokio::spawn(wire::serve(postgres, Arc::clone(&database), limits, counters, shutdown.clone()));
    if !recovered.fresh {
        println!("recovered {} rows in {:.1} s", recovered.rows, recovered.took.as_secs_f64());
    }
    if let Some(demo) = &deployment.demo {
        introduce(address, &demo.businesses);
    }

    let watch = Watch {
        engine: &engine,
        sources: &statuses,
        // Somebody looks at it, and nothing else is written there.
        shown: deployment.demo.is_some() && std::io::stdout().is_terminal(),
    };
    let work = async {
        let deploy = async {
            let views = deploy_views(&database, &engine, views).await?;
            if deployment.demo.is_some() {
                watch.loaded().await;
                watch.say(&format!("ready: {} rows in silver, gold views: {views}", silver_rows(&engine)));
            }
            std::future::pending().await
        };
        tokio::select! {
            failed = deploy => failed,
            () = watch.until(duration) => Ok(()),
        }
    };
    let outcome = tokio::select! {
        done = work => done,
        () = told_to_end() => Ok(()),
        ended = engine.ended() => ended.map_err(ServerError::Engine),
    };
    if watch.shown {
        println!();
    }
    shutdown.cancel();
    while sources.join_next().await.is_some() {}
    let closed = match engine.has_ended() {
        true => Ok(()),
        false => engine.shutdown().await.map_err(ServerError::Engine),
    };
    drop(tokio::time::timeout(Duration::from_secs(2), serving).await);
    outcome.and(closed)
}

fn resume_of<P: Copy>(
    source: &str,
    positions: &HashMap<crate::change::StreamId, P>,
) -> HashMap<crate::change::StreamId, P> {
    let own = |stream: &crate::change::StreamId| stream.0.strip_prefix(source).is_some_and(|r| r.starts_with('/'));
    positions.iter().filter(|(stream, _)| own(stream)).map(|(stream, p)| (stream.clone(), *p)).collect()
}

async fn run_source(source: Box<dyn Source>, context: SourceContext) {
    let status = Arc::clone(&context.status);
    match source.run(context).await {
        Ok(()) => status.set(SourceState::Stopped, ""),
        Err(error) => {
            tracing::error!(source = %status.name, %error, "a source has ended");
            status.set(SourceState::Error, error.to_string());
        }
    }
}

/// One statement of a view's file.
struct ViewStatement {
    file: Arc<ViewFile>,
    range: Range<usize>,
}

impl ViewStatement {
    fn text(&self) -> &str {
        &self.file.sql[self.range.clone()]
    }

    /// Whether the catalog holds the view as the statement defines it.
    fn is_what_the_catalog_holds(&self, engine: &EngineHandle) -> bool {
        let snapshot = engine.snapshot();
        snapshot.catalog.user_relations().any(|relation| {
            let definition = relation.definition.as_deref();
            definition.is_some_and(|definition| self.text().contains(definition))
                && self.text().contains(&relation.name)
        })
    }

    /// An error of the statement, with file, line and column.
    fn failed(&self, mut error: PgError) -> ServerError {
        let position = error.rest.as_mut().and_then(|rest| rest.position.as_mut());
        let position = position.map(|position| *position + self.range.start);
        ServerError::View { place: place(&self.file, position), error }
    }
}

/// `file:line:column` of a byte of a view's file.
fn place(file: &ViewFile, position: Option<usize>) -> String {
    let Some(before) = position.and_then(|position| file.sql.get(..position)) else {
        return file.path.display().to_string();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("{}:{line}:{column}", file.path.display())
}

/// The statements of the views' files; an error of grammar is found before anything is created.
fn view_statements(files: Vec<ViewFile>) -> Result<Vec<ViewStatement>, ServerError> {
    let mut statements = Vec::new();
    for file in files {
        let parsed = crate::bind::parse(&file.sql).map_err(|error| {
            let position = error.rest.as_ref().and_then(|rest| rest.position);
            ServerError::View { place: place(&file, position), error }
        })?;
        let file = Arc::new(file);
        let ranges = parsed.into_iter().map(|s| s.offset..s.offset + s.text.len());
        statements.extend(ranges.map(|range| ViewStatement { file: Arc::clone(&file), range }));
    }
    Ok(statements)
}

/// How long a view waits for its tables before that is worth a warning.
const VIEW_PATIENCE: Duration = Duration::from_secs(10);

/// Creates the deployment's gold views that are not there yet and says how many there are. One whose tables have not
/// arrived yet is tried again with each tick; one that is wrong ends the start.
async fn deploy_views(
    database: &Arc<Database>,
    engine: &EngineHandle,
    views: Vec<ViewStatement>,
) -> Result<usize, ServerError> {
    let mut waiting = views;
    let count = waiting.len();
    let mut ticks = engine.ticks();
    let begun = Instant::now();
    let mut warned = false;
    while !waiting.is_empty() {
        let mut later = Vec::new();
        for view in waiting {
            match database.run_script(view.text()).await {
                Ok(()) => {}
                Err(error) if is_missing(&error) || error.state == SqlState::IO_ERROR => later.push((view, error)),
                Err(error) if error.state == SqlState::DUPLICATE_TABLE => {
                    if !view.is_what_the_catalog_holds(engine) {
                        tracing::warn!(
                            file = %view.file.path.display(),
                            "{error}, with another definition; drop it, and the next start makes it anew"
                        );
                    }
                }
                Err(error) => return Err(view.failed(error)),
            }
        }
        let patient = begun.elapsed() < VIEW_PATIENCE;
        for (view, error) in &later {
            let file = view.file.path.display();
            match patient || warned {
                true => tracing::info!(%file, reason = %error, "a view waits"),
                false => tracing::warn!(%file, reason = %error, "a view still waits"),
            }
        }
        warned |= !patient;
        waiting = later.into_iter().map(|(view, _)| view).collect();
        if !waiting.is_empty() && ticks.changed().await.is_err() {
            break;
        }
    }
    Ok(count)
}

fn is_missing(error: &PgError) -> bool {
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_COLUMN].contains(&error.state)
}

/// A file that reaches the process's limit (`ulimit -f`) is an error of that write, as a full disk is, not the end of the
/// process. Listened to once, the signal stays without its default effect.
fn survive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    /// Linux but for MIPS, macOS, the BSDs.
    const SIGXFSZ: i32 = 25;
    if let Err(error) = signal(SignalKind::from_raw(SIGXFSZ)) {
        tracing::debug!(%error, "SIGXFSZ keeps its effect");
    }
}

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// What the demo shows while it runs.
struct Watch<'a> {
    engine: &'a EngineHandle,
    sources: &'a [Arc<SourceStatus>],
    /// There is a terminal for the status line.
    shown: bool,
}

impl Watch<'_> {
    /// Waits for the end, if there is one, with a status line where somebody watches.
    async fn until(&self, duration: Option<Duration>) {
        let begun = Instant::now();
        let end = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        let show = async {
            if !self.shown {
                return std::future::pending().await;
            }
            let (mut events, mut at) = (self.engine.snapshot().status.events, begun);
            let mut second = tokio::time::interval(Duration::from_secs(1));
            second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                second.tick().await;
                let now = self.engine.snapshot().status.events;
                let rate = (now - events) as f64 / at.elapsed().as_secs_f64().max(0.001);
                (events, at) = (now, Instant::now());
                print!("\r\x1b[K{}", self.line(rate));
                // Nobody may be left to look.
                drop(std::io::stdout().flush());
            }
        };
        tokio::select! {
            () = end => {}
            () = show => {}
        }
    }

    /// Waits until no source reads its snapshot any more and all that was read is visible.
    async fn loaded(&self) {
        let mut ticks = self.engine.ticks();
        let loading = |source: &Arc<SourceStatus>| {
            matches!(source.state(), SourceState::Starting | SourceState::Connecting | SourceState::Snapshot)
        };
        while self.sources.iter().any(loading) && ticks.changed().await.is_ok() {}
    }

    /// A line of its own, above the status line.
    fn say(&self, line: &str) {
        match self.shown {
            true => println!("\r\x1b[K{line}"),
            false => println!("{line}"),
        }
    }

    /// At most 79 characters: a line that wraps cannot be overwritten.
    fn line(&self, rate: f64) -> String {
        let snapshot = self.engine.snapshot();
        let status = &snapshot.status;
        let doing = self.sources.iter().find(|s| s.state() != SourceState::Streaming);
        let doing = doing.map_or("streaming".to_string(), |source| {
            let (state, message) = (source.state(), source.message());
            match message.is_empty() {
                true => format!("{} {state}", source.name),
                false => format!("{} {state}: {message}", source.name),
            }
        });
        let mut line = format!(
            "{doing} · {rate:.0} changes/s · {} rows · gold views: {} · tick {}",
            silver_rows(self.engine),
            status.views.len(),
            snapshot.tick,
        );
        if status.dead_letters > 0 {
            line = format!("{line} · {} dead letters", status.dead_letters);
        }
        if let Some(error) = &status.lake.error {
            line = format!("NOT DURABLE: {error}");
        }
        line.chars().take(79).collect()
    }
}

/// Rows in silver tables.
fn silver_rows(engine: &EngineHandle) -> u64 {
    let snapshot = engine.snapshot();
    let is_silver = |oid| snapshot.catalog.relation(oid).is_some_and(|r| r.kind == RelationKind::Silver);
    snapshot.status.tables.iter().filter(|t| is_silver(t.oid)).map(|t| t.rows).sum()
}

fn introduce(address: SocketAddr, businesses: &[Business]) {
    let (host, port) = (address.ip(), address.port());
    let names: Vec<&str> = businesses.iter().map(|b| b.name()).collect();
    println!(
        "
The demo runs: {}. Any user, database and password are accepted on this machine:

    psql -h {host} -p {port} -U sluice sluice

Worth trying (more in README.md):
",
        names.join(", ")
    );
    for business in businesses.iter().take(2) {
        println!("    {};", business.query());
    }
    println!(
        "    SELECT stream, position, checkpoint, lag_events, lag FROM sluice.streams;

In psql, end a query with \\watch 1 instead of a semicolon to see it move. Ctrl-C here ends the demo; started again on
the same folder, it goes on where it stopped.
"
    );
}

/// An error with its causes and, of the lake's, what to do.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        at = cause.source();
    }
    if let Some(hint) = error.downcast_ref::<LakeError>().and_then(LakeError::hint) {
        text = format!("{text}. {hint}");
    }
    text
}

/// Tries every connection of a deployment and prints what it sees; `false` where something is wrong.
pub fn check(deployment: Deployment) -> Result<bool, ServerError> {
    runtime()?.block_on(async {
        let mut well = true;
        let trusted = deployment.trust_network;
        let known = trusted || deployment.security.asks_for_passwords();
        for (what, address, known) in [("postgresql", deployment.listen, known), ("http", deployment.http, trusted)] {
            match listen(what, address, known).await {
                Ok(_) => println!("ok: {what} can listen on {address}"),
                Err(error) => {
                    println!("wrong: {error}");
                    well = false;
                }
            }
        }
        match crate::lake::open(deployment.engine.lake.clone()).await {
            Ok((lake, manifest)) => {
                let tables = manifest.map_or(0, |m| m.tables.len());
                println!("ok: lake {} ({tables} tables)", lake.url());
            }
            Err(error @ LakeError::Locked { .. }) => {
                println!("ok: {error}, perhaps by the server of this configuration")
            }
            Err(error) => {
                println!("wrong: lake: {}", with_causes(&error));
                well = false;
            }
        }
        for source in &deployment.sources {
            match source.check().await {
                Ok(lines) => {
                    println!("ok: source {} ({})", source.name(), source.kind());
                    lines.iter().for_each(|line| println!("    {line}"));
                }
                Err(error) => {
                    println!("wrong: source {}: {error}", source.name());
                    well = false;
                }
            }
        }
        for view in &deployment.views {
            match crate::bind::parse(&view.sql) {
                Ok(_) => println!("ok: view {}", view.path.display()),
                Err(error) => {
                    let position = error.rest.as_ref().and_then(|rest| rest.position);
                    println!("wrong: view {}: {error}", place(view, position));
                    well = false;
                }
            }
        }
        Ok(well)
    })
}
