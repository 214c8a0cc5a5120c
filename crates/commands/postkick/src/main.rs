//! postkick(1): wakes a service.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postkick").run(postkick::run)
}
