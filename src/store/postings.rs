//! Posting lists: the rows that share a hash. Keys are not stored: whoever asks compares them in the columns.
//!
//! A shard is a table of slots and the ids of its lists. A hash with one row has it in its slot; with more, the slot says where
//! its list is, so that the end of a list is two waits for memory away. Lists up to [`LARGE`] lie in slabs by their size; longer ones are
//! cut into blocks, so that a change in the middle moves few ids however skewed the keys are. Batches are sorted by shard and
//! worked through in steps ([`super::prefetch`]), with one lock for the entries of a shard.

use super::prefetch::{BLOCK, prefetch};
use parking_lot::RwLock;

const SHARDS: usize = 64;
/// The most ids of a list that lies in one piece, and of each block of a longer one.
const LARGE: usize = 512;
/// Sizes of lists in slabs: 2, 4, 8 … [`LARGE`].
const SIZES: usize = LARGE.ilog2() as usize;

/// `len` 0: free. 1: `value` is the row. More: the list number `value` of the slab for this length, or of the long lists.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u32,
    len: u32,
    value: u64,
}

/// Lists of up to the same number of ids.
#[derive(Debug, Default)]
struct Slab {
    ids: Vec<u64>,
    free: Vec<u32>,
}

impl Slab {
    fn take(&mut self, size: usize) -> usize {
        match self.free.pop() {
            Some(list) => list as usize,
            None => {
                let list = self.ids.len() / size;
                self.ids.resize(self.ids.len() + size, 0);
                list
            }
        }
    }
}

/// Ascending ids in ascending blocks, none of them empty.
type Long = Vec<Vec<u64>>;

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Slot>,
    used: usize,
    slabs: [Slab; SIZES],
    long: Vec<Long>,
    free: Vec<u32>,
    /// Of the blocks of long lists.
    long_bytes: usize,
}

/// The slab of a list of `len` ids, 2 at least: the size is `2 << slab`.
fn slab_of(len: usize) -> usize {
    (len.next_power_of_two().ilog2() as usize).saturating_sub(1)
}

