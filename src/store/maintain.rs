//! Work between ticks: small chunks are merged, dead rows leave the chunks and the index.

use super::RowId;
use super::chunk::Chunk;
use super::deaths::NOW;
use super::ids::Ids;
use super::postings::PostingIndex;
use super::snapshot::Pin;
use super::table::{Rows, Table};
use crate::types::PgResult;
use arrow::compute::concat_batches;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// When work is worth doing. Tests make it small to meet every case with few rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// A chunk that merging has brought to half of this size is left alone; none is made bigger.
    pub target_rows: usize,
    /// How many chunks of one size class may stand at the end of the list before a publish merges them.
    pub tier: usize,
    /// The biggest chunks that a publish merges by itself.
    pub tiny_rows: usize,
    /// A chunk from this size on is compacted by itself when more than a fifth of it is dead.
    pub big_rows: usize,
    /// So many dead index entries wait for maintenance before a publish removes some by itself.
    pub garbage_high: usize,
}

impl Policy {
    pub const USUAL: Policy =
        Policy { target_rows: 32_768, tier: 16, tiny_rows: 256, big_rows: 4_096, garbage_high: 1 << 16 };
}

/// Chunks that hold more are not merged: text and bytea have 31-bit offsets.
const LARGEST_BYTES: usize = 256 << 20;

/// A dead version's entry in an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grave {
    pub hash: u64,
    pub id: u64,
    /// From which it is dead.
    pub epoch: u64,
}

/// Dead versions' entries in one index.
#[derive(Debug)]
pub(super) struct Graves {
    /// `None`: the key index.
    secondary: Option<Arc<PostingIndex>>,
    entries: Vec<Grave>,
}

impl Graves {
    fn is_of(&self, index: Option<&Arc<PostingIndex>>) -> bool {
        match (&self.secondary, index) {
            (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
            (mine, other) => mine.is_none() && other.is_none(),
        }
    }
}

/// The entries for `index` among `graves`: the last ones, or new ones where there are none.
fn graves_of<'a>(graves: &'a mut Vec<Graves>, index: Option<&Arc<PostingIndex>>) -> &'a mut Vec<Grave> {
    let at = graves.iter().rposition(|graves| graves.is_of(index)).unwrap_or_else(|| {
        graves.push(Graves { secondary: index.cloned(), entries: Vec::new() });
        graves.len() - 1
    });
    &mut graves[at].entries
}

/// Index entries of dead versions that have to be looked at: those of snapshots that have gone, and the newest.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    released: Vec<Graves>,
    /// For each index the newest dead, the oldest first.
    fresh: Vec<(Option<Arc<PostingIndex>>, VecDeque<Grave>)>,
}

impl Garbage {
    /// Adds entries of one index.
    pub fn push_each(&mut self, index: Option<&Arc<PostingIndex>>, graves: impl Iterator<Item = Grave>) {
        let is_it = |other: &Option<Arc<PostingIndex>>| other.as_ref().map(Arc::as_ptr) == index.map(Arc::as_ptr);
        let at = self.fresh.iter().position(|(other, _)| is_it(other)).unwrap_or_else(|| {
            self.fresh.push((index.cloned(), VecDeque::new()));
            self.fresh.len() - 1
        });
        self.fresh[at].1.extend(graves);
    }

    /// Takes up to `limit` entries of one index.
    fn next(&mut self, limit: usize) -> Option<Graves> {
        if let Some(last) = self.released.last_mut() {
            let rest = last.entries.len().saturating_sub(limit);
            let entries = last.entries.split_off(rest);
            let secondary = last.secondary.clone();
            if rest == 0 {
                self.released.pop();
            }
            return Some(Graves { secondary, entries });
        }
        let at = self.fresh.iter().position(|(_, waiting)| !waiting.is_empty())?;
        let (secondary, waiting) = &mut self.fresh[at];
        let entries = waiting.drain(..limit.min(waiting.len())).collect();
        let graves = Graves { secondary: secondary.clone(), entries };
        if waiting.is_empty() {
            // What a burst left behind is memory for nothing, and an index that has gone is done with.
            waiting.shrink_to(1024);
            if graves.secondary.as_ref().is_some_and(|index| Arc::strong_count(index) == 2) {
                self.fresh.remove(at);
            }
        }
        Some(graves)
    }

    fn waiting(&self) -> usize {
        self.fresh.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.released.is_empty() && self.waiting() == 0
    }
}

/// Neighbours that could be one chunk.
#[derive(Debug, Default)]
struct Run {
    chunks: Range<usize>,
    rows: usize,
    bytes: usize,
    most: usize,
}

