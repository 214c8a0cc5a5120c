//! flush(8): keeps the fast-flush logs of destinations.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<flush::Flush>()
}