impl Shard {
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// The slot of a hash, or the free one where it would go. There is a free one.
    #[inline]
    fn find(&self, hash: u32) -> usize {
        let mut at = self.home(hash);
        while self.slots[at].len != 0 && self.slots[at].hash != hash {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }

    fn prefetch(&self, hash: u32) {
        if !self.slots.is_empty() {
            prefetch(&self.slots, self.home(hash));
        }
    }

    /// Asks for the place where a list ends.
    fn prefetch_end(&self, hash: u32) {
        if self.slots.is_empty() {
            return;
        }
        let Slot { len, value, .. } = self.slots[self.find(hash)];
        let (len, list) = (len as usize, value as usize);
        if (2..=LARGE).contains(&len) {
            let slab = slab_of(len);
            prefetch(&self.slabs[slab].ids, list * (2 << slab) + len - 1);
        } else if len > LARGE {
            prefetch(&self.long, list);
        }
    }

    fn reserve(&mut self) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.resize(self.used + self.used / 2 + 8);
        }
    }

    /// The same with room for so many.
    fn resize(&mut self, hashes: usize) {
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); hashes * 4 / 3 + 2]);
        for slot in old.into_iter().filter(|slot| slot.len != 0) {
            let at = self.find(slot.hash);
            self.slots[at] = slot;
        }
    }

    fn list(&self, slot: Slot) -> &[u64] {
        let (len, list) = (slot.len as usize, slot.value as usize);
        let size = 2 << slab_of(len);
        &self.slabs[slab_of(len)].ids[list * size..list * size + len]
    }

    /// Room for one id more in a list of `len` in a slab, which may move: where the list is then.
    fn grown(&mut self, slot: Slot) -> (usize, usize) {
        let len = slot.len as usize;
        let (from, to) = (slab_of(len), slab_of(len + 1));
        let (size, list) = (2 << to, slot.value as usize);
        if from == to {
            return (to, list * size);
        }
        let new = self.slabs[to].take(size);
        let [old_slab, new_slab] = &mut self.slabs[from..=to] else { return (to, new * size) };
        new_slab.ids[new * size..new * size + len].copy_from_slice(&old_slab.ids[list * len..list * len + len]);
        old_slab.free.push(list as u32);
        (to, new * size)
    }

    fn insert(&mut self, hash: u32, id: u64) {
        self.reserve();
        let at = self.find(hash);
        let slot = self.slots[at];
        let value = match slot.len as usize {
            0 => {
                self.used += 1;
                id
            }
            1 => {
                let list = self.slabs[0].take(2);
                let pair = if slot.value <= id { [slot.value, id] } else { [id, slot.value] };
                self.slabs[0].ids[list * 2..list * 2 + 2].copy_from_slice(&pair);
                list as u64
            }
            len if len < LARGE => {
                let (slab, start) = self.grown(slot);
                let ids = &mut self.slabs[slab].ids[start..start + len + 1];
                // The newest row is nearly always the last one.
                let mut to = len;
                while to > 0 && ids[to - 1] > id {
                    ids[to] = ids[to - 1];
                    to -= 1;
                }
                ids[to] = id;
                (start / (2 << slab)) as u64
            }
            len => {
                if len == LARGE {
                    let blocks = vec![self.list(slot).to_vec()];
                    self.slabs[SIZES - 1].free.push(slot.value as u32);
                    let value = self.add_long(blocks);
                    self.slots[at].value = value;
                }
                let list = self.slots[at].value;
                self.insert_long(list as usize, id);
                list
            }
        };
        self.slots[at] = Slot { hash, len: slot.len + 1, value };
    }

    fn add_long(&mut self, blocks: Long) -> u64 {
        self.long_bytes += blocks.iter().map(|block| block.capacity() * 8).sum::<usize>();
        match self.free.pop() {
            Some(list) => {
                self.long[list as usize] = blocks;
                u64::from(list)
            }
            None => {
                self.long.push(blocks);
                self.long.len() as u64 - 1
            }
        }
    }

    fn insert_long(&mut self, list: usize, id: u64) {
        let blocks = &mut self.long[list];
        let mut at = blocks.partition_point(|block| block[0] <= id).saturating_sub(1);
        if blocks[at].len() == LARGE {
            // A list grows at its end, where the full block stays as it is.
            let is_last = at + 1 == blocks.len() && blocks[at][LARGE - 1] < id;
            let from = if is_last { LARGE } else { LARGE / 2 };
            let mut rest = Vec::with_capacity(LARGE);
            rest.extend(blocks[at].drain(from..));
            self.long_bytes += LARGE * 8;
            if is_last || rest.first().is_some_and(|first| *first <= id) {
                at += 1;
                blocks.insert(at, rest);
            } else {
                blocks.insert(at + 1, rest);
            }
        }
        let block = &mut blocks[at];
        let capacity = block.capacity();
        let place = block.partition_point(|other| *other < id);
        block.insert(place, id);
        self.long_bytes += (block.capacity() - capacity) * 8;
    }

    fn remove(&mut self, hash: u32, id: u64) {
        if self.slots.is_empty() {
            return;
        }
        let at = self.find(hash);
        let slot = self.slots[at];
        let len = slot.len as usize;
        match len {
            0 => {}
            1 => {
                if slot.value == id {
                    self.free_slot(at);
                }
            }
            _ if len <= LARGE => {
                let Ok(place) = self.list(slot).binary_search(&id) else { return };
                let (slab, list) = (slab_of(len), slot.value as usize);
                let start = list * (2 << slab);
                self.slabs[slab].ids.copy_within(start + place + 1..start + len, start + place);
                self.slots[at].len -= 1;
                self.narrowed(at, slab, list, len - 1);
            }
            _ => {
                let list = slot.value as usize;
                let blocks = &mut self.long[list];
                let Some(nth) = blocks.partition_point(|block| block[0] <= id).checked_sub(1) else { return };
                let Ok(place) = blocks[nth].binary_search(&id) else { return };
                blocks[nth].remove(place);
                if blocks[nth].is_empty() {
                    self.long_bytes -= blocks.remove(nth).capacity() * 8;
                }
                self.slots[at].len -= 1;
                if len - 1 == LARGE {
                    let ids = std::mem::take(&mut self.long[list]);
                    self.long_bytes -= ids.iter().map(|block| block.capacity() * 8).sum::<usize>();
                    self.free.push(list as u32);
                    let new = self.slabs[SIZES - 1].take(LARGE);
                    self.slabs[SIZES - 1].ids[new * LARGE..(new + 1) * LARGE].copy_from_slice(&ids.concat());
                    self.slots[at].value = new as u64;
                }
            }
        }
    }

    /// Moves a list of a slab that has become `len` long where it belongs now.
    fn narrowed(&mut self, at: usize, slab: usize, list: usize, len: usize) {
        let start = list * (2 << slab);
        if len == 1 {
            self.slots[at].value = self.slabs[slab].ids[start];
        } else if slab_of(len) == slab {
            return;
        } else {
            let size = 2 << slab_of(len);
            let new = self.slabs[slab_of(len)].take(size);
            let [narrow, wide] = &mut self.slabs[slab - 1..=slab] else { return };
            narrow.ids[new * size..new * size + len].copy_from_slice(&wide.ids[start..start + len]);
            self.slots[at].value = new as u64;
        }
        self.slabs[slab].free.push(list as u32);
    }

    /// Empties a slot, and moves what is behind it to where it is found.
    fn free_slot(&mut self, mut gap: usize) {
        let slots = self.slots.len();
        let mut at = gap;
        loop {
            at = if at + 1 == slots { 0 } else { at + 1 };
            if self.slots[at].len == 0 {
                break;
            }
            let distance = |from: usize, to: usize| if to >= from { to - from } else { to + slots - from };
            if distance(self.home(self.slots[at].hash), at) >= distance(gap, at) {
                self.slots[gap] = self.slots[at];
                gap = at;
            }
        }
        self.slots[gap] = Slot::default();
        self.used -= 1;
        if slots > 64 && self.used * 6 < slots {
            self.resize(self.used * 3 / 2 + 8);
        }
    }

    /// Gives the rows under `hash` to `each`, the newest first, until it says that this is enough.
    fn each(&self, hash: u32, mut each: impl FnMut(u64) -> bool) {
        if self.slots.is_empty() {
            return;
        }
        let slot = self.slots[self.find(hash)];
        match slot.len as usize {
            0 => {}
            1 => {
                each(slot.value);
            }
            len if len <= LARGE => {
                let _ = self.list(slot).iter().rev().all(|id| !each(*id));
            }
            _ => {
                let ids = self.long[slot.value as usize].iter().rev().flat_map(|block| block.iter().rev());
                let _ = ids.into_iter().all(|id| !each(*id));
            }
        }
    }

    fn bytes(&self) -> usize {
        let of_slab = |slab: &Slab| slab.ids.capacity() * 8 + slab.free.capacity() * 4;
        size_of::<RwLock<Self>>()
            + self.slots.capacity() * size_of::<Slot>()
            + self.slabs.iter().map(of_slab).sum::<usize>()
            + self.long.capacity() * size_of::<Long>()
            + self.free.capacity() * 4
            + self.long_bytes
    }
}

