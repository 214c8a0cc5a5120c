//! bounce(8): keeps logs of recipients, and sends notices.
//!
//! # Description
//!
//! Serves as `bounce`, `defer` and `trace`. Delivery agents tell it which recipients failed, wait or were delivered; it appends to a
//! file for each message in the queue directories of these names, and when the queue manager says so it makes a notice of the file
//! and sends it: a non-delivery notice, a delay warning, a success or verification report. A log is removed only after its notice
//! is in the queue. Failures of notices go to `double_bounce_sender`, and end there.
//!
//! The words of notices are in `bounce_template_file`; `postconf -t` shows them.
//!
//! # Files
//!
//! - `/var/spool/postfix/bounce`, `defer`, `trace`: the logs.

use std::process::ExitCode;

fn main() -> ExitCode {
    bounce::dump::run(std::env::args()).unwrap_or_else(service::run::<bounce::Bounce>)
}
