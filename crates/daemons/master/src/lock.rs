//! The locks that keep a second mail system off the same queue or data: the same files and the same kind that Postfix locks.

use crate::Fatal;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a lock file, making it if it is not there, and takes the lock.
pub(crate) fn take(path: &Path) -> Result<File, Fatal> {
    let failed = |error: &dyn std::fmt::Display| Fatal::new(format!("open lock file {}: {error}", path.display()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path)
        .map_err(|error| failed(&format!("cannot open file: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed(&"unable to set exclusive lock: Resource temporarily unavailable")),
        Err(TryLockError::Error(error)) => Err(failed(&format!("unable to set exclusive lock: {error}"))),
    }
}

/// Whether the lock is free, or there is no such file.
pub(crate) fn is_free(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(file.try_lock().is_ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Writes our process id, as wide as Postfix does.
pub(crate) fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    // In one write: the width alone would be written space by space.
    file.write_all(format!("{:>32}\n", std::process::id()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_held_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.pid");
        assert!(is_free(&path).unwrap());
        let held = take(&path).unwrap();
        write_pid(&held).unwrap();
        assert!(!is_free(&path).unwrap());
        let Err(Fatal(reason)) = take(&path) else { panic!() };
        assert!(reason.ends_with("master.pid: unable to set exclusive lock: Resource temporarily unavailable"));
        drop(held);
        assert!(is_free(&path).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().parse(), Ok(std::process::id()));
        assert_eq!(text.len(), 33);
    }
}
