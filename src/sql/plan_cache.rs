//! Prepared statements of all sessions, by what their meaning depends on.
//!
//! Bounded: when it is full, the eighth that was not used for longest goes. A look-up hashes the text and takes a short
//! lock; nothing is copied.

use super::prepare::Prepared;
use crate::types::Oid;
use hashbrown::{Equivalent, HashMap};
use parking_lot::Mutex;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a statement's plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef<'a> {
    pub text: &'a str,
    pub params: &'a [Oid],
    pub search_path: &'a [String],
    /// How literals are read: DateStyle, TimeZone, IntervalStyle.
    pub literals: &'a str,
    pub catalog_version: u64,
}

struct Key {
    text: Box<str>,
    params: Box<[Oid]>,
    search_path: Box<[String]>,
    literals: Box<str>,
    catalog_version: u64,
}

impl Key {
    fn as_ref(&self) -> KeyRef<'_> {
        KeyRef {
            text: &self.text,
            params: &self.params,
            search_path: &self.search_path,
            literals: &self.literals,
            catalog_version: self.catalog_version,
        }
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The rest hardly ever tells two entries with the same text apart.
        self.text.hash(state);
        self.catalog_version.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl PartialEq for KeyRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.catalog_version == other.catalog_version
            && self.text == other.text
            && self.params == other.params
            && self.search_path == other.search_path
            && self.literals == other.literals
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Key {}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.as_ref()
    }
}

struct Entry {
    prepared: Arc<Prepared>,
    used: u64,
}

struct Entries {
    map: HashMap<Key, Entry>,
    clock: u64,
}

pub struct PlanCache {
    entries: Mutex<Entries>,
    capacity: usize,
}

impl PlanCache {
    pub fn new(capacity: usize) -> Self {
        Self { entries: Mutex::new(Entries { map: HashMap::new(), clock: 0 }), capacity: capacity.max(8) }
    }

    pub fn len(&self) -> usize {
        self.entries.lock().map.len()
    }

    pub fn get(&self, key: KeyRef<'_>) -> Option<Arc<Prepared>> {
        let entries = &mut *self.entries.lock();
        entries.clock += 1;
        let entry = entries.map.get_mut(&key)?;
        entry.used = entries.clock;
        Some(Arc::clone(&entry.prepared))
    }

    /// Keeps a plan; gives how many had to go.
    pub fn put(&self, key: KeyRef<'_>, prepared: Arc<Prepared>) -> usize {
        let entries = &mut *self.entries.lock();
        let mut evicted = 0;
        if entries.map.len() >= self.capacity {
            let mut ages: Vec<u64> = entries.map.values().map(|e| e.used).collect();
            let (_, oldest, _) = ages.select_nth_unstable(self.capacity / 8);
            let limit = *oldest;
            entries.map.retain(|_, entry| entry.used > limit);
            evicted = self.capacity.saturating_sub(entries.map.len());
        }
        entries.clock += 1;
        let owned = Key {
            text: key.text.into(),
            params: key.params.into(),
            search_path: key.search_path.into(),
            literals: key.literals.into(),
            catalog_version: key.catalog_version,
        };
        entries.map.insert(owned, Entry { prepared, used: entries.clock });
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str, catalog_version: u64) -> KeyRef<'_> {
        KeyRef { text, params: &[], search_path: &[], literals: "", catalog_version }
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let cache = PlanCache::new(16);
        let plan = Arc::new(Prepared::empty());
        for i in 0..100 {
            cache.put(key(&i.to_string(), 1), Arc::clone(&plan));
            assert!(i == 0 || cache.get(key("0", 1)).is_some(), "lost at {i}");
            assert!(cache.len() <= 16);
        }
    }

    #[test]
    fn another_catalog_is_another_plan() {
        let cache = PlanCache::new(16);
        cache.put(key("SELECT 1", 1), Arc::new(Prepared::empty()));
        assert!(cache.get(key("SELECT 1", 1)).is_some());
        assert!(cache.get(key("SELECT 1", 2)).is_none());
        let typed = KeyRef { params: &[crate::types::oid::INT4], ..key("SELECT 1", 1) };
        assert!(cache.get(typed).is_none());
    }
}
