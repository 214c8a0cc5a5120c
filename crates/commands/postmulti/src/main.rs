//! postmulti(1): manages several mail systems on one host.
use command::Program;
use std::process::ExitCode;

fn main() -> ExitCode {
    Program::new("postmulti").writes_log_file().talks_to_terminals().run(postmulti::run)
}
