//! The log line of the mail system, written where `main.cf` says: syslog, `postlogd`, a file.
//!
//! Programs use the macros of `tracing`; this crate is the one subscriber. Levels become Postfix's prefixes (`warning:`,
//! `error:`), [`fatal!`] and [`panicked!`] give the other two. A line leaves the process when it is written, so that the
//! order in the log is causal (or, with [`Log::batch`], before anything that lets another process act); nothing ever waits for a reader that is slow, unless the program has the time
//! ([`Patience::Wait`]). Lines that tools parse are types of [mod@line].

pub mod line;

mod clock;
mod sink;
mod subscriber;
mod target;

pub use clock::Clock;
pub use subscriber::{Echo, Log, Patience, Verbosity};
pub use target::{Characters, Facility, LogFile, Place, Settings, UnknownFacility};
#[doc(hidden)]
pub use tracing;

/// Whoever is about to let another process act writes an event of level info for this target: lines that were logged before
/// leave the process first.
pub const BARRIER: &str = "maillog::barrier";

/// Starts logging: to syslog as `postfix/PROGRAM`, until [`Log::configure`] says more. To be called once, first of all.
#[must_use]
pub fn init(program: &str, echo: Echo, patience: Patience, verbosity: Verbosity) -> Log {
    let log = Log::new(program, echo, patience, verbosity);
    // A second subscriber in one process happens only in tests; the first one stays.
    let _ = tracing::subscriber::set_global_default(log.subscriber());
    log
}

/// Logs with the prefix `fatal:`: the process ends because of this.
#[macro_export]
macro_rules! fatal {
    ($($argument:tt)+) => { $crate::tracing::error!(target: "maillog::fatal", $($argument)+) };
}

/// Logs with the prefix `panic:`: a bug was met.
#[macro_export]
macro_rules! panicked {
    ($($argument:tt)+) => { $crate::tracing::error!(target: "maillog::panic", $($argument)+) };
}
