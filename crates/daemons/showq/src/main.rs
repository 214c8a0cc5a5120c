//! showq(8): lists the queue.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<showq::Showq>()
}
