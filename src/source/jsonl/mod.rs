//! Landing files: a folder, or one file, of JSON lines with a Debezium event each.
//!
//! Each file is a stream, its position the number of the next line (from 0). Files are read in the order of their
//! paths, each to its end before the next, because a loader's later file may change what an earlier one made; new files
//! are picked up and growing ones followed. A last line without its end waits until it has one, or until the file has not
//! changed for `settle_seconds`.
//!
//! Which topic a line belongs to: what the line says ([`line`]), else what `topic` finds in the file's path (the regular
//! expression's group `topic`), else the name of the file's folder below the root (`topics/<topic>/2026/…` takes the
//! first part that is not `topics` and has no `=`), else the file's name up to its ending and a `+`.

mod file;
mod line;
#[cfg(test)]
mod tests;

use super::declare::{Router, TableDeclaration, TableOwners, Undeclared};
use super::{Closed, Source, SourceContext, SourceError, SourceState, on_own_thread};
use crate::change::{Position, StreamId};
use async_trait::async_trait;
use file::{LandingFile, Progress};
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a deployment says about landing files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonlConfig {
    /// A folder (with its subfolders), or one file.
    pub path: PathBuf,
    /// A regular expression with a group `topic`, matched against the path below `path`.
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub undeclared: Undeclared,
    /// How often new files and lines are looked for.
    #[serde(default = "one_second")]
    pub refresh_seconds: f64,
    /// After how long without a change a last line without its end is taken as it is.
    #[serde(default = "ten_seconds")]
    pub settle_seconds: f64,
}

fn one_second() -> f64 {
    1.0
}

fn ten_seconds() -> f64 {
    10.0
}

/// Landing files as a source.
pub struct JsonlSource {
    name: Arc<str>,
    config: JsonlConfig,
    topic: Option<Regex>,
    router: Router,
}

/// Endings of files that are read; `.gz` of them is refused with a reason, other files are left alone.
const ENDINGS: [&str; 3] = [".jsonl", ".ndjson", ".json"];

impl JsonlSource {
    /// Checks the configuration; reads nothing.
    pub fn new(name: Arc<str>, config: JsonlConfig, tables: Vec<TableDeclaration>) -> Result<Self, SourceError> {
        let topic = match &config.topic {
            None => None,
            Some(pattern) => {
                let regex = Regex::new(pattern).map_err(|e| SourceError::Config(format!("`topic`: {e}")))?;
                if !regex.capture_names().any(|name| name == Some("topic")) {
                    let message = "`topic` has no group named topic: write '(?<topic>…)' around the topic";
                    return Err(SourceError::Config(message.to_string()));
                }
                Some(regex)
            }
        };
        for (key, seconds) in [("refresh_seconds", config.refresh_seconds), ("settle_seconds", config.settle_seconds)] {
            if !(seconds > 0.0 && seconds < 1e9) {
                return Err(SourceError::Config(format!("`{key}` must be above 0")));
            }
        }
        let router = Router::new(Arc::clone(&name), tables, config.undeclared).map_err(SourceError::Config)?;
        Ok(Self { name, config, topic, router })
    }

