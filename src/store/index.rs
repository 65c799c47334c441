//! Hash indexes from keys to row ids. Keys are not stored: whoever asks compares them in the columns.
//!
//! 256 shards, so that growth copies 1/256 of the entries at a time and a reader never waits long. An entry is 12
//! bytes: the id, and 32 bits of the hash that say where it goes when its shard grows. The shard is chosen by 8 other
//! bits.

use hashbrown::HashTable;
use parking_lot::RwLock;
use roaring::RoaringTreemap;

const SHARDS: usize = 256;

/// Aligned to 4 bytes by halving the 64 bits: 12 bytes instead of 16.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    low: u32,
    high: u32,
}

impl Entry {
    fn new(hash: u64, value: u64) -> Self {
        Self { hash: hash as u32, low: value as u32, high: (value >> 32) as u32 }
    }

    fn value(&self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }

    fn set(&mut self, value: u64) {
        (self.low, self.high) = (value as u32, (value >> 32) as u32);
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

/// The hash that the table sees: it must follow from the 32 bits that are kept.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Fewer hashes than this are taken as they come.
const WORTH_SORTING: usize = 16;

/// The numbers of all hashes, those of one shard side by side.
fn by_shard(hashes: &[u64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    if hashes.len() < WORTH_SORTING {
        return order;
    }
    let mut ends = [0u32; SHARDS];
    hashes.iter().for_each(|hash| ends[shard_of(*hash)] += 1);
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    for (nth, hash) in hashes.iter().enumerate() {
        let at = &mut ends[shard_of(*hash)];
        order[*at as usize] = nth as u32;
        *at += 1;
    }
    order
}

/// Neighbours of one shard.
fn groups<'a>(order: &'a [u32], hashes: &'a [u64]) -> impl Iterator<Item = &'a [u32]> {
    order.chunk_by(|a, b| shard_of(hashes[*a as usize]) == shard_of(hashes[*b as usize]))
}

/// Unique keys in versions: holds the id of every version that a snapshot may still see, and is read by snapshots
/// while the writer changes it.
#[derive(Debug)]
pub(super) struct KeyIndex {
    shards: Box<[RwLock<HashTable<Entry>>]>,
}

impl KeyIndex {
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::new(HashTable::new())).collect() }
    }

    /// The first version under `hash` that `accept` takes; which comes first is not defined.
    pub fn find(&self, hash: u64, mut accept: impl FnMut(u64) -> bool) -> Option<u64> {
        let shard = self.shards[shard_of(hash)].read();
        let kept = hash as u32;
        shard.find(spread(kept), |entry| entry.hash == kept && accept(entry.value())).map(Entry::value)
    }

    /// Gives `each` the number of a hash with every version that may be under it.
    ///
    /// A shard is locked once for all of its hashes: a lock lets the processor load nothing ahead, and ahead is where the time
    /// is, as nearly every entry has to come from memory.
    pub fn candidates(&self, hashes: &[u64], mut each: impl FnMut(usize, u64)) {
        let order = by_shard(hashes);
        for group in groups(&order, hashes) {
            let shard = self.shards[shard_of(hashes[group[0] as usize])].read();
            for nth in group {
                let kept = hashes[*nth as usize] as u32;
                let entries = shard.iter_hash(spread(kept)).filter(|entry| entry.hash == kept);
                entries.for_each(|entry| each(*nth as usize, entry.value()));
            }
        }
    }

    pub fn insert(&self, hash: u64, id: u64) {
        let mut shard = self.shards[shard_of(hash)].write();
        shard.insert_unique(spread(hash as u32), Entry::new(hash, id), |entry| spread(entry.hash));
    }

    /// Inserts the ids from `first` on, one for each hash.
    pub fn insert_each(&self, hashes: &[u64], first: u64) {
        let order = by_shard(hashes);
        for group in groups(&order, hashes) {
            let mut shard = self.shards[shard_of(hashes[group[0] as usize])].write();
            for nth in group {
                let hash = hashes[*nth as usize];
                let entry = Entry::new(hash, first + u64::from(*nth));
                shard.insert_unique(spread(hash as u32), entry, |entry| spread(entry.hash));
            }
        }
    }

