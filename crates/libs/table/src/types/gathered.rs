//! Entries of a table in the making, in the order in which they came, with keys that occur once.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use crate::store::Put;

/// A million entries are common, so that their texts are all in one place, each key is hashed once, and what is looked
/// at out of order is small.
#[derive(Default)]
pub(super) struct Gathered {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Where entries are, near where their hashes say; at most half of the slots are taken, and their number is a power
    /// of two.
    slots: Vec<Slot>,
    hasher: RandomState,
}

/// Where the key is, and behind it the value.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    key: usize,
    value: usize,
    end: usize,
}

impl Entry {
    /// In place of a deleted entry.
    const GONE: Self = Self { hash: 0, key: 1, value: 0, end: 0 };

    fn is_gone(&self) -> bool {
        self.value < self.key
    }
}

/// The place of an entry, plus 1, and above it as much of its hash as there is room for; 0 for none.
type Slot = u32;

impl Gathered {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], replace_old: bool) -> Put {
        let hash = self.hasher.hash_one(key);
        let known = self.find(hash, key);
        if known.is_some() && !replace_old {
            return Put::Duplicate;
        }
        let start = self.text.len();
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(value);
        let entry = Entry { hash, key: start, value: start + key.len(), end: self.text.len() };
        if let Some(old) = known.and_then(|at| self.entries.get_mut(at)) {
            *old = entry;
        } else {
            self.entries.push(entry);
            self.enter(hash);
        }
        Put::Stored
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let found = self.find(self.hasher.hash_one(key), key);
        let Some(entry) = found.and_then(|at| self.entries.get_mut(at)) else { return false };
        *entry = Entry::GONE;
        true
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let found = self.find(self.hasher.hash_one(key), key);
        found.and_then(|at| self.entries.get(at)).map(|entry| self.texts(entry).1)
    }

    /// Keys with their values, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().filter(|entry| !entry.is_gone()).map(|entry| self.texts(entry))
    }

    /// Keys with their values, in the order of the keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // How most keys begin is compared without going to where they are.
        let mut entries: Vec<_> = self.iter().map(|(key, value)| (beginning(key), key, value)).collect();
        entries.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.cmp(other.1)));
        let mut next = 0;
        std::iter::from_fn(move || {
            if next % AT_ONCE == 0 {
                // Texts that are all over the memory come faster when several are wanted at once.
                for (_, key, value) in entries.iter().skip(next).take(AT_ONCE) {
                    black_box((key.first().copied(), value.last().copied()));
                }
            }
            next += 1;
            entries.get(next - 1).map(|(_, key, value)| (*key, *value))
        })
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

    /// The slots to look at for a hash, in order.
    fn way(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let last = self.slots.len().wrapping_sub(1);
        let first = usize::try_from(hash).unwrap_or(0);
        (0..self.slots.len()).map(move |step| first.wrapping_add(step) & last)
    }

    /// What the slot of an entry says of its hash. Places are less than half the number of slots.
    fn mark(&self, hash: u64) -> Slot {
        let hash = Slot::try_from(hash >> Slot::BITS).unwrap_or(0);
        hash & !self.places()
    }

    /// The part of a slot that is a place.
    fn places(&self) -> Slot {
        Slot::try_from(self.slots.len()).map_or(Slot::MAX, |slots| slots.saturating_sub(1))
    }

    /// The place of a key's entry.
    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let (mark, places) = (self.mark(hash), self.places());
        let taken = self.way(hash).map_while(|at| self.slots.get(at).copied().filter(|slot| *slot != 0));
        let alike = taken.filter(|slot| slot & !places == mark);
        alike.filter_map(|slot| usize::try_from((slot & places) - 1).ok()).find(|at| {
            let entry = self.entries.get(*at).filter(|entry| entry.hash == hash && !entry.is_gone());
            entry.is_some_and(|entry| self.texts(entry).0 == key)
        })
    }

    /// Makes the last entry known.
    fn enter(&mut self, hash: u64) {
        let place = self.entries.len() - 1;
        if self.slots.len() < self.entries.len() * 2 {
            self.slots = vec![0; (self.slots.len() * 2).max(64)];
            for at in 0..place {
                let known = self.entries.get(at).map(|entry| entry.hash);
                self.take_slot(known.unwrap_or(0), at);
            }
        }
        self.take_slot(hash, place);
    }

    fn take_slot(&mut self, hash: u64, place: usize) {
        // More entries than that find no memory.
        let Ok(place) = Slot::try_from(place + 1) else { return };
        let slot = self.mark(hash) | place;
        let free = self.way(hash).find(|at| self.slots.get(*at) == Some(&0));
        if let Some(free) = free.and_then(|at| self.slots.get_mut(at)) {
            *free = slot;
        }
    }
}

const AT_ONCE: usize = 64;

/// The first bytes as a number that is in the same order.
fn beginning(key: &[u8]) -> u128 {
    match key.first_chunk() {
        Some(bytes) => u128::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
            u128::from_be_bytes(bytes)
        }
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
        assert_eq!(gathered.put(b"b", b"6", false), Put::Duplicate);
        assert_eq!(gathered.get(b"b"), Some(&b"5"[..]));
    }

    #[test]
    fn many_keys_are_found() {
        let mut gathered = Gathered::default();
        for number in 0..5000_u32 {
            assert_eq!(gathered.put(&number.to_be_bytes(), &number.to_le_bytes(), false), Put::Stored);
        }
        assert!((0..1000_u32).all(|number| gathered.delete(&number.to_be_bytes())));
        for number in 0..5000_u32 {
            let expected = number.to_le_bytes();
            assert_eq!(gathered.get(&number.to_be_bytes()), Some(&expected[..]).filter(|_| number >= 1000));
        }
        assert!(
            gathered.sorted().map(|(key, _)| key.to_vec()).eq((1000..5000_u32).map(|key| key.to_be_bytes().to_vec()))
        );
        assert_eq!(gathered.iter().count(), 4000);
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
