//! postqueue(1): lists and flushes the queue.
use std::process::ExitCode;

fn main() -> ExitCode {
    postqueue::run()
}
