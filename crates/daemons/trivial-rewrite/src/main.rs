//! trivial-rewrite(8): rewrites and resolves addresses.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<trivial_rewrite::TrivialRewrite>()
}
