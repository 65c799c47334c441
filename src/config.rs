//! `sluice.toml`: what `serve` and `check` read.
//!
//! Every error names the file, the line, the key and what is allowed; values are never echoed, for one may be a secret.
//! A value `"${env:NAME}"` is taken from the environment, `"${file:path}"` from a file (its trailing line break cut off).
//! Relative paths are relative to the file's folder.

use crate::source::declare::{TableDeclaration, TableFile, TopicPattern, Undeclared};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{}:{line}:{column}: {message}", path.display())]
    Text { path: PathBuf, line: usize, column: usize, message: String },
    #[error("{}: {key}: {message}", path.display())]
    Value { path: PathBuf, key: String, message: String },
}

thread_local! {
    /// The folder of the file that is being parsed: serde has no way to tell a value where it stands.
    static REFERENCES_FROM: RefCell<PathBuf> = RefCell::default();
}

/// A text that may come from the environment or a file, and is not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Numbers and booleans are taken as their text, so that options need no quotes.
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = String;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a boolean")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<String, E> {
                Ok(v.to_string())
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<String, E> {
                Ok(v.to_string())
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<String, E> {
                Ok(v.to_string())
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<String, E> {
                Ok(v.to_string())
            }
        }
        let said = deserializer.deserialize_any(Text)?;
        let Some(reference) = said.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Ok(Self(said));
        };
        if let Some(name) = reference.strip_prefix("env:") {
            let missing = || de::Error::custom(format!("environment variable {name} is not set"));
            return std::env::var(name).map(Self).map_err(|_| missing());
        }
        if let Some(path) = reference.strip_prefix("file:") {
            let text = std::fs::read_to_string(REFERENCES_FROM.with_borrow(|folder| folder.join(path)));
            let text = text.map_err(|e| de::Error::custom(format!("file {path} cannot be read: {e}")))?;
            return Ok(Self(text.trim_end_matches(['\r', '\n']).to_string()));
        }
        Err(de::Error::custom("a reference is ${env:NAME} or ${file:path}"))
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|_| de::Error::custom("not a duration; write a number with a unit, as \"500ms\", \"2s\" or \"1m\""))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let said = text.trim();
    let digits = said.find(|c: char| !c.is_ascii_digit()).unwrap_or(said.len());
    let unit = match said[digits..].trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1usize << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let number = said[..digits].parse::<usize>().ok();
    number
        .zip(unit)
        .and_then(|(n, unit)| n.checked_mul(unit))
        .ok_or_else(|| de::Error::custom("not a size; write a number with a unit, as \"512MiB\" or \"2GiB\""))
}

/// `sluice.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where PostgreSQL clients connect.
    pub listen: SocketAddr,
    /// Where metrics and health are served.
    pub http: SocketAddr,
    /// Accept listening beyond this machine although nobody is asked for a password: for private container networks.
    pub trust_network: bool,
    /// Users and their passwords; without any, nobody is asked.
    pub users: BTreeMap<String, Secret>,
    pub tls: Option<TlsConfig>,
    pub lake: LakeConfig,
    pub query: QueryConfig,
    pub limits: LimitsConfig,
    pub transactions: TransactionConfig,
    /// Kafka clusters by name.
    pub kafka: BTreeMap<String, KafkaSection>,
    /// Folders or files of landed events by name.
    pub jsonl: BTreeMap<String, JsonlSection>,
    /// Files of gold views, in order; a `*` in the last part of a path stands for any text.
    pub views: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 5433)),
            http: SocketAddr::from(([127, 0, 0, 1], 8000)),
            trust_network: false,
            users: BTreeMap::new(),
            tls: None,
            lake: LakeConfig::default(),
            query: QueryConfig::default(),
            limits: LimitsConfig::default(),
            transactions: TransactionConfig::default(),
            kafka: BTreeMap::new(),
            jsonl: BTreeMap::new(),
            views: vec![],
        }
    }
}

/// `[tls]`: encryption of PostgreSQL connections.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of the certificate, those that it depends on after it.
    pub certificate: String,
    /// PEM file of its key.
    pub key: String,
    /// PEM file of authorities: clients must show a certificate that one of them signed.
    pub client_ca: Option<String>,
    /// Turn away connections without TLS.
    #[serde(default)]
    pub required: bool,
}

