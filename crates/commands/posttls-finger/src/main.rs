//! posttls-finger(1): shows what TLS a server has.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("posttls-finger").run(posttls_finger::run)
}
