//! Calls cargo and other programs, and finds what it built.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// How programs are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile(pub(crate) String);

impl Profile {
    /// Quick to build: what tests and the demo use.
    pub(crate) fn dev() -> Self {
        Self("dev".to_owned())
    }

    /// Optimised.
    pub(crate) fn release() -> Self {
        Self("release".to_owned())
    }

    /// Where cargo puts this profile's programs.
    pub(crate) fn folder(&self) -> PathBuf {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::project().join("target"), PathBuf::from);
        target.join(if self.0 == "dev" { "debug" } else { &self.0 })
    }
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(crate::project());
    cargo
}

/// Builds every program of the suite.
pub(crate) fn programs(profile: &Profile) -> Result<()> {
    programs_with(profile, "")
}

/// The same with cargo features.
pub(crate) fn programs_with(profile: &Profile, features: &str) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--exclude", "xtask", "--profile", &profile.0]);
    if !features.is_empty() {
        command.args(["--features", features]);
    }
    run(&mut command)
}

/// Runs a program to its end; an exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let shown = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("start {name}"))?;
    if !status.success() {
        bail!("{name} {shown}: {status}");
    }
    Ok(())
}
