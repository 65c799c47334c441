//! Work between ticks: small chunks are merged, dead rows leave the chunks and the index.

use super::RowId;
use super::chunk::{Chunk, Ids, NOW};
use super::index::PostingIndex;
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

/// Index entries of dead versions that have to be looked at: those of snapshots that have gone, and the newest.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    released: Vec<Vec<Dead>>,
    fresh: VecDeque<Dead>,
}

/// A dead version's entry in the key index.
#[derive(Debug)]
pub(super) struct Dead {
    pub hash: u64,
    pub id: u64,
    /// From which it is dead.
    pub epoch: u64,
    /// `None`: the key index.
    pub secondary: Option<Arc<PostingIndex>>,
}

impl Garbage {
    pub fn push(&mut self, dead: Dead) {
        self.fresh.push_back(dead);
    }

    fn next(&mut self) -> Option<Dead> {
        if self.is_empty() {
            // What a burst left behind is memory for nothing.
            self.released = Vec::new();
            self.fresh.shrink_to(1024);
            return None;
        }
        while let Some(last) = self.released.last_mut() {
            match last.pop() {
                Some(dead) => return Some(dead),
                None => drop(self.released.pop()),
            }
        }
        self.fresh.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.released.iter().all(Vec::is_empty)
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

impl Table {
    /// One bounded piece of background work; true where there is more. `budget_rows`: about how many rows may be
    /// copied, and how many dead index entries removed. Changes no answer and no id.
    pub fn maintain(&mut self, budget_rows: usize) -> bool {
        self.unpin();
        self.collect(budget_rows.max(1));
        let mut budget = budget_rows.max(1);
        loop {
            let Some(range) = self.worst() else { return !self.garbage.is_empty() };
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
            if live == 0 || ((rows - live) * 5 > rows && rows >= self.policy.big_rows) {
                return Some(at..at + 1);
            }
            let small = live <= self.policy.target_rows / 2;
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
            let tiny = self.chunks.iter().rev().take(tier).take_while(|chunk| chunk.rows() < limit).count();
            let len = self.chunks.len();
            if tiny < tier || self.rewrite(len - tier..len).is_err() {
                break;
            }
        }
        if self.garbage.fresh.len() > garbage_high {
            self.unpin();
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
            if !alive && !pin.held.is_empty() {
                released.push(std::mem::take(&mut pin.held));
            }
            alive
        });
    }

    /// Removes up to `limit` dead versions from the index that no snapshot sees. A version is seen by the snapshots
    /// that were published after it came and before it died: a long-held snapshot does not keep what came later. One
    /// that is seen waits with the oldest snapshot that sees it, so that it is not looked at again at each tick.
    fn collect(&mut self, limit: usize) {
        let (mut hashes, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..limit {
            let Some(dead) = self.garbage.next() else { break };
            match self.pins.iter_mut().find(|pin| pin.epoch < dead.epoch && dead.id < pin.next_id) {
                Some(pin) => pin.held.push(dead),
                None => match (&dead.secondary, &self.rows) {
                    (Some(postings), _) => postings.remove(dead.hash, dead.id),
                    (None, Rows::Keyed(_)) => {
                        hashes.push(dead.hash);
                        ids.push(dead.id);
                    }
                    (None, _) => {}
                },
            }
        }
        if let Rows::Keyed(index) = &self.rows {
            index.remove_each(&hashes, &ids);
        }
    }

    /// The index is another one: entries of the old one go with it.
    pub(super) fn forget_garbage(&mut self) {
        self.garbage = Garbage::default();
        self.pins.iter_mut().for_each(|pin| pin.held = Vec::new());
    }

    pub(super) fn garbage_bytes(&self) -> usize {
        let waiting = self.garbage.fresh.capacity() + self.garbage.released.iter().map(Vec::capacity).sum::<usize>();
        let held = self.pins.iter().map(|pin| pin.held.capacity()).sum::<usize>();
        (waiting + held) * size_of::<Dead>()
    }
}
