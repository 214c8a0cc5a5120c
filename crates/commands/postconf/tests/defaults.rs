//! What `postconf -d` prints with the stock master.cf is what Postfix 3.12 prints, name by name.
//!
//! `crates/libs/config/tests/defaults-3.12.tsv` holds the facts: name and default of every line. What differs is in
//! [`DIFFERENT`] with its reason, and nothing else may.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const FACTS: &str = include_str!("../../../libs/config/tests/defaults-3.12.tsv");
const MASTER_CF: &str = include_str!("../../../../master.cf");

/// Names whose line is another one here, or is only here, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("config_directory", "the directory of the test"),
    ("daemon_directory", "our daemons have a directory of their own"),
    ("lmtp_log_tls_feature_status", "off below level 3.11, because log readers of that time stumble over it"),
    ("mail_name", "our own name"),
    ("mail_release_date", "our own date"),
    ("mail_version", "the release whose behaviour this is, then our own version"),
    ("mydomain", "of the host"),
    ("myhostname", "of the host"),
    ("mynetworks", "of the host"),
    ("process_id", "of the process"),
    ("process_name", "the program's path decides"),
    ("process_session_limit", "ours: daemons serve many sessions in one process"),
    ("smtp_log_tls_feature_status", "off below level 3.11, because log readers of that time stumble over it"),
];

#[test]
fn every_line_is_that_of_the_reference_or_explained() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postconf-defaults");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("main.cf"), "").unwrap();
    std::fs::write(directory.join("master.cf"), MASTER_CF).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postconf")).arg("-c").arg(&directory).arg("-d").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &'static str| line.split_once('\t').unwrap_or((line, ""));
    let facts: BTreeMap<&str, &str> = FACTS.lines().filter(|line| !line.is_empty()).map(pair).collect();
    let ours: BTreeMap<&str, &str> = text
        .lines()
        .map(|line| line.split_once(" =").unwrap())
        .map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value)))
        .collect();
    let names: Vec<&str> = ours.keys().copied().collect();
    let in_print: Vec<&str> = text.lines().filter_map(|line| line.split_once(" =")).map(|(name, _)| name).collect();
    assert_eq!(in_print, names, "in order, each once");
    let mut wrong = Vec::new();
    for name in facts.keys().chain(ours.keys()) {
        let explained = DIFFERENT.iter().any(|(known, _)| known == name);
        if facts.get(name) != ours.get(name) && !explained {
            wrong.push(format!("{name}: {:?} instead of {:?}", ours.get(name), facts.get(name)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(facts.len() > 1000 && ours.len() == facts.len() + 1, "{} and {}", facts.len(), ours.len());
}
