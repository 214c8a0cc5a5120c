//! postlock(1): runs a command with a mailbox locked.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postlock").fatal_status(75).run(postlock::run)
}
