//! Rows are marked as without effect exactly where nothing acts on them, so what administrators are told is the truth.
//!
//! A parameter is used when its name, or that of its field, is a word in the code of a program or library; when its value
//! is part of the default of one that is used; when it is the LMTP twin of one that is used; or when it belongs to a
//! family of transports. The lists of tables that proxymap may open name parameters without using them.

use config::{Group, Row, Standing};
use std::collections::BTreeSet;
use std::path::Path;

/// Programs, folders and files whose words are no use of a parameter: what lists them, what only judges them, and what only tests.
const APART: [&str; 5] =
    ["libs/config/src/params", "libs/config/src/check.rs", "libs/testkit", "commands/postconf", "tests"];
/// Parameters whose defaults list others.
const LISTS: [&str; 2] = ["proxy_read_maps", "proxy_write_maps"];

#[expect(clippy::unwrap_used, reason = "a test helper")]
/// Adds the words of all Rust sources of programs and libraries below a folder.
fn words(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if APART.iter().any(|apart| path.ends_with(apart)) || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            words(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                found.extend(line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
            }
        }
    }
}

/// The name of the SMTP parameter that LMTP has a twin of.
fn twin(name: &str) -> Option<String> {
    let rest = name.strip_prefix("lmtp_")?;
    let rest = rest.replace("lhlo_keyword", "ehlo_keyword");
    let rest = if rest == "lhlo_name" || rest == "lhlo_timeout" { rest.replacen("lhlo", "helo", 1) } else { rest };
    Some(format!("smtp_{rest}"))
}

/// The names of all parameters that something acts on.
fn used() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    words(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut found);
    let rows: Vec<Row> = config::params::all().collect();
    let direct = |row: &&Row| found.contains(row.name) || found.contains(row.field);
    let mut used: BTreeSet<&str> = rows.iter().filter(direct).map(|row| row.name).collect();
    let families: Vec<&str> = config::params::TransportLimits::rows()
        .iter()
        .filter(|row| used.contains(row.name))
        .filter_map(|row| row.name.strip_prefix("transport"))
        .collect();
    loop {
        let before = used.len();
        for row in &rows {
            let as_twin = twin(row.name).is_some_and(|name| used.contains(name.as_str()));
            let of_family = row.name.strip_prefix("local").is_some_and(|rest| families.contains(&rest));
            let in_default = |other: &Row| {
                used.contains(other.name)
                    && !LISTS.contains(&other.name)
                    && config::references(other.default).is_ok_and(|names| names.iter().any(|name| name == row.name))
            };
            if as_twin || of_family || rows.iter().any(in_default) {
                used.insert(row.name);
            }
        }
        if used.len() == before {
            return used;
        }
    }
}

#[test]
fn rows_are_inert_where_nothing_acts_on_them() {
    let used = used();
    let of = |standing: Standing, is_used: bool| -> Vec<&str> {
        let rows = config::params::all().filter(|row| row.standing == standing);
        rows.map(|row| row.name).filter(|name| used.contains(name) == is_used).collect()
    };
    let (unmarked, marked) = (of(Standing::Active, false), of(Standing::Inert, true));
    assert!(unmarked.is_empty(), "used by nothing, but not marked `inert`: {unmarked:#?}");
    assert!(marked.is_empty(), "marked `inert`, but used: {marked:#?}");
}

#[test]
fn twins_are_found_by_name() {
    for (lmtp, smtp) in [
        ("lmtp_lhlo_name", "smtp_helo_name"),
        ("lmtp_discard_lhlo_keywords", "smtp_discard_ehlo_keywords"),
        ("lmtp_tcp_port", "smtp_tcp_port"),
    ] {
        assert_eq!(twin(lmtp).as_deref(), Some(smtp));
    }
}
