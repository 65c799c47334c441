//! Keeping tables small and fast to open: compaction, checkpoints, log clean-up, removal of superseded files.
//!
//! Compaction merges neighbouring files only, so that row ids go on ascending from file to file. Each merge takes the
//! newest files whose sizes are of one magnitude: every row is rewritten a logarithmic number of times.
//!
//! What takes long needs nothing of the table while it runs, so that flushes go on meanwhile: a [`Compaction`] writes the
//! files anew as they were, and [`LakeTable::replace`] commits them with the deaths that came since; a [`Cleaning`]
//! writes a checkpoint and removes what nobody can ask for any more.

use super::Shared;
use super::error::{LakeError, LakeResult};
use super::file::{self, LiveFile};
use super::log::{self, Commit, Place};
use super::store;
use super::table::{LakeTable, Rewriting};
use super::vector::VectorWriter;
use crate::fault::{self, Step};
use roaring::RoaringBitmap;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// Neighbouring files that are to become one, as they were when it was made.
#[derive(Debug)]
pub struct Compaction {
    old: Rewriting,
}

/// What became of a [`Compaction`].
#[derive(Debug)]
pub struct Compacted {
    old: Rewriting,
    new: Vec<LiveFile>,
}

impl Compaction {
    /// Writes the new files; commits nothing.
    pub async fn run(self) -> LakeResult<Compacted> {
        let new = self.old.run().await?;
        if let Some(unsynced) = &self.old.place.unsynced {
            // Before a flush has to wait for it.
            let paths: Vec<_> = new.iter().map(|file| self.old.place.path(&file.path)).collect();
            unsynced.sync_new(&paths).await?;
        }
        Ok(Compacted { old: self.old, new })
    }
}

/// A checkpoint of a table's log and the removal of what nobody needs any more.
#[derive(Debug)]
pub struct Cleaning {
    place: Arc<Place>,
    shared: Arc<Shared>,
    version: i64,
    checkpoint: bool,
    retention: Duration,
    live: HashSet<String>,
    tombstones: HashMap<String, (i64, Instant)>,
    strangers: HashMap<String, Instant>,
}

/// What became of a [`Cleaning`].
#[derive(Debug, Clone, Default)]
pub struct Cleaned {
    pub checkpoint: Option<i64>,
    /// Objects that are gone.
    pub removed: usize,
    paths: Vec<String>,
    strangers: HashMap<String, Instant>,
}

impl LakeTable {
    /// Does what is due, and nothing where nothing is. The rows stay the same.
    pub async fn maintain(&mut self, how: &Maintenance) -> LakeResult<Maintained> {
        let mut done = Maintained { version: self.version, ..Maintained::default() };
        if let Some(compaction) = self.due_compaction(how) {
            let compacted = compaction.run().await?;
            self.replace(compacted, &mut done).await?;
        }
        if let Some(cleaning) = self.due_cleaning(how).await? {
            let cleaned = cleaning.run().await?;
            done.checkpoint = cleaned.checkpoint;
            done.removed_files = cleaned.removed;
            self.cleaned(&cleaned);
        }
        done.version = self.version;
        Ok(done)
    }

    /// The compaction that is due, where one is.
    pub fn due_compaction(&mut self, how: &Maintenance) -> Option<Compaction> {
        if self.flushes_since_compaction < how.compact_every {
            return None;
        }
        self.flushes_since_compaction = 0;
        let range = self.merge_candidates(how).or_else(|| self.mostly_dead(how).map(|n| n..n + 1))?;
        Some(self.compaction(range))
    }

    /// The next compaction of somebody who wants as few files and dead rows as there can be; `None`: there are no fewer.
    /// `from`: the file before which all is done; it is moved on.
    pub fn next_compaction(&self, how: &Maintenance, from: &mut usize) -> Option<Compaction> {
        let is_whole = |file: &LiveFile| file.size as usize >= file::FILE_BYTES / 2 && file.vector.is_none();
        while *from < self.files.len() {
            let begin = *from;
            let (mut end, mut rows, mut bytes) = (begin, 0, 0);
            while let Some(file) = self.files.get(end).filter(|file| !is_whole(file)) {
                let too_much = rows + file.live() > how.max_rows
                    || bytes + file.size as usize > file::FILE_BYTES
                    || file.partition != self.files[begin].partition;
                if end > begin && too_much {
                    break;
                }
                (rows, bytes, end) = (rows + file.live(), bytes + file.size as usize, end + 1);
            }
            *from = begin + 1;
            if end - begin > 1 || self.files[begin].vector.is_some() {
                return Some(self.compaction(begin..end));
            }
        }
        None
    }

    fn compaction(&self, range: Range<usize>) -> Compaction {
        Compaction { old: self.rewriting(&self.files[range], &self.schema) }
    }

