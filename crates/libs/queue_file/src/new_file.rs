//! A queue file on its way: created without x permission, committed with it, removed if neither happens.

use crate::spool::with_directories;
use crate::{Error, QueueId, QueueName, Spool};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names tried before giving up on a directory.
const ATTEMPTS: u32 = 1000;

/// A file that is being written. Dropping it removes it.
#[derive(Debug)]
#[must_use = "dropping a new queue file removes it"]
pub struct NewFile {
    id: QueueId,
    queue: QueueName,
    path: PathBuf,
    file: Option<File>,
    state: State,
}

/// What a file on its way holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What its owner writes, and nothing else.
    Own,
    /// So many bytes of a message that is finished.
    Used(u64),
    /// A whole message in the place of another, perhaps not on disk.
    Overwritten,
    /// It has x permission already.
    Complete,
}

/// Proof that a file is complete and on disk: what a reply that accepts mail needs.
#[derive(Debug)]
pub struct Committed {
    id: QueueId,
    queue: QueueName,
    file: File,
}

impl Committed {
    /// The file's id.
    #[must_use]
    pub fn id(&self) -> &QueueId {
        &self.id
    }

    /// The file's queue.
    #[must_use]
    pub fn queue(&self) -> QueueName {
        self.queue
    }

    /// The file, still open.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The id alone.
    #[must_use]
    pub fn into_id(self) -> QueueId {
        self.id
    }
}

impl NewFile {
    /// Creates a file under a name of the moment, then gives it the name that carries its inode.
    pub(crate) fn create(spool: &Spool, queue: QueueName) -> Result<Self, Error> {
        let directory = spool.directory(queue);
        let (temporary, file) = create_temporary(&directory)?;
        let inode = file.metadata().map_err(|e| Error::system("fstat", &temporary, e))?.ino();
        for _ in 0..ATTEMPTS {
            let (id, path) = name_now(spool, queue, inode);
            match with_directories(&path, || rename_new(&temporary, &path)) {
                Ok(()) => return Ok(Self { id, queue, path, file: Some(file), state: State::Own }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _ = fs::remove_file(&temporary);
                    return Err(Error::system("rename", &temporary, error));
                }
            }
        }
        let _ = fs::remove_file(&temporary);
        Err(Error::system("create file", &temporary, io::ErrorKind::AlreadyExists.into()))
    }

    /// A file that is open, not mail yet, and has so many bytes of a message before.
    pub(crate) fn open(id: QueueId, queue: QueueName, path: PathBuf, file: File, used: u64) -> Self {
        let state = if used == 0 { State::Own } else { State::Used(used) };
        Self { id, queue, path, file: Some(file), state }
    }

    /// The file's id.
    #[must_use]
    pub fn id(&self) -> &QueueId {
        &self.id
    }

    /// The queue it is in.
    #[must_use]
    pub fn queue(&self) -> QueueName {
        self.queue
    }

    /// The open file; `&File` reads and writes. A used one is to be emptied first.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the file is only taken by `commit` and `drop`, which consume this value")]
    pub fn file(&self) -> &File {
        self.file.as_ref().expect("file is present until commit")
    }