    /// Removes the id at the place of each hash.
    pub fn remove_each(&self, hashes: &[u64], ids: &[u64]) {
        let order = by_shard(hashes);
        for group in groups(&order, hashes) {
            let mut shard = self.shards[shard_of(hashes[group[0] as usize])].write();
            for nth in group {
                let (kept, id) = (hashes[*nth as usize] as u32, ids[*nth as usize]);
                if let Ok(entry) = shard.find_entry(spread(kept), |entry| entry.hash == kept && entry.value() == id) {
                    entry.remove();
                }
            }
        }
    }

    /// Room for `more` entries, so that a bulk load grows once.
    pub fn reserve(&self, more: usize) {
        for shard in &self.shards {
            shard.write().reserve(more / SHARDS + more / SHARDS / 16, |entry| spread(entry.hash));
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    pub fn bytes(&self) -> usize {
        let fixed = SHARDS * size_of::<RwLock<HashTable<Entry>>>();
        fixed + self.shards.iter().map(|shard| shard.read().allocation_size()).sum::<usize>()
    }
}

/// The value of an entry that stands for more than one row: the place of its [`Posting`], with this bit set.
const LIST: u64 = 1 << 63;
/// Above this, a posting list is a compressed bitmap: removal from the middle must not move everything behind it.
const LARGE: usize = 64;

/// The rows that share a hash.
#[derive(Debug)]
enum Posting {
    Few(Vec<u64>),
    Many(RoaringTreemap),
}

impl Posting {
    fn insert(&mut self, id: u64) {
        match self {
            Posting::Few(ids) if ids.len() < LARGE => ids.push(id),
            Posting::Few(ids) => {
                let mut many: RoaringTreemap = ids.iter().copied().collect();
                many.insert(id);
                *self = Posting::Many(many);
            }
            Posting::Many(ids) => {
                ids.insert(id);
            }
        }
    }

    fn remove(&mut self, id: u64) {
        match self {
            Posting::Few(ids) => {
                if let Some(at) = ids.iter().rposition(|other| *other == id) {
                    ids.remove(at);
                }
            }
            Posting::Many(ids) => {
                ids.remove(id);
            }
        }
    }

    /// The only id left, if it is the only one.
    fn single(&self) -> Option<u64> {
        match self {
            Posting::Few(ids) => match ids.as_slice() {
                [id] => Some(*id),
                _ => None,
            },
            Posting::Many(ids) if ids.len() == 1 => ids.min(),
            Posting::Many(_) => None,
        }
    }
}

#[derive(Debug, Default)]
struct PostingShard {
    table: HashTable<Entry>,
    lists: Vec<Posting>,
    free: Vec<u32>,
}

/// Keys that many rows may share, however unevenly: a posting list for each hash, each change of it at most
/// logarithmic. The whole-row index of a bag, which dead rows leave at once, and every secondary index, which they leave
/// when no snapshot sees them.
#[derive(Debug)]
pub(super) struct PostingIndex {
    shards: Box<[RwLock<PostingShard>]>,
}

impl PostingIndex {
    pub fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    pub fn insert(&self, hash: u64, id: u64) {
        let PostingShard { table, lists, free } = &mut *self.shards[shard_of(hash)].write();
        let kept = hash as u32;
        let Some(entry) = table.find_mut(spread(kept), |entry| entry.hash == kept) else {
            table.insert_unique(spread(kept), Entry::new(hash, id), |entry| spread(entry.hash));
            return;
        };
        match entry.value() {
            list if list & LIST != 0 => lists[(list & !LIST) as usize].insert(id),
            single => {
                let posting = Posting::Few(vec![single, id]);
                let at = match free.pop() {
                    Some(at) => {
                        lists[at as usize] = posting;
                        u64::from(at)
                    }
                    None => {
                        lists.push(posting);
                        lists.len() as u64 - 1
                    }
                };
                entry.set(at | LIST);
            }
        }
    }

    pub fn remove(&self, hash: u64, id: u64) {
        let PostingShard { table, lists, free } = &mut *self.shards[shard_of(hash)].write();
        let kept = hash as u32;
        let Ok(mut found) = table.find_entry(spread(kept), |entry| entry.hash == kept) else { return };
        match found.get().value() {
            list if list & LIST != 0 => {
                let at = (list & !LIST) as usize;
                lists[at].remove(id);
                if let Some(single) = lists[at].single() {
                    lists[at] = Posting::Few(Vec::new());
                    free.push(at as u32);
                    found.get_mut().set(single);
                }
            }
            single if single == id => {
                found.remove();
            }
            _ => {}
        }
    }

    /// Up to `limit` rows under `hash` that `accept` takes, the newest first.
    pub fn find(&self, hash: u64, limit: usize, mut accept: impl FnMut(u64) -> bool) -> Vec<u64> {
        let shard = self.shards[shard_of(hash)].read();
        let kept = hash as u32;
        match shard.table.find(spread(kept), |entry| entry.hash == kept).map(Entry::value) {
            None => Vec::new(),
            Some(list) if list & LIST != 0 => match &shard.lists[(list & !LIST) as usize] {
                Posting::Few(ids) => ids.iter().rev().copied().filter(|id| accept(*id)).take(limit).collect(),
                Posting::Many(ids) => ids.iter().rev().filter(|id| accept(*id)).take(limit).collect(),
            },
            Some(single) => Some(single).filter(|id| limit > 0 && accept(*id)).into_iter().collect(),
        }
    }

    /// How many rows it holds.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        let of_list = |list: &Posting| match list {
            Posting::Few(ids) => ids.len(),
            Posting::Many(ids) => ids.len() as usize,
        };
        let of_shard = |shard: &RwLock<PostingShard>| {
            let shard = shard.read();
            let singles = shard.table.iter().filter(|entry| entry.value() & LIST == 0).count();
            singles + shard.lists.iter().map(of_list).sum::<usize>()
        };
        self.shards.iter().map(of_shard).sum()
    }