    /// All landing files: path below the root → path, in the order in which they are read.
    fn files(&self) -> Result<BTreeMap<String, PathBuf>, SourceError> {
        let root = &self.config.path;
        let failed = |path: &Path, error| SourceError::Io { path: path.display().to_string(), error };
        let mut files = BTreeMap::new();
        if std::fs::metadata(root).map_err(|e| failed(root, e))?.is_file() {
            let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, root.clone());
            return Ok(files);
        }
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(|e| failed(&folder, e))? {
                let path = entry.map_err(|e| failed(&folder, e))?.path();
                // Loaders write to hidden names first.
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.starts_with('.') || name.starts_with('_') {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if ENDINGS.iter().any(|e| name.ends_with(e) || name.ends_with(&format!("{e}.gz"))) {
                    let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                    files.insert(below, path);
                }
            }
        }
        Ok(files)
    }

    /// The topic of a file's lines that do not name one.
    fn topic_of(&self, below: &str) -> String {
        if let Some(found) = self.topic.as_ref().and_then(|t| t.captures(below)).and_then(|c| c.name("topic")) {
            return found.as_str().to_string();
        }
        let (folders, name) = below.rsplit_once('/').unwrap_or(("", below));
        let folder = folders.split('/').find(|part| !part.is_empty() && *part != "topics" && !part.contains('='));
        if let Some(folder) = folder {
            return folder.to_string();
        }
        let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        stem.split('+').next().unwrap_or(stem).to_string()
    }

    async fn read_on(self, cx: SourceContext) -> Result<(), SourceError> {
        let mut open: BTreeMap<String, LandingFile> = BTreeMap::new();
        let refresh = Duration::from_secs_f64(self.config.refresh_seconds);
        let settle = Duration::from_secs_f64(self.config.settle_seconds);
        loop {
            let mut all_read = true;
            match self.files() {
                Err(e) => cx.status.set(SourceState::Waiting, e.to_string()),
                Ok(files) => {
                    cx.status.set(SourceState::Streaming, if files.is_empty() { "no file yet" } else { "" });
                    for (below, path) in files {
                        let file = open.entry(below).or_insert_with_key(|below| {
                            let id = crate::change::StreamId(format!("{}/{below}", self.name).into());
                            let resume = cx.resume.get(&id).copied().unwrap_or(Position(0));
                            LandingFile::new(path, id, self.topic_of(below), resume, &cx)
                        });
                        loop {
                            file.room().await;
                            match file.read(&self.router, settle) {
                                Ok(Progress::Delivered) => tokio::task::yield_now().await,
                                Ok(Progress::AtEnd) => break,
                                Ok(Progress::WaitingForLineEnd) => {
                                    all_read = false;
                                    break;
                                }
                                Err(Closed) => return Ok(()),
                            }
                        }
                    }
                }
            }
            let pause = if all_read { refresh } else { refresh.min(settle) };
            tokio::time::sleep(pause).await;
        }
    }
}

#[async_trait]
impl Source for JsonlSource {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "jsonl"
    }

    fn share_tables(&mut self, owners: &Arc<TableOwners>, read: &[StreamId]) {
        self.router.share(owners);
        let below = |id: &StreamId| Some(self.topic_of(id.0.strip_prefix(&*self.name)?.strip_prefix('/')?));
        let topics: BTreeSet<String> = read.iter().filter_map(below).collect();
        self.router.claim_read(topics.iter().map(String::as_str));
    }

    fn router(&self) -> Router {
        self.router.again()
    }

    async fn run(self: Box<Self>, cx: SourceContext) -> Result<(), SourceError> {
        let (name, status, shutdown) = (Arc::clone(&self.name), Arc::clone(&cx.status), cx.shutdown.clone());
        let result = on_own_thread(&name, async move {
            // Between two deliveries nothing is lost: positions are the engine's.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => Ok(()),
                result = self.read_on(cx) => result,
            }
        });
        let result = result.await;
        match &result {
            Ok(()) => status.set(SourceState::Stopped, ""),
            Err(e) => status.set(SourceState::Error, e.to_string()),
        }
        result
    }

    async fn check(&self) -> Result<Vec<String>, SourceError> {
        let files = self.files()?;
        let mut lines = vec![format!("{}: {} files", self.config.path.display(), files.len())];
        for (below, path) in &files {
            if below.ends_with(".gz") {
                lines.push(format!("{below}: {}", file::COMPRESSED));
                continue;
            }
            let readable = std::fs::File::open(path);
            readable.map_err(|error| SourceError::Io { path: path.display().to_string(), error })?;
            lines.push(format!("{below}: topic {}", self.topic_of(below)));
        }
        Ok(lines)
    }
}