impl Run {
    fn add(&mut self, at: usize, rows: usize, bytes: usize) {
        if self.chunks.is_empty() {
            self.chunks = at..at;
        }
        self.chunks.end = at + 1;
        self.rows += rows;
        self.bytes += bytes;
        self.most = self.most.max(rows);
    }

    /// Either the result is big enough to be left alone afterwards, or no row is copied for the sake of few others.
    fn is_worth_a_copy(&self, policy: &Policy) -> bool {
        let count = self.chunks.len();
        count >= 2 && (self.rows > policy.target_rows / 2 || (count >= policy.tier && self.most * 2 <= self.rows))
    }
}

/// Does somebody hold a snapshot that sees what came with the row id `id`, and ended when the row `end` came?
pub(super) fn is_seen(pins: &[Pin], id: u64, end: u64) -> bool {
    let after = pins.partition_point(|pin| pin.next_id <= id);
    pins[after..].iter().take_while(|pin| pin.next_id <= end).any(|pin| pin.state.strong_count() > 0)
}

impl Table {
    /// One bounded piece of background work; true where there is more. `budget_rows`: about how many rows may be
    /// copied, and how many dead index entries removed. Changes no answer and no id.
    pub fn maintain(&mut self, budget_rows: usize) -> bool {
        self.unpin();
        self.unlink(budget_rows.max(1));
        self.collect(budget_rows.max(1));
        let mut budget = budget_rows.max(1);
        // Every chunk is looked at. After few changes nothing can be worth it yet, and one-row ticks are many.
        if self.changed < self.chunks.len() {
            return !self.garbage.is_empty();
        }
        loop {
            let Some(range) = self.worst() else {
                self.changed = 0;
                return !self.garbage.is_empty();
            };
            let rows: usize = self.chunks.iter().skip(range.start).take(range.len()).map(|chunk| chunk.live()).sum();
            if let Err(error) = self.rewrite(range) {
                // Only rows that lie in memory are copied here: Arrow refuses where text outgrows its offsets.
                tracing::warn!(%error, "chunks could not be merged");
                return false;
            }
            if rows >= budget {
                return self.worst().is_some() || !self.garbage.is_empty();
            }
            budget -= rows.max(1);
        }
    }

    /// The next chunks to make one: a big one with more than 20 % dead, one with nothing left, or small neighbours.
    fn worst(&self) -> Option<Range<usize>> {
        let mut run = Run::default();
        for (at, chunk) in self.chunks.iter().enumerate() {
            let (rows, live, bytes) = (chunk.rows(), chunk.live(), chunk.data_bytes());
            let worn = (rows - live) * 5 > rows && rows >= self.policy.big_rows;
            if live == 0 || (worn && chunk.cold().is_none()) {
                return Some(at..at + 1);
            }
            // Rows in the lake are put together there.
            let small = live <= self.policy.target_rows / 2 && chunk.cold().is_none();
            if small && run.rows + live <= self.policy.target_rows && run.bytes + bytes <= LARGEST_BYTES {
                run.add(at, live, bytes);
                continue;
            }
            if run.is_worth_a_copy(&self.policy) {
                return Some(run.chunks);
            }
            run = Run::default();
            if small && bytes <= LARGEST_BYTES {
                run.add(at, live, bytes);
            }
        }
        run.is_worth_a_copy(&self.policy).then_some(run.chunks)
    }

    /// Before a publish: keeps the chunks of tiny ticks few, each row being copied at most once for each size class.
    pub(super) fn merge_tail(&mut self) {
        let Policy { tier, tiny_rows, garbage_high, .. } = self.policy;
        for limit in [tier, tiny_rows] {
            let tiny =
                self.chunks.iter().rev().take(tier).take_while(|chunk| chunk.rows() < limit && chunk.cold().is_none());
            let tiny = tiny.count();
            let len = self.chunks.len();
            if tiny < tier || self.rewrite(len - tier..len).is_err() {
                break;
            }
        }
        if self.garbage.waiting() > garbage_high || self.links() > 2 * self.most_links() {
            self.unpin();
            self.unlink(garbage_high / 8);
            self.collect(garbage_high / 8);
        }
    }

