//! discard(8): throws mail away.
//!
//! # Description
//!
//! Reports every recipient as delivered, and delivers to none. The next hop of the transport table is what the log says of it:
//! `example.com discard:unwanted`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<discard::Discard>()
}
