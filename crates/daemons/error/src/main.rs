//! error(8): returns or defers all mail.
//!
//! # Description
//!
//! Fails every recipient, with the next hop as the reason, or under the name `retry` defers all of them. The reason may begin with an
//! enhanced status code: `example.com error:5.1.2 no mail for this domain`. smtpd(8) refuses such recipients already.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<error::Error>()
}
