//! LMDB files as Postfix uses them: one unnamed database in one file, no lock file, `fcntl` locks on the file.
//!
//! Every look-up holds a shared lock and sees the last committed state, so a table may be changed under a running
//! program. LMDB's own rule that no reader may be older than the writer is kept by those locks: a writer takes
//! the exclusive lock before its transaction, and gives readers way once it has begun.

mod raw;

use std::io;
use std::path::Path;

use crate::lock::{self, Lock};
use raw::{Env, Txn};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The map is too small for what was to be written; see [`Database::grow`].
    #[error("MDB_MAP_FULL: Environment mapsize limit reached")]
    MapFull,
    /// A system call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The library refused; in its own words.
    #[error("{0}")]
    Library(String),
    /// The key is empty or too long.
    #[error("MDB_BAD_VALSIZE: Unsupported size of key/DB name/data, or wrong DUPFIXED size")]
    BadSize,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looking up.
    Read,
    /// Looking up and changing; the file is made if need be.
    Write {
        /// Access rights of a new file.
        mode: u32,
    },
}

/// An open file.
#[derive(Debug)]
pub struct Database {
    env: Env,
    write: Option<Txn>,
    map_size: usize,
}

/// Entries in the order of their keys.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

impl Database {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or is no LMDB file.
    pub fn open(path: &Path, access: Access, map_size: usize) -> Result<Self, Error> {
        let env = Env::open(path, access, map_size)?;
        Ok(Self { env, write: None, map_size })
    }

    /// The value of a key, as last committed or as changed by ourselves.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        // LMDB itself refuses empty and overlong keys; no such key was ever stored.
        if key.is_empty() || key.len() > raw::MAX_KEY {
            return Ok(None);
        }
        self.reading(|txn| Ok(txn.get(key)?.map(<[u8]>::to_vec)))
    }

    /// Up to `count` entries whose keys follow `after`, or the first ones.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn entries(&mut self, after: Option<&[u8]>, count: usize) -> Result<Entries, Error> {
        self.reading(|txn| txn.entries(after, count))
    }

    /// Stores an entry; tells whether it did. Without `replace` an existing one stays.
    ///
    /// # Errors
    ///
    /// When the map is full, or the file cannot be written.
    pub fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<bool, Error> {
        if key.is_empty() || key.len() > raw::MAX_KEY {
            return Err(Error::BadSize);
        }
        self.writing()?.put(key, value, if replace { raw::Put::Replace } else { raw::Put::Keep })
    }

    /// Stores an entry whose key follows all others; for filling an empty file from sorted entries.
    ///
    /// # Errors
    ///
    /// As for [`Database::put`].
    pub fn append(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if key.is_empty() || key.len() > raw::MAX_KEY {
            return Err(Error::BadSize);
        }
        self.writing()?.put(key, value, raw::Put::Append).map(|_| ())
    }

    /// Removes an entry; tells whether it was there.
    ///
    /// # Errors
    ///
    /// As for [`Database::put`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        if key.is_empty() || key.len() > raw::MAX_KEY {
            return Ok(false);
        }
        self.writing()?.delete(key)
    }

    /// Removes all entries.
    ///
    /// # Errors
    ///
    /// As for [`Database::put`].
    pub fn clear(&mut self) -> Result<(), Error> {
        self.writing()?.clear()
    }

    /// Makes the changes last, all at once.
    ///
    /// # Errors
    ///
    /// When they cannot be written; then none was made.
    pub fn commit(&mut self) -> Result<(), Error> {
        let Some(txn) = self.write.take() else {
            return Ok(());
        };
        let result = txn.commit();
        lock::fcntl(self.env.file(), Lock::None)?;
        result
    }

    /// Forgets the changes since the last commit.
    pub fn abort(&mut self) {
        if self.write.take().is_some() {
            // The lock goes with the descriptor at the latest.
            let _ = lock::fcntl(self.env.file(), Lock::None);
        }
    }

    /// Makes room for so many bytes beside what the file holds, unless changes have begun.
    ///
    /// # Errors
    ///
    /// When there is no address space left.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), Error> {
        let wanted = self.env.taken()?.saturating_add(bytes);
        while self.write.is_none() && self.map_size.max(self.env.map_size()?) < wanted {
            self.grow()?;
        }
        Ok(())
    }

    /// Forgets the changes since the last commit, and doubles the map.
    ///
    /// # Errors
    ///
    /// When there is no address space left.
    pub fn grow(&mut self) -> Result<(), Error> {
        self.abort();
        self.map_size = self.map_size.max(self.env.map_size()?).saturating_mul(2);
        self.env.resize(self.map_size)
    }

    fn reading<T>(&mut self, read: impl FnOnce(&Txn) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(txn) = &self.write {
            return read(txn);
        }
        lock::fcntl(self.env.file(), Lock::Shared)?;
        let result = self.env.begin_read().and_then(|txn| read(&txn));
        lock::fcntl(self.env.file(), Lock::None)?;
        result
    }

    fn writing(&mut self) -> Result<&mut Txn, Error> {
        let txn = match self.write.take() {
            Some(txn) => txn,
            None => {
                lock::fcntl(self.env.file(), Lock::Exclusive)?;
                let txn = self.env.begin_write();
                // From here on pages that the last state uses are not touched, so it may be read.
                let lock = if txn.is_ok() { Lock::Shared } else { Lock::None };
                lock::fcntl(self.env.file(), lock)?;
                txn?
            }
        };
        Ok(self.write.insert(txn))
    }
}

#[cfg(test)]
#[path = "lmdb/tests.rs"]
mod tests;
