//! spawn(8): runs a command for each connection.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::solo::run::<spawn::Spawn>()
}
