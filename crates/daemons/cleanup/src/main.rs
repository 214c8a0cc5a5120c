//! cleanup(8): completes messages and writes queue files.
//!
//! # Description
//!
//! Takes a message from smtpd(8), pickup(8), bounce(8) or local(8); adds the headers that it lacks (From, To, Message-Id, Date); rewrites
//! addresses to their standard form and through `canonical_maps` and masquerading; expands virtual aliases; adds recipients of automatic
//! copies; compares headers and body with the patterns of `header_checks` and its kin; lets mail filters (Milter) change it; and
//! writes one file in `incoming`, which is on disk before the sender hears that the message is accepted. It then tells qmgr(8).
//!
//! A table that cannot be read defers the message: nothing is accepted unfinished.
//!
//! # Files
//!
//! - `/var/spool/postfix/incoming`: what it writes.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<cleanup::Cleanup>()
}
