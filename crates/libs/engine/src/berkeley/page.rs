//! Pages and the numbers in them.

use super::Error;

pub(super) const HASH_UNSORTED: u8 = 2;
pub(super) const INTERNAL: u8 = 3;
pub(super) const RECNO_INTERNAL: u8 = 4;
pub(super) const LEAF: u8 = 5;
pub(super) const RECNO_LEAF: u8 = 6;
pub(super) const OVERFLOW: u8 = 7;
pub(super) const DUPLICATES: u8 = 12;
pub(super) const HASH: u8 = 13;

const HEADER: usize = 26;

/// The byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Little,
    Big,
}

impl Numbers {
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Result<u16, Error> {
        let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Error::Damaged)?;
        Ok(match self {
            Self::Little => u16::from_le_bytes(*bytes),
            Self::Big => u16::from_be_bytes(*bytes),
        })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Result<u32, Error> {
        let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Error::Damaged)?;
        Ok(match self {
            Self::Little => u32::from_le_bytes(*bytes),
            Self::Big => u32::from_be_bytes(*bytes),
        })
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) numbers: Numbers,
    pub(super) next: u32,
    pub(super) entries: usize,
    pub(super) kind: u8,
    free: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(bytes: &'a [u8], numbers: Numbers) -> Result<Self, Error> {
        Ok(Self {
            bytes,
            numbers,
            next: numbers.u32(bytes, 16)?,
            entries: usize::from(numbers.u16(bytes, 20)?),
            kind: *bytes.get(25).ok_or(Error::Damaged)?,
            free: usize::from(numbers.u16(bytes, 22)?),
        })
    }

    /// Where an item starts.
    pub(super) fn offset(&self, index: usize) -> Result<usize, Error> {
        Ok(usize::from(self.numbers.u16(self.bytes, HEADER + 2 * index)?))
    }

    /// From the start of an item to the end of the page.
    pub(super) fn item(&self, index: usize) -> Result<&'a [u8], Error> {
        self.bytes.get(self.offset(index)?..).ok_or(Error::Damaged)
    }

    /// The content of an overflow page.
    pub(super) fn overflow(&self) -> Result<&'a [u8], Error> {
        self.bytes.get(HEADER..HEADER + self.free).ok_or(Error::Damaged)
    }
}