/// Keys that many rows may share, however unevenly: a posting list for each hash, each change of it at most
/// logarithmic. The whole-row index of a bag, which dead rows leave at once, and every secondary index, which they leave
/// when no snapshot sees them.
#[derive(Debug)]
pub(super) struct PostingIndex {
    shards: Box<[RwLock<Shard>]>,
}

fn shard_of(hash: u64) -> usize {
    (hash >> 58) as usize
}

/// An entry of a batch: kept half of the hash, id.
type Sorted = (u32, u64);

impl PostingIndex {
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    pub fn insert(&self, hash: u64, id: u64) {
        self.shards[shard_of(hash)].write().insert(hash as u32, id);
    }

    pub fn remove(&self, hash: u64, id: u64) {
        self.shards[shard_of(hash)].write().remove(hash as u32, id);
    }

    /// Adds entries; those of one hash are cheapest by ascending id.
    pub fn insert_each(&self, entries: impl ExactSizeIterator<Item = (u64, u64)>) {
        self.by_shard(entries, Shard::insert);
    }

    /// Removes entries, where they are there.
    pub fn remove_each(&self, entries: impl ExactSizeIterator<Item = (u64, u64)>) {
        self.by_shard(entries, Shard::remove);
    }

    /// Applies `change` to each entry, shard by shard, those of one shard in their order.
    fn by_shard(&self, entries: impl ExactSizeIterator<Item = (u64, u64)>, change: impl Fn(&mut Shard, u32, u64)) {
        if entries.len() < SHARDS / 4 {
            entries.for_each(|(hash, id)| change(&mut self.shards[shard_of(hash)].write(), hash as u32, id));
            return;
        }
        let entries: Vec<(u64, u64)> = entries.collect();
        let mut starts = [0; SHARDS + 1];
        entries.iter().for_each(|(hash, _)| starts[shard_of(*hash) + 1] += 1);
        (0..SHARDS).for_each(|shard| starts[shard + 1] += starts[shard]);
        let mut next = starts;
        let mut sorted: Vec<Sorted> = vec![(0, 0); entries.len()];
        for (hash, id) in entries {
            let to = &mut next[shard_of(hash)];
            sorted[*to] = (hash as u32, id);
            *to += 1;
        }
        for (shard, range) in self.shards.iter().zip(starts.windows(2)) {
            for block in sorted[range[0]..range[1]].chunks(BLOCK) {
                let mut shard = shard.write();
                block.iter().for_each(|(hash, _)| shard.prefetch(*hash));
                block.iter().for_each(|(hash, _)| shard.prefetch_end(*hash));
                block.iter().for_each(|(hash, id)| change(&mut shard, *hash, *id));
            }
        }
    }

