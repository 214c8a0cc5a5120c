//! anvil(8): counts connections and requests of clients.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<anvil::Anvil>()
}
