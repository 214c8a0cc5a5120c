//! Root without the accounts of a mail system: the tests are run as `nobody` in a temporary folder.
//!
//! The private instance needs no rights at all, so a container's root needs no accounts for it. The project is copied to
//! where everyone may read it, built there by root (whose toolchain nobody else may reach), and each test program is
//! started through [`act`], which gives up all rights first.

use crate::build;
use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set in the copy, so that it is not copied again.
const MARK: &str = "POSTERN_UNPRIVILEGED";

/// Whether this is root, and the accounts are missing.
pub(crate) fn needed() -> Result<bool> {
    let missing = User::from_name("postfix")?.is_none() || Group::from_name("postdrop")?.is_none();
    Ok(Uid::effective().is_root() && missing && std::env::var_os(MARK).is_none())
}

/// Runs `cargo xtask TASK` on a copy of the project, its tests as `nobody`.
pub(crate) fn again(task: &str, arguments: &[OsString]) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("postern-{task}-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    let result = copied(&folder, task, arguments);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn copied(folder: &Path, task: &str, arguments: &[OsString]) -> Result<()> {
    let project = folder.join("project");
    std::fs::create_dir(&project)?;
    let mut tar = Command::new("tar");
    tar.current_dir(crate::project())
        .args(["-c", "--exclude=./target", "--exclude=./.git", "."])
        .stdout(Stdio::piped());
    let mut files = tar.spawn()?;
    let input = files.stdout.take().context("no output of tar")?;
    build::run(Command::new("tar").args(["-x", "--no-same-owner", "-C"]).arg(&project).stdin(input))?;
    files.wait()?;
    build::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&project))?;
    // Cargo makes this folder for the files of tests, who are not the user that builds.
    let scratch = folder.join("target/tmp");
    std::fs::create_dir_all(&scratch)?;
    std::fs::set_permissions(&scratch, std::fs::Permissions::from_mode(0o1777))?;
    let runner = format!("{} as-nobody", std::env::current_exe()?.display());
    let mut cargo = build::cargo();
    cargo.current_dir(&project).env(MARK, "yes").env("CARGO_TARGET_DIR", folder.join("target"));
    cargo.env(format!("CARGO_TARGET_{}_RUNNER", target()?), runner).env("TMPDIR", std::env::temp_dir());
    build::run(cargo.args(["run", "--quiet", "--package", "xtask", "--", task]).args(arguments))
}

/// The target triple as cargo's environment variables have it.
fn target() -> Result<String> {
    let text = build::rustc(["-vV"])?;
    let triple = text.lines().find_map(|line| line.strip_prefix("host: ")).context("no host in rustc -vV")?;
    Ok(triple.to_uppercase().replace(['-', '.'], "_"))
}

/// Becomes `nobody` and the program that is named; returns only on failure. xtask itself stays what it is: it starts
/// cargo, not tests.
pub(crate) fn act(words: &[OsString]) -> Result<()> {
    let Some((program, arguments)) = words.split_first() else { bail!("as-nobody needs a program") };
    let mut command = Command::new(program);
    command.args(arguments);
    if !program.as_encoded_bytes().ends_with(b"/xtask") {
        let nobody = User::from_name("nobody")?.context("no user nobody")?;
        nix::unistd::setgroups(&[] as &[Gid])?;
        nix::unistd::setgid(nobody.gid)?;
        nix::unistd::setuid(nobody.uid)?;
        command.env("HOME", "/");
    }
    Err(command.exec().into())
}
