//! tlsmgr(8): keeps the keys of TLS session tickets.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<tlsmgr::Tlsmgr>()
}
