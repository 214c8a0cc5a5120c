//! Entries of a table in the making, in the order in which they came, with keys that occur once.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::mem::replace;

use crate::store::Put;

/// A million entries are common, so that their texts are all in one place, and each key is hashed once.
#[derive(Default)]
pub(super) struct Gathered {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// By hash of the key the last entry with it.
    last: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    hasher: RandomState,
}

/// Where the key is, and behind it the value.
struct Entry {
    key: usize,
    value: usize,
    end: usize,
    deleted: bool,
    /// The entry before with the same hash.
    before: Option<usize>,
}

/// Takes hashes as they are.
#[derive(Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Gathered {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], replace_old: bool) -> Put {
        let hash = self.hasher.hash_one(key);
        let known = self.find_from(self.last.get(&hash).copied(), key);
        if known.is_some() && !replace_old {
            return Put::Duplicate;
        }
        let start = self.text.len();
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(value);
        let (value, end) = (start + key.len(), self.text.len());
        if let Some(old) = known.and_then(|at| self.entries.get_mut(at)) {
            *old = Entry { key: start, value, end, ..*old };
        } else {
            let before = self.last.insert(hash, self.entries.len());
            self.entries.push(Entry { key: start, value, end, deleted: false, before });
        }
        Put::Stored
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let found = self.find(key).and_then(|at| self.entries.get_mut(at));
        found.is_some_and(|entry| !replace(&mut entry.deleted, true))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(key).and_then(|at| self.entries.get(at)).map(|entry| self.texts(entry).1)
    }

    /// Keys with their values, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().filter(|entry| !entry.deleted).map(|entry| self.texts(entry))
    }

    /// Keys with their values, in the order of the keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // How most keys begin is compared without going to where they are.
        let mut entries: Vec<_> = self.iter().map(|(key, value)| (beginning(key), key, value)).collect();
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.cmp(other.1)));
        entries.into_iter().map(|(_, key, value)| (key, value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn texts(&self, entry: &Entry) -> (&[u8], &[u8]) {
        let text = |range| self.text.get::<std::ops::Range<usize>>(range).unwrap_or_default();
        (text(entry.key..entry.value), text(entry.value..entry.end))
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        self.find_from(self.last.get(&self.hasher.hash_one(key)).copied(), key)
    }

    /// The entry of a key, among those with its hash.
    fn find_from(&self, last: Option<usize>, key: &[u8]) -> Option<usize> {
        let mut at = last;
        while let Some(place) = at {
            let entry = self.entries.get(place)?;
            if !entry.deleted && self.texts(entry).0 == key {
                return Some(place);
            }
            at = entry.before;
        }
        None
    }
}

/// The first bytes as a number that is in the same order.
fn beginning(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(bytes)
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
        assert_eq!(gathered.put(b"b", b"6", false), Put::Duplicate);
        assert_eq!(gathered.get(b"b"), Some(&b"5"[..]));
    }

    #[test]
    fn keys_are_sorted() {
        let mut keys = ["b", "a", "a\0", "", "0123456789abcdefgh", "0123456789abcdefg", "0123456789abcdef", "\u{e9}"];
        let mut gathered = Gathered::default();
        for key in keys {
            gathered.put(key.as_bytes(), b"v", false);
        }
        keys.sort_unstable();
        assert!(gathered.sorted().map(|(key, _)| key).eq(keys.map(str::as_bytes)));
    }
}
