//! postcat(1): shows queue files.
use std::process::ExitCode;

fn main() -> ExitCode {
    postcat::run()
}
