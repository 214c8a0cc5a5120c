//! proxymap(8): look-ups in tables for other daemons, also under the name of proxywrite.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<proxymap::Proxymap>()
}
