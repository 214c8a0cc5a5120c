//! postfix(1): starts, stops and checks the mail system.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postfix").writes_log_file().talks_to_terminals().run(postfix::run)
}
