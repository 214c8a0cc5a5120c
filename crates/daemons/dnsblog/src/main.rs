//! dnsblog(8): asks lists in the DNS for postscreen(8).
//!
//! # Description
//!
//! postscreen(8) has it ask each list of `postscreen_dnsbl_sites` about each new client. Addresses that are listed are logged. The
//! look-ups are made here, so that postscreen(8) needs no name servers, and never waits for them.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<dnsblog::Dnsblog>()
}
