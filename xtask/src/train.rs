//! `train`: renews `xtask/release.profdata`, which tells the compiler what release builds will be busy with.
//!
//! The suite is built so that its programs count their own steps, an instance of it carries the mail of [`workload`], and
//! the counts are put together. A build that reads them brings what mail passes through closer together and leaves the
//! rest aside. What the counts do not know, because it is newer than they are or was built with other features, is
//! compiled as without them.

mod workload;

use crate::build::{self, Profile};
use anyhow::{Context, Result, bail};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where programs write their counts, below their instance: a file for each program and process, which is mapped before a
/// daemon locks itself in, and holds what was counted until it ended, however it did.
const COUNTS: &str = "data/%m-%p%c.profraw";

/// `cargo xtask train`.
pub(crate) fn run() -> Result<()> {
    let merge = merger()?;
    // Beside the programs of other builds, which are not made anew for this one.
    let programs = Profile::release().folder().join("counting");
    let mut cargo = build::command(&Profile::release(), "");
    build::add_flags(
        &mut cargo,
        &["-Cprofile-generate", "-Cllvm-args=-runtime-counter-relocation", "-Cllvm-args=-disable-vp"],
    );
    build::run(cargo.env("CARGO_TARGET_DIR", &programs))?;
    let mail = workload::carry(&programs.join("release"), COUNTS)?;
    let counts = counts(&mail.root.join("data"))?;
    build::run(Command::new(merge).args(["merge", "--sparse", "--output"]).arg(build::trained()).args(counts))?;
    Ok(fs::write(record(), circumstances()?)?)
}

/// Whether the counts are of programs as this compiler makes them now.
pub(crate) fn is_current() -> Result<bool> {
    let now = circumstances()?;
    Ok(fs::read_to_string(record()).is_ok_and(|made| made == now))
}

/// Where it is noted what the counts were made with.
fn record() -> PathBuf {
    build::trained().with_extension("made")
}

/// What the counts find functions by, apart from their own names: the compiler, and what each crate depends on.
fn circumstances() -> Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read(crate::project().join("Cargo.lock"))?.hash(&mut hasher);
    Ok(format!("{}Cargo.lock {:016x}\n", build::rustc(["-V"])?, hasher.finish()))
}

fn counts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "profraw") {
            found.push(path);
        }
    }
    if found.is_empty() { bail!("no program has counted anything") } else { Ok(found) }
}

/// The `llvm-profdata` of the compiler's own LLVM: rustup's component, or a package of the system.
fn merger() -> Result<PathBuf> {
    let told = build::rustc(["-vV"])?;
    let word = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).context("rustc -vV");
    let (host, version) = (word("host: ")?, word("LLVM version: ")?);
    let major = version.split('.').next().unwrap_or_default();
    let component = format!("{}/lib/rustlib/{host}/bin", build::rustc(["--print", "sysroot"])?.trim());
    let places = [component, format!("/usr/lib/llvm-{major}/bin"), format!("/usr/lib64/llvm{major}/bin")];
    let mut programs = places.iter().map(|place| Path::new(place).join("llvm-profdata"));
    programs
        .find(|program| program.exists())
        .with_context(|| format!("no llvm-profdata of LLVM {major}: rustup component add llvm-tools, or llvm-{major}"))
}
