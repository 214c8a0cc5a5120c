//! Calls cargo and other programs, and finds what it built.

use crate::train;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// Between the words of `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

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

/// The same with cargo features, and for optimised programs with what [`crate::train`] has found.
#[expect(clippy::print_stderr, reason = "whoever builds should know")]
pub(crate) fn programs_with(profile: &Profile, features: &str) -> Result<()> {
    let mut command = command(profile, features);
    if *profile != Profile::dev() {
        if !train::is_current()? {
            eprintln!("xtask/release.profdata is of another compiler or of other dependencies: cargo xtask train");
        }
        let trained = format!("-Cprofile-use={}", trained().display());
        // As they were made; and code that is newer than they are is no reason to warn.
        let reading = "-Cllvm-args=-disable-vp -no-pgo-warn-mismatch";
        // Linkers keep busy functions together if they are asked to.
        add_flags(&mut command, &[&trained, reading, "-Clink-arg=-Wl,-z,keep-text-section-prefix"]);
    }
    run(&mut command)
}

/// The cargo that builds every program of the suite.
pub(crate) fn command(profile: &Profile, features: &str) -> Command {
    let mut command = cargo();
    command.args(["build", "--workspace", "--bins", "--exclude", "xtask", "--profile", &profile.0]);
    if !features.is_empty() {
        command.args(["--features", features]);
    }
    command
}

/// What release builds are known to be busy with.
pub(crate) fn trained() -> PathBuf {
    crate::project().join("xtask/release.profdata")
}

/// Adds flags of rustc to those that the environment has.
pub(crate) fn add_flags(cargo: &mut Command, flags: &[&str]) {
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(SEPARATOR);
    let given = std::env::var("CARGO_ENCODED_RUSTFLAGS").or_else(|_| std::env::var("RUSTFLAGS").map(words));
    let all: Vec<&str> =
        given.iter().map(String::as_str).chain(flags.iter().copied()).filter(|word| !word.is_empty()).collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", all.join(SEPARATOR));
}

/// What rustc says.
pub(crate) fn rustc<const N: usize>(arguments: [&str; N]) -> Result<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?)
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
