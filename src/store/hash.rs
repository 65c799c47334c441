//! A hash table of row ids that one thread changes while others read it without locks.
//!
//! Eight slots of one word make a cache line, so a look-up waits for memory once. A slot holds an id of 48 bits and 15
//! bits of its hash; keys are compared by whoever asks, in the columns. 32 more bits of each hash lie beside the lines
//! and are read when a shard grows, so that growth touches no rows.
//!
//! **Readers.** A slot changes by one atomic store, and entries never move: a shard that is full is replaced by a bigger
//! copy, and a reader that still holds the old one sees the table as it was then.

use super::prefetch::{BLOCK, prefetch};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Slots in a line.
const SLOTS: usize = 8;
/// Bits of a row id.
pub(super) const ID_BITS: u32 = 48;
/// Row ids are below this.
pub const MOST_ROWS: u64 = 1 << ID_BITS;
const ID: u64 = MOST_ROWS - 1;
/// Never used since the shard was made: nothing lies behind it.
const EMPTY: u64 = 0;
/// Used once: something may lie behind it.
const GONE: u64 = 1;
/// Set where a slot holds an id.
const TAKEN: u64 = 1 << 63;

/// Shards are split until there are so many.
const MOST_SHARDS: usize = 256;
/// Slots from which on a shard is rather split than made bigger.
const SPLIT_SLOTS: usize = 4096;

/// What a slot under `hash` holds besides the id.
fn mark(hash: u64) -> u64 {
    TAKEN | (hash << 7 & (0x7fff << ID_BITS))
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; SLOTS]);

#[derive(Debug)]
struct Shard {
    lines: Box<[Line]>,
    /// The low half of each slot's hash, which says where it goes.
    hashes: Box<[AtomicU32]>,
    /// Slots that are not [`EMPTY`].
    used: AtomicUsize,
    /// Slots with an id.
    live: AtomicUsize,
}

impl Shard {
    /// A shard with room for `ids`.
    fn new(ids: usize) -> Self {
        let lines = (ids + ids / 4).div_ceil(SLOTS).max(1);
        Self {
            lines: (0..lines).map(|_| Line::default()).collect(),
            hashes: (0..lines * SLOTS).map(|_| AtomicU32::new(0)).collect(),
            used: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
        }
    }

    fn slots(&self) -> usize {
        self.hashes.len()
    }

    fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// The line where a hash belongs: by its size among all hashes, so that growth goes through memory in order.
    #[inline(always)]
    fn home(&self, kept: u32) -> usize {
        ((u64::from(kept) * self.lines.len() as u64) >> 32) as usize
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> &AtomicU64 {
        &self.lines[at / SLOTS].0[at % SLOTS]
    }

    /// Gives `each` the slot and the id of what may be under `hash`, until it says that this was it.
    #[inline(always)]
    fn scan(&self, hash: u64, mut each: impl FnMut(usize, u64) -> bool) -> bool {
        let mark = mark(hash);
        let mut at = self.home(hash as u32);
        for _ in 0..self.lines.len() {
            let line = &self.lines[at].0;
            // Without a jump for each slot: which of them it will be cannot be guessed.
            let mut same = 0u32;
            for (nth, slot) in line.iter().enumerate() {
                same |= u32::from((slot.load(Ordering::Acquire) ^ mark) >> ID_BITS == 0) << nth;
            }
            while same != 0 {
                let nth = same.trailing_zeros() as usize;
                let word = line[nth % SLOTS].load(Ordering::Acquire);
                if (word ^ mark) >> ID_BITS == 0 && each(at * SLOTS + nth, word & ID) {
                    return true;
                }
                same &= same - 1;
            }
            if line.iter().any(|slot| slot.load(Ordering::Acquire) == EMPTY) {
                return false;
            }
            at += 1;
            if at == self.lines.len() {
                at = 0;
            }
        }
        false
    }

    /// Is one more entry too many? A fifth stays free, so that most look-ups end in their first line.
    fn is_full(&self) -> bool {
        (self.used.load(Ordering::Relaxed) + 1) * 5 > self.slots() * 4
    }

    /// Is it worth being made smaller?
    fn is_wide(&self) -> bool {
        self.slots() > 8 * SLOTS && self.live() * 8 < self.slots()
    }

    /// Puts an entry into the first free slot; there is one while [`Shard::is_full`] is heeded.
    fn insert(&self, mark: u64, kept: u32, id: u64) {
        let mut line = self.home(kept);
        loop {
            let mut free = 0u32;
            for (nth, slot) in self.lines[line].0.iter().enumerate() {
                free |= u32::from(slot.load(Ordering::Relaxed) & TAKEN == 0) << nth;
            }
            if free != 0 {
                let at = line * SLOTS + free.trailing_zeros() as usize;
                let slot = self.slot(at);
                if slot.load(Ordering::Relaxed) == EMPTY {
                    self.used.store(self.used.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                }
                self.hashes[at].store(kept, Ordering::Relaxed);
                slot.store(mark | id, Ordering::Release);
                self.live.store(self.live() + 1, Ordering::Relaxed);
                return;
            }
            line += 1;
            if line == self.lines.len() {
                line = 0;
            }
        }
    }

    fn remove(&self, at: usize) {
        let line = &self.lines[at / SLOTS].0;
        let is_last = line.iter().any(|slot| slot.load(Ordering::Relaxed) == EMPTY);
        line[at % SLOTS].store(if is_last { EMPTY } else { GONE }, Ordering::Release);
        self.live.store(self.live() - 1, Ordering::Relaxed);
        if is_last {
            self.used.store(self.used.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        }
    }

    /// Mark, kept half of the hash, and id of each entry.
    fn entries(&self) -> impl Iterator<Item = (u64, u32, u64)> {
        (0..self.slots()).filter_map(|at| {
            let word = self.slot(at).load(Ordering::Relaxed);
            (word & TAKEN != 0).then(|| (word & !ID, self.hashes[at].load(Ordering::Relaxed), word & ID))
        })
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.lines.len() * size_of::<Line>() + self.hashes.len() * 4
    }
}

/// A power of two of them; which one by the last bits of a hash.
#[derive(Debug, Clone)]
struct Shards(Vec<Arc<Shard>>);

impl Shards {
    #[inline(always)]
    fn number(&self, kept: u32) -> usize {
        kept as usize & (self.0.len() - 1)
    }

    #[inline(always)]
    fn of(&self, hash: u64) -> &Shard {
        &self.0[self.number(hash as u32)]
    }

    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        let shard = self.of(hash);
        prefetch(&shard.lines, shard.home(hash as u32));
    }

    /// The same for an insertion.
    #[inline(always)]
    fn prefetch_whole(&self, hash: u64) {
        let shard = self.of(hash);
        let home = shard.home(hash as u32);
        prefetch(&shard.lines, home);
        prefetch(&shard.hashes, home * SLOTS);
    }

    /// The same entries in shard `number`, with room for `ids`, or in four times as many shards.
    fn resized(&self, number: usize, ids: usize) -> Self {
        if self.0.len() < MOST_SHARDS && ids * 5 / 4 > SPLIT_SLOTS {
            return self.rebuilt(self.0.len() * 4, 0);
        }
        let shard = Shard::new(ids);
        self.0[number].entries().for_each(|(mark, kept, id)| shard.insert(mark, kept, id));
        let mut shards = self.clone();
        shards.0[number] = Arc::new(shard);
        shards
    }

    /// The same entries in `count` shards, with room for about `more`.
    fn rebuilt(&self, count: usize, more: usize) -> Self {
        let entries = || self.0.iter().flat_map(|shard| shard.entries());
        let mut room = vec![0; count];
        entries().for_each(|(_, kept, _)| room[kept as usize & (count - 1)] += 1);
        let more = more / count + more / count / 16;
        let shards = Self(room.into_iter().map(|ids| Arc::new(Shard::new(ids + more + 6))).collect());
        entries().for_each(|(mark, kept, id)| shards.0[shards.number(kept)].insert(mark, kept, id));
        shards
    }
}

/// Where an entry lies; any insertion, removal or growth makes it void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    shard: u32,
    slot: u32,
}

/// Hashes to row ids; the same hash may be there any number of times. Everything that changes it is for one thread only.
#[derive(Debug)]
pub(super) struct HashIds {
    shards: ArcSwap<Shards>,
}

impl HashIds {
    pub fn new() -> Self {
        Self { shards: ArcSwap::from_pointee(Shards(vec![Arc::new(Shard::new(1))])) }
    }

