//! master.cf: services and their arguments.

#![no_main]

use config::master_cf::{Defaults, MasterCf};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let Ok(file) = MasterCf::parse(Path::new("master.cf"), text, Defaults::default()) else { return };
    for entry in &file.entries {
        assert!(file.find(&entry.name, entry.kind).is_some());
        let _ = entry.overrides();
    }
});
