//! postlogd(8): writes the log file.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<postlogd::Postlogd>()
}
