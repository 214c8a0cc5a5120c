//! Files that are kept so that `.lock` files can be links to them.
//!
//! A file that is made and removed for every delivery is dear where the file system is slow to give a freed inode out
//! again. To give a file one more name, and take it away, is as atomic and needs none. Every owner has a file of his own,
//! since the age of a lock that was left behind is that of its file.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

/// The files of a directory that nobody else can write to.
#[derive(Debug)]
pub struct Kept {
    directory: PathBuf,
    device: Option<u64>,
    /// Whose files were there.
    known: RefCell<HashSet<u32>>,
}

impl Kept {
    /// Files are kept in this directory.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        let device = std::fs::metadata(&directory).ok().map(|found| found.dev());
        Self { directory, device, known: RefCell::default() }
    }

    /// The file for locks of `owner` on the file system `device`, made if it is not there. `None` if links to it would not do.
    pub fn of(&self, owner: u32, device: u64) -> Option<PathBuf> {
        if self.device != Some(device) {
            return None;
        }
        let path = self.directory.join(format!("lock.{owner}"));
        let mut known = self.known.borrow_mut();
        if !known.contains(&owner) {
            find_or_make(&path, owner).ok()?;
            known.insert(owner);
        }
        Some(path)
    }
}

fn find_or_make(path: &Path, owner: u32) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.uid() == owner => return Ok(()),
        // Made by somebody who got no further.
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if file.metadata()?.uid() == owner {
        return Ok(());
    }
    fchown(&file, Some(owner), None).inspect_err(|_| drop(std::fs::remove_file(path)))
}

/// Makes `lock` a name of `kept`, which is as old as the lock from now on.
pub(super) fn link(kept: &Path, lock: &Path) -> io::Result<()> {
    // A lock that somebody has, or has left behind, must not grow younger.
    if let Err(error) = std::fs::symlink_metadata(lock)
        && error.kind() == io::ErrorKind::NotFound
    {
        let now = &TimeSpec::UTIME_NOW;
        utimensat(AT_FDCWD, kept, now, now, UtimensatFlags::NoFollowSymlink)?;
    }
    std::fs::hard_link(kept, lock)
}
