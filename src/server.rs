//! Assembly: sources, engine, sessions, sockets, signals, in this order, and down again in the reverse one.

use crate::change::Schemas;
use crate::config::{self, Config, ConfigError, ViewFile};
use crate::engine::{self, EngineHandle, EngineOptions};
use crate::http;
use crate::lake::{LakeError, LakeOptions};
use crate::pg_catalog;
use crate::source::demo::{self, DemoOptions};
use crate::source::jsonl::{JsonlConfig, JsonlSource};
use crate::source::kafka::{KafkaConfig, KafkaSource};
use crate::source::{DeliveryLimits, Source, SourceContext, SourceError, SourceState, SourceStatus, deliveries};
use crate::sql::{Database, DatabaseOptions};
use crate::types::PgError;
use crate::wire;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
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
        "{what} would listen on {address}, beyond this machine, and authentication is not there yet; \
             listen on 127.0.0.1, or set trust_network = true where everybody who reaches the port may read everything"
    )]
    NotLoopback { what: &'static str, address: SocketAddr },
    #[error("source {name}: {error}")]
    Source { name: String, error: SourceError },
    #[error("{}: {}", file.display(), error.message)]
    View { file: std::path::PathBuf, error: PgError },
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
    database: DatabaseOptions,
    max_connections: usize,
    trust_network: bool,
    sources: Vec<Box<dyn Source>>,
    views: Vec<ViewFile>,
    /// What is printed when it is up; the demo's is longer.
    demo: bool,
}

impl Deployment {
    pub fn demo(
        options: &DemoOptions,
        listen: SocketAddr,
        http: SocketAddr,
        data: String,
    ) -> Result<Self, ServerError> {
        let sources =
            demo::sources(options).map_err(|error| ServerError::Source { name: "demo".to_string(), error })?;
        let views = options.businesses.iter().flat_map(|b| b.views());
        let views = views.map(|(name, sql)| ViewFile { path: format!("sql/demo/{name}").into(), sql: sql.to_string() });
        let query = config::QueryConfig::default();
        Ok(Self {
            listen,
            http,
            engine: EngineOptions::new(LakeOptions::new(data)),
            database: DatabaseOptions {
                query_threads: query.threads,
                memory_limit: query.memory,
                ..DatabaseOptions::default()
            },
            max_connections: query.max_connections,
            trust_network: false,
            sources,
            views: views.collect(),
            demo: true,
        })
    }

