//! Wake-ups: single bytes on a FIFO or a Unix-domain socket, as Postfix's trigger protocol has them.
//!
//! The byte's meaning is the service's own (`W` wakes it; qmgr knows more, see [`crate::qmgr`]). Waking never
//! waits: a service that is not there is woken by its timer later.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Wakes a service: any waiting work is looked at.
pub const WAKEUP: u8 = b'W';

/// The largest number of trigger bytes that a service reads at once.
pub const MOST: usize = 512;

/// Whether a connection whose first byte is `first` brings trigger bytes rather than frames: a hello's
/// header begins with its small length, trigger bytes are printable. So one socket serves both.
#[must_use]
pub fn is_trigger(first: u8) -> bool {
    first >= b' '
}

const O_NONBLOCK: i32 = 0o4000;

/// Sends trigger bytes to a FIFO or socket such as `public/pickup`.
///
/// # Errors
/// What the system says; the caller logs it at most, since the timer does the same work later.
pub fn wake(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if wake_fifo(path, bytes)? {
        return Ok(());
    }
    let mut stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    stream.write_all(bytes)
}

/// Sends trigger bytes if this is a FIFO; whether it is one. Never waits.
///
/// # Errors
/// There is no such file, or nobody reads.
pub fn wake_fifo(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let is_fifo = std::fs::metadata(path)?.file_type().is_fifo();
    if is_fifo {
        OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path)?.write_all(bytes)?;
    }
    Ok(is_fifo)
}