    /// Gives `each` the number of a hash with a place and an id that may be under it, until it says that this was it.
    pub fn candidates(&self, hashes: &[u64], mut each: impl FnMut(usize, Place, u64) -> bool) {
        let shards = self.shards.load();
        for (block, hashes) in hashes.chunks(BLOCK).enumerate() {
            hashes.iter().for_each(|hash| shards.prefetch(*hash));
            for (nth, hash) in hashes.iter().enumerate() {
                let shard = shards.number(*hash as u32);
                shards.0[shard].scan(*hash, |slot, id| {
                    each(block * BLOCK + nth, Place { shard: shard as u32, slot: slot as u32 }, id)
                });
            }
        }
    }

    pub fn insert_each(&self, entries: &[(u64, u64)]) {
        let mut shards = self.shards.load_full();
        for entries in entries.chunks(BLOCK) {
            entries.iter().for_each(|(hash, _)| shards.prefetch_whole(*hash));
            for (hash, id) in entries {
                while shards.of(*hash).is_full() {
                    let live = shards.of(*hash).live();
                    shards = Arc::new(shards.resized(shards.number(*hash as u32), live + live * 3 / 4 + 6));
                    self.shards.store(Arc::clone(&shards));
                }
                shards.of(*hash).insert(mark(*hash), *hash as u32, *id & ID);
            }
        }
    }

    /// Puts `id` in the place of the id there: of the same hash, as the same key is.
    pub fn replace_each(&self, entries: impl Iterator<Item = (Place, u64)>) {
        let shards = self.shards.load();
        for (place, id) in entries {
            let slot = shards.0[place.shard as usize].slot(place.slot as usize);
            let word = slot.load(Ordering::Relaxed);
            debug_assert_ne!(word & TAKEN, 0, "an entry to replace");
            slot.store((word & !ID) | (id & ID), Ordering::Release);
        }
    }

    /// Removes the entries of these hashes and ids, where they are there.
    pub fn remove_each(&self, entries: &[(u64, u64)]) {
        let shards = self.shards.load_full();
        let mut wide = false;
        for entries in entries.chunks(BLOCK) {
            entries.iter().for_each(|(hash, _)| shards.prefetch(*hash));
            for (hash, id) in entries {
                let shard = shards.of(*hash);
                shard.scan(*hash, |slot, other| {
                    if other == *id {
                        shard.remove(slot);
                    }
                    other == *id
                });
                wide |= shard.is_wide();
            }
        }
        if wide {
            self.shrink(&shards);
        }
    }

    /// Gives memory back where a shard is nearly all free.
    fn shrink(&self, shards: &Shards) {
        let mut smaller = shards.clone();
        for shard in smaller.0.iter_mut().filter(|shard| shard.is_wide()) {
            let narrow = Shard::new(shard.live() * 2 + 6);
            shard.entries().for_each(|(mark, kept, id)| narrow.insert(mark, kept, id));
            *shard = Arc::new(narrow);
        }
        self.shards.store(Arc::new(smaller));
    }

    /// Room for `more` entries, so that a bulk load grows once.
    pub fn reserve(&self, more: usize) {
        let shards = self.shards.load_full();
        let wanted = self.len() + more;
        let mut count = shards.0.len();
        while count < MOST_SHARDS && wanted / count * 5 / 4 > SPLIT_SLOTS {
            count *= 4;
        }
        self.shards.store(Arc::new(shards.rebuilt(count, more)));
    }

    pub fn len(&self) -> usize {
        self.shards.load().0.iter().map(|shard| shard.live()).sum()
    }

