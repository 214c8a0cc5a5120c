//! postalias(1): makes and queries alias databases.
use std::process::ExitCode;

fn main() -> ExitCode {
    postalias::run()
}