    pub fn bytes(&self) -> usize {
        let of_list = |list: &Posting| match list {
            Posting::Few(ids) => ids.capacity() * 8,
            Posting::Many(ids) => ids.serialized_size(),
        };
        let of_shard = |shard: &RwLock<PostingShard>| {
            let shard = shard.read();
            let lists = shard.lists.capacity() * size_of::<Posting>() + shard.lists.iter().map(of_list).sum::<usize>();
            size_of::<RwLock<PostingShard>>() + shard.table.allocation_size() + lists + shard.free.capacity() * 4
        };
        self.shards.iter().map(of_shard).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_found_and_removed_as_one_by_one() {
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for count in [1, WORTH_SORTING as u64 - 1, 5_000] {
            let index = KeyIndex::new();
            // Two versions of each key, one of them inserted alone.
            let hashes: Vec<u64> = (0..count).map(hash).collect();
            index.insert_each(&hashes, 1_000);
            (0..count).for_each(|n| index.insert(hash(n), n + 100_000));
            let mut found = vec![vec![]; hashes.len()];
            index.candidates(&hashes, |nth, id| found[nth].push(id));
            for (n, mut ids) in found.into_iter().enumerate() {
                ids.sort_unstable();
                assert_eq!(ids, [n as u64 + 1_000, n as u64 + 100_000], "key {n} of {count}");
            }
            let ids: Vec<u64> = (0..count).map(|n| n + 1_000).collect();
            index.remove_each(&hashes, &ids);
            assert_eq!(index.len(), hashes.len());
            let left = |n: u64| index.find(hash(n), |_| true);
            assert!((0..count).all(|n| left(n) == Some(n + 100_000)), "the other versions of {count} keys");
        }
    }
}
