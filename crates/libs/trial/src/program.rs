//! How such a program begins and ends.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs a program whose command line has been read.
pub fn run<O>(
    name: &str,
    usage: &str,
    options: Result<O, lexopt::Error>,
    work: impl AsyncFnOnce(O) -> io::Result<()>,
) -> ExitCode {
    let options = match options {
        Ok(options) => options,
        Err(lexopt::Error::Custom(reason)) => return fail(name, &reason),
        Err(error) => {
            say(name, &error);
            return fail(name, &usage);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(work(options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &error),
    }
}

/// The name of this host.
#[must_use]
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Says something on standard error.
pub fn say(name: &str, what: &dyn Display) {
    // Where nobody reads, nothing is lost.
    let _ = writeln!(io::stderr(), "{name}: {what}");
}

/// Shows a counter on standard output, in place of what was shown before.
pub fn show(counter: &dyn Display) {
    print(&format_args!("{counter}\r"));
}

/// Leaves the counter that was shown last.
pub fn keep_shown() {
    print(&"\n");
}

fn print(what: &dyn Display) {
    let mut out = io::stdout().lock();
    // Where nobody reads, nothing is lost.
    let _ = write!(out, "{what}");
    let _ = out.flush();
}

fn fail(name: &str, reason: &dyn Display) -> ExitCode {
    say(name, &format!("fatal: {reason}"));
    ExitCode::FAILURE
}
