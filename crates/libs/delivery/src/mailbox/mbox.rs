//! Appends a message to an mbox file; the file is as it was before if that fails, unless others have written to it since.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use dsn::Status;

use super::lock::{self, Locking};
use super::{Error, Limited, regular, said};
use crate::content::Content;
use crate::copy::{self, Layout};

/// Who owns a file that is created on behalf of someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Whether a `.lock` file, where such are asked for, can be done without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dotlock {
    /// Without it nothing is delivered.
    Required,
    /// The user may not be able to make it.
    IfPossible,
}

/// A file to append to, and under what conditions.
#[derive(Debug)]
pub struct Destination<'a> {
    /// The file.
    pub path: &'a Path,
    /// Whom a new file is given to, where that is not the present user.
    pub owner: Option<Owner>,
    /// How it is locked.
    pub locking: &'a Locking,
    /// Whether a `.lock` file can be done without.
    pub dotlock: Dotlock,
    /// What `.lock` files may be links to.
    pub kept: Option<&'a Path>,
    /// Its largest size (`mailbox_size_limit`), 0 for none.
    pub limit: u64,
    /// The code of a failure that has none by itself.
    pub failure: Status,
}

/// Appends the message; `accept` may refuse the opened file for reasons of its own. The file is synchronised to disk.
///
/// The mailbox is locked while it is written to, but not while the disk works: others may append meanwhile, and the next
/// synchronisation is under way together with this one.
///
/// # Errors
/// See [`Error`].
pub fn deliver(
    destination: &Destination<'_>,
    content: &mut Content,
    layout: &Layout,
    accept: impl FnOnce(&Metadata) -> Result<(), Error>,
) -> Result<(), Error> {
    let Destination { path, owner, limit, failure, .. } = *destination;
    let system = |doing: &str, error: &io::Error| Error::system(failure, doing, error);
    let lock = destination.dotlock()?;
    let file = regular::open_or_create(path, owner, failure)?;
    let found = file.metadata().map_err(|error| system("cannot look at file", &error))?;
    if found.is_file() {
        destination.locking.lock(path, &file)?;
    }
    accept(&found)?;
    if !found.is_file() {
        return write(&file, 0, 0, content, layout).map(drop).map_err(|error| Error::of_copy(error, failure));
    }
    // The size is taken under the lock.
    let size = file.metadata().map_err(|error| system("cannot look at file", &error))?.len();
    let end = write(&file, size, limit, content, layout).map_err(|error| {
        let _ = file.set_len(size);
        Error::of_copy(error, failure)
    })?;
    destination.locking.unlock(&file);
    drop(lock);
    file.sync_all().map_err(|error| {
        destination.take_back(&file, size, end);
        Error::of_copy(copy::Error::Write(error), failure)
    })
}

impl Destination<'_> {
    fn dotlock(&self) -> Result<Option<lock::Dotlock>, Error> {
        match self.locking.dotlock(self.path, self.kept) {
            Ok(lock) => Ok(lock),
            // What is no file needs no lock, such as /dev/null. To look before would cost every delivery.
            Err(_) if std::fs::metadata(self.path).is_ok_and(|found| !found.is_file()) => Ok(None),
            Err(error) if self.dotlock == Dotlock::IfPossible && error.kind() != io::ErrorKind::AlreadyExists => {
                tracing::warn!("unable to create lock file {}.lock: {}", self.path.display(), said(&error));
                Ok(None)
            }
            Err(error) => Err(refused_dotlock(self.path, self.failure, &error)),
        }
    }

    /// Makes the file as it was, unless somebody has changed it since.
    pub(super) fn take_back(&self, file: &File, size: u64, end: u64) {
        let Ok(_lock) = self.dotlock() else { return };
        if self.locking.lock(self.path, file).is_ok() && file.metadata().is_ok_and(|found| found.len() == end) {
            let _ = file.set_len(size);
        }
    }
}

/// Writes the message behind what is there; the size of the whole.
fn write(file: &File, size: u64, limit: u64, content: &mut Content, layout: &Layout) -> Result<u64, copy::Error> {
    let mut out = BufWriter::with_capacity(32 * 1024, Limited { inner: file, size, limit });
    copy::copy(content, layout, &mut out)?;
    out.flush().map_err(copy::Error::Write)?;
    Ok(out.get_ref().size)
}

fn refused_dotlock(path: &Path, failure: Status, error: &io::Error) -> Error {
    let doing = format!("unable to create lock file {}.lock", path.display());
    let other = if error.kind() == io::ErrorKind::AlreadyExists { Status::temporary(2, 0) } else { failure };
    Error::system(other, &doing, error)
}
