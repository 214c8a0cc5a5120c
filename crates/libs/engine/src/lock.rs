//! Locks on files that conflict with Postfix's own.
//!
//! `fcntl` locks are taken for the open file, not for the process, so that closing another descriptor of the
//! same file does not drop them; they exclude the ordinary ones of other programs all the same.

use std::io;
use std::os::fd::RawFd;

/// What others may do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Read.
    Shared,
    /// Nothing.
    Exclusive,
    /// Anything: the lock is given back.
    None,
}

/// Waits for an `fcntl` lock on all of a file.
pub(crate) fn fcntl(file: RawFd, lock: Lock) -> io::Result<()> {
    let kind = match lock {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
        Lock::None => libc::F_UNLCK,
    };
    let request =
        libc::flock { l_type: i16::try_from(kind).unwrap_or_default(), l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    loop {
        // SAFETY: `request` is a complete struct flock that outlives the call.
        let result = unsafe { libc::fcntl(file, libc::F_OFD_SETLKW, &raw const request) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
