//! Work between ticks: small chunks are merged, dead rows leave the chunks and the index.

use super::RowId;
use super::chunk::{Chunk, Ids, NOW};
use super::snapshot::Pin;
use super::table::{Rows, Table};
use crate::types::PgResult;
use arrow::compute::concat_batches;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// A chunk that merging has brought to this size is left alone.
pub(super) const TARGET_ROWS: usize = 32_768;
/// How many chunks of one size class may stand at the end of the list before a publish merges them.
const TIER: usize = 16;
/// The biggest chunks that a publish merges by itself.
const TINY_ROWS: usize = 256;
/// The work that a publish does by itself on the index's garbage, so that it stays bounded without maintenance.
const GARBAGE_HIGH: usize = 1 << 16;

/// Index entries of dead versions, in the order in which they died.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    fresh: VecDeque<Dead>,
    /// Those that a snapshot still sees; looked at again when a snapshot has gone.
    held: Vec<Dead>,
}

#[derive(Debug, Clone, Copy)]
struct Dead {
    hash: u64,
    id: u64,
    epoch: u64,
}

impl Garbage {
    pub fn push(&mut self, hash: u64, id: u64, epoch: u64) {
        self.fresh.push_back(Dead { hash, id, epoch });
    }

    pub fn bytes(&self) -> usize {
        (self.fresh.capacity() + self.held.capacity()) * size_of::<Dead>()
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
            let Some(range) = self.worst() else { return !self.garbage.fresh.is_empty() };
            let rows: usize = self.chunks.iter().skip(range.start).take(range.len()).map(|chunk| chunk.live()).sum();
            if let Err(error) = self.rewrite(range) {
                // Only rows that lie in memory are copied here: Arrow refuses where text outgrows its offsets.
                tracing::warn!(%error, "chunks could not be merged");
                return false;
            }
            if rows >= budget {
                return self.worst().is_some() || !self.garbage.fresh.is_empty();
            }
            budget -= rows.max(1);
        }
    }

    /// The next chunks to make one: those with more than 20 % dead, or neighbours that are small.
    fn worst(&self) -> Option<Range<usize>> {
        let mut run: Option<(usize, usize)> = None;
        for (at, chunk) in self.chunks.iter().enumerate() {
            let (rows, live) = (chunk.rows(), chunk.live());
            let mergeable = live <= TARGET_ROWS / 2;
            if let Some((start, sum)) = run {
                if mergeable && sum + live <= TARGET_ROWS {
                    run = Some((start, sum + live));
                    continue;
                }
                // Worth a copy: two halves that fill a chunk, or a tier of smaller ones.
                if at - start >= 2 && (sum >= TARGET_ROWS / 2 || at - start >= TIER) {
                    return Some(start..at);
                }
            }
            run = mergeable.then_some((at, live));
            if (rows - live) * 5 > rows && (rows >= TINY_ROWS || live == 0) {
                return Some(at..at + 1);
            }
        }
        let (start, sum) = run?;
        let count = self.chunks.len() - start;
        (count >= 2 && (sum >= TARGET_ROWS / 2 || count >= TIER)).then_some(start..self.chunks.len())
    }

    /// Before a publish: keeps the chunks of tiny ticks few, each row being copied at most once for each size class.
    pub(super) fn merge_tail(&mut self) {
        for limit in [TIER, TINY_ROWS] {
            let tiny = self.chunks.iter().rev().take(TIER).take_while(|chunk| chunk.rows() < limit).count();
            let len = self.chunks.len();
            if tiny < TIER || self.rewrite(len - TIER..len).is_err() {
                break;
            }
        }
        if self.garbage.fresh.len() > GARBAGE_HIGH {
            self.unpin();
            self.collect(GARBAGE_HIGH / 8);
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
            vec![Arc::new(Chunk::new(batch, Ids::from_ascending(ids), &self.parts)?)]
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

    /// Forgets the snapshots that nobody holds any more.
    fn unpin(&mut self) {
        let before = self.pins.len();
        self.pins.retain(|pin| pin.state.strong_count() > 0);
        if self.pins.len() < before && !self.garbage.held.is_empty() {
            self.garbage.fresh.extend(self.garbage.held.drain(..));
        }
    }

    /// Removes up to `limit` dead versions from the index that no snapshot sees. A version is seen by the snapshots
    /// that were published after it came and before it died: a long-held snapshot does not keep what came later.
    fn collect(&mut self, limit: usize) {
        let Rows::Keyed(index) = &self.rows else { return };
        let Garbage { fresh, held } = &mut self.garbage;
        for _ in 0..limit {
            let Some(dead) = fresh.pop_front() else { break };
            if self.pins.iter().any(|pin| pin.epoch < dead.epoch && dead.id < pin.next_id) {
                held.push(dead);
            } else {
                index.remove(dead.hash, dead.id);
            }
        }
    }
}
