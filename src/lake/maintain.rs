//! Keeping tables small and fast to open: compaction, checkpoints, log clean-up, removal of superseded files.
//!
//! Compaction merges neighbouring files only, so that row ids go on ascending from file to file. Each merge takes the
//! newest files whose sizes are of one magnitude: every row is rewritten a logarithmic number of times.

use super::error::{LakeError, LakeResult};
use super::file::LiveFile;
use super::log::{self, Commit};
use super::store;
use super::table::LakeTable;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// When maintenance does what.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// Flushes between two looks at the files.
    pub compact_every: u32,
    /// At least so many files are merged.
    pub merge_files: usize,
    /// A file with more dead rows than this share is rewritten.
    pub dead_share: f64,
    /// At most so many rows are rewritten in one call.
    pub max_rows: u64,
    /// Commits between two checkpoints of the Delta log.
    pub checkpoint_every: i64,
    /// How long files stay that are no longer live: longer than the longest reader.
    pub retention: Duration,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            compact_every: 50,
            merge_files: 8,
            dead_share: 0.3,
            max_rows: 2_000_000,
            checkpoint_every: 100,
            retention: Duration::from_secs(3600),
        }
    }
}

/// What maintenance has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// The table's version; where it has grown, the next manifest has to name it.
    pub version: i64,
    pub merged_files: usize,
    pub rewritten_rows: u64,
    pub checkpoint: Option<i64>,
    pub removed_files: usize,
}

impl LakeTable {
    /// Does what is due, and nothing where nothing is: cheap to call after every flush. The rows stay the same.
    pub async fn maintain(&mut self, how: &Maintenance) -> LakeResult<Maintained> {
        let mut done = Maintained { version: self.version, ..Maintained::default() };
        if self.flushes_since_compaction >= how.compact_every {
            self.flushes_since_compaction = 0;
            if let Some(range) = self.merge_candidates(how) {
                self.compact(range, &mut done).await?;
            } else if let Some(n) = self.mostly_dead(how) {
                self.compact(n..n + 1, &mut done).await?;
            }
        }
        let since = match self.last_checkpoint {
            Some(at) => self.version - at,
            None => {
                let at = self.newest_checkpoint(i64::MAX).await?;
                self.last_checkpoint = Some(at.unwrap_or(0));
                self.version - at.unwrap_or(0)
            }
        };
        if since >= how.checkpoint_every {
            self.checkpoint().await?;
            done.checkpoint = Some(self.version);
            done.removed_files = self.clean_up(how).await?;
        }
        done.version = self.version;
        Ok(done)
    }

    /// The newest neighbouring files of one magnitude, where there are enough of them.
    fn merge_candidates(&self, how: &Maintenance) -> Option<Range<usize>> {
        let mut first = self.files.len();
        let mut rows = 0;
        while let Some(file) = first.checked_sub(1).map(|n| &self.files[n]) {
            // An older file joins while it is not much greater than all newer ones together.
            let is_too_big = rows > 0 && file.live() > 2 * rows && self.files.len() - first >= how.merge_files;
            let is_whole = file.size as usize >= super::file::FILE_BYTES / 2 && file.vector.is_none();
            if is_too_big || is_whole || rows + file.live() > how.max_rows {
                break;
            }
            rows += file.live();
            first -= 1;
        }
        (self.files.len() - first >= how.merge_files).then_some(first..self.files.len())
    }

    /// The file of which the greatest share is dead, where that is too much.
    fn mostly_dead(&self, how: &Maintenance) -> Option<usize> {
        let share = |file: &LiveFile| file.dead() as f64 / file.rows.max(1) as f64;
        let (n, file) = self.files.iter().enumerate().max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)))?;
        (share(file) > how.dead_share && file.live() <= how.max_rows.max(2_000_000)).then_some(n)
    }

    async fn compact(&mut self, range: Range<usize>, done: &mut Maintained) -> LakeResult<()> {
        let old = &self.files[range.clone()];
        let schema = Arc::clone(&self.schema);
        let new = self.rewrite(old, &schema).await?;
        let mut commit = Commit::new("OPTIMIZE", None, false);
        for file in old {
            commit.remove(file, false);
        }
        for file in &new {
            commit.add(file, false);
        }
        let version = self.version + 1;
        commit.write(&self.place, version).await?;
        done.merged_files = old.len();
        done.rewritten_rows = new.iter().map(|file| file.rows).sum();
        let removed: Vec<Arc<LiveFile>> = self.files.splice(range, new.into_iter().map(Arc::new)).collect();
        for file in removed {
            self.bury(&file.path, version);
            self.bury_vector(&file, version)?;
        }
        self.version = version;
        Ok(())
    }

    /// Writes a checkpoint of the Delta log at this version.
    pub async fn checkpoint(&mut self) -> LakeResult<()> {
        let table = self.place.delta_table(self.version).await?;
        deltalake::checkpoints::create_checkpoint(&table, None)
            .await
            .map_err(|error| LakeError::store("write a checkpoint of table", &self.place.name, error))?;
        self.last_checkpoint = Some(self.version);
        Ok(())
    }

    /// The version of the newest checkpoint up to a version.
    async fn newest_checkpoint(&self, up_to: i64) -> LakeResult<Option<i64>> {
        let log = store::list(&*self.place.store, &self.place.path("_delta_log")).await?;
        let versions = log.iter().filter_map(|object| {
            let name = object.location.filename()?;
            name.ends_with(".checkpoint.parquet").then(|| name.get(..20)?.parse::<i64>().ok())?
        });
        Ok(versions.filter(|version| *version <= up_to).max())
    }

    /// Removes log entries that no manifest needs, and files that were superseded or never committed, longer ago than
    /// the retention. Returns how many objects went.
    pub async fn clean_up(&mut self, how: &Maintenance) -> LakeResult<usize> {
        let Some(needed) = self.shared.oldest_version(&self.place.name) else { return Ok(0) };
        let keep = self.newest_checkpoint(needed).await?;
        let before_ms = log::now_ms() - i64::try_from(how.retention.as_millis()).unwrap_or(i64::MAX / 2);
        let mut live: HashSet<String> = HashSet::with_capacity(self.files.len() * 2);
        for file in &self.files {
            live.insert(file.path.to_string());
            if let Some(name) = file.vector.as_ref().map(|vector| vector.descriptor.file()).transpose()?.flatten() {
                live.insert(name);
            }
        }
        let root = format!("{}/", self.place.prefix);
        let mut removed = 0;
        for object in store::list(&*self.place.store, &self.place.prefix).await? {
            let Some(path) = object.location.as_ref().strip_prefix(&root) else { continue };
            let is_garbage = match path.strip_prefix("_delta_log/") {
                Some(name) => {
                    let version = name.get(..20).and_then(|digits| digits.parse::<i64>().ok());
                    version.zip(keep).is_some_and(|(version, keep)| version < keep)
                        && object.last_modified.timestamp_millis() < before_ms
                }
                None if live.contains(path) => false,
                None => {
                    // A file whose end this process has not seen counts as removed when the table was opened.
                    let (version, gone_ms) = self.tombstones.get(path).copied().unwrap_or((0, self.opened_ms));
                    version <= needed && gone_ms.max(object.last_modified.timestamp_millis()) < before_ms
                }
            };
            if is_garbage {
                store::delete(&*self.place.store, &object.location).await?;
                self.tombstones.remove(path);
                removed += 1;
            }
        }
        Ok(removed)
    }
}
