//! postlogd(8): writes the log file.
//!
//! # Description
//!
//! Where `maillog_file` is set, all programs send their lines to it, and it appends them to that file, or to standard output
//! as `/dev/stdout`. The file must be below one of `maillog_file_prefixes`. `postfix logrotate` begins a new file.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<postlogd::Postlogd>()
}
