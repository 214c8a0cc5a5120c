//! postsuper(1): maintains the queue.
use std::process::ExitCode;

fn main() -> ExitCode {
    postsuper::run()
}
