//! Mailboxes: mbox files with their locks, and maildirs. Everything runs as the user that the caller has become.

mod kept;
mod lock;
mod maildir;
mod mbox;
mod regular;
mod release;

pub use kept::Kept;
pub use lock::{Held, LockKind, Locking};
pub use maildir::{Naming, deliver as deliver_maildir};
pub use mbox::{Destination, Dotlock, Owner, deliver as deliver_mbox};

use std::io::{self, Write};

use dsn::Status;
use nix::errno::Errno;

use crate::copy;

/// A mailbox that would be too small for messages that are accepted.
#[derive(Debug, thiserror::Error)]
pub enum TooSmall {
    /// By its limit.
    #[error("configuration error: {0} is smaller than message_size_limit")]
    Smaller(&'static str),
    /// Because messages have no limit.
    #[error("configuration error: {0} is limited but message_size_limit is unlimited")]
    Limited(&'static str),
}

/// Compares the limit of mailboxes, a parameter, with `message_size_limit`; 0 is no limit.
///
/// # Errors
/// Mail is accepted that fits into no mailbox.
pub fn check_limit(parameter: &'static str, limit: u64, message: u64) -> Result<(), TooSmall> {
    match (limit, message) {
        (0, _) => Ok(()),
        (_, 0) => Err(TooSmall::Limited(parameter)),
        _ if limit < message => Err(TooSmall::Smaller(parameter)),
        _ => Ok(()),
    }
}

/// Why a mailbox has not got the message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue file is corrupt or cannot be read: nothing is known of the mailbox.
    #[error("error reading message: {0}")]
    Message(#[source] io::Error),
    /// The mailbox does not take it.
    #[error("{reason}")]
    Mailbox {
        /// The code for the recipient.
        status: Status,
        /// In words.
        reason: String,
        /// What the system said, for the agent's own warnings.
        errno: Errno,
    },
}

impl Error {
    /// An error of the system while `doing` something; `other` is the code where the error itself has none.
    fn system(other: Status, doing: &str, source: &io::Error) -> Self {
        let errno = errno(source);
        Self::Mailbox { status: status(errno, other), reason: format!("{doing}: {}", said(source)), errno }
    }

    /// Something that we refuse to do.
    #[must_use]
    pub fn refused(status: Status, reason: String) -> Self {
        Self::Mailbox { status, reason, errno: Errno::EPERM }
    }

    fn of_copy(error: copy::Error, other: Status) -> Self {
        match error {
            copy::Error::Read(source) => Self::Message(source),
            copy::Error::Write(source) => Self::system(other, "error writing message", &source),
        }
    }
}

/// The code that an error of the system has by itself.
fn status(errno: Errno, other: Status) -> Status {
    if matches!(errno, Errno::EAGAIN | Errno::ESTALE) {
        Status::temporary(2, 0)
    } else if errno == Errno::ENOSPC || is_trouble(errno) {
        Status::temporary(3, 0)
    } else if matches!(errno, Errno::EDQUOT | Errno::EFBIG) {
        Status::permanent(2, 2)
    } else {
        other
    }
}

/// Whether the system or its disk is in trouble, which tells nothing about the mailbox.
fn is_trouble(errno: Errno) -> bool {
    let disk = matches!(errno, Errno::EIO | Errno::EROFS | Errno::ETIMEDOUT | Errno::EHOSTDOWN | Errno::ENOTCONN);
    disk || matches!(errno, Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE | Errno::ENOLCK)
}

/// The number of an error.
pub(crate) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

/// What the system calls an error, without its number.
#[must_use]
pub fn said(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

/// A writer that fails as the system does once a file would be larger than its limit; 0 is no limit.
struct Limited<W> {
    inner: W,
    size: u64,
    limit: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.limit > 0 && self.size.saturating_add(bytes.len() as u64) > self.limit {
            return Err(Errno::EFBIG.into());
        }
        let written = self.inner.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