    /// What a configuration says; reads the files that it names, connects to nothing.
    pub fn configured(path: &Path, config: &Config) -> Result<Self, ServerError> {
        let url = match config.lake.url.contains("://") {
            true => config.lake.url.clone(),
            false => config::beside(path, &config.lake.url).to_string_lossy().into_owned(),
        };
        let mut lake = LakeOptions::new(url);
        lake.storage_options = config.lake.options.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect();
        let mut engine = EngineOptions::new(lake);
        engine.flush_interval = config.lake.flush_interval;
        engine.flush_rows = config.lake.flush_rows;
        engine.unflushed_limit = config.lake.unflushed_limit;
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
        Ok(Self {
            listen: config.listen,
            http: config.http,
            engine,
            database: DatabaseOptions {
                query_threads: config.query.threads,
                memory_limit: config.query.memory,
                ..DatabaseOptions::default()
            },
            max_connections: config.query.max_connections,
            trust_network: config.trust_network,
            sources,
            views: config.view_files(path)?,
            demo: false,
        })
    }
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

async fn run_until(mut deployment: Deployment, duration: Option<Duration>) -> Result<(), ServerError> {
    // Ports first: a port in use must be said before a large lake is read.
    let postgres = listen("postgresql", deployment.listen, deployment.trust_network).await?;
    let pages = listen("http", deployment.http, deployment.trust_network).await?;
    let (sender, receiver) = deliveries(DeliveryLimits::default());
    let schemas = Arc::new(Schemas::default());
    let statuses: Vec<Arc<SourceStatus>> =
        deployment.sources.iter().map(|s| SourceStatus::new(Arc::clone(s.name()), s.kind())).collect();
    let options = deployment.engine;
    let (known, watched) = (Arc::clone(&schemas), statuses.clone());
    let opened = tokio::task::spawn_blocking(move || {
        engine::start(options, pg_catalog::system_relations(), known, receiver, watched)
    });
    let recovered = opened.await.map_err(|e| ServerError::Engine(PgError::internal(e.to_string())))??;
    let engine = recovered.handle.clone();
    let database = Database::new(engine.clone(), statuses.clone(), deployment.database).map_err(ServerError::Engine)?;

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

    let limits = wire::Limits {
        connections: deployment.max_connections,
        trust_network: deployment.trust_network,
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
    if deployment.demo {
        introduce(address);
    }

    let work = async {
        deploy_views(&database, &engine, deployment.views).await?;
        until_told(&engine, &statuses, duration, deployment.demo).await
    };
    let outcome = tokio::select! {
        done = work => done,
        () = told_to_end() => Ok(()),
        ended = engine.ended() => ended.map_err(ServerError::Engine),
    };
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

/// Creates the deployment's gold views that are not there yet. One whose tables have not arrived yet is tried again with
/// each tick; one that is wrong ends the start.
async fn deploy_views(
    database: &Arc<Database>,
    engine: &EngineHandle,
    views: Vec<ViewFile>,
) -> Result<(), ServerError> {
    let mut waiting = views;
    let mut ticks = engine.ticks();
    while !waiting.is_empty() {
        let mut later = Vec::new();
        for view in waiting {
            match database.run_script(&view.sql).await {
                Ok(()) => {}
                Err(error) if is_missing(&error) => later.push((view, error)),
                Err(error) => return Err(ServerError::View { file: view.path, error }),
            }
        }
        for (view, error) in &later {
            tracing::info!(file = %view.path.display(), reason = %error, "a view waits for its tables");
        }
        waiting = later.into_iter().map(|(view, _)| view).collect();
        if !waiting.is_empty() && ticks.changed().await.is_err() {
            break;
        }
    }
    Ok(())
}

fn is_missing(error: &PgError) -> bool {
    use crate::types::SqlState;
    [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_COLUMN].contains(&error.state)
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

/// Waits for the end, with a status line where somebody watches.
async fn until_told(
    engine: &EngineHandle,
    sources: &[Arc<SourceStatus>],
    duration: Option<Duration>,
    demo: bool,
) -> Result<(), ServerError> {
    let begun = Instant::now();
    let watched = demo && std::io::stdout().is_terminal();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut events = engine.snapshot().status.events;
    loop {
        second.tick().await;
        if watched {
            let line = status_line(engine, sources, &mut events);
            print!("\r\x1b[K{line}");
            drop(std::io::stdout().flush());
        }
        if duration.is_some_and(|d| begun.elapsed() >= d) {
            if watched {
                println!();
            }
            return Ok(());
        }
    }
}

fn status_line(engine: &EngineHandle, sources: &[Arc<SourceStatus>], before: &mut u64) -> String {
    let snapshot = engine.snapshot();
    let status = &snapshot.status;
    let rate = status.events.saturating_sub(*before);
    *before = status.events;
    let rows: u64 = status.tables.iter().map(|t| t.rows).sum();
    let behind: u64 = status.tables.iter().map(|t| t.unflushed_rows).sum();
    let state = sources.iter().map(|s| s.state()).find(|s| *s != SourceState::Streaming);
    let state = state.map_or("streaming".to_string(), |s| s.to_string());
    format!(
        "tick {} · {state} · {rate} changes/s · {rows} rows · {} gold views · {behind} rows to flush · {} dead letters",
        snapshot.tick,
        status.views.len(),
        status.dead_letters,
    )
}

fn introduce(address: SocketAddr) {
    let (host, port) = (address.ip(), address.port());
    println!(
        "
The demo runs. Any user, database and password are accepted on this machine:

    psql -h {host} -p {port} -U sluice sluice

Worth trying (more in README.md):

    SELECT * FROM gold.kpi_by_minute ORDER BY 1 DESC, 2 LIMIT 10;
    SELECT * FROM gold.tickets_by_status;
    SELECT source, stream, position, lag_events FROM sluice.streams;

In psql, end a query with \\watch 1 instead of a semicolon to see it move. Ctrl-C here ends the demo.
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
        for (what, address) in [("postgresql", deployment.listen), ("http", deployment.http)] {
            match listen(what, address, deployment.trust_network).await {
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
                    println!("wrong: view {}: {error}", view.path.display());
                    well = false;
                }
            }
        }
        Ok(well)
    })
}
