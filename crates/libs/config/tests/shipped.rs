//! The shipped main.cf and master.cf are understood, and name only what there is.

use config::master_cf::{Defaults, MasterCf};
use config::{LogicalLines, Source};
use std::path::Path;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");

#[test]
fn main_cf_sets_known_parameters() {
    let source = Source::load(Path::new(PROJECT)).unwrap();
    assert!(source.warnings().is_empty());
    for name in source.main_cf().names() {
        assert!(source.row(name).is_some(), "{name}");
    }
    assert_eq!(source.raw("compatibility_level"), Some("3.11"));
}

#[test]
fn examples_in_main_cf_are_parameters() {
    let text = std::fs::read_to_string(Path::new(PROJECT).join("main.cf")).unwrap();
    let source = Source::parse(Path::new(PROJECT), "").unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix('#')) {
        if let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| !name.contains(' ')) {
            assert!(source.row(name).is_some(), "{name}");
        }
    }
}

#[test]
fn master_cf_is_understood() {
    let file = MasterCf::read(&Path::new(PROJECT).join("master.cf"), Defaults::default()).unwrap();
    assert!(file.warnings.is_empty());
    let source = Source::parse(Path::new(PROJECT), "").unwrap();
    for entry in &file.entries {
        for (name, value) in entry.overrides().unwrap() {
            assert!(source.row(&name).is_some(), "{name}");
            assert!(source.expand(&value).is_ok(), "{value}");
        }
    }
    for name in ["smtp", "pickup", "cleanup", "qmgr", "rewrite", "bounce", "defer", "trace", "local"] {
        assert!(file.entries.iter().any(|entry| entry.name == name), "{name}");
    }
}

#[test]
fn sample_tables_have_no_orphans() {
    for name in ["access", "aliases", "canonical", "generic", "relocated", "transport", "virtual"] {
        let text = std::fs::read_to_string(Path::new(PROJECT).join("etc").join(name)).unwrap();
        assert!(LogicalLines::new(&text).all(|line| !line.is_orphan()), "{name}");
    }
}
