//! smtp-source(1): sends test messages over many sessions at a time.
//!
//! # Synopsis
//!
//!     smtp-source [OPTIONS] HOST[:PORT]
//!     smtp-source [OPTIONS] unix:PATH
//!
//! # Description
//!
//! Connects to a server and sends messages of some size, number and rate, over as many sessions at a time as are asked for.
//! The defaults send one short message. A wrong option prints what there is. It is for measuring and for trying limits.

use std::io::Write;
use std::process::ExitCode;

use smtp_source::options::Options;

const USAGE: &str = "usage: smtp-source -cdLNov -s sess -l msglen -m msgs -C count -M myhostname -f from -t to \
    -r rcptcount -R delay -w delay host[:port]";

fn main() -> ExitCode {
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let options = match Options::parse(std::env::args_os().skip(1), hostname.trim()) {
        Ok(options) => options,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "smtp-source: {error}");
            return fail(USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(smtp_source::run(options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(reason: &str) -> ExitCode {
    // Where nobody reads, nothing is lost.
    let _ = writeln!(std::io::stderr(), "smtp-source: fatal: {reason}");
    ExitCode::FAILURE
}