/// Where the tables are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// A folder, or an `s3://`, `az://` or `file://` URL.
    pub url: String,
    /// Options of the object store, as `aws_access_key_id`.
    pub options: BTreeMap<String, Secret>,
    #[serde(deserialize_with = "duration")]
    pub flush_interval: Duration,
    pub flush_rows: u64,
    /// Unflushed row versions at which sources pause.
    pub unflushed_limit: u64,
    /// How far back the lake can be read as it was; 0: not at all.
    #[serde(deserialize_with = "duration")]
    pub history: Duration,
    /// In a folder: a flush counts when the disk has it.
    pub fsync: bool,
    /// New bronze tables have a folder for each day of ingestion.
    pub bronze_by_day: bool,
    /// New tables of these names (`gold.totals`, `gold.*`) are written without deletion vectors.
    pub copy_on_write: Vec<String>,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self {
            url: "sluice-data".to_string(),
            options: BTreeMap::new(),
            flush_interval: Duration::from_secs(1),
            flush_rows: 100_000,
            unflushed_limit: 2_000_000,
            history: Duration::from_secs(3600),
            fsync: true,
            bronze_by_day: true,
            copy_on_write: vec![],
        }
    }
}

/// Limits of what clients ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    pub threads: usize,
    /// Memory of all running queries together.
    #[serde(deserialize_with = "bytes")]
    pub memory: usize,
    pub max_connections: usize,
}

impl Default for QueryConfig {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get());
        Self { threads, memory: 2 << 30, max_connections: 200 }
    }
}

/// `[limits]`: limits of the process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes that the process may allocate; 0 for no limit.
    #[serde(deserialize_with = "bytes")]
    pub memory: usize,
    /// Bytes that silver and managed tables may take of it; their other rows stay in the lake. 0: all rows are in memory.
    #[serde(deserialize_with = "bytes")]
    pub table_memory: usize,
}

impl Default for LimitsConfig {
    /// Three quarters of what the machine or the container has.
    fn default() -> Self {
        Self { memory: crate::memory::available().map_or(0, |bytes| (bytes / 4 * 3) as usize), table_memory: 0 }
    }
}

/// How source transactions are held together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransactionConfig {
    /// How long a commit LSN waits for a table that has nothing newer.
    #[serde(deserialize_with = "duration")]
    pub linger: Duration,
    /// How long an announced transaction waits for its missing events.
    #[serde(deserialize_with = "duration")]
    pub patience: Duration,
}

impl Default for TransactionConfig {
    fn default() -> Self {
        let align = crate::engine::AlignOptions::default();
        Self { linger: align.linger, patience: align.patience }
    }
}

/// `[kafka.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSection {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Names, or regular expressions that begin with `^`. Default: the topics that the declared tables name.
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
    /// Files of table declarations (`[[table]]`).
    #[serde(default)]
    pub tables: Vec<String>,
    /// Declarations in place.
    #[serde(default)]
    pub table: Vec<TableDeclaration>,
    #[serde(default)]
    pub undeclared: Undeclared,
    #[serde(default)]
    pub on_gap: crate::source::kafka::OnGap,
    /// Passed to the Kafka client: `security.protocol`, `sasl.username`, `ssl.ca.location` …
    #[serde(default)]
    pub options: BTreeMap<String, Secret>,
    /// How often new topics and partitions are looked for.
    #[serde(default = "five_seconds", deserialize_with = "duration")]
    pub refresh: Duration,
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// `[jsonl.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonlSection {
    /// A folder or one file.
    pub path: String,
    /// How a file's topic is found in its path: a regular expression with a group `topic`. Default: the file's stem.
    pub topic: Option<String>,
    #[serde(default)]
    pub tables: Vec<String>,
    #[serde(default)]
    pub table: Vec<TableDeclaration>,
    #[serde(default)]
    pub undeclared: Undeclared,
    /// How often the folder is looked at.
    #[serde(default = "one_second", deserialize_with = "duration")]
    pub refresh: Duration,
    /// How long a last line without a line break may stand still before it is taken as whole.
    #[serde(default = "five_seconds", deserialize_with = "duration")]
    pub settle: Duration,
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

/// A gold view of a deployment.
#[derive(Debug, Clone)]
pub struct ViewFile {
    pub path: PathBuf,
    pub sql: String,
}

