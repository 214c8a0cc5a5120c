//! postlock(1): runs a command with a mailbox locked.
//!
//! # Synopsis
//!
//!     postlock [-v] [-c DIR] [-l STYLE] FILE COMMAND...
//!
//! # Description
//!
//! Locks a mailbox as local(8) does, runs the command, and ends with its status. If the lock cannot be had or the command
//! cannot be run, the status is 75, so that a mail filter tries again.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-l STYLE`: how to lock, as `mailbox_delivery_lock` says: `fcntl`, `flock`, `dotlock`, or several.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postlock").fatal_status(75).run(postlock::run)
}
