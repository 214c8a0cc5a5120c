//! postmap(1): makes and queries lookup tables.
use std::process::ExitCode;

fn main() -> ExitCode {
    postmap::run()
}
