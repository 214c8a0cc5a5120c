//! Going to the background: a second process goes on, and the first learns whether it began well.

use crate::{Error, wait_readable};
use nix::unistd::ForkResult;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Background {
    /// The one that was started, after the other one has begun (true) or failed.
    Front(bool),
    /// The one that goes on, in a session of its own.
    Back(Begun),
}

/// Tells the process in front that all went well; dropped without, that it did not.
#[derive(Debug)]
pub struct Begun(File);

impl Begun {
    /// All went well.
    pub fn tell(mut self) {
        // Whoever waited may be gone.
        let _ = self.0.write_all(b"+");
    }
}

/// Goes on in the background; in front, waits for the beginning for at most so long. To be called before threads are started.
///
/// # Errors
/// [`Error::Rights`].
pub fn background(limit: Duration) -> Result<Background, Error> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Error::descriptor("pipe"))?;
    // SAFETY: the process has one thread, so the child may do whatever the parent could.
    match unsafe { nix::unistd::fork() }.map_err(Error::rights("fork"))? {
        ForkResult::Parent { .. } => {
            drop(writer);
            let ready =
                wait_readable(&[reader.as_fd()], Some(Instant::now() + limit)).is_ok_and(|ready| !ready.is_empty());
            let mut byte = [0];
            Ok(Background::Front(ready && File::from(reader).read(&mut byte).is_ok_and(|count| count == 1)))
        }
        ForkResult::Child => {
            drop(reader);
            nix::unistd::setsid().map_err(Error::rights("setsid"))?;
            Ok(Background::Back(Begun(File::from(writer))))
        }
    }
}

/// Which standard streams a daemon keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// None.
    Closed,
    /// Standard output and error, for a log that goes there.
    Output,
}

/// Puts `/dev/null` in the place of the standard streams that are not kept.
///
/// # Errors
/// [`Error::Descriptor`].
pub fn redirect_streams(keep: Streams) -> Result<(), Error> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|source| Error::Descriptor { what: "open /dev/null", source })?;
    nix::unistd::dup2_stdin(&null).map_err(Error::descriptor("redirect standard input"))?;
    if keep == Streams::Closed {
        nix::unistd::dup2_stdout(&null).map_err(Error::descriptor("redirect standard output"))?;
        nix::unistd::dup2_stderr(&null).map_err(Error::descriptor("redirect standard error"))?;
    }
    Ok(())
}
