//! Reading the lake as it was, beside the one who writes it.

use super::error::{LakeError, LakeResult};
use super::history::{self, Moment};
use super::log;
use super::manifest::{Manifest, ManifestTable};
use super::scan::LakeFiles;
use super::{Shared, store};
use crate::change::Tick;
use crate::types::TableSchema;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Log entries that are read at once.
const READS: usize = 32;

/// Cheap to clone; it writes nothing.
#[derive(Debug, Clone)]
pub struct LakeReader {
    shared: Arc<Shared>,
}

/// One commit of a table, as its Delta log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeCommit {
    pub version: i64,
    /// ms since 1970.
    pub at_ms: i64,
    /// Of a flush: the tick up to which the table is written.
    pub tick: Option<u64>,
    /// `WRITE`, `OPTIMIZE`, `RESTORE`, `CREATE TABLE`.
    pub operation: String,
    pub files_added: u64,
    pub files_removed: u64,
    /// `None` in commits of older versions of Sluice.
    pub rows_added: Option<u64>,
    pub rows_deleted: Option<u64>,
    /// Of the files that are new.
    pub bytes_added: u64,
}

/// One data file of a table at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFile {
    /// Relative to the table.
    pub path: String,
    pub size: u64,
    pub rows: u64,
    pub dead: u64,
    /// ms since 1970.
    pub modified_ms: i64,
    /// Delta's statistics, JSON.
    pub stats: String,
    pub partition: Option<String>,
}

impl LakeReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Where the lake lies, for people.
    pub fn url(&self) -> &str {
        self.shared.url.as_str()
    }

    /// The tick of the newest manifest and when that was, µs since 1970.
    pub fn newest(&self) -> Option<(Tick, i64)> {
        self.shared.kept.lock().back().map(|kept| (kept.tick, kept.written_at_us))
    }

    /// The tick and time (µs) of the oldest manifest.
    pub fn oldest(&self) -> Option<(Tick, i64)> {
        history::oldest(&self.shared)
    }

    /// The tables of the newest manifest.
    pub fn tables(&self) -> BTreeMap<String, ManifestTable> {
        self.shared.kept.lock().back().map_or_else(BTreeMap::new, |kept| kept.tables.clone())
    }

    /// The newest manifest that is not younger than a moment. [`LakeError::Forgotten`]: there is none.
    pub async fn at(&self, moment: Moment) -> LakeResult<Manifest> {
        if let Some(manifest) = history::find(&self.shared, moment).await? {
            return Ok(manifest);
        }
        let time = |us: i64| match chrono::DateTime::from_timestamp_micros(us) {
            Some(time) => time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string(),
            None => format!("{us} µs"),
        };
        let asked = match moment {
            Moment::Tick(tick) => format!("tick {tick}"),
            Moment::At(us) => time(us),
        };
        let oldest = match self.oldest() {
            Some((tick, us)) => format!("tick {tick} of {}", time(us)),
            None => "not written yet".to_owned(),
        };
        Err(LakeError::Forgotten { asked, oldest })
    }

    /// The files of a table at a version, read as `schema`.
    pub async fn files(&self, name: &str, version: i64, schema: Arc<TableSchema>) -> LakeResult<LakeFiles> {
        let place = Arc::new(self.shared.place(name)?);
        let state = log::read_state(&place, version).await?;
        Ok(LakeFiles::new(place, version, schema, state.files.into_iter().map(Arc::new).collect()))
    }

    /// What is known of a table's files at a version.
    pub async fn list_files(&self, name: &str, version: i64) -> LakeResult<Vec<PastFile>> {
        let place = self.shared.place(name)?;
        let state = log::read_state(&place, version).await?;
        let file = |file: super::file::LiveFile| PastFile {
            path: file.path.to_string(),
            size: file.size,
            rows: file.live(),
            dead: file.dead(),
            modified_ms: file.modified_ms,
            stats: file.stats.to_string(),
            partition: file.partition.as_deref().map(str::to_owned),
        };
        Ok(state.files.into_iter().map(file).collect())
    }

    /// The commits of a table up to a version that its log still holds, oldest first.
    pub async fn commits(&self, name: &str, up_to: i64) -> LakeResult<Vec<LakeCommit>> {
        let place = self.shared.place(name)?;
        let log = store::list(&*place.store, &place.path("_delta_log")).await?;
        let mut versions: Vec<i64> = log
            .iter()
            .filter_map(|object| object.location.filename()?.strip_suffix(".json")?.parse().ok())
            .filter(|version| *version <= up_to)
            .collect();
        versions.sort_unstable();
        let place = &place;
        let commits: Vec<Option<LakeCommit>> = futures::stream::iter(versions)
            .map(|version| async move {
                match store::get(&*place.store, &place.commit_path(version)).await {
                    Ok(bytes) => Ok(Some(commit(version, &bytes))),
                    // Cleaned up meanwhile.
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffered(READS)
            .try_collect()
            .await?;
        Ok(commits.into_iter().flatten().collect())
    }
}

fn commit(version: i64, bytes: &[u8]) -> LakeCommit {
    let mut commit = LakeCommit {
        version,
        at_ms: 0,
        tick: None,
        operation: String::new(),
        files_added: 0,
        files_removed: 0,
        rows_added: None,
        rows_deleted: None,
        bytes_added: 0,
    };
    let mut sizes = BTreeMap::new();
    let mut removed = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(action) = serde_json::from_slice::<Value>(line) else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(add) = action.get("add") {
            sizes.insert(text(&add["path"]), add["size"].as_u64().unwrap_or(0));
        } else if let Some(remove) = action.get("remove") {
            removed.push(text(&remove["path"]));
        } else if let Some(info) = action.get("commitInfo") {
            commit.at_ms = info["timestamp"].as_i64().unwrap_or(0);
            commit.tick = info["sluiceTick"].as_u64();
            commit.operation = text(&info["operation"]);
            let metric = |name: &str| info["operationMetrics"][name].as_str()?.parse().ok();
            commit.rows_added = metric("numOutputRows");
            commit.rows_deleted = metric("numDeletedRows");
        }
    }
    // A file that only gets another deletion vector is the same file.
    for path in removed {
        if sizes.remove(&path).is_none() {
            commit.files_removed += 1;
        }
    }
    commit.files_added = sizes.len() as u64;
    commit.bytes_added = sizes.values().sum();
    commit
}
