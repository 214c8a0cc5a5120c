//! Constant databases (D. J. Bernstein's cdb): read in place, written once.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

const HEADER: usize = 2048;

/// What a file of bytes says that is no cdb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// cdb's hash of a key.
pub fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| (hash << 5).wrapping_add(hash) ^ u32::from(*byte))
}

fn number(bytes: &[u8], at: usize) -> Result<u32, Damaged> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Damaged)?;
    Ok(u32::from_le_bytes(*bytes))
}

fn place(bytes: &[u8], at: usize) -> Result<usize, Damaged> {
    usize::try_from(number(bytes, at)?).map_err(|_| Damaged)
}

/// Whether all tables lie in the file: they are written last, so that what was cut off is missed.
///
/// # Errors
///
/// When a part is missing.
pub fn check(bytes: &[u8]) -> Result<(), Damaged> {
    for entry in (0..HEADER).step_by(8) {
        let (table, slots) = (place(bytes, entry)?, place(bytes, entry + 4)?);
        let end = slots.checked_mul(8).and_then(|length| length.checked_add(table)).ok_or(Damaged)?;
        if end > bytes.len() {
            return Err(Damaged);
        }
    }
    Ok(())
}

/// The first value of a key in the bytes of a cdb.
///
/// # Errors
///
/// When the bytes are not a complete cdb.
pub fn find<'a>(bytes: &'a [u8], key: &[u8]) -> Result<Option<&'a [u8]>, Damaged> {
    let wanted = hash(key);
    let entry = usize::from(wanted.to_le_bytes()[0]) * 8;
    let (table, slots) = (place(bytes, entry)?, place(bytes, entry + 4)?);
    if slots == 0 {
        return Ok(None);
    }
    let first = usize::try_from(wanted >> 8).map_err(|_| Damaged)? % slots;
    for step in 0..slots {
        let slot = (first + step) % slots;
        let at = slot.checked_mul(8).and_then(|at| at.checked_add(table)).ok_or(Damaged)?;
        let (found, record) = (number(bytes, at)?, place(bytes, at + 4)?);
        if record == 0 {
            return Ok(None);
        }
        if found == wanted {
            let (stored, value, _) = record_at(bytes, record)?;
            if stored == key {
                return Ok(Some(value));
            }
        }
    }
    Ok(None)
}

/// The key, the value, and where the next record starts.
type Record<'a> = (&'a [u8], &'a [u8], usize);

fn record_at(bytes: &[u8], at: usize) -> Result<Record<'_>, Damaged> {
    let (key, value) = (place(bytes, at)?, place(bytes, at + 4)?);
    let rest = bytes.get(at + 8..).ok_or(Damaged)?;
    let (key, rest) = rest.split_at_checked(key).ok_or(Damaged)?;
    let (value, _) = rest.split_at_checked(value).ok_or(Damaged)?;
    Ok((key, value, at + 8 + key.len() + value.len()))
}

/// The records of a cdb, in the order in which they were written.
pub fn records(bytes: &[u8]) -> Records<'_> {
    let end = place(bytes, 0).unwrap_or(0);
    Records { bytes, at: HEADER, end }
}

/// See [`records`].
#[derive(Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl Records<'_> {
    /// Where the next record starts; see [`Records::seek`].
    pub fn place(&self) -> usize {
        self.at
    }

    /// Goes to a place that [`Records::place`] told.
    pub fn seek(&mut self, place: usize) {
        self.at = place;
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        match record_at(self.bytes, self.at) {
            Ok((key, value, next)) => {
                self.at = next;
                Some(Ok((key, value)))
            }
            Err(damaged) => {
                self.at = self.end;
                Some(Err(damaged))
            }
        }
    }
}

/// A cdb in the making, in a file that is empty.
#[derive(Debug)]
pub struct Maker<W: Write + Seek> {
    file: BufWriter<W>,
    /// Where the next record starts.
    at: u32,
    /// Hashes and records of each table.
    tables: Vec<Vec<(u32, u32)>>,
}

impl<W: Write + Seek> Maker<W> {
    /// Starts a cdb.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn new(file: W) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 16, file);
        file.write_all(&[0; HEADER])?;
        Ok(Self { file, at: size(HEADER)?, tables: vec![Vec::new(); 256] })
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or would be larger than the format can say.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let record = self.at;
        self.number(size(key.len())?)?;
        self.number(size(value.len())?)?;
        for text in [key, value] {
            self.at = self.at.checked_add(size(text.len())?).ok_or(io::ErrorKind::FileTooLarge)?;
            self.file.write_all(text)?;
        }
        let hash = hash(key);
        if let Some(table) = self.tables.get_mut(usize::from(hash.to_le_bytes()[0])) {
            table.push((hash, record));
        }
        Ok(())
    }

    /// Writes what is left, and gives the file back.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or would be larger than the format can say.
    pub fn finish(mut self) -> io::Result<W> {
        let mut header = Vec::with_capacity(HEADER);
        for entries in std::mem::take(&mut self.tables) {
            let table = table_of(&entries);
            header.extend_from_slice(&self.at.to_le_bytes());
            header.extend_from_slice(&size(table.len())?.to_le_bytes());
            for (hash, record) in table {
                self.number(hash)?;
                self.number(record)?;
            }
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn number(&mut self, number: u32) -> io::Result<()> {
        self.at = self.at.checked_add(4).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(&number.to_le_bytes())
    }
}

fn table_of(entries: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut table = vec![(0, 0); entries.len() * 2];
    for (hash, record) in entries {
        let first = usize::try_from(hash >> 8).unwrap_or(0) % table.len();
        let (before, after) = table.split_at_mut_checked(first).unwrap_or_default();
        if let Some(free) = after.iter_mut().chain(before).find(|(_, record)| *record == 0) {
            *free = (*hash, *record);
        }
    }
    table
}

fn size(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_found(entries in proptest::collection::vec(("[a-c]{0,3}", "[a-z]{0,9}"), 0..60)) {
            let mut maker = Maker::new(io::Cursor::new(Vec::new())).unwrap();
            for (key, value) in &entries {
                maker.add(key.as_bytes(), value.as_bytes()).unwrap();
            }
            let bytes = maker.finish().unwrap().into_inner();
            for (key, _) in &entries {
                let (_, first) = entries.iter().find(|(other, _)| other == key).unwrap();
                prop_assert_eq!(find(&bytes, key.as_bytes()), Ok(Some(first.as_bytes())));
            }
            prop_assert_eq!(find(&bytes, b"none"), Ok(None));
            prop_assert_eq!(check(&bytes), Ok(()));
            prop_assert!(check(&bytes[..bytes.len() - 1]).is_err());
            let listed: Vec<_> = records(&bytes).map(|record| record.unwrap()).collect();
            let expected: Vec<_> = entries.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
            prop_assert_eq!(listed, expected);
        }

        #[test]
        fn any_bytes_are_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..4000), at in 0_u32..4000) {
            if let Some(header) = bytes.first_chunk_mut() {
                *header = at.to_le_bytes();
            }
            let _ = (check(&bytes), find(&bytes, b"key"));
            let _ = records(&bytes).count();
        }
    }
}
