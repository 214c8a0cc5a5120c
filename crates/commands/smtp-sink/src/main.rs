//! smtp-sink(1).

use std::io::Write;
use std::process::ExitCode;

use smtp_sink::options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => return fail(&format!("{error}\nusage: smtp-sink [options] [host]:port backlog")),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(smtp_sink::run(options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(reason: &str) -> ExitCode {
    // Where nobody reads, nothing is lost.
    let _ = writeln!(std::io::stderr(), "smtp-sink: fatal: {reason}");
    ExitCode::FAILURE
}
