//! verify(8): remembers which addresses are deliverable.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<verify::Verify>()
}
