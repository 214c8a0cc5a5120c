//! master(8): supervises the daemons that master.cf names.
use std::process::ExitCode;

fn main() -> ExitCode {
    master::run()
}
