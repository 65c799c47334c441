//! When the rows of a chunk died.

use super::prefetch::prefetch;
use arrow::buffer::{BooleanBuffer, Buffer};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The epoch of the writer's own view: every death counts.
pub(super) const NOW: u64 = u64::MAX;

/// A bitmap of the rows that live for the writer, and the deaths one after the other: row, and epoch from which it is dead,
/// relative to `base`. So a death touches two places that many others touch, wherever in the chunk its row is.
///
/// Written by the table's one writer; a snapshot of epoch *e* may read while that happens: what it can miss are deaths
/// above *e*, which are none to it. A death is in the list before its row's bit goes.
#[derive(Debug)]
pub(super) struct Deaths {
    /// The epoch of the first death.
    pub base: u64,
    alive: Box<[AtomicU64]>,
    count: AtomicU32,
    rows: u32,
    list: Box<[OnceLock<Box<[AtomicU64]>>]>,
}

/// Deaths in the first part of the list; each next one is as big as all before it.
const FIRST: usize = 64;

/// How many deaths are looked at for one row.
const STEPS: usize = 16;

/// Part of the list, and place in it.
fn place(nth: usize) -> (usize, usize) {
    let part = (nth / FIRST + 1).ilog2() as usize;
    (part, nth - FIRST * ((1 << part) - 1))
}

impl Deaths {
    pub fn new(rows: usize, base: u64) -> Self {
        let (parts, _) = place(rows.max(1) - 1);
        Self {
            base,
            alive: (0..rows.div_ceil(64)).map(|_| AtomicU64::new(u64::MAX)).collect(),
            count: AtomicU32::new(0),
            rows: rows as u32,
            list: (0..=parts).map(|_| OnceLock::new()).collect(),
        }
    }

    /// How many are dead for the writer.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed) as usize
    }

    /// Can the list hold this epoch?
    pub fn can_hold(&self, epoch: u64) -> bool {
        epoch - self.base < u64::from(u32::MAX)
    }

    /// Ends a living row from `epoch` on.
    pub fn kill(&self, row: usize, epoch: u64) {
        let nth = self.count();
        let (part, at) = place(nth);
        let part = self.list[part].get_or_init(|| {
            let size = (FIRST << part).min(self.rows as usize - FIRST * ((1 << part) - 1));
            (0..size).map(|_| AtomicU64::new(0)).collect()
        });
        part[at].store((epoch - self.base) << 32 | row as u64, Ordering::Relaxed);
        self.count.store(nth as u32 + 1, Ordering::Release);
        let word = &self.alive[row / 64];
        word.store(word.load(Ordering::Relaxed) & !(1 << (row % 64)), Ordering::Release);
    }

    pub fn prefetch(&self, row: usize) {
        prefetch(&self.alive, row / 64);
    }

    /// Does the row live for the writer?
    #[inline]
    pub fn is_alive(&self, row: usize) -> bool {
        self.alive[row / 64].load(Ordering::Acquire) >> (row % 64) & 1 == 1
    }

    /// Costs a step for each death since `epoch` where the row is dead by now: see [`Deaths::mask`] for many rows.
    #[inline]
    pub fn alive_at(&self, row: usize, epoch: u64) -> bool {
        self.is_alive(row) || self.rows_since(epoch).any(|other| other == row)
    }

    /// The same, if few steps tell it.
    #[inline]
    pub fn alive_soon(&self, row: usize, epoch: u64) -> Option<bool> {
        if self.is_alive(row) {
            return Some(true);
        }
        let mut since = self.rows_since(epoch);
        for _ in 0..STEPS {
            match since.next() {
                None => return Some(false),
                Some(other) if other == row => return Some(true),
                Some(_) => {}
            }
        }
        None
    }

    /// The rows that died above `epoch`, the last first.
    fn rows_since(&self, epoch: u64) -> impl Iterator<Item = usize> {
        let (parts, _) = place(self.count.load(Ordering::Acquire) as usize);
        let count = self.count.load(Ordering::Acquire) as usize;
        let parts = self.list[..(parts + 1).min(self.list.len())].iter().enumerate().rev();
        let deaths = parts.flat_map(move |(nth, part)| {
            let before = FIRST * ((1 << nth) - 1);
            let part = part.get().map_or(&[][..], |part| &part[..count.saturating_sub(before).min(part.len())]);
            part.iter().rev().map(|death| death.load(Ordering::Relaxed))
        });
        let base = self.base;
        deaths.take_while(move |death| base + (death >> 32) > epoch).map(|death| death as u32 as usize)
    }

    /// The rows that live at `epoch`.
    pub fn mask(&self, epoch: u64) -> BooleanBuffer {
        // Every death up to `epoch` was there when `epoch` was published. A later one that shows in a bit is in the list.
        let mut words: Vec<u64> = self.alive.iter().map(|word| word.load(Ordering::Acquire)).collect();
        for row in self.rows_since(epoch) {
            words[row / 64] |= 1 << (row % 64);
        }
        BooleanBuffer::new(Buffer::from_vec(words), 0, self.rows as usize)
    }

    pub fn bytes(&self) -> usize {
        let list: usize = self.list.iter().filter_map(OnceLock::get).map(|part| part.len() * 8).sum();
        self.alive.len() * 8 + self.list.len() * size_of::<OnceLock<Box<[AtomicU64]>>>() + list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_epoch_sees_the_rows_that_had_not_died(
            rows in 1..700usize,
            order in prop::collection::vec((any::<prop::sample::Index>(), 0..3u64), 1..900),
        ) {
            let base = 5;
            let deaths = Deaths::new(rows, base);
            let mut died: Vec<Option<u64>> = vec![None; rows];
            let mut epoch = base;
            for (row, step) in order {
                epoch += step;
                let row = row.index(rows);
                if died[row].is_none() {
                    deaths.kill(row, epoch);
                    died[row] = Some(epoch);
                }
            }
            prop_assert_eq!(deaths.count(), died.iter().flatten().count());
            for at in [base, base + 1, epoch / 2 + 2, epoch.max(base + 1) - 1, epoch, NOW].into_iter().filter(|at| *at >= base) {
                let mask = deaths.mask(at);
                for (row, died) in died.iter().enumerate() {
                    let lives = died.is_none_or(|epoch| epoch > at);
                    prop_assert_eq!((deaths.alive_at(row, at), mask.value(row)), (lives, lives), "row {} at {}", row, at);
                    prop_assert!(deaths.alive_soon(row, at).is_none_or(|soon| soon == lives));
                }
            }
        }
    }
}