    /// The newest neighbouring files of one magnitude, where there are enough of them.
    fn merge_candidates(&self, how: &Maintenance) -> Option<Range<usize>> {
        let mut first = self.files.len();
        let mut rows = 0;
        while let Some(file) = first.checked_sub(1).map(|n| &self.files[n]) {
            // An older file joins while it is not much greater than all newer ones together.
            let is_too_big = rows > 0 && file.live() > 2 * rows && self.files.len() - first >= how.merge_files;
            let is_whole = file.size as usize >= file::FILE_BYTES / 2 && file.vector.is_none();
            // Yesterday's files stay among themselves.
            let is_other_day = self.files.last().is_some_and(|last| last.partition != file.partition);
            if is_too_big || is_whole || is_other_day || rows + file.live() > how.max_rows {
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

    /// Commits compacted files in the place of the old ones, without the rows that died since. Where the table has
    /// meanwhile been truncated or written anew, the new files are of no use and are removed.
    pub async fn replace(&mut self, compacted: Compacted, done: &mut Maintained) -> LakeResult<()> {
        let Compacted { old, new } = compacted;
        let first = old.files.first().and_then(|first| self.files.iter().position(|file| file.path == first.path));
        let range = first.map(|first| first..first + old.files.len());
        let now = range.clone().and_then(|range| self.files.get(range));
        let is_same = |now: &[Arc<LiveFile>]| now.iter().zip(&old.files).all(|(now, old)| now.path == old.path);
        let (Some(range), Some(now)) = (range, now.filter(|now| is_same(now))) else {
            for file in new {
                store::delete(&*self.place.store, &self.place.path(&file.path)).await?;
            }
            return Ok(());
        };
        let mut commit = Commit::new("OPTIMIZE", None, false);
        for file in now {
            commit.remove(file, false);
        }
        let mut vectors = VectorWriter::new();
        let mut died = died_since(&old.files, now).into_iter().peekable();
        let mut begin = 0;
        let mut added = Vec::with_capacity(new.len());
        let mut unused = Vec::new();
        for mut file in new {
            let end = begin + file.rows;
            let mut dead = RoaringBitmap::new();
            while let Some(row) = died.next_if(|row| *row < end) {
                dead.insert((row - begin) as u32);
            }
            begin = end;
            if dead.len() == file.rows {
                unused.push(file.path);
                continue;
            }
            if !dead.is_empty() {
                file.stats = file::loosened(&file.stats);
                file.vector = Some(vectors.add(dead)?);
            }
            commit.add(&file, false);
            added.push(Arc::new(file));
        }
        if let Some((name, bytes)) = vectors.finish() {
            store::put(&*self.place.store, &self.place.path(&name), bytes.into()).await?;
        }
        let version = self.version + 1;
        commit.write(&self.place, version).await?;
        done.merged_files += old.files.len();
        done.rewritten_rows += added.iter().map(|file| file.rows).sum::<u64>();
        let removed: Vec<Arc<LiveFile>> = self.files.splice(range, added).collect();
        for file in removed {
            self.bury(&file.path, version);
            self.bury_vector(&file, version)?;
        }
        for path in unused {
            self.bury(&path, version);
        }
        self.version = version;
        done.version = version;
        Ok(())
    }

    /// The cleaning that is due, where one is.
    pub async fn due_cleaning(&mut self, how: &Maintenance) -> LakeResult<Option<Cleaning>> {
        let since = match self.last_checkpoint {
            Some(at) => self.version - at,
            None => {
                let at = newest_checkpoint(&self.place, i64::MAX).await?.unwrap_or(0);
                self.last_checkpoint = Some(at);
                self.version - at
            }
        };
        if since < how.checkpoint_every {
            return Ok(None);
        }
        self.last_checkpoint = Some(self.version);
        self.cleaning(how, true).map(Some)
    }

    /// Removes log entries that no manifest needs, and files that were superseded or never committed, longer ago than
    /// the retention; `checkpoint`: writes one first.
    pub fn cleaning(&self, how: &Maintenance, checkpoint: bool) -> LakeResult<Cleaning> {
        let mut live: HashSet<String> = HashSet::with_capacity(self.files.len() * 2);
        for file in &self.files {
            live.insert(file.path.to_string());
            if let Some(name) = file.vector.as_ref().map(|vector| vector.descriptor.file()).transpose()?.flatten() {
                live.insert(name);
            }
        }
        Ok(Cleaning {
            place: Arc::clone(&self.place),
            shared: Arc::clone(&self.shared),
            version: self.version,
            checkpoint,
            retention: how.retention,
            live,
            tombstones: self.tombstones.clone(),
            strangers: self.strangers.clone(),
        })
    }

    /// Forgets what is gone.
    pub fn cleaned(&mut self, cleaned: &Cleaned) {
        for path in &cleaned.paths {
            self.tombstones.remove(path);
        }
        self.strangers.clone_from(&cleaned.strangers);
    }
}

/// Rows that died in files since they were as in `old`, as ranks among the rows that lived then.
fn died_since(old: &[Arc<LiveFile>], now: &[Arc<LiveFile>]) -> Vec<u64> {
    let mut died = Vec::new();
    let mut before = 0;
    for (old, now) in old.iter().zip(now) {
        let nothing = RoaringBitmap::new();
        let dead_then = old.vector.as_ref().map_or(&nothing, |vector| &vector.rows);
        if let Some(vector) = &now.vector {
            let new = &*vector.rows - dead_then;
            // `rank` counts the dead up to a row, which itself lived then.
            died.extend(new.iter().map(|row| before + u64::from(row) - dead_then.rank(row)));
        }
        before += old.live();
    }
    died
}

/// The version of the newest checkpoint up to a version.
async fn newest_checkpoint(place: &Place, up_to: i64) -> LakeResult<Option<i64>> {
    let log = store::list(&*place.store, &place.path("_delta_log")).await?;
    let versions = log.iter().filter_map(|object| {
        let name = object.location.filename()?;
        name.ends_with(".checkpoint.parquet").then(|| name.get(..20)?.parse::<i64>().ok())?
    });
    Ok(versions.filter(|version| *version <= up_to).max())
}

impl Cleaning {
    /// The checkpoint that deltalake has written takes the place of log entries: these may go when the disk has it.
    async fn sync_checkpoint(&self) -> LakeResult<()> {
        let Some(unsynced) = &self.place.unsynced else { return Ok(()) };
        let written = format!("{:020}.checkpoint", self.version);
        for object in store::list(&*self.place.store, &self.place.path("_delta_log")).await? {
            if object.location.filename().is_some_and(|name| name.starts_with(&written) || name == "_last_checkpoint") {
                unsynced.note(&object.location);
            }
        }
        unsynced.sync().await
    }

    pub async fn run(self) -> LakeResult<Cleaned> {
        let mut done = Cleaned::default();
        if self.checkpoint {
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
                LakeError::store("write a checkpoint of table", &self.place.name, source)
            };
            fault::at(Step::Checkpoint).await.map_err(|error| failed(error.into()))?;
            let table = self.place.delta_table(self.version).await?;
            deltalake::checkpoints::create_checkpoint(&table, None).await.map_err(|error| failed(error.into()))?;
            done.checkpoint = Some(self.version);
            self.sync_checkpoint().await?;
        }
        let Some(needed) = self.shared.oldest_version(&self.place.name) else { return Ok(done) };
        let keep = newest_checkpoint(&self.place, needed).await?;
        let before_ms = log::now_ms() - i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX / 2);
        let root = format!("{}/", self.place.prefix);
        for object in store::list(&*self.place.store, &self.place.prefix).await? {
            let Some(path) = object.location.as_ref().strip_prefix(&root) else { continue };
            let modified_ms = object.last_modified.timestamp_millis();
            let is_garbage = match path.strip_prefix("_delta_log/") {
                Some(name) => {
                    let version = name.get(..20).and_then(|digits| digits.parse::<i64>().ok());
                    version.zip(keep).is_some_and(|(version, keep)| version < keep) && modified_ms < before_ms
                }
                None if self.live.contains(path) => false,
                // Rows that are not in memory are read from it.
                None if self.shared.cold.is_open(object.location.as_ref()) => false,
                None => match self.tombstones.get(path) {
                    Some((version, gone)) => *version <= needed && gone.elapsed() >= self.retention,
                    // It was left by a process before this one or by a flush that failed, or a flush is writing it just
                    // now: no flush lasts from one cleaning to the next. Clocks have no say in it.
                    None => match self.strangers.get(path) {
                        Some(since) => {
                            done.strangers.insert(path.to_owned(), *since);
                            since.elapsed() >= self.retention
                        }
                        None => {
                            done.strangers.insert(path.to_owned(), Instant::now());
                            false
                        }
                    },
                },
            };
            if is_garbage {
                fault::at(Step::Vacuum)
                    .await
                    .map_err(|error| LakeError::store("remove", object.location.to_string(), error))?;
                store::delete(&*self.place.store, &object.location).await?;
                done.strangers.remove(path);
                done.paths.push(path.to_owned());
                done.removed += 1;
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::vector::{Descriptor, Vector};

    fn file(rows: u64, dead: &[u32]) -> Arc<LiveFile> {
        let descriptor = Descriptor {
            storage_type: "i".into(),
            path_or_inline_dv: String::new(),
            offset: None,
            size_in_bytes: 0,
            cardinality: 0,
        };
        let vector = (!dead.is_empty())
            .then(|| Vector { rows: Arc::new(dead.iter().copied().collect()), descriptor: Arc::new(descriptor) });
        Arc::new(LiveFile {
            path: "x".into(),
            size: 0,
            rows,
            modified_ms: 0,
            stats: "{}".into(),
            vector,
            ids: None,
            partition: None,
        })
    }

    #[test]
    fn deaths_since_are_ranks_among_the_rows_that_lived() {
        let old = [file(5, &[1, 2]), file(4, &[]), file(3, &[0])];
        let now = [file(5, &[1, 2, 3]), file(4, &[0, 3]), file(3, &[0])];
        // Lived then: rows 0 3 4 of the first, all of the second.
        assert_eq!(died_since(&old, &now), [1, 3, 6]);
    }
}
