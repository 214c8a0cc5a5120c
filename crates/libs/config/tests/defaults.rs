//! Every parameter of Postfix 3.12 is known, with its default.
//!
//! `defaults-3.12.tsv` holds what `postconf -d` of that release prints with an empty main.cf; `more-names-3.12.tsv` names that
//! it does not print. What differs here, differs for a reason given in [`EXPLAINED`].

use config::params::TransportLimits;
use config::{Group, Kind, Row, Source, Standing};
use std::collections::BTreeMap;
use std::path::Path;

const FACTS: &str = include_str!("defaults-3.12.tsv");
const MORE: &str = include_str!("more-names-3.12.tsv");
/// The services of the stock master.cf that parameters are named after.
const TRANSPORTS: [&str; 7] = ["error", "lmtp", "local", "relay", "retry", "smtp", "virtual"];

/// Names whose default here is not that of the table, and why.
const EXPLAINED: &[(&str, &str)] = &[
    ("daemon_directory", "our daemons have a directory of their own"),
    ("lmtp_log_tls_feature_status", "off below level 3.11, because log readers of that time stumble over it"),
    ("mail_name", "our own name"),
    ("mail_release_date", "our own date"),
    ("mail_version", "the release whose behaviour this is, then our own version"),
    ("myhostname", "of the host"),
    ("mynetworks", "of the host"),
    ("process_id", "of the process"),
    ("process_name", "of the process"),
    ("smtp_log_tls_feature_status", "off below level 3.11, because log readers of that time stumble over it"),
];
/// Parameters that only we have, and why.
const OURS: &[(&str, &str)] = &[("process_session_limit", "our daemons serve many sessions in one process")];

fn facts(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().filter(|line| !line.is_empty());
    pairs.map(|line| line.split_once('\t').unwrap_or((line, ""))).collect()
}

fn rows() -> BTreeMap<&'static str, Row> {
    let mut rows = BTreeMap::new();
    for row in config::params::all() {
        assert!(rows.insert(row.name, row).is_none(), "{} is there twice", row.name);
    }
    rows
}

#[test]
fn every_default_is_that_of_the_reference() {
    let rows = rows();
    let families: BTreeMap<String, &str> = TRANSPORTS
        .iter()
        .flat_map(|transport| {
            let named = |row: &Row| row.name.replacen("transport", transport, 1);
            TransportLimits::rows().into_iter().map(move |row| (named(&row), row.default))
        })
        .collect();
    let mut wrong = Vec::new();
    for (name, default) in facts(FACTS) {
        let ours = rows.get(name).filter(|row| row.standing != Standing::Hidden).map(|row| row.default);
        let ours = ours.or_else(|| families.get(name).copied());
        let explained = EXPLAINED.iter().any(|(known, _)| *known == name);
        if (ours == Some(default)) == explained || ours.is_none() {
            wrong.push(format!("{name}: {ours:?} instead of {default:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_row_is_known_to_the_reference_or_explained() {
    let (facts, more) = (facts(FACTS), facts(MORE));
    for (name, row) in rows() {
        let known = match row.standing {
            Standing::Hidden => more.contains_key(name),
            Standing::Active | Standing::Inert => facts.contains_key(name),
        };
        assert!(known || OURS.iter().any(|(ours, _)| *ours == name), "{name}");
        assert!(!row.doc.trim().is_empty() && row.doc.trim().ends_with(['.', ':']), "{name}");
    }
    let rows = rows();
    for name in more.keys().filter(|name| **name != "domain_to_ascii") {
        assert!(rows.contains_key(name), "{name}");
    }
}

#[test]
fn every_default_expands() {
    for level in ["0", "2", "3.6", "3.11"] {
        let text = format!("compatibility_level = {level}");
        let source = Source::parse(Path::new("/etc/postfix"), &text).unwrap();
        for (name, _) in rows().into_iter().filter(|(_, row)| row.kind != Kind::Raw) {
            assert!(source.expanded(name).is_ok(), "{name}");
        }
    }
}
