//! flush(8): knows which deferred mail waits for which destination.
//!
//! # Description
//!
//! Keeps a log of queue ids for each domain of `fast_flush_domains`, so that ETRN and `postqueue -s` try only the mail for that domain.
//! A log that nobody asks for is flushed after `fast_flush_refresh_time`, and removed after `fast_flush_purge_time`.
//!
//! # Files
//!
//! - `/var/spool/postfix/flush`: the logs.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<flush::Flush>()
}