impl Config {
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_path_buf(), error })?;
        let config: Self = parse(path, &text)?;
        if config.kafka.is_empty() && config.jsonl.is_empty() {
            return Err(ConfigError::Value {
                path: path.to_path_buf(),
                key: "kafka, jsonl".to_string(),
                message: "no source is configured; write a section [kafka.NAME] or [jsonl.NAME]".to_string(),
            });
        }
        Ok(config)
    }

    /// The views' files in order, read.
    pub fn view_files(&self, config: &Path) -> Result<Vec<ViewFile>, ConfigError> {
        let mut files = Vec::new();
        for path in expand(config, "views", &self.views)? {
            let sql =
                std::fs::read_to_string(&path).map_err(|error| ConfigError::Read { path: path.clone(), error })?;
            files.push(ViewFile { path, sql });
        }
        Ok(files)
    }
}

/// The declarations of a source: those in place, then those of its files.
pub fn tables(config: &Path, files: &[String], own: &[TableDeclaration]) -> Result<Vec<TableDeclaration>, ConfigError> {
    let mut tables = own.to_vec();
    for path in expand(config, "tables", files)? {
        let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::Read { path: path.clone(), error })?;
        tables.extend(parse::<TableFile>(&path, &text)?.table);
    }
    Ok(tables)
}

/// A path as the configuration's file means it.
pub fn beside(config: &Path, path: &str) -> PathBuf {
    // Of a bare file name the parent is "", which is no folder to look into.
    let folder = config.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    folder.join(path)
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, text: &str) -> Result<T, ConfigError> {
    REFERENCES_FROM.set(path.parent().map(Path::to_path_buf).unwrap_or_default());
    toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |s| s.start.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        // The line itself is not shown: it may hold a secret. Its key is.
        let key = text.lines().nth(line - 1).and_then(|l| l.split_once('=')).map(|(key, _)| key.trim().to_string());
        let message = match key {
            Some(key) => format!("{key}: {}", error.message()),
            None => error.message().to_string(),
        };
        ConfigError::Text { path: path.to_path_buf(), line, column, message: message.replace('\n', " ") }
    })
}

/// Paths with a `*` in their last part become the files that match, sorted; others must exist.
fn expand(config: &Path, key: &str, patterns: &[String]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut paths = Vec::new();
    for pattern in patterns {
        let path = beside(config, pattern);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let Some((before, after)) = name.split_once('*') else {
            paths.push(path);
            continue;
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        let entries =
            std::fs::read_dir(folder).map_err(|error| ConfigError::Read { path: folder.to_path_buf(), error })?;
        let fits =
            |name: &str| name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
        let mut found: Vec<PathBuf> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.file_name().is_some_and(|n| fits(&n.to_string_lossy())))
            .collect();
        if found.is_empty() {
            let message = format!("no file matches \"{pattern}\"");
            return Err(ConfigError::Value { path: config.to_path_buf(), key: key.to_string(), message });
        }
        found.sort();
        paths.extend(found);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match parse::<Config>(Path::new("sluice.toml"), text) {
            Ok(config) => format!("accepted: {config:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_what_is_allowed() {
        let said = error("listen = \"127.0.0.1:1\"\n[kafka.shop]\nbrokers = \"b:1\"\ntopic = \"x\"\n");
        assert!(
            said.starts_with("sluice.toml:4:1: topic: unknown field `topic`, expected one of `brokers`, `topics`"),
            "{said}"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let said = error("[lake]\nflush_rows = \"many\"\n");
        assert!(said.starts_with("sluice.toml:2:14: flush_rows: invalid type: string"), "{said}");
        let said = error("[lake]\nflush_interval = \"soon\"\n");
        assert!(said.contains("flush_interval: not a duration; write a number with a unit"), "{said}");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let text = "[kafka.shop]\nbrokers = \"b:1\"\noptions = { \"sasl.password\" = \"hunter2\" }\n";
        let config: Config = parse(Path::new("sluice.toml"), text).expect("this is a right configuration");
        assert!(!format!("{config:?}").contains("hunter2"));
        let said = error("[kafka.shop]\nbrokers = \"b:1\"\noptions = { \"sasl.password\" = [\"hunter2\"] }\n");
        assert!(said.contains("options") && !said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_referenced_file_is_looked_for_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        let text = "[kafka.shop]\nbrokers = \"b:1\"\noptions = { a = \"${file:password}\" }\n";
        let config: Config = parse(&folder.path().join("sluice.toml"), text).unwrap();
        assert_eq!(config.kafka["shop"].options["a"].0, "hunter2");
    }

    #[test]
    fn a_reference_to_a_missing_variable_names_it() {
        let text = "[kafka.shop]\nbrokers = \"b:1\"\noptions = { a = \"${env:SLUICE_NOT_SET}\" }\n";
        assert!(error(text).contains("environment variable SLUICE_NOT_SET is not set"));
    }
}
