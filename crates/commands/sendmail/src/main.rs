//! sendmail(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    sendmail::run()
}
