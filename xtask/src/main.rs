//! The tasks of the project, in plain Rust: `cargo xtask TASK`.

mod bench;
mod build;
mod check;
mod demo;
mod install;
mod lab;
mod man;
mod test;
mod tidy;
mod train;
mod unprivileged;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK
  demo [--keep]            a private instance that receives, delivers and relays mail before your eyes
  test [ARGUMENTS]         every test of the project (ARGUMENTS go to cargo test)
  bench [CRATE]...         what the hot functions cost, and how cost grows with size
  check                    all that CI does, in CI's order
  tidy                     the checks that no linter has
  man                      the manual pages, in man/
  train                    xtask/release.profdata anew: what release builds are busy with
  install --root DIR [--profile NAME] [--features NAMES] [--built]
                           commands, daemons, sample files, with owners and modes when root
  lab [--record]           the acceptance cases that have passed before, where the suite is found (MAIL_LAB)";

#[expect(clippy::print_stderr, reason = "a command line program speaks to its user")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<_> = arguments.collect();
    match task.to_str() {
        Some("demo") => demo::run(&rest),
        Some("test") => test::run(rest),
        Some("bench") => bench::run(&rest),
        Some("check") => check::run(),
        Some("tidy") => tidy::run(),
        Some("man") => man::run(),
        Some("install") => install::run(rest),
        Some("lab") => lab::run(&rest),
        Some("train") => train::run(),
        Some("as-nobody") => unprivileged::act(&rest),
        _ => bail!("no such task\n{USAGE}"),
    }
}

/// The top folder of the project: that which cargo runs this in, or else was built in.
fn project() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.parent().map(PathBuf::from).unwrap_or(own)
}