    /// Makes the chunks `range` one chunk of their live rows, or none.
    pub(super) fn rewrite(&mut self, range: Range<usize>) -> PgResult<()> {
        let mut batches = Vec::with_capacity(range.len());
        let mut ids: Vec<u64> = Vec::new();
        for at in range.clone() {
            let Some(chunk) = self.chunks.get(at).filter(|chunk| chunk.live() > 0) else { continue };
            batches.push(chunk.live_rows(0, NOW, None)?);
            ids.extend(chunk.live_ids(0, NOW).into_iter().map(|RowId(id)| id));
        }
        let by = if ids.is_empty() {
            Vec::new()
        } else {
            let batch = concat_batches(self.schema.arrow(), &batches)?;
            let chunk = Chunk::new(batch, Ids::from_ascending(ids), &self.parts)?;
            for index in &self.secondaries {
                chunk.prepare(&index.parts)?;
            }
            vec![Arc::new(chunk)]
        };
        self.chunks.splice(range, by);
        self.dirty = true;
        Ok(())
    }

    pub(super) fn pin(&mut self, pin: Pin) {
        if self.pins.len() >= 64 {
            self.unpin();
        }
        self.pins.push(pin);
    }

    /// Forgets the snapshots that nobody holds any more, and what waited for them may go.
    fn unpin(&mut self) {
        let released = &mut self.garbage.released;
        self.pins.retain_mut(|pin| {
            let alive = pin.state.strong_count() > 0;
            if !alive {
                released.append(&mut pin.held);
            }
            alive
        });
    }

    /// Links from versions to their predecessors in the key index.
    fn links(&self) -> usize {
        if let Rows::Keyed(index) = &self.rows { index.before.len() } else { 0 }
    }

    /// From how many links on the key index keeps by itself what they lead to.
    fn most_links(&self) -> usize {
        self.policy.garbage_high.max(self.len() / 2)
    }

    /// Forgets the links that no snapshot needs any more. Where a snapshot is held for so long that they become many, the key
    /// index keeps what is seen through about `limit` of the oldest.
    fn unlink(&mut self, limit: usize) {
        let Rows::Keyed(index) = &self.rows else { return };
        match self.pins.iter().find(|pin| pin.state.strong_count() > 0) {
            None => index.before.clear(),
            Some(oldest) => index.before.forget_below(oldest.next_id),
        }
        let index = Arc::clone(index);
        let mut done = 0;
        while done < limit && index.before.len() > self.most_links() {
            let links = index.before.oldest();
            let seen = links.iter().filter(|link| is_seen(&self.pins, link.before, link.id));
            let kept: Vec<(u64, u64)> = seen.map(|link| (link.hash, link.before)).collect();
            self.keep(&index, &kept);
            index.before.drop_oldest();
            done += links.len().max(1);
        }
    }

    /// Removes up to `limit` dead versions from the indexes that no snapshot sees. A version is seen by the snapshots
    /// that were published after it came and before it died: a long-held snapshot does not keep what came later. One
    /// that is seen waits with the oldest snapshot that sees it, so that it is not looked at again at each tick.
    fn collect(&mut self, mut limit: usize) {
        while limit > 0
            && let Some(Graves { secondary, mut entries }) = self.garbage.next(limit)
        {
            limit -= entries.len().min(limit);
            entries.retain(|dead| {
                // Both epochs and ids ascend from pin to pin: the first that has the row is the oldest.
                let first = self.pins.partition_point(|pin| pin.next_id <= dead.id);
                match self.pins.get_mut(first).filter(|pin| pin.epoch < dead.epoch) {
                    Some(pin) => graves_of(&mut pin.held, secondary.as_ref()).push(*dead),
                    None => return true,
                }
                false
            });
            match (&secondary, &self.rows) {
                (Some(postings), _) => postings.remove_each(entries.iter().map(|dead| (dead.hash, dead.id))),
                (None, Rows::Keyed(index)) => {
                    let entries: Vec<(u64, u64)> = entries.iter().map(|dead| (dead.hash, dead.id)).collect();
                    index.forget_each(&entries);
                }
                (None, _) => {}
            }
        }
    }

    /// The index is another one: entries of the old one go with it.
    pub(super) fn forget_garbage(&mut self) {
        self.garbage = Garbage::default();
        self.pins.iter_mut().for_each(|pin| pin.held = Vec::new());
    }

    pub(super) fn garbage_bytes(&self) -> usize {
        let fresh = self.garbage.fresh.iter().map(|(_, waiting)| waiting.capacity()).sum::<usize>();
        let held = self.pins.iter().flat_map(|pin| &pin.held);
        let rest = held.chain(&self.garbage.released).map(|graves| graves.entries.capacity()).sum::<usize>();
        (fresh + rest) * size_of::<Grave>()
    }
}
