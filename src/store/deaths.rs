//! When the rows of a chunk died.

use super::prefetch::prefetch;
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::util::bit_util;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The epoch of the writer's own view: every death counts.
pub(super) const NOW: u64 = u64::MAX;

/// For each row the epoch from which it is dead, relative to `base`, and a bitmap of the rows that live for the writer.
///
/// Written by the table's one writer; a snapshot of epoch *e* may read while that happens: what it can miss are deaths
/// above *e*, which are none to it. A stamp is there before its row's bit goes.
#[derive(Debug)]
pub(super) struct Deaths {
    /// Stamp 0: the epoch of the first death.
    pub base: u64,
    stamps: Box<[AtomicU32]>,
    alive: Box<[AtomicU64]>,
    count: AtomicU32,
    /// The newest epoch in `stamps`.
    last: AtomicU64,
}

/// The stamp of a row that lives.
const ALIVE: u32 = u32::MAX;

impl Deaths {
    pub fn new(rows: usize, base: u64) -> Self {
        Self {
            base,
            stamps: (0..rows).map(|_| AtomicU32::new(ALIVE)).collect(),
            alive: (0..rows.div_ceil(64)).map(|_| AtomicU64::new(u64::MAX)).collect(),
            count: AtomicU32::new(0),
            last: AtomicU64::new(base),
        }
    }

    /// How many are dead for the writer.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    /// Can the stamps hold this epoch?
    pub fn can_hold(&self, epoch: u64) -> bool {
        epoch - self.base < u64::from(ALIVE)
    }

    /// Ends a living row from `epoch` on.
    pub fn kill(&self, row: usize, epoch: u64) {
        self.stamps[row].store((epoch - self.base) as u32, Ordering::Relaxed);
        self.last.store(epoch, Ordering::Relaxed);
        let word = &self.alive[row / 64];
        word.store(word.load(Ordering::Relaxed) & !(1 << (row % 64)), Ordering::Release);
        self.count.store(self.count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub fn prefetch(&self, row: usize) {
        prefetch(&self.stamps, row);
        prefetch(&self.alive, row / 64);
    }

    #[inline]
    pub fn alive_at(&self, row: usize, epoch: u64) -> bool {
        match self.stamps[row].load(Ordering::Relaxed) {
            ALIVE => true,
            stamp => self.base + u64::from(stamp) > epoch,
        }
    }

    /// The rows that live at `epoch`.
    pub fn mask(&self, epoch: u64) -> BooleanBuffer {
        // Every death up to `epoch` was there when `epoch` was published. A later one that shows in a bit shows in
        // `last` too, which is written before the bit and read after it.
        let mut words: Vec<u64> = self.alive.iter().map(|word| word.load(Ordering::Acquire)).collect();
        if self.last.load(Ordering::Acquire) > epoch {
            self.revive(&mut words, epoch);
        }
        let rows = self.stamps.len();
        BooleanBuffer::new(Buffer::from_vec(words), 0, rows)
    }

    /// Sets the bits of rows that died only after `epoch`.
    fn revive(&self, words: &mut [u64], epoch: u64) {
        // A death above `epoch` is a stamp above `limit`.
        let limit = (epoch - self.base) as u32;
        for (nth, word) in words.iter_mut().enumerate() {
            let mut dead = !*word;
            while dead != 0 {
                let bit = dead.trailing_zeros();
                let Some(stamp) = self.stamps.get(nth * 64 + bit as usize) else { break };
                if stamp.load(Ordering::Relaxed) > limit {
                    *word |= 1 << bit;
                }
                dead &= dead - 1;
            }
        }
    }

    pub fn bytes(&self) -> usize {
        self.stamps.len() * 4 + bit_util::ceil(self.stamps.len(), 64) * 8
    }
}
