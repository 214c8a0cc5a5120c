//! Entries of a table in the making, in the order in which they came, with keys that occur once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::store::Put;

/// One entry.
pub(super) type Entry = (Box<[u8]>, Box<[u8]>);

#[derive(Default)]
pub(super) struct Gathered {
    entries: Vec<Option<Entry>>,
    /// By hash of the key the last entry with it; each entry knows the one before.
    last: HashMap<u64, usize>,
    before: Vec<Option<usize>>,
    hasher: RandomState,
}

impl Gathered {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Put {
        if let Some(at) = self.find(key) {
            if !replace {
                return Put::Duplicate;
            }
            if let Some(Some((_, old))) = self.entries.get_mut(at) {
                *old = value.into();
            }
            return Put::Stored;
        }
        let before = self.last.insert(self.hasher.hash_one(key), self.entries.len());
        self.before.push(before);
        self.entries.push(Some((key.into(), value.into())));
        Put::Stored
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let found = self.find(key).and_then(|at| self.entries.get_mut(at));
        found.is_some_and(|entry| entry.take().is_some())
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.find(key).and_then(|at| self.entries.get(at)) {
            Some(Some((_, value))) => Some(value),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let mut at = self.last.get(&self.hasher.hash_one(key)).copied();
        while let Some(place) = at {
            if self.entries.get(place).is_some_and(|entry| entry.as_ref().is_some_and(|(known, _)| **known == *key)) {
                return Some(place);
            }
            at = self.before.get(place).copied().flatten();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_occur_once() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.put(b"b", b"1", false), Put::Stored);
        assert_eq!(gathered.put(b"a", b"2", false), Put::Stored);
        assert_eq!(gathered.put(b"b", b"3", false), Put::Duplicate);
        assert_eq!(gathered.get(b"b"), Some(&b"1"[..]));
        assert_eq!(gathered.put(b"b", b"4", true), Put::Stored);
        let values: Vec<_> = gathered.iter().map(|(_, value)| value.to_vec()).collect();
        assert_eq!(values, [b"4", b"2"]);
        assert!(gathered.delete(b"b"));
        assert!(!gathered.delete(b"b"));
        assert_eq!(gathered.put(b"b", b"5", false), Put::Stored);
    }
}
