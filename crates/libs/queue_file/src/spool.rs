//! Where queue files lie: directories, moves, locks, marks.
//!
//! Locks are `flock` and never `fcntl`, since closing any descriptor of a file would drop the latter. A recipient is marked
//! done by writing one byte; that needs no sync, since the worst that a crash can do is a second delivery.

use crate::record::Type;
use crate::{Error, NewFile, Problem, QueueId, QueueName, Scan};
use nix::fcntl::OFlag;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How queue directories are laid out: from `hash_queue_names`, `hash_queue_depth`, `enable_long_queue_ids`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    hashed: u16,
    depth: usize,
    long_ids: bool,
}

impl Layout {
    /// From the parameters; names that are no queues are not hashed by anyone.
    #[must_use]
    pub fn new<'a>(hash_queue_names: impl IntoIterator<Item = &'a str>, hash_queue_depth: u32) -> Self {
        let hashed = hash_queue_names.into_iter().filter_map(QueueName::parse).fold(0, |set, queue| set | queue.bit());
        Self { hashed, depth: usize::try_from(hash_queue_depth).unwrap_or(0).min(16), long_ids: false }
    }

    /// Whether new files get ids of the long form.
    #[must_use]
    pub fn with_long_ids(self, long_ids: bool) -> Self {
        Self { long_ids, ..self }
    }

    /// Whether new files get ids of the long form.
    #[must_use]
    pub fn long_ids(&self) -> bool {
        self.long_ids
    }

    /// How many directories lie between a queue and its files.
    #[must_use]
    pub fn depth(&self, queue: QueueName) -> usize {
        if self.hashed & queue.bit() == 0 { 0 } else { self.depth }
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::new(["deferred", "defer"], 1)
    }
}

/// Whether a lock was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It is ours until the descriptor is closed.
    Taken,
    /// Another process has it.
    Busy,
}

/// The directories below `queue_directory`.
#[derive(Debug, Clone)]
pub struct Spool {
    root: PathBuf,
    layout: Layout,
}

impl Spool {
    /// The spool at `root`; daemons, which run in it, give an empty path.
    pub fn new(root: impl Into<PathBuf>, layout: Layout) -> Self {
        Self { root: root.into(), layout }
    }

    /// The directory layout.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The directory of a queue.
    #[must_use]
    pub fn directory(&self, queue: QueueName) -> PathBuf {
        self.root.join(queue.as_str())
    }

    /// Where a file lies.
    #[must_use]
    pub fn path(&self, queue: QueueName, id: &QueueId) -> PathBuf {
        let depth = self.layout.depth(queue);
        let mut path = String::with_capacity(queue.as_str().len() + 4 * depth + 1 + id.as_str().len());
        path.push_str(queue.as_str());
        if depth > 0 {
            for letter in id.hash_key().chars().chain(std::iter::repeat('_')).take(depth) {
                path.push('/');
                path.push(letter);
            }
        }
        path.push('/');
        path.push_str(id.as_str());
        if self.root.as_os_str().is_empty() { path.into() } else { self.root.join(path) }
    }

