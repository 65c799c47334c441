//! Silver and managed tables beyond their share of memory: the oldest rows stay in the lake alone.
//!
//! `[limits] table_memory` bounds the bytes of these tables, indexes and all. Beyond it the engine lets go of rows that a flush has
//! written, row group by row group of the lake's files, the oldest of the largest table first ([`crate::store::Table::evict`]);
//! ids, deaths, keys and indexes stay. Where rows come faster than flushes write them, sources pause. When the lake's compaction
//! has written a file anew, what was read from the old one is read from the new one.

use super::now_us;
use super::tables::{Rows, Slot};
use super::tick::Engine;
use crate::catalog::RelationKind;
use crate::change::RowId;
use crate::lake::{Evictable, LakeError, LakeFiles};
use crate::store::Table;
use crate::types::{Oid, PgError, PgResult, SqlState};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a read of the lake rests that has failed.
const RETRY: Duration = Duration::from_secs(1);
/// How often tables are counted.
const COUNTING: Duration = Duration::from_millis(100);
/// Row groups that are evicted, or found in another file, between two ticks at most.
const STEP: usize = 4;
/// The share of the limit that column chunks of single rows may take beside it.
const CACHE_SHARE: usize = 16;
const LEAST_CACHE: usize = 4 << 20;
/// Of what is over the limit, so much is written and cannot be evicted before sources pause: a quarter.
const CROWDED: u64 = 4;

/// Where the rows of a table lie that are not in memory, or could be.
#[derive(Default)]
pub struct Away {
    /// The lake's files as of the last flush or compaction.
    pub files: Option<Arc<LakeFiles>>,
    /// Some rows may be read from files that compaction has written anew.
    moved: bool,
    /// Before this row nothing more can be evicted until the files change.
    from: RowId,
}

impl Away {
    pub fn set(&mut self, files: Arc<LakeFiles>) {
        self.files = Some(files);
        self.moved = true;
        self.from = RowId(0);
    }
}

/// What happens to the rows of one table at a step.
enum Outcome {
    /// A row group was evicted, or is read from another file.
    Done,
    /// There is nothing to do.
    Nothing,
}

/// How many bytes the cache beside this limit may hold.
pub(super) fn cache_bytes(limit: u64) -> usize {
    (limit as usize / CACHE_SHARE).max(LEAST_CACHE)
}

/// Whether rows of such relations may stay in the lake.
pub(super) fn is_evictable(kind: RelationKind) -> bool {
    matches!(kind, RelationKind::Silver | RelationKind::Managed)
}

impl Engine {
    /// One bounded piece of work on tables that are larger than their memory.
    pub(super) fn evict(&mut self) {
        let Some(limit) = self.options.table_memory else { return };
        if self.evicted.is_some_and(|at| at.elapsed() < COUNTING) {
            return;
        }
        let mut changed: HashSet<Oid> = HashSet::new();
        let mut steps = STEP;
        for slot in self.slots.values_mut().filter(|slot| is_evictable(slot.kind) && !slot.dirty) {
            while steps > 0 && matches!(attempt(slot, Slot::follow), Outcome::Done) {
                changed.insert(slot.oid);
                steps -= 1;
            }
        }
        for slot in self.slots.values_mut().filter(|slot| is_evictable(slot.kind)) {
            slot.count();
        }
        let mut stuck: HashSet<Oid> = HashSet::new();
        while steps > 0 && self.table_bytes() > limit {
            let candidates = self.slots.values_mut().filter(|slot| is_evictable(slot.kind) && !slot.dirty);
            let Some(slot) = candidates.filter(|slot| !stuck.contains(&slot.oid)).max_by_key(|slot| slot.rows_bytes())
            else {
                break;
            };
            match attempt(slot, Slot::evict_oldest) {
                Outcome::Done => {
                    steps -= 1;
                    changed.insert(slot.oid);
                    slot.count();
                }
                Outcome::Nothing => {
                    stuck.insert(slot.oid);
                }
            }
        }
        // Where there is more to do the next look comes at once.
        self.evicted = (steps > 0).then(Instant::now);
        let over = self.table_bytes().saturating_sub(limit);
        let waits = |slot: &Slot| is_evictable(slot.kind) && slot.unflushed() > 0;
        self.crowded = over > limit / CROWDED && self.slots.values().any(waits);
        if changed.is_empty() {
            return;
        }
        // The same rows elsewhere: nothing has changed for a view, and what was in memory is to go.
        for oid in changed {
            let Some(slot) = self.slots.get_mut(&oid) else { continue };
            let data = slot.publish(self.tick);
            self.relations.insert(oid, data);
        }
        self.publish(now_us());
    }

