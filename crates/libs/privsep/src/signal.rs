//! Signals, taken from a descriptor rather than by handlers.

use crate::Error;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// Signals that this process waits for with poll(2).
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Collects these signals from now on.
    ///
    /// # Errors
    /// [`Error::Rights`].
    pub fn new(wanted: &[Signal]) -> Result<Self, Error> {
        let mut set = SigSet::empty();
        wanted.iter().for_each(|signal| set.add(*signal));
        set.thread_block().map_err(Error::rights("block signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&set, flags).map_err(Error::rights("signalfd"))?))
    }

    /// The next one that has arrived: its number, and the process that sent it.
    pub fn take(&mut self) -> Option<(Signal, u32)> {
        let found = self.0.read_signal().ok().flatten()?;
        let number = i32::try_from(found.ssi_signo).ok()?;
        Some((Signal::try_from(number).ok()?, found.ssi_pid))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ignores a signal from now on, also in programs that this one executes.
///
/// # Errors
/// [`Error::Rights`].
pub fn ignore_signal(which: Signal) -> Result<(), Error> {
    // SAFETY: ignoring installs no handler, so no code of ours runs in signal context.
    unsafe { signal(which, SigHandler::SigIgn) }.map_err(Error::rights("ignore signal")).map(|_| ())
}

/// Gives a signal its default action back.
///
/// # Errors
/// [`Error::Rights`].
pub fn default_signal(which: Signal) -> Result<(), Error> {
    // SAFETY: the default action installs no handler, so no code of ours runs in signal context.
    unsafe { signal(which, SigHandler::SigDfl) }.map_err(Error::rights("default signal")).map(|_| ())
}
