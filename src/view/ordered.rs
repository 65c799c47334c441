//! Byte strings that mostly lie in place, and rows in the order of theirs, each with its count.

use crate::types::{PgError, PgResult};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Bytes that lie in place.
const SHORT: usize = 38;
/// Bytes that mostly tell two keys apart.
const HEAD: usize = 16;

/// A row's bytes, compared as such. Those of a few columns lie in place: who looks for one among many does not have to go
/// elsewhere for each that it passes.
#[derive(Debug, Clone)]
pub enum Key {
    Short { len: u8, bytes: [u8; SHORT] },
    Long { head: [u8; HEAD], bytes: Box<[u8]> },
}

impl Key {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long { bytes, .. } => bytes,
        }
    }

    /// Bytes that lie elsewhere.
    pub fn beside(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long { bytes, .. } => bytes.len(),
        }
    }

    /// The first bytes as a number, with zeros behind short ones: where two differ, the keys' order is theirs.
    fn head(&self) -> u128 {
        let mut head = [0; HEAD];
        match self {
            Self::Short { bytes, .. } => head.copy_from_slice(&bytes[..HEAD]),
            Self::Long { head: first, .. } => head = *first,
        }
        u128::from_be_bytes(head)
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::from(&[][..])
    }
}

impl From<&[u8]> for Key {
    fn from(from: &[u8]) -> Self {
        if from.len() <= SHORT {
            let mut bytes = [0; SHORT];
            bytes[..from.len()].copy_from_slice(from);
            return Self::Short { len: from.len() as u8, bytes };
        }
        let mut head = [0; HEAD];
        head.copy_from_slice(&from[..HEAD]);
        Self::Long { head, bytes: from.into() }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head().cmp(&other.head()).then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

/// A multiset in order.
#[derive(Debug)]
pub struct Ordered<K>(BTreeMap<K, i64>);

impl<K> Default for Ordered<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Ordered<K> {
    pub fn add(&mut self, key: K, weight: i64) {
        match self.0.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(weight)),
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += weight;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn end(&self, last: bool) -> Option<&K> {
        let (key, _) = if last { self.0.last_key_value()? } else { self.0.first_key_value()? };
        Some(key)
    }

    /// What it takes, about: a tree's nodes are two thirds full.
    pub fn bytes(&self) -> usize {
        self.0.len() * (size_of::<K>() + size_of::<i64>()) * 3 / 2
    }

    /// The stretch of `fetch` copies behind the first `skip`: what is there, and how often. An internal error where one of
    /// those before its end was taken more often than given.
    pub fn stretch(&self, skip: usize, fetch: usize) -> impl Iterator<Item = PgResult<(&K, usize)>> {
        let (mut before, mut wanted) = (skip, fetch);
        let mut rows = self.0.iter();
        std::iter::from_fn(move || {
            while wanted > 0 {
                let (key, count) = rows.next()?;
                let Ok(count) = usize::try_from(*count) else {
                    wanted = 0;
                    return Some(Err(PgError::internal("more rows are gone than there were")));
                };
                let left = count - before.min(count);
                before -= before.min(count);
                let taken = left.min(wanted);
                wanted -= taken;
                if taken > 0 {
                    return Some(Ok((key, taken)));
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_are_ordered_as_their_bytes(
            a in prop::collection::vec(0..3u8, 0..50),
            b in prop::collection::vec(0..3u8, 0..50),
            common in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let (a, b) = ([&common[..], &a].concat(), [&common[..], &b].concat());
            let (x, y) = (Key::from(&a[..]), Key::from(&b[..]));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!((x.bytes(), y.bytes()), (&a[..], &b[..]));
        }
    }

    #[test]
    fn a_stretch_counts_copies() {
        let mut rows = Ordered::default();
        for (key, weight) in [(3, 2), (1, 1), (2, 3), (4, 1), (4, -1)] {
            rows.add(key, weight);
        }
        let stretch =
            |skip, fetch| rows.stretch(skip, fetch).map(|row| row.map(|(k, n)| (*k, n)).unwrap()).collect::<Vec<_>>();
        assert_eq!(stretch(0, 2), [(1, 1), (2, 1)]);
        assert_eq!(stretch(2, 9), [(2, 2), (3, 2)]);
        assert_eq!(stretch(3, 0), []);
        rows.add(2, -4);
        assert!(rows.stretch(0, 5).any(|row| row.is_err()));
        assert_eq!(rows.end(true), Some(&3));
    }
}
