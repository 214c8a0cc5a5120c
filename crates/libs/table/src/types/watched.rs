//! Files that were read once and are kept open, to see whether they change.
//!
//! Only the descriptor is asked, so that it works behind a chroot. A file that was replaced by rename has lost
//! its last link.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Owner;

/// A file that changed less than this before it was read may have changed once more since, with the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// A file as it was when it was read.
pub(crate) struct Watched {
    file: File,
    seen: Seen,
    owner: u32,
}

/// What changes when a file does. Times are in seconds and nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Device and inode.
    file: (u64, u64),
    modified: (i64, i64),
    // Also changes when postmap wants to tell that another file is to be read instead.
    status: (i64, i64),
    size: u64,
    linked: bool,
}

impl Seen {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            status: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.size(),
            linked: metadata.nlink() > 0,
        }
    }

    /// Whether it has been like this for a while: what changed a moment ago may change once more with the same time.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(self.status.0).unwrap_or(0));
        now.checked_sub(changed).is_some_and(|age| age > SETTLED)
    }
}

impl Watched {
    /// Reads a file, and keeps it open.
    pub(crate) fn read(path: &Path) -> io::Result<(Vec<u8>, Self)> {
        let mut file = File::open(path)?;
        // The state is taken first: a change while it is read counts as a change.
        let metadata = file.metadata()?;
        let mut content = Vec::with_capacity(usize::try_from(metadata.size()).unwrap_or(0));
        file.read_to_end(&mut content)?;
        Ok((content, Self::of(file, &metadata)))
    }

    /// Watches an open file.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self::of(file, &metadata))
    }

    fn of(file: File, metadata: &Metadata) -> Self {
        Self { file, seen: Seen::of(metadata), owner: metadata.uid() }
    }

    /// Whether it is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| Seen::of(&metadata) != self.seen)
    }

    /// Whether it was removed or replaced; for files that are changed in place.
    pub(crate) fn replaced(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Who may have written it.
    pub(crate) fn owner(&self) -> Owner {
        match self.owner {
            0 => Owner::Trusted,
            uid => Owner::User(uid),
        }
    }
}

/// Says so when a table is older than its source, and not only because it is being made right now.
pub(super) fn warn_if_older(database: &str, source: &str) {
    let modified = |path: &str| std::fs::metadata(path).ok()?.modified().ok();
    let (Some(made), Some(edited)) = (modified(database), modified(source)) else {
        return;
    };
    if edited > made && edited.elapsed().is_ok_and(|age| age.as_secs() > 100) {
        tracing::warn!("database {database} is older than source file {source}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_just_changed_is_not_settled() {
        let at = |seconds: i64| Seen { file: (1, 1), modified: (0, 0), status: (seconds, 0), size: 1, linked: true };
        let now = UNIX_EPOCH + Duration::from_secs(100);
        for (changed, settled) in [(100, false), (98, false), (97, true), (200, false)] {
            assert_eq!(at(changed).is_settled(now), settled, "{changed}");
        }
    }
}