    fn table_bytes(&self) -> u64 {
        self.slots.values().filter(|slot| is_evictable(slot.kind)).map(|slot| slot.bytes).sum()
    }
}

/// Rows that cannot be read now are evicted later.
fn attempt(slot: &mut Slot, step: impl FnOnce(&mut Slot) -> PgResult<Outcome>) -> Outcome {
    match step(slot) {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(table = %slot.folder, ?error, "rows cannot be evicted now");
            slot.away.moved = false;
            slot.away.from = RowId(u64::MAX);
            Outcome::Nothing
        }
    }
}

impl Slot {
    /// The table and its files, where both have the same columns: not between a change of columns and the flush that writes it.
    fn table_and_files(&mut self) -> Option<(&mut Table, Arc<LakeFiles>, RowId)> {
        let Rows::Hot(table) = &mut self.rows else { return None };
        let files = self.away.files.clone().filter(|files| files.schema() == table.schema())?;
        Some((table, files, self.flushed))
    }

    /// Finds rows that are read from a file which is no longer the lake's in the one that took its place.
    fn follow(&mut self) -> PgResult<Outcome> {
        if !self.away.moved {
            return Ok(Outcome::Nothing);
        }
        let Some((table, files, _)) = self.table_and_files() else { return Ok(Outcome::Nothing) };
        let names = files.names();
        let gone = table.cold().find(|(_, rows)| !names.contains(rows.file())).map(|(id, _)| id);
        let found = match gone {
            Some(id) => files.evictable(id).map_err(from_lake)?,
            None => None,
        };
        let followed = match found {
            Some(Evictable::Group(group)) => table.evict(&group)?,
            _ => false,
        };
        self.away.moved = followed;
        Ok(if followed { Outcome::Done } else { Outcome::Nothing })
    }

    /// Evicts the oldest row group of which rows are in memory.
    fn evict_oldest(&mut self) -> PgResult<Outcome> {
        let mut from = self.away.from;
        let Some((table, files, flushed)) = self.table_and_files() else { return Ok(Outcome::Nothing) };
        let mut done = false;
        while !done
            && let Some(id) = table.first_resident(from).filter(|id| *id < flushed)
            && let Some(found) = files.evictable(id).map_err(from_lake)?
        {
            let group = match found {
                Evictable::Group(group) => group,
                Evictable::TooSmall { next } => {
                    from = next;
                    continue;
                }
            };
            let Some(span) = group.span() else { break };
            from = RowId(span.end() + 1);
            done = table.evict(&group)?;
        }
        if !done {
            from = RowId(u64::MAX);
        }
        self.away.from = from;
        Ok(if done { Outcome::Done } else { Outcome::Nothing })
    }

    /// Bytes that eviction can free.
    fn rows_bytes(&self) -> u64 {
        use super::status::MemoryPurpose;
        self.memory.iter().filter(|part| part.purpose == MemoryPurpose::Rows).map(|part| part.bytes).sum()
    }
}

/// Reads rows again and again while the lake cannot be read: what has come is not to be lost for that.
pub(super) fn patiently<T>(mut read: impl FnMut() -> PgResult<T>) -> PgResult<T> {
    loop {
        match read() {
            Err(error) if error.state == SqlState::IO_ERROR => {
                tracing::warn!(?error, "rows in the lake cannot be read; they are tried again");
                std::thread::sleep(RETRY);
            }
            read => return read,
        }
    }
}

fn from_lake(error: LakeError) -> PgError {
    PgError::from(error)
}
