//! `test`: every test of the project, as an ordinary user where root lacks the accounts of a mail system.

use crate::{build, unprivileged};
use anyhow::Result;
use std::ffi::OsString;

/// `cargo xtask test`.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<()> {
    if unprivileged::needed()? {
        return unprivileged::again("test", &arguments);
    }
    // The programs first: end-to-end tests start them.
    build::programs(&build::Profile::dev())?;
    let all = arguments.is_empty();
    build::run(build::cargo().args(["test", "--workspace", "--no-fail-fast"]).args(arguments))?;
    if all {
        // Tables behind database servers, which the programs leave out by default.
        build::run(build::cargo().args(["test", "--package", "table", "--all-features"]))?;
    }
    Ok(())
}