    /// Takes out what a used file still has of the message before; any other is left as it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn empty(&mut self) -> io::Result<()> {
        if let State::Used(_) = self.state {
            self.file().set_len(0)?;
            self.state = State::Own;
        }
        Ok(())
    }

    /// Writes a whole message, in the place of that which a used file has. Such a file is committed by way of [`Self::complete`].
    ///
    /// # Errors
    /// What the system says.
    pub fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file().write_all_at(bytes, 0)?;
        if let State::Used(length) = self.state {
            let new = bytes.len() as u64;
            if new < length {
                self.file().set_len(new)?;
            }
            self.state = State::Overwritten;
        }
        Ok(())
    }

    /// Moves the file to another queue before it is committed, as HOLD asks for.
    ///
    /// # Errors
    /// What the system says.
    pub fn move_to(&mut self, spool: &Spool, queue: QueueName) -> Result<(), Error> {
        spool.rename(&self.id, self.queue, queue)?;
        self.queue = queue;
        self.path = spool.path(queue, &self.id);
        Ok(())
    }

    /// Makes it mail: gives it x permission and waits until all of it is on disk.
    ///
    /// # Errors
    /// What the system says; the file is then removed.
    pub fn commit(self) -> Result<Committed, Error> {
        self.commit_with(0o700)
    }

    /// As [`Self::commit`], for a maildrop file, which belongs to its sender and is read by the mail system.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_readable(self) -> Result<Committed, Error> {
        self.commit_with(0o744)
    }

    /// Gives x permission, ahead of [`Self::commit`], to a file that has all its bytes: where several files are committed
    /// together, what the file system has to write for them is best changed before any of them is waited for.
    ///
    /// It becomes mail when its bytes are on disk, or after a power failure half of it could pass for mail, and in an overwritten file
    /// half of another message. `write_back` waits for that; it need not wait for anything else.
    ///
    /// # Errors
    /// What the system says; the file is then removed.
    pub fn complete(mut self, write_back: impl FnOnce(&File) -> io::Result<()>) -> Result<Self, Error> {
        write_back(self.file()).map_err(|e| Error::system("write back", &self.path, e))?;
        if self.state == State::Overwritten {
            self.state = State::Own;
        }
        self.make_mail(0o700)?;
        Ok(self)
    }

    fn commit_with(mut self, mode: u32) -> Result<Committed, Error> {
        self.make_mail(mode)?;
        self.file().sync_all().map_err(|e| Error::system("fsync", &self.path, e))?;
        match self.file.take() {
            Some(file) => Ok(Committed { id: self.id.clone(), queue: self.queue, file }),
            None => Err(Error::system("commit", &self.path, io::ErrorKind::NotFound.into())),
        }
    }

    fn make_mail(&mut self, mode: u32) -> Result<(), Error> {
        match self.state {
            State::Complete => return Ok(()),
            State::Own => {}
            State::Used(_) | State::Overwritten => {
                return Err(Error::system("commit", &self.path, io::ErrorKind::InvalidData.into()));
            }
        }
        let permissions = Permissions::from_mode(mode);
        self.file().set_permissions(permissions).map_err(|e| Error::system("fchmod", &self.path, e))?;
        // Somebody may have removed the file, which has been here since long before its message came.
        let names = self.file().metadata().map_err(|e| Error::system("fstat", &self.path, e))?.nlink();
        if names == 0 {
            return Err(Error::system("commit", &self.path, io::ErrorKind::NotFound.into()));
        }
        self.state = State::Complete;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create_temporary(directory: &Path) -> Result<(PathBuf, File), Error> {
    let mut open = OpenOptions::new();
    open.read(true).write(true).create_new(true).mode(0o600);
    let mut path = directory.to_owned();
    for _ in 0..ATTEMPTS {
        path = directory.join(format!("{}.{}", now().subsec_nanos(), std::process::id()));
        match open.open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::system("create file", &path, error)),
        }
    }
    Err(Error::system("create file", &path, io::ErrorKind::AlreadyExists.into()))
}

/// The id that a file with this inode gets at this moment, and where it then lies.
pub(crate) fn name_now(spool: &Spool, queue: QueueName, inode: u64) -> (QueueId, PathBuf) {
    let now = now();
    let id = if spool.layout().long_ids() {
        QueueId::long(now.as_secs(), now.subsec_micros(), inode)
    } else {
        QueueId::short(now.subsec_micros(), inode)
    };
    let path = spool.path(queue, &id);
    (id, path)
}

/// Renames a file to a name that must not be taken, in one step where the file system can.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], or what else the system says.
pub fn rename_new(old: &Path, new: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, old, AT_FDCWD, new, RenameFlags::RENAME_NOREPLACE) {
        // Not every file system can do that in one step.
        Err(Errno::EINVAL | Errno::ENOSYS) if new.exists() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(Errno::EINVAL | Errno::ENOSYS) => fs::rename(old, new),
        result => Ok(result?),
    }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
