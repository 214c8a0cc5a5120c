//! smtpd(8): receives mail by SMTP.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<smtpd::Smtpd>()
}
