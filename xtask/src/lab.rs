//! `lab`: black-box acceptance cases that have passed before, so that they keep passing.
//!
//! The suite is not part of the project: it is found through `MAIL_LAB`, by default beside the project, and done without
//! where it is missing. `tests/lab-passing.txt` is the list, which only grows. A failing case gets more tries, alone:
//! some have races of their own, which a busy machine loses.

use crate::build::{self, Profile};
use anyhow::{Context, Result, bail};
use nix::unistd::Uid;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIST: &str = "tests/lab-passing.txt";

/// How often a case that failed is tried again; what is broken fails each time.
const TRIES: usize = 3;

/// `cargo xtask lab`.
#[expect(clippy::print_stdout, reason = "a task reports to its user")]
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let record = arguments.iter().any(|argument| argument == "--record");
    let Some(suite) = suite() else {
        println!("lab: no suite at MAIL_LAB or beside the project: left out");
        return Ok(());
    };
    if !Uid::effective().is_root() {
        println!("lab: needs root: left out");
        return Ok(());
    }
    let prefix = std::env::temp_dir().join(format!("postern-lab-{}", std::process::id()));
    build::programs(&Profile::dev())?;
    crate::install::install(&prefix, &Profile::dev())?;
    let result = if record { add(&suite, &prefix) } else { keep(&suite, &prefix) };
    fs::remove_dir_all(&prefix)?;
    result
}

fn suite() -> Option<PathBuf> {
    let beside = || crate::project().parent().map(|folder| folder.join("shared/lab"));
    let folder = std::env::var_os("MAIL_LAB").map(PathBuf::from).or_else(beside)?;
    folder.join("run").exists().then_some(folder)
}

/// Every case of the list must pass.
#[expect(clippy::print_stdout, reason = "a task reports to its user")]
fn keep(suite: &Path, prefix: &Path) -> Result<()> {
    let listed = listed()?;
    let passed = passing(suite, prefix, &[])?;
    let mut lost = Vec::new();
    for case in listed.difference(&passed) {
        println!("lab: {case} failed; again, alone");
        if passes_alone(suite, prefix, case)? {
            println!("lab: {case} passed alone");
        } else {
            lost.push(case.as_str());
        }
    }
    println!("lab: {} listed, {} passed in all", listed.len(), passed.len());
    if lost.is_empty() { Ok(()) } else { bail!("lab cases that passed before fail: {}", lost.join(", ")) }
}

fn passes_alone(suite: &Path, prefix: &Path, case: &String) -> Result<bool> {
    for _ in 0..TRIES {
        if passing(suite, prefix, &[case])?.contains(case) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cases that pass three times in a row join the list.
#[expect(clippy::print_stdout, reason = "a task reports to its user")]
fn add(suite: &Path, prefix: &Path) -> Result<()> {
    let mut steady = passing(suite, prefix, &[])?;
    for _ in 0..2 {
        let passed = passing(suite, prefix, &[])?;
        steady.retain(|case| passed.contains(case));
    }
    let mut list = listed()?;
    let before = list.len();
    list.extend(steady);
    println!("lab: {} cases join the list of {before}", list.len() - before);
    let text: String = list.iter().map(|case| format!("{case}\n")).collect();
    fs::write(crate::project().join(LIST), text).context(LIST)
}

fn listed() -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(crate::project().join(LIST)).context(LIST)?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Runs the whole suite, or the named cases alone; gives the names of those that passed.
#[expect(clippy::print_stdout, reason = "a task reports to its user")]
fn passing(suite: &Path, prefix: &Path, only: &[&str]) -> Result<BTreeSet<String>> {
    let mut command = Command::new(suite.join("run"));
    command.args(["--mta", "postern", "-v", "--prefix"]).arg(prefix);
    for case in only {
        command.args(["-k", case]);
    }
    let output = command.output().context("start the acceptance suite")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !only.is_empty() {
        println!("{text}");
    }
    Ok(text.lines().filter_map(|line| line.strip_prefix("ok ")?.split_whitespace().next()).map(str::to_owned).collect())
}
