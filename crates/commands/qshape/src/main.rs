//! qshape(1): shows how old the mail for each domain is.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("qshape").run(qshape::run)
}
