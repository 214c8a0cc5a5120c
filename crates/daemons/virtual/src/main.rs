//! virtual(8).

use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<virtual_agent::Virtual>()
}
