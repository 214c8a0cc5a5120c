//! Btree files: internal pages lead to leaves, where keys and values alternate.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::page::{DUPLICATES, INTERNAL, LEAF, Numbers, Page, RECNO_INTERNAL, RECNO_LEAF};
use super::{Berkeley, Entry, Error};

const DELETED: u8 = 0x80;
const KEY_DATA: u8 = 1;
const DUPLICATE: u8 = 2;
const OVERFLOW_ITEM: u8 = 3;
const MAX_DEPTH: usize = 64;

struct Item<'a> {
    kind: u8,
    deleted: bool,
    bytes: &'a [u8],
    numbers: Numbers,
}

impl<'a> Item<'a> {
    /// An item of a leaf: length, kind, data; or a reference to other pages.
    fn of_leaf(page: &Page<'a>, index: usize) -> Result<Self, Error> {
        let bytes = page.item(index)?;
        let flags = *bytes.get(2).ok_or(Error::Damaged)?;
        let kind = flags & !DELETED;
        let bytes = match kind {
            KEY_DATA => bytes.get(3..3 + usize::from(page.numbers.u16(bytes, 0)?)),
            _ => bytes.get(..12),
        };
        let bytes = bytes.ok_or(Error::Damaged)?;
        Ok(Self { kind, deleted: flags & DELETED != 0, bytes, numbers: page.numbers })
    }

    /// An item of an internal page, and the page that it leads to.
    fn of_internal(page: &Page<'a>, index: usize) -> Result<(Self, u32), Error> {
        let bytes = page.item(index)?;
        let flags = *bytes.get(2).ok_or(Error::Damaged)?;
        let length = usize::from(page.numbers.u16(bytes, 0)?);
        let child = page.numbers.u32(bytes, 4)?;
        let data = bytes.get(12..12 + length).ok_or(Error::Damaged)?;
        let item = Self { kind: flags & !DELETED, deleted: false, bytes: data, numbers: page.numbers };
        Ok((item, child))
    }

    fn value(&self, file: &Berkeley) -> Result<Cow<'a, [u8]>, Error> {
        match self.kind {
            KEY_DATA => Ok(Cow::Borrowed(self.bytes)),
            OVERFLOW_ITEM => {
                let (first, length) = (self.numbers.u32(self.bytes, 4)?, self.numbers.u32(self.bytes, 8)?);
                Ok(Cow::Owned(file.overflow(first, length)?))
            }
            DUPLICATE => first_duplicate(file, self.numbers.u32(self.bytes, 4)?).map(Cow::Owned),
            _ => Err(Error::Damaged),
        }
    }
}

/// The first value of a set of duplicates that has pages of its own.
pub(super) fn first_duplicate(file: &Berkeley, first: u32) -> Result<Vec<u8>, Error> {
    let mut number = first;
    for _ in 0..MAX_DEPTH {
        let page = file.page(number)?;
        match page.kind {
            INTERNAL => number = Item::of_internal(&page, 0)?.1,
            RECNO_INTERNAL => number = page.numbers.u32(page.item(0)?, 0)?,
            LEAF | RECNO_LEAF | DUPLICATES => {
                for index in 0..page.entries {
                    let item = Item::of_leaf(&page, index)?;
                    if !item.deleted && item.kind != DUPLICATE {
                        return item.value(file).map(Cow::into_owned);
                    }
                }
                number = page.next;
            }
            _ => return Err(Error::Damaged),
        }
    }
    Err(Error::Damaged)
}

pub(super) fn get(file: &Berkeley, root: u32, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let mut number = root;
    for _ in 0..MAX_DEPTH {
        let page = file.page(number)?;
        match page.kind {
            INTERNAL => number = child(file, &page, key)?,
            LEAF => return in_leaf(file, &page, key),
            _ => return Err(Error::Damaged),
        }
    }
    Err(Error::Damaged)
}

/// The page for a key: that of the last entry that is not greater; the first entry is less than any key.
fn child(file: &Berkeley, page: &Page<'_>, key: &[u8]) -> Result<u32, Error> {
    let (mut low, mut high) = (1, page.entries);
    while low < high {
        let middle = usize::midpoint(low, high);
        let (item, _) = Item::of_internal(page, middle)?;
        match item.value(file)?.as_ref().cmp(key) {
            Ordering::Greater => high = middle,
            Ordering::Less | Ordering::Equal => low = middle + 1,
        }
    }
    Ok(Item::of_internal(page, low - 1)?.1)
}

fn in_leaf(file: &Berkeley, page: &Page<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let (mut low, mut high) = (0, page.entries / 2);
    while low < high {
        let middle = usize::midpoint(low, high);
        match Item::of_leaf(page, 2 * middle)?.value(file)?.as_ref().cmp(key) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal | Ordering::Greater => high = middle,
        }
    }
    // Of several values of a key the first one that is not deleted counts.
    for pair in low..page.entries / 2 {
        let found = Item::of_leaf(page, 2 * pair)?;
        if found.value(file)?.as_ref() != key {
            break;
        }
        let value = Item::of_leaf(page, 2 * pair + 1)?;
        if !value.deleted && !found.deleted {
            return value.value(file).map(|value| Some(value.into_owned()));
        }
    }
    Ok(None)
}

pub(super) fn entries(file: &Berkeley, page: &Page<'_>) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    for pair in 0..page.entries / 2 {
        let (key, value) = (Item::of_leaf(page, 2 * pair)?, Item::of_leaf(page, 2 * pair + 1)?);
        if !key.deleted && !value.deleted {
            entries.push((key.value(file)?.into_owned(), value.value(file)?.into_owned()));
        }
    }
    Ok(entries)
}
