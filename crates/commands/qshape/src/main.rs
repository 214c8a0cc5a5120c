//! qshape(1): shows how old the mail for each domain is.
//!
//! # Synopsis
//!
//!     qshape [-slp] [-m COUNT] [-b BUCKETS] [-t MINUTES] [-w WIDTH] [-N COUNT] [-n COUNT] [-c DIR] [QUEUE...]
//!
//! # Description
//!
//! Reads the queue files of `incoming` and `active`, or of the queues that are named, and prints a table: domains of recipients by
//! the age of their messages. What fills the oldest columns is what holds the queue up.
//!
//! # Options
//!
//! - `-b BUCKETS`: how many columns of ages there are; `-t MINUTES`: how long the first one is. Each is twice the one before.
//! - `-c DIR`: the configuration directory.
//! - `-l`: columns of equal length.
//! - `-m COUNT`: count subdomains under their parent when it has at least as many.
//! - `-n COUNT`: how many domains to show while reading; `-N COUNT`: how many messages to read between.
//! - `-p`: also count parent domains.
//! - `-s`: domains of senders.
//! - `-w WIDTH`: how wide the table may be.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("qshape").run(qshape::run)
}
