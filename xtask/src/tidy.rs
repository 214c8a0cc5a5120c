//! `tidy`: the checks that no linter has. Exceptions, each with its reason, are in `xtask/tidy.toml`.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a source file, its tests apart.
const FILE_LINES: usize = 500;

/// Names that would become drawers.
const DRAWERS: [&str; 8] = ["util", "utils", "common", "helpers", "misc", "base", "manager", "prelude"];

/// `xtask/tidy.toml`.
#[derive(Debug, Deserialize)]
struct Exceptions {
    /// Path of a long file, and why it is one.
    #[serde(default)]
    long: BTreeMap<String, String>,
}

/// `cargo xtask tidy`.
pub(crate) fn run() -> Result<()> {
    let text = fs::read_to_string(crate::project().join("xtask/tidy.toml")).context("xtask/tidy.toml")?;
    let exceptions: Exceptions = toml::from_str(&text).context("xtask/tidy.toml")?;
    let mut faults = Vec::new();
    for path in sources(&crate::project())? {
        let text = fs::read_to_string(&path)?;
        let name = path.strip_prefix(crate::project()).unwrap_or(&path).display().to_string();
        inspect(&name, &text, &exceptions, &mut faults);
    }
    shelves(&mut faults)?;
    faults.extend(crate::man::stale()?);
    if faults.is_empty() { Ok(()) } else { bail!("tidy:\n  {}", faults.join("\n  ")) }
}

fn inspect(name: &str, text: &str, exceptions: &Exceptions, faults: &mut Vec<String>) {
    if !text.starts_with("//!") {
        faults.push(format!("{name}: does not open with //!"));
    }
    let lines = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or_else(|| text.lines().count());
    let tests = name.contains("/tests/") || name.ends_with("/tests.rs");
    if lines > FILE_LINES && !tests && !exceptions.long.contains_key(name) {
        faults.push(format!("{name}: {lines} lines, more than {FILE_LINES}"));
    }
    let stem = Path::new(name).file_stem().unwrap_or_default();
    if DRAWERS.iter().any(|drawer| stem == *drawer) {
        faults.push(format!("{name}: a drawer by name"));
    }
    for (number, line) in text.lines().enumerate() {
        let unfinished = ["todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("XX", "X")]
            .iter()
            .any(|word| line.contains(word));
        if unfinished && !name.starts_with("xtask/") {
            faults.push(format!("{name}:{}: says it is not done", number + 1));
        }
    }
}

/// Programs never depend on programs, and libraries never on them.
fn shelves(faults: &mut Vec<String>) -> Result<()> {
    let mut programs = Vec::new();
    for shelf in ["daemons", "commands"] {
        programs.extend(folders(&crate::project().join("crates").join(shelf))?);
    }
    let names: Vec<String> = programs.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    programs.extend(folders(&crate::project().join("crates/libs"))?);
    for folder in programs {
        let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
        let manifest: toml::Table = toml::from_str(&manifest)?;
        let Some(dependencies) = manifest.get("dependencies").and_then(toml::Value::as_table) else { continue };
        for name in dependencies.keys().filter(|name| names.contains(name)) {
            faults.push(format!("{}: depends on the program {name}", folder.display()));
        }
    }
    Ok(())
}

fn folders(shelf: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(shelf)? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let hidden =
                path.file_name().is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && !hidden {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
