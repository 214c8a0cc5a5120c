//! postdrop(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    postdrop::run()
}