    /// Creates a file without x permission, named after its inode.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self, queue: QueueName) -> Result<NewFile, Error> {
        NewFile::create(self, queue)
    }

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// What the system says; [`Error::is_gone`] if it is not there.
    pub fn open(&self, queue: QueueName, id: &QueueId) -> Result<File, Error> {
        let path = self.path(queue, id);
        open_quietly(OpenOptions::new().read(true).write(true), &path).map_err(|e| Error::system("open file", &path, e))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_read(&self, queue: QueueName, id: &QueueId) -> Result<File, Error> {
        let path = self.path(queue, id);
        open_quietly(OpenOptions::new().read(true), &path).map_err(|e| Error::system("open file", &path, e))
    }

    /// What the file system says of a file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn metadata(&self, queue: QueueName, id: &QueueId) -> Result<fs::Metadata, Error> {
        let path = self.path(queue, id);
        fs::symlink_metadata(&path).map_err(|e| Error::system("stat", &path, e))
    }

    /// Whether there is a file or log.
    ///
    /// # Errors
    /// What the system says: it may be there.
    pub fn has(&self, queue: QueueName, id: &QueueId) -> Result<bool, Error> {
        match self.metadata(queue, id) {
            Ok(_) => Ok(true),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Moves a file from one queue to another.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn rename(&self, id: &QueueId, from: QueueName, to: QueueName) -> Result<(), Error> {
        self.rename_as(id, from, id, to)
    }

    /// Moves a file and gives it another id: `postsuper -s` where the inode has changed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn rename_as(&self, id: &QueueId, from: QueueName, new: &QueueId, to: QueueName) -> Result<(), Error> {
        let (old, new) = (self.path(from, id), self.path(to, new));
        with_directories(&new, || fs::rename(&old, &new)).map_err(|e| Error::system("rename", &old, e))
    }

    /// Moves a file that lies elsewhere in its queue to where this layout has it; never over another file.
    ///
    /// # Errors
    /// As [`Self::open`], and that there is a file already.
    pub fn settle(&self, path: &Path, queue: QueueName, id: &QueueId) -> Result<(), Error> {
        let place = self.path(queue, id);
        let result = match fs::symlink_metadata(&place) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => with_directories(&place, || fs::rename(path, &place)),
        };
        result.map_err(|e| Error::system("move to its place", path, e))
    }

    /// Removes a file or log.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn remove(&self, queue: QueueName, id: &QueueId) -> Result<(), Error> {
        let path = self.path(queue, id);
        fs::remove_file(&path).map_err(|e| Error::system("remove", &path, e))
    }

    /// All files of a queue, in no particular order.
    #[must_use]
    pub fn scan(&self, queue: QueueName) -> Scan {
        Scan::new(self.directory(queue))
    }

    /// Takes the lock of one who will write, without waiting.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_exclusive(file: &File) -> io::Result<Lock> {
        judge(file.try_lock())
    }

    /// Takes the lock of one who delivers, without waiting.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_shared(file: &File) -> io::Result<Lock> {
        judge(file.try_lock_shared())
    }
}

/// Opens a file whose reading is not noted in its inode. The time of a deferred file is that of its next attempt, so that each
/// reading would be. Links are not followed, and nobody waits for the other end of a pipe: no such thing is a queue file.
pub(crate) fn open_quietly(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let plain = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    match options.custom_flags((plain | OFlag::O_NOATIME).bits()).open(path) {
        // That is for the owner.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.custom_flags(plain.bits()).open(path),
        result => result,
    }
}

fn judge(result: Result<(), TryLockError>) -> io::Result<Lock> {
    match result {
        Ok(()) => Ok(Lock::Taken),
        Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Marks the recipient at `offset` done. A negative offset means that there is no record of it.
///
/// # Errors
/// What the system says, or that there is no recipient at the offset.
pub fn mark_done(file: &File, offset: i64) -> Result<(), Error> {
    let Ok(offset) = u64::try_from(offset) else { return Ok(()) };
    rewrite_record_type(file, offset, Type::Recipient, Type::Done)
}

/// Changes the type of the record at `offset`, which must be `from`, or `to` already.
///
/// # Errors
/// As [`mark_done`].
pub fn rewrite_record_type(file: &File, offset: u64, from: Type, to: Type) -> Result<(), Error> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    let [byte] = byte;
    if byte == to.byte() {
        return Ok(());
    }
    if byte != from.byte() {
        return Err(Error::Malformed { offset, problem: Problem::Type(byte) });
    }
    Ok(file.write_all_at(&[to.byte()], offset)?)
}

/// Does `act`; if something is missing, does it once more with all directories of `path` there. Another process may have made them
/// just now.
///
/// # Errors
/// What the system says.
pub fn with_directories<T>(path: &Path, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match act() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(directory) = path.parent() else { return Err(error) };
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            act()
        }
        result => result,
    }
}

#[cfg(test)]
mod tests;
