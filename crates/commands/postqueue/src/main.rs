//! postqueue(1): lists and flushes the queue.
//!
//! # Synopsis
//!
//!     postqueue [-v] [-c DIR] -f|-p|-j
//!     postqueue [-v] [-c DIR] -i ID
//!     postqueue [-v] [-c DIR] -s SITE
//!
//! # Description
//!
//! What an ordinary user may do about the queue. It is set-gid to `setgid_group`, and asks showq(8), qmgr(8) and flush(8). Who may is in
//! `authorized_mailq_users` and `authorized_flush_users`. Where the mail system is down, the super-user still sees the queue.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-f`: try all queued mail now.
//! - `-i ID`: try one message now.
//! - `-j`: list the queue, each message as a JSON object on a line of its own.
//! - `-p`: list the queue as `mailq` does. A `*` behind the id means active, a `!` on hold.
//! - `-s SITE`: try the mail for a domain of `fast_flush_domains` now.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    postqueue::run()
}
