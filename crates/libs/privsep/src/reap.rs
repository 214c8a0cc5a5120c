//! The end of child processes.

use crate::Error;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fmt;

/// A child that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub end: End,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl End {
    /// Whether all went well.
    #[must_use]
    pub fn is_normal(self) -> bool {
        self == Self::Status(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

/// The next child that has ended; `None` if there is none now.
#[must_use]
pub fn reap() -> Option<Ended> {
    loop {
        let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, End::Status(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Signal(signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(_) => return None,
            Ok(_) => continue,
        };
        return Some(Ended { pid: pid.as_raw().cast_unsigned(), end });
    }
}

/// Sends a signal to a process.
///
/// # Errors
/// [`Error::Rights`]: there is none, or it is not ours.
pub fn kill(pid: u32, signal: Signal) -> Result<(), Error> {
    nix::sys::signal::kill(Pid::from_raw(pid.cast_signed()), signal).map_err(Error::rights(format!("kill {pid}")))
}
