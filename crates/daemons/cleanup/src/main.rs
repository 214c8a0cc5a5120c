//! cleanup(8): completes messages and writes queue files.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<cleanup::Cleanup>()
}
