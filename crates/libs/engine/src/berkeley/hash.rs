//! Hash files: each bucket is a chain of pages, where keys and values alternate.

use super::btree::first_duplicate;
use super::page::{HASH, HASH_UNSORTED, Numbers, Page};
use super::{Berkeley, Entry, Error};

const KEY_DATA: u8 = 1;
const DUPLICATE: u8 = 2;
const OFF_PAGE: u8 = 3;
const OFF_DUPLICATES: u8 = 4;

/// How keys are spread over buckets, and buckets over pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    max: u32,
    high_mask: u32,
    low_mask: u32,
    spares: [u32; 32],
    function: Option<fn(&[u8]) -> u32>,
}

/// A text whose hash the file holds, so that a reader can check its hash function.
const CHECK: &[u8] = b"%$sniglet^&\0";

impl Buckets {
    pub(super) fn read(bytes: &[u8], numbers: Numbers) -> Result<Self, Error> {
        let number = |at| numbers.u32(bytes, at);
        let mut spares = [0; 32];
        for (at, spare) in spares.iter_mut().enumerate() {
            *spare = number(96 + 4 * at)?;
        }
        let check = number(92)?;
        let functions: [fn(&[u8]) -> u32; 2] = [fowler, torek];
        let function = functions.into_iter().find(|function| function(CHECK) == check);
        Ok(Self { max: number(72)?, high_mask: number(76)?, low_mask: number(80)?, spares, function })
    }

    /// The first page of a key's bucket.
    fn page(&self, key: &[u8], function: fn(&[u8]) -> u32) -> Result<u32, Error> {
        let hash = function(key);
        let mut bucket = hash & self.high_mask;
        if bucket > self.max {
            bucket &= self.low_mask;
        }
        // Buckets were added in generations, each twice as large as all before it.
        let generation = u32::BITS - bucket.leading_zeros();
        let spare = usize::try_from(generation).ok().and_then(|at| self.spares.get(at));
        spare.and_then(|spare| spare.checked_add(bucket)).ok_or(Error::Damaged)
    }
}

/// Fowler, Noll and Vo.
fn fowler(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(16_777_619) ^ u32::from(*byte))
}

/// Chris Torek's, of old versions.
fn torek(key: &[u8]) -> u32 {
    key.iter().fold(0, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

/// An item without its kind; it ends where the one before it starts.
fn item<'a>(page: &Page<'a>, index: usize) -> Result<(u8, &'a [u8]), Error> {
    let end = match index.checked_sub(1) {
        Some(before) => page.offset(before)?,
        None => page.bytes.len(),
    };
    let bytes = page.bytes.get(page.offset(index)?..end).ok_or(Error::Damaged)?;
    let (kind, bytes) = bytes.split_first().ok_or(Error::Damaged)?;
    Ok((*kind, bytes))
}

fn value(file: &Berkeley, page: &Page<'_>, index: usize) -> Result<Vec<u8>, Error> {
    let (kind, bytes) = item(page, index)?;
    let numbers = page.numbers;
    match kind {
        KEY_DATA => Ok(bytes.to_vec()),
        DUPLICATE => {
            let length = usize::from(numbers.u16(bytes, 0)?);
            bytes.get(2..2 + length).map(<[u8]>::to_vec).ok_or(Error::Damaged)
        }
        OFF_PAGE => file.overflow(numbers.u32(bytes, 3)?, numbers.u32(bytes, 7)?),
        OFF_DUPLICATES => first_duplicate(file, numbers.u32(bytes, 3)?),
        _ => Err(Error::Damaged),
    }
}

pub(super) fn get(file: &Berkeley, buckets: &Buckets, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let Some(function) = buckets.function else {
        return search(file, key);
    };
    let mut number = buckets.page(key, function)?;
    // A chain has no more pages than the file.
    for _ in 0..=file.last_page {
        let page = file.page(number)?;
        if let Some(value) = in_page(file, &page, key)? {
            return Ok(Some(value));
        }
        number = page.next;
        if number == 0 {
            return Ok(None);
        }
    }
    Err(Error::Damaged)
}

/// Looks through the whole file, whose hash function is not known.
fn search(file: &Berkeley, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    for number in 1..=file.last_page {
        let page = file.page(number)?;
        if matches!(page.kind, HASH | HASH_UNSORTED)
            && let Some(value) = in_page(file, &page, key)?
        {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn in_page(file: &Berkeley, page: &Page<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    if !matches!(page.kind, HASH | HASH_UNSORTED) {
        // A bucket that was never used has a page of zeros.
        return if page.entries == 0 { Ok(None) } else { Err(Error::Damaged) };
    }
    for pair in 0..page.entries / 2 {
        let (kind, bytes) = item(page, 2 * pair)?;
        let same = match kind {
            KEY_DATA => bytes == key,
            OFF_PAGE => value(file, page, 2 * pair)? == key,
            _ => return Err(Error::Damaged),
        };
        if same {
            return value(file, page, 2 * pair + 1).map(Some);
        }
    }
    Ok(None)
}

pub(super) fn entries(file: &Berkeley, page: &Page<'_>) -> Result<Vec<Entry>, Error> {
    let pairs = 0..page.entries / 2;
    pairs.map(|pair| Ok((value(file, page, 2 * pair)?, value(file, page, 2 * pair + 1)?))).collect()
}
