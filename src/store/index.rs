//! The index from keys to row ids. Keys are not stored: whoever asks compares them in the columns.

use super::hash::{HashIds, Place};
use super::predecessors::Predecessors;

/// Unique keys in versions, read by snapshots while the writer changes it.
///
/// The newest version of each key has one place that its successor takes over: an update neither adds nor removes anything
/// there, and says whose place it took ([`Predecessors`]). What snapshots see of keys that have been deleted, and what has been
/// seen for long, is kept apart. The writer notes a version among predecessors or kept ones *before* it leaves its place, and readers
/// look there *after* it: so a snapshot finds each version that it sees.
#[derive(Debug)]
pub(super) struct KeyIndex {
    newest: HashIds,
    pub before: Predecessors,
    kept: HashIds,
}

impl KeyIndex {
    pub fn new() -> Self {
        Self { newest: HashIds::new(), before: Predecessors::default(), kept: HashIds::new() }
    }

    /// Gives `each` the number of a hash with a living version that may be under it, until it says that this was it.
    pub fn newest(&self, hashes: &[u64], each: impl FnMut(usize, Place, u64) -> bool) {
        self.newest.candidates(hashes, each);
    }

    /// The same for versions that have died.
    pub fn kept(&self, hashes: &[u64], each: impl FnMut(usize, Place, u64) -> bool) {
        self.kept.candidates(hashes, each);
    }

    /// Adds living versions of keys that have none.
    pub fn insert_each(&self, entries: &[(u64, u64)]) {
        self.newest.insert_each(entries);
    }

    /// Puts living versions in the place of their predecessors, which have been noted.
    pub fn replace_each(&self, entries: impl Iterator<Item = (Place, u64)>) {
        self.newest.replace_each(entries);
    }

    /// Removes living versions.
    pub fn remove_each(&self, entries: &[(u64, u64)]) {
        self.newest.remove_each(entries);
    }

    /// Keeps versions for the snapshots that see them, before they are removed or their links go.
    pub fn keep_each(&self, entries: &[(u64, u64)]) {
        self.kept.insert_each(entries);
    }

    /// Forgets versions that were kept, and that no snapshot sees any more.
    pub fn forget_each(&self, entries: &[(u64, u64)]) {
        self.kept.remove_each(entries);
    }

    /// Room for `more` keys, so that a bulk load grows once.
    pub fn reserve(&self, more: usize) {
        self.newest.reserve(more);
    }

    /// How many versions it holds: living ones, and others.
    #[cfg(test)]
    pub fn len(&self) -> (usize, usize) {
        (self.newest.len(), self.before.len() + self.kept.len())
    }

    pub fn bytes(&self) -> usize {
        self.newest.bytes() + self.before.bytes() + self.kept.bytes()
    }
}