    pub fn bytes(&self) -> usize {
        self.shards.load().0.iter().map(|shard| shard.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::AtomicBool;

    fn spread(n: u64) -> u64 {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (n ^ n >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn spreads(count: u64) -> Vec<u64> {
        (0..count).map(spread).collect()
    }

    fn pairs(ids: std::ops::Range<u64>) -> Vec<(u64, u64)> {
        ids.map(|n| (spread(n), n)).collect()
    }

    fn ids_of(table: &HashIds, hash: u64) -> Vec<u64> {
        let mut ids = Vec::new();
        table.candidates(&[hash], |_, _, id| {
            ids.push(id);
            false
        });
        ids.sort_unstable();
        ids
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(Vec<u16>),
        Remove(Vec<u16>),
        Replace(u16),
        Reserve(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let keys = || prop::collection::vec(0..2_000u16, 1..400);
        prop_oneof![
            5 => keys().prop_map(Step::Insert),
            3 => keys().prop_map(Step::Remove),
            // All that is there: shards shrink, and split again.
            1 => Just(Step::Remove((0..2_000).chain(0..2_000).collect())),
            2 => any::<u16>().prop_map(Step::Replace),
            1 => (0..3_000usize).prop_map(Step::Reserve),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn it_holds_what_a_list_holds(steps in prop::collection::vec(any_step(), 1..40), narrow in any::<bool>()) {
            // Few different hashes: long chains of equal ones, over lines and shards.
            let hash = |key: u16| if narrow { spread(u64::from(key % 3)) } else { spread(u64::from(key)) };
            let table = HashIds::new();
            let mut model: Vec<(u64, u64)> = Vec::new();
            let mut next = 0;
            for step in steps {
                match step {
                    Step::Insert(keys) => {
                        let new: Vec<_> = keys.iter().zip(next..).map(|(key, id)| (hash(*key), id)).collect();
                        next += new.len() as u64;
                        table.insert_each(&new);
                        model.extend(new);
                    }
                    Step::Remove(keys) => {
                        let mut gone = Vec::new();
                        for key in keys {
                            if let Some(at) = model.iter().position(|(other, _)| *other == hash(key)) {
                                gone.push(model.swap_remove(at));
                            }
                        }
                        // And one that is not there.
                        gone.push((hash(7), next + 1));
                        table.remove_each(&gone);
                    }
                    Step::Replace(nth) if !model.is_empty() => {
                        let at = usize::from(nth) % model.len();
                        let (hash, id) = model[at];
                        let mut place = None;
                        table.candidates(&[hash], |_, found, other| {
                            if other == id {
                                place = Some(found);
                            }
                            other == id
                        });
                        table.replace_each(place.map(|place| (place, next)).into_iter());
                        model[at].1 = next;
                        next += 1;
                    }
                    Step::Replace(_) => {}
                    Step::Reserve(more) => table.reserve(more),
                }
                prop_assert_eq!(table.len(), model.len());
                for key in [0, 1, 2, 500, 1_999] {
                    let mut expected: Vec<u64> =
                        model.iter().filter(|(other, _)| *other == hash(key)).map(|(_, id)| *id).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(ids_of(&table, hash(key)), expected, "key {}", key);
                }
            }
        }
    }

    #[test]
    fn many_entries_are_all_found_and_fill_their_memory() {
        let table = HashIds::new();
        let count = 300_000;
        for start in (0..count).step_by(1_000) {
            table.insert_each(&pairs(start..start + 1_000));
        }
        assert_eq!(table.shards.load().0.len(), MOST_SHARDS);
        let mut found = vec![0; count as usize];
        table.candidates(&spreads(count), |nth, _, id| {
            found[nth] += u32::from(nth as u64 == id);
            false
        });
        assert!(found.iter().all(|n| *n == 1));
        assert!(table.bytes() < count as usize * 24, "{} bytes", table.bytes());
        table.remove_each(&pairs(0..count));
        assert_eq!(table.len(), 0);
        assert!(table.bytes() < 256 * 1_024, "{} bytes of nothing", table.bytes());
    }

    #[test]
    fn a_reader_finds_what_stays_while_the_table_grows_and_shrinks() {
        let table = HashIds::new();
        table.insert_each(&pairs(0..500));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut found = 0;
                    table.candidates(&spreads(500), |nth, _, id| {
                        found += usize::from(nth as u64 == id % 1_000_000);
                        false
                    });
                    assert_eq!(found, 500);
                }
            });
            for round in 1..40u64 {
                let others = 1_000..1_000 + 400 * round;
                table.insert_each(&pairs(others.clone()));
                // The other half of the ids says which round it was.
                let mut places = Vec::new();
                table.candidates(&spreads(500), |nth, place, id| {
                    let is_it = nth as u64 == id % 1_000_000;
                    if is_it {
                        places.push((place, nth as u64 + round * 1_000_000));
                    }
                    is_it
                });
                table.replace_each(places.into_iter());
                table.remove_each(&pairs(others));
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
