//! What is marked as without effect is used nowhere, so `postfix check` says the truth.

use config::Standing;
use std::collections::BTreeSet;
use std::path::Path;

#[expect(clippy::unwrap_used, reason = "a test helper")]
/// Adds the words of all Rust sources of programs and libraries below a folder.
fn words(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("libs/config") && !path.ends_with("tests") && !path.ends_with("commands/postconf") {
                words(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                found.extend(line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
            }
        }
    }
}

#[test]
fn inert_parameters_are_not_used() {
    let mut found = BTreeSet::new();
    words(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut found);
    let used: Vec<_> = config::params::all()
        .filter(|row| row.standing == Standing::Inert && found.contains(row.name))
        .map(|row| row.name)
        .collect();
    assert!(used.is_empty(), "no longer without effect: {used:?}");
}
