//! pickup(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<pickup::Pickup>()
}
