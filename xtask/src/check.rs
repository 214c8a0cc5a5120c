//! `check`: all that CI does, in CI's order. Green here is green there.

use crate::{build, lab, test, tidy};
use anyhow::Result;

/// `cargo xtask check`.
pub(crate) fn run() -> Result<()> {
    test::run(Vec::new())?;
    build::run(build::cargo().args(["fmt", "--all", "--check"]))?;
    build::run(build::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let tables = ["clippy", "--package", "table", "--all-targets", "--all-features", "--", "-D", "warnings"];
    build::run(build::cargo().args(tables))?;
    tidy::run()?;
    lab::run(&[])
}
