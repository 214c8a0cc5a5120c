//! bounce(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    bounce::dump::run(std::env::args()).unwrap_or_else(service::run::<bounce::Bounce>)
}
