//! The end of child processes.

use crate::{Error, wait_readable};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fmt;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::Instant;

/// Signals that a program gets for what it does itself.
const OWN_FAULTS: [Signal; 7] =
    [Signal::SIGILL, Signal::SIGTRAP, Signal::SIGABRT, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGSEGV, Signal::SIGSYS];

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

    /// Whether somebody else ended it, or the kernel for want of memory.
    #[must_use]
    pub fn is_from_outside(self) -> bool {
        matches!(self, Self::Signal(signal) if !OWN_FAULTS.iter().any(|fault| *fault as i32 == signal))
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

/// Sends a signal to all processes of the group that a process leads.
///
/// # Errors
/// [`Error::Rights`]: there is none, or it is not ours.
pub fn kill_group(leader: u32, signal: Signal) -> Result<(), Error> {
    nix::sys::signal::killpg(Pid::from_raw(leader.cast_signed()), signal)
        .map_err(Error::rights(format!("kill group {leader}")))
}

/// Waits for the end of any process, child or not; false if it still runs at the deadline.
#[must_use]
pub fn wait_for_end(pid: u32, deadline: Instant) -> bool {
    // SAFETY: pidfd_open takes plain numbers; a negative result is checked below.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let Ok(number) = i32::try_from(number) else { return true };
    if number < 0 {
        return true;
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let process = unsafe { OwnedFd::from_raw_fd(number) };
    wait_readable(&[process.as_fd()], Some(deadline)).map_or(true, |ready| !ready.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_end_a_process_by_signals_that_are_no_faults() {
        let outside = [End::Signal(9), End::Signal(15), End::Signal(1)];
        assert!(outside.into_iter().all(End::is_from_outside));
        let own = [End::Signal(11), End::Signal(6), End::Status(0), End::Status(1)];
        assert!(!own.into_iter().any(End::is_from_outside));
    }
}
