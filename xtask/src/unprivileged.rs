//! Root without the accounts of a mail system: the work is done again as `nobody` in a temporary folder.
//!
//! The private instance needs no rights at all, so a container's root needs no accounts for it. The project is copied,
//! since `nobody` may not write (nor even read) where it lies.

use crate::build;
use anyhow::{Context, Result};
use nix::unistd::{Group, Uid, User};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Whether this is root, and the accounts are missing.
pub(crate) fn needed() -> Result<bool> {
    Ok(Uid::effective().is_root() && (User::from_name("postfix")?.is_none() || Group::from_name("postdrop")?.is_none()))
}

/// Runs `cargo xtask TASK` as `nobody` on a copy of the project.
pub(crate) fn again(task: &str, arguments: &[OsString]) -> Result<()> {
    let nobody = User::from_name("nobody")?.context("no user nobody")?;
    let folder = std::env::temp_dir().join(format!("postern-{task}-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let result = copied(&folder, &nobody, task, arguments);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn copied(folder: &std::path::Path, nobody: &User, task: &str, arguments: &[OsString]) -> Result<()> {
    let project = folder.join("project");
    // What git would check out, and the registry that cargo has fetched for root.
    std::fs::create_dir(&project)?;
    let files = Command::new("tar")
        .current_dir(crate::project())
        .args(["-c", "--exclude=./target", "--exclude=./.git", "."])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let input = files.stdout.context("no output of tar")?;
    build::run(Command::new("tar").arg("-x").arg("-C").arg(&project).stdin(input))?;
    build::run(build::cargo().args(["fetch", "--locked"]))?;
    let home = std::env::var_os("CARGO_HOME")
        .map_or_else(|| std::env::home_dir().unwrap_or_default().join(".cargo"), Into::into);
    let registry = home.join("registry");
    let cargo_home = folder.join("cargo");
    std::fs::create_dir(&cargo_home)?;
    if registry.exists() {
        build::run(Command::new("cp").arg("-r").arg(&registry).arg(&cargo_home))?;
    }
    let owner = format!("{}:{}", nobody.uid, nobody.gid);
    build::run(Command::new("chown").args(["-R", &owner]).arg(folder))?;
    let mut command = Command::new(rustup_cargo());
    command.current_dir(&project).uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    command.env("HOME", folder).env("CARGO_HOME", &cargo_home).env("TMPDIR", folder).env_remove("CARGO_TARGET_DIR");
    command.args(["xtask", task]).args(arguments);
    build::run(&mut command)
}

/// The toolchain's own cargo: a proxy in root's home folder could not be run by others.
fn rustup_cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
