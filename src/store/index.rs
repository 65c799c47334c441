//! Indexes from keys to row ids. Keys are not stored: whoever asks compares them in the columns.

use super::hash::{HashIds, Place};
use hashbrown::HashTable;
use parking_lot::RwLock;
use roaring::RoaringTreemap;

/// Unique keys in versions, read by snapshots while the writer changes it.
///
/// The newest version of each key has one place that its successor takes over: an update neither adds nor removes anything
/// there. Versions that have died but that some snapshot may still see are kept apart. The writer puts a version among them
/// *before* it leaves its place, and readers look there *after* it: so a snapshot finds each version that it sees in one of the two.
#[derive(Debug)]
pub(super) struct KeyIndex {
    newest: HashIds,
    older: HashIds,
}

impl KeyIndex {
    pub fn new() -> Self {
        Self { newest: HashIds::new(), older: HashIds::new() }
    }

    /// Gives `each` the number of a hash with every living version that may be under it.
    pub fn newest(&self, hashes: impl Iterator<Item = u64> + Clone, each: impl FnMut(usize, Place, u64)) {
        self.newest.candidates(hashes, each);
    }

    /// The same for versions that have died.
    pub fn older(&self, hashes: impl Iterator<Item = u64> + Clone, each: impl FnMut(usize, Place, u64)) {
        self.older.candidates(hashes, each);
    }

    /// Adds living versions of keys that have none.
    pub fn insert_each(&self, entries: impl Iterator<Item = (u64, u64)> + Clone) {
        self.newest.insert_each(entries);
    }

    /// Puts living versions in the place of their predecessors.
    pub fn replace_each(&self, entries: impl Iterator<Item = (Place, u64)>) {
        self.newest.replace_each(entries);
    }

    /// Removes living versions.
    pub fn remove_each(&self, entries: impl Iterator<Item = (u64, u64)> + Clone) {
        self.newest.remove_each(entries);
    }

    /// Keeps versions for the snapshots that see them, before they are replaced or removed.
    pub fn keep_each(&self, entries: impl Iterator<Item = (u64, u64)> + Clone) {
        self.older.insert_each(entries);
    }

    /// Forgets versions that were kept, and that no snapshot sees any more.
    pub fn forget_each(&self, entries: impl Iterator<Item = (u64, u64)> + Clone) {
        self.older.remove_each(entries);
    }

    /// Room for `more` keys, so that a bulk load grows once.
    pub fn reserve(&self, more: usize) {
        self.newest.reserve(more);
    }

    /// How many versions it holds: living ones, and others.
    #[cfg(test)]
    pub fn len(&self) -> (usize, usize) {
        (self.newest.len(), self.older.len())
    }

    pub fn bytes(&self) -> usize {
        self.newest.bytes() + self.older.bytes()
    }
}

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
