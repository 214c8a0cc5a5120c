//! postlog(1): logs a line.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postlog").writes_log_file().talks_to_terminals().run(postlog::run)
}
