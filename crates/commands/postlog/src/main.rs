//! postlog(1): logs a line, for scripts.
//!
//! # Synopsis
//!
//!     postlog [-iv] [-c DIR] [-p PRIORITY] [-t TAG] [TEXT...]
//!
//! # Description
//!
//! Logs its arguments, or each line of standard input, as the mail system does: to the system's log, or through postlogd(8) where
//! `maillog_file` is set, and to standard error.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-i`: log the process id.
//! - `-p PRIORITY`: `info` (the default), `warn`, `error`, `fatal` or `panic`.
//! - `-t TAG`: the name to log under.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postlog").writes_log_file().run(postlog::run)
}
