//! postdrop(1): puts a message into the maildrop queue, with the group's right to do so.
//!
//! # Synopsis
//!
//!     postdrop [-rv] [-c DIR]
//!
//! # Description
//!
//! Reads a message from standard input, in the form that sendmail(1) writes, and makes a file of it in `maildrop`, where
//! pickup(8) finds it. It is set-gid to `setgid_group`. It believes nothing that its caller says but the message itself: the file
//! belongs to the user who runs it, and only records that sendmail(1) writes get in. Only the users of
//! `authorized_submit_users` may submit. It ends with status 0 when the file is complete and on disk,
//! with 4 where the message is too large, and with 1 otherwise. On standard output it tells the queue id, and how it ended, in null-terminated attributes.
//!
//! # Options
//!
//! - `-c DIR`: a configuration directory that the default main.cf names in `alternate_config_directories`.
//! - `-r`: accepted for compatibility.
//! - `-v`: be verbose.

use std::process::ExitCode;

fn main() -> ExitCode {
    postdrop::run()
}
