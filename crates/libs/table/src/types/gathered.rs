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
    /// Of each slot whether it is taken, and a part of the hash. An entry has a slot near where its hash says; at most half of
    /// the slots are taken, and their number is a power of two. A new key is found to be one without looking any further.
    marks: Vec<u8>,
    /// Of each slot the place of its entry.
    places: Vec<Place>,
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

/// The place of an entry.
type Place = u32;

impl Gathered {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], replace_old: bool) -> Put {
        self.make_room();
        let hash = self.hasher.hash_one(key);
        let slot = self.find(hash, key);
        let known = slot.and_then(|slot| self.place_in(slot));
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
            self.take(slot, hash, self.entries.len());
            self.entries.push(entry);
        }
        Put::Stored
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        let found = self.place(key);
        let Some(entry) = found.and_then(|at| self.entries.get_mut(at)) else { return false };
        *entry = Entry::GONE;
        true
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.place(key).and_then(|at| self.entries.get(at)).map(|entry| self.texts(entry).1)
    }

    /// Keys with their values, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().filter(|entry| !entry.is_gone()).map(|entry| self.texts(entry))
    }

    /// Keys with their values, in the order of the keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let order = self.order();
        let mut next = 0;
        std::iter::from_fn(move || {
            if next % AT_ONCE == 0 {
                // Texts that are all over the memory come faster when several are wanted at once.
                for (key, value) in order.iter().skip(next).take(AT_ONCE).filter_map(|at| self.texts_at(at.1)) {
                    black_box((key.first().copied(), value.last().copied()));
                }
            }
            next += 1;
            self.texts_at(order.get(next - 1)?.1)
        })
    }

    /// Where entries are, in the order of their keys. Beside it the part of a key after what all begin with: few keys have to
    /// be compared where they are.
    fn order(&self) -> Vec<(u64, Place)> {
        let same = self.same_beginning();
        let part = |at: usize| {
            Some((beginning(self.texts_at(Place::try_from(at).ok()?)?.0.get(same..)?), Place::try_from(at).ok()?))
        };
        let mut order: Vec<_> = (0..self.entries.len()).filter_map(part).collect();
        let rest = |at: Place| self.texts_at(at).and_then(|(key, _)| key.get(same..));
        order.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| rest(one.1).cmp(&rest(other.1))));
        order
    }

    /// How many bytes at their beginning all keys have in common.
    fn same_beginning(&self) -> usize {
        let Some((first, _)) = self.iter().next() else { return 0 };
        self.iter().fold(first.len(), |same, (key, _)| {
            let first = first.get(..same).unwrap_or_default();
            if key.starts_with(first) {
                same
            } else {
                first.iter().zip(key).take_while(|(one, other)| one == other).count()
            }
        })
    }

    /// The texts of an entry that is not gone.
    fn texts_at(&self, at: Place) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(usize::try_from(at).ok()?).filter(|entry| !entry.is_gone())?;
        Some(self.texts(entry))
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
        let last = self.marks.len().wrapping_sub(1);
        let first = usize::try_from(hash).unwrap_or(0);
        (0..self.marks.len()).map(move |step| first.wrapping_add(step) & last)
    }

    /// The place of a key's entry.
    fn place(&self, key: &[u8]) -> Option<usize> {
        self.find(self.hasher.hash_one(key), key).and_then(|slot| self.place_in(slot))
    }

    /// The slot of a key's entry, or the free one that it would take.
    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let mark = mark(hash);
        self.way(hash).find(|slot| match self.marks.get(*slot).copied() {
            None | Some(FREE) => true,
            Some(taken) => {
                taken == mark
                    && self
                        .place_in(*slot)
                        .and_then(|at| self.entries.get(at))
                        .is_some_and(|entry| entry.hash == hash && !entry.is_gone() && self.texts(entry).0 == key)
            }
        })
    }

    /// The place that a slot tells.
    fn place_in(&self, slot: usize) -> Option<usize> {
        let place = self.places.get(slot).filter(|_| self.marks.get(slot) != Some(&FREE))?;
        usize::try_from(*place).ok()
    }

    /// Makes sure that a slot is free for one more entry.
    fn make_room(&mut self) {
        if self.marks.len() > self.entries.len() * 2 {
            return;
        }
        let slots = (self.marks.len() * GROWTH).max(64);
        (self.marks, self.places) = (vec![FREE; slots], vec![0; slots]);
        for place in 0..self.entries.len() {
            let hash = self.entries.get(place).map_or(0, |entry| entry.hash);
            let free = self.way(hash).find(|slot| self.marks.get(*slot) == Some(&FREE));
            self.take(free, hash, place);
        }
    }

    fn take(&mut self, slot: Option<usize>, hash: u64, place: usize) {
        let Some(slot) = slot else { return };
        // More entries than that find no memory.
        let Ok(place) = Place::try_from(place) else { return };
        if let (Some(taken), Some(to)) = (self.marks.get_mut(slot), self.places.get_mut(slot)) {
            (*taken, *to) = (mark(hash), place);
        }
    }
}

/// What a slot says that nobody has taken.
const FREE: u8 = 0;

/// What a slot says of a hash.
fn mark(hash: u64) -> u8 {
    hash.to_be_bytes()[0].max(FREE + 1)
}

const AT_ONCE: usize = 64;
/// How much more slots there are once they are too few.
const GROWTH: usize = 4;

/// The first bytes as a number that is in the same order.
fn beginning(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(bytes)
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