    /// Up to `limit` rows under `hash` that `accept` takes, the newest first.
    pub fn find(&self, hash: u64, limit: usize, mut accept: impl FnMut(u64) -> bool) -> Vec<u64> {
        let mut found = Vec::new();
        if limit > 0 {
            self.shards[shard_of(hash)].read().each(hash as u32, |id| {
                if accept(id) {
                    found.push(id);
                }
                found.len() == limit
            });
        }
        found
    }

    /// The rows that may be under each of `hashes`: gives `each` the number of a hash, ascending, and an id.
    pub fn find_each(&self, hashes: &[u64], mut each: impl FnMut(usize, u64)) {
        for (block, hashes) in hashes.chunks(BLOCK).enumerate() {
            let mut each = |nth: usize, id| {
                each(block * BLOCK + nth, id);
                false
            };
            if hashes.len() < SHARDS / 2 {
                for (nth, hash) in hashes.iter().enumerate() {
                    self.shards[shard_of(*hash)].read().each(*hash as u32, |id| each(nth, id));
                }
                continue;
            }
            // The writer holds one lock at a time, so that nobody waits for another in a circle.
            let shards: Vec<_> = self.shards.iter().map(RwLock::read).collect();
            hashes.iter().for_each(|hash| shards[shard_of(*hash)].prefetch(*hash as u32));
            hashes.iter().for_each(|hash| shards[shard_of(*hash)].prefetch_end(*hash as u32));
            for (nth, hash) in hashes.iter().enumerate() {
                shards[shard_of(*hash)].each(*hash as u32, |id| each(nth, id));
            }
        }
    }

