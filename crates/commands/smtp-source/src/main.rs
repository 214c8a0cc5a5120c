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

use std::process::ExitCode;

use smtp_source::options::Options;

const USAGE: &str = "usage: smtp-source -cdLNov -s sess -l msglen -m msgs -C count -M myhostname -f from -t to \
    -r rcptcount -R delay -w delay host[:port]";

fn main() -> ExitCode {
    let options = Options::parse(std::env::args_os().skip(1));
    trial::program::run("smtp-source", USAGE, options, smtp_source::run)
}
