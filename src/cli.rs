//! The command line: words, options, what is printed.

use crate::config::{Config, ConfigError};
use crate::inspect;
use crate::lake::LakeOptions;
use crate::server::{self, Deployment, ServerError};
use crate::source::demo::{Business, DemoOptions};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// A PostgreSQL-wire query server over live change data.
///
/// Changes stream in from Debezium over Kafka or Redpanda (or from landed JSONL files); bronze, silver and gold tables live
/// in memory and in Delta Lake; any PostgreSQL client queries them while they move.
///
/// Try it:   sluice demo          then   psql -h 127.0.0.1 -p 5433 -U sluice sluice
#[derive(Parser)]
#[command(name = "sluice", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Word,
    /// What is logged on stderr: a level, or levels by module as in "info,sluice::engine=debug".
    #[arg(long, global = true, env = "SLUICE_LOG", default_value = "warn")]
    log: String,
}

#[derive(Subcommand)]
enum Word {
    /// Run the embedded demo: four businesses, no broker, no configuration.
    ///
    /// The changes are real Debezium events and take the very way that Kafka's take. Started again on the same folder, the
    /// demo goes on where it stopped.
    Demo(Demo),
    /// Serve the sources, tables and views of a configuration.
    ///
    /// README.md and catalog/ have examples. Values like "${env:NAME}" and "${file:path}" keep secrets out of the file.
    Serve(Configured),
    /// Read a configuration whole, try every connection, and say what is wrong and where.
    Check(Configured),
    /// Show what a lake holds: tables, versions, sizes, positions, ticks.
    ///
    /// No server is needed, none is disturbed, and nothing is written; a copy that was taken while a server ran can be looked at, too.
    Inspect(Inspect),
    /// Make silver tables anew out of bronze, and the gold over them.
    ///
    /// Bronze holds every record as it arrived, so this needs no source: also what Kafka has long forgotten comes again, by the
    /// declarations of now. Nothing else may have the lake open; on a running server, SELECT sluice.rebuild('silver.t') does
    /// the same.
    Rebuild(Rebuild),
}

#[derive(Args)]
struct Rebuild {
    /// The tables, as silver.orders.
    #[arg(value_name = "TABLE", required = true)]
    tables: Vec<String>,
    /// The configuration that names the lake and declares the tables.
    #[arg(long, short, value_name = "FILE", default_value = "sluice.toml")]
    config: PathBuf,
    /// The folder of a demo, in the place of a configuration.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    demo: Option<String>,
}

#[derive(Args)]
struct Configured {
    /// The configuration; its keys are in README.md. Paths in it are relative to its folder.
    #[arg(long, short, value_name = "FILE", default_value = "sluice.toml")]
    config: PathBuf,
}

#[derive(Args)]
struct Inspect {
    /// The lake's folder, or an `s3://`, `az://` or `file://` URL.
    #[arg(value_name = "LAKE")]
    lake: String,
    /// An option of the object store, as "aws_endpoint=http://localhost:9000"; the environment counts, too.
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Args)]
struct Demo {
    /// Which businesses run.
    #[arg(long, value_enum, default_value = "all")]
    workload: Workload,
    /// Changes per second, over all tables; 0 is as fast as possible.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Rows at the start: tickets in each of two databases, orders, products, trades; other tables in proportion.
    ///
    /// A folder's demo goes on with the rows and the seed that it began with.
    #[arg(long, default_value_t = 2_000)]
    rows: u64,
    /// Where PostgreSQL clients connect.
    #[arg(long, default_value = "127.0.0.1:5433")]
    listen: SocketAddr,
    /// Where metrics and health are served.
    #[arg(long, default_value = "127.0.0.1:8000")]
    http: SocketAddr,
    /// The folder of the tables.
    #[arg(long, default_value = "./sluice-data")]
    data: String,
    /// Equal seeds give equal businesses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End after this time, as "30s" or "5m"; without it, run until Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    Tickets,
    Shop,
    Products,
    Trades,
    All,
}

impl Workload {
    fn businesses(self) -> Vec<Business> {
        match self {
            Self::Tickets => vec![Business::Tickets],
            Self::Shop => vec![Business::Shop],
            Self::Products => vec![Business::Products],
            Self::Trades => vec![Business::Trades],
            Self::All => Business::ALL.to_vec(),
        }
    }
}

/// Runs a command line to its end.
pub fn run(cli: Cli) -> ExitCode {
    // A level alone is Sluice's own: its libraries say much at "info" that nobody can use.
    let told = match cli.log.parse::<LevelFilter>() {
        Ok(level) => format!("{},sluice={level}", level.min(LevelFilter::WARN)),
        Err(_) => cli.log.clone(),
    };
    let filter = match EnvFilter::try_new(told) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("sluice: --log: {error}; write a level (error, warn, info, debug, trace) or module=level");
            return ExitCode::from(2);
        }
    };
    let colours = std::io::stderr().is_terminal();
    // A log on a full disk loses lines; complaining about that where it cannot be written either would be a panic.
    let log = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    log.with_ansi(colours).with_writer(std::io::stderr).init();
    let outcome = match cli.command {
        Word::Demo(demo) => self::demo(demo),
        Word::Serve(arguments) => serve(&arguments.config),
        Word::Check(arguments) => check(&arguments.config),
        Word::Inspect(arguments) => inspect(arguments),
        Word::Rebuild(arguments) => rebuild(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::FAILURE,
        Err(Failure::Config(error)) => {
            eprintln!("sluice: {error}");
            ExitCode::from(2)
        }
        Err(Failure::Server(ServerError::Lake(error))) => {
            eprintln!("sluice: {}", server::with_causes(&error));
            ExitCode::FAILURE
        }
        Err(Failure::Server(error)) => {
            eprintln!("sluice: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command did not succeed.
enum Failure {
    /// It has been printed already.
    Said,
    Config(ConfigError),
    Server(ServerError),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

fn demo(demo: Demo) -> Result<(), Failure> {
    let options =
        DemoOptions { businesses: demo.workload.businesses(), rate: demo.rate, rows: demo.rows, seed: demo.seed };
    let deployment = Deployment::demo(&options, demo.listen, demo.http, demo.data)?;
    Ok(server::run(deployment, demo.duration)?)
}

fn serve(path: &std::path::Path) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let deployment = Deployment::configured(path, &config)?;
    Ok(server::run(deployment, None)?)
}

fn inspect(arguments: Inspect) -> Result<(), Failure> {
    let mut options = LakeOptions::new(arguments.lake);
    options.storage_options = arguments.options.into_iter().collect();
    let inspected = inspect::read(options)?;
    // Whoever reads it may have seen enough: `| head`.
    let text = if arguments.json { inspected.json() } else { inspected.text() };
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn rebuild(arguments: Rebuild) -> Result<(), Failure> {
    let deployment = match arguments.demo {
        Some(folder) => Deployment::of_demo(folder)?,
        None => Deployment::configured(&arguments.config, &Config::read(&arguments.config)?)?,
    };
    Ok(server::rebuild(deployment, &arguments.tables)?)
}

fn check(path: &std::path::Path) -> Result<(), Failure> {
    let config = Config::read(path)?;
    let deployment = Deployment::configured(path, &config)?;
    match server::check(deployment)? {
        true => Ok(()),
        false => Err(Failure::Said),
    }
}
