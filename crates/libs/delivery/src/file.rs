//! A queue file in an agent's hands: open, locked against the queue manager, and its recipients markable.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use dsn::Outcome;
use ipc::deliver::{Remains, Request};
use queue_file::Damage;
use tracing::warn;

use crate::Settled;

/// An open queue file under a shared lock, which ends with the last copy of this value.
#[derive(Debug, Clone)]
pub struct QueueFile {
    file: Arc<File>,
    damage: Damage,
}

impl QueueFile {
    /// Opens and locks the file of a request.
    ///
    /// # Errors
    /// The file is gone (an admin took it), cannot be opened, or another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file: Arc::new(file), damage: Damage::default() }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "file is locked")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The file, for reading at offsets of one's own.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether its content was found to be damaged, by a walk that was told to note it ([`crate::content_of`]).
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Whether what an agent could not do is the fault of the file: nobody is told of a delay then.
    pub(crate) fn is_unfit(&self, outcome: &Outcome) -> bool {
        self.damage.is_found() && matches!(outcome, Outcome::Deferred(_))
    }

    /// What the end of another agent's delivery of this file means for the recipients that it was given.
    pub fn settled(&self, elsewhere: Remains) -> Settled {
        match elsewhere {
            Remains::Nothing => Settled::Finished,
            Remains::Some => Settled::Remains,
            Remains::Damaged => {
                self.damage.note();
                Settled::Remains
            }
        }
    }

    /// What is left of a delivery, all of whose recipients are finished or not.
    pub(crate) fn remains(&self, all: bool, request: &Request) -> Remains {
        if self.damage.is_found() {
            warn!("corrupted queue file: {}/{}", request.queue_name, request.queue_id);
            Remains::Damaged
        } else if all {
            Remains::Nothing
        } else {
            Remains::Some
        }
    }

    /// The file system that it is on; 0 if that cannot be told.
    #[must_use]
    pub fn device(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.dev())
    }

    /// Marks the recipient whose record is at `offset` as done. A negative offset is a recipient without a record.
    ///
    /// # Errors
    /// There is no recipient record at the offset, or writing failed. The recipient may get a second copy.
    pub fn mark_done(&self, offset: i64) -> Result<(), queue_file::Error> {
        queue_file::mark_done(&self.file, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recipient_records_are_marked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, b"S\x01aR\x01bD\x01c").unwrap();
        let file = QueueFile::open(&path).unwrap();
        file.mark_done(3).unwrap();
        file.mark_done(6).unwrap();
        file.mark_done(-1).unwrap();
        assert!(file.mark_done(0).is_err());
        assert!(file.mark_done(99).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"S\x01aD\x01bD\x01c");
    }

    #[test]
    fn a_file_that_the_queue_manager_holds_is_not_delivered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let held = File::create(&path).unwrap();
        held.lock().unwrap();
        assert_eq!(QueueFile::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        held.unlock().unwrap();
        let _first = QueueFile::open(&path).unwrap();
        QueueFile::open(&path).unwrap();
    }
}
