//! smtp(8), which is lmtp(8) too.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<smtp::Smtp>()
}