    /// How many rows it holds.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        let of_shard = |shard: &RwLock<Shard>| shard.read().slots.iter().map(|slot| slot.len as usize).sum::<usize>();
        self.shards.iter().map(of_shard).sum()
    }

    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Debug, Clone)]
    enum Step {
        /// So many ids under each of these keys.
        Insert(Vec<(u16, u16)>),
        /// So many of the ids of a key, from one on.
        Remove(Vec<(u16, prop::sample::Index, u16)>),
        /// An id again that is lower than others.
        Older(u16),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let many = prop_oneof![6 => 1..3u16, 2 => 3..40u16, 1 => 400..1_500u16];
        prop_oneof![
            4 => prop::collection::vec((0..60u16, many.clone()), 1..60).prop_map(Step::Insert),
            4 => prop::collection::vec((0..60u16, any::<prop::sample::Index>(), many), 1..60).prop_map(Step::Remove),
            1 => (0..60u16).prop_map(Step::Older),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn it_holds_what_sets_hold(steps in prop::collection::vec(any_step(), 1..25), narrow in any::<bool>()) {
            // Narrow: all in one shard, in neighbouring slots.
            let hash = |key: u16| match narrow {
                true => u64::from(key),
                false => u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            };
            let index = PostingIndex::new();
            let mut model: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
            let mut next = 1_000u64;
            let mut spare = 0;
            for step in steps {
                match step {
                    Step::Insert(keys) => {
                        let mut entries = Vec::new();
                        for (key, count) in keys {
                            for id in next..next + u64::from(count) {
                                entries.push((hash(key), id));
                                model.entry(key).or_default().insert(id);
                            }
                            next += u64::from(count);
                        }
                        index.insert_each(entries.into_iter());
                    }
                    Step::Remove(keys) => {
                        let mut entries = vec![(hash(3), next + 5)];
                        for (key, from, count) in keys {
                            let Some(ids) = model.get_mut(&key).filter(|ids| !ids.is_empty()) else { continue };
                            let from = from.index(ids.len());
                            let gone: Vec<u64> = ids.iter().copied().skip(from).take(count.into()).collect();
                            for id in gone {
                                ids.remove(&id);
                                entries.push((hash(key), id));
                            }
                        }
                        index.remove_each(entries.into_iter());
                    }
                    Step::Older(key) => {
                        spare += 1;
                        index.insert(hash(key), spare % 1_000);
                        if !model.entry(key).or_default().insert(spare % 1_000) {
                            index.remove(hash(key), spare % 1_000);
                        }
                    }
                }
                prop_assert_eq!(index.len(), model.values().map(BTreeSet::len).sum::<usize>());
                let mut found: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
                let hashes: Vec<u64> = (0..61).map(hash).collect();
                index.find_each(&hashes, |nth, id| found.entry(nth as u16).or_default().push(id));
                for key in 0..61u16 {
                    let wanted: Vec<u64> = model.get(&key).into_iter().flatten().rev().copied().collect();
                    prop_assert_eq!(&index.find(hash(key), usize::MAX, |_| true), &wanted, "key {}", key);
                    prop_assert_eq!(&found.remove(&key).unwrap_or_default(), &wanted, "key {} of many", key);
                    let even = index.find(hash(key), 3, |id| id % 2 == 0);
                    prop_assert_eq!(even, wanted.into_iter().filter(|id| id % 2 == 0).take(3).collect::<Vec<_>>());
                }
                let long: usize = index.shards.iter().map(|shard| {
                    let shard = shard.read();
                    let blocks = shard.long.iter().flatten().map(|block| block.capacity() * 8).sum::<usize>();
                    assert_eq!(blocks, shard.long_bytes);
                    blocks
                }).sum();
                prop_assert!(index.bytes() >= long);
            }
            for (key, ids) in model {
                index.remove_each(ids.into_iter().map(|id| (hash(key), id)).collect::<Vec<_>>().into_iter());
            }
            prop_assert_eq!(index.len(), 0);
            let slots: usize = index.shards.iter().map(|shard| shard.read().slots.len()).sum();
            prop_assert!(slots <= 64 * SHARDS, "{} slots for nothing", slots);
        }
    }
}
