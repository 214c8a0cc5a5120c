//! Reading of Berkeley DB files, hash and btree, in either byte order.
//!
//! Works on the bytes of a whole file, which may be damaged in any way: every offset is checked, every chain of
//! pages has a limit. Versions 8 to 10 of both formats (Berkeley DB 4 to 5.3, and 6 and 18) are understood;
//! encrypted files and those with checksums are not.

mod btree;
mod hash;
mod page;

use page::{Numbers, Page};

/// Why a file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is something else.
    #[error("not a Berkeley DB hash or btree file")]
    Foreign,
    /// It is encrypted, has checksums, or comes from another version.
    #[error("unsupported kind of Berkeley DB file")]
    Unsupported,
    /// Its parts do not fit together.
    #[error("damaged Berkeley DB file")]
    Damaged,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Hash(hash::Buckets),
    Btree { root: u32 },
}

/// A file that has been looked at.
#[derive(Debug)]
pub struct Berkeley {
    bytes: Vec<u8>,
    numbers: Numbers,
    page_size: usize,
    last_page: u32,
    kind: Kind,
}

const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;
const CHECKSUMS: u8 = 0x01;

/// Keys and values as places in the file, or as copies where they were in several pieces.
pub type Entry = (Vec<u8>, Vec<u8>);

impl Berkeley {
    /// Looks at the head of a file.
    ///
    /// # Errors
    ///
    /// When it is none that can be read.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        let numbers = [Numbers::Little, Numbers::Big]
            .into_iter()
            .find(|numbers| matches!(numbers.u32(&bytes, 12), Ok(HASH_MAGIC | BTREE_MAGIC)))
            .ok_or(Error::Foreign)?;
        let number = |at| numbers.u32(&bytes, at);
        let version = number(16)?;
        let page_size = usize::try_from(number(20)?).map_err(|_| Error::Damaged)?;
        let (encryption, flags) = (bytes.get(24).copied(), bytes.get(26).copied());
        if !(8..=10).contains(&version) || encryption != Some(0) || flags.unwrap_or(0) & CHECKSUMS != 0 {
            return Err(Error::Unsupported);
        }
        if !(512..=65536).contains(&page_size) || !page_size.is_power_of_two() {
            return Err(Error::Damaged);
        }
        let pages = u32::try_from(bytes.len() / page_size).map_err(|_| Error::Damaged)?;
        let last_page = pages.checked_sub(1).ok_or(Error::Damaged)?;
        let kind = match number(12)? {
            HASH_MAGIC => Kind::Hash(hash::Buckets::read(&bytes, numbers)?),
            _ => Kind::Btree { root: number(88)? },
        };
        Ok(Self { bytes, numbers, page_size, last_page, kind })
    }

    /// The first value of a key.
    ///
    /// # Errors
    ///
    /// When the file is damaged where the key would be.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match &self.kind {
            Kind::Hash(buckets) => hash::get(self, buckets, key),
            Kind::Btree { root } => btree::get(self, *root, key),
        }
    }

    /// All entries of a page, in its order; empty for pages that hold none. Pages are numbered from 0.
    ///
    /// # Errors
    ///
    /// When the file is damaged.
    pub fn entries_of_page(&self, number: u32) -> Result<Vec<Entry>, Error> {
        let page = self.page(number)?;
        match (&self.kind, page.kind) {
            (Kind::Hash(_), page::HASH | page::HASH_UNSORTED) => hash::entries(self, &page),
            (Kind::Btree { .. }, page::LEAF) => btree::entries(self, &page),
            _ => Ok(Vec::new()),
        }
    }

    /// The number of the last page.
    pub fn last_page(&self) -> u32 {
        self.last_page
    }

    fn page(&self, number: u32) -> Result<Page<'_>, Error> {
        if number > self.last_page {
            return Err(Error::Damaged);
        }
        let at = usize::try_from(number).map_err(|_| Error::Damaged)? * self.page_size;
        let bytes = self.bytes.get(at..at + self.page_size).ok_or(Error::Damaged)?;
        Page::new(bytes, self.numbers)
    }

    /// The bytes of an item that is spread over pages of its own.
    fn overflow(&self, first: u32, length: u32) -> Result<Vec<u8>, Error> {
        let length = usize::try_from(length).map_err(|_| Error::Damaged)?;
        if length > self.bytes.len() {
            return Err(Error::Damaged);
        }
        let mut item = Vec::with_capacity(length);
        let mut number = first;
        while item.len() < length {
            let page = self.page(number)?;
            let piece = page.overflow()?;
            // A page without content would make a circle endless.
            if page.kind != page::OVERFLOW || piece.is_empty() {
                return Err(Error::Damaged);
            }
            item.extend_from_slice(piece);
            number = page.next;
        }
        item.truncate(length);
        Ok(item)
    }
}

#[cfg(test)]
#[path = "berkeley/tests.rs"]
mod tests;
