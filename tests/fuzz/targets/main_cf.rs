//! main.cf: entries, and the lists in their values.

#![no_main]

use config::MainCf;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let Ok(file) = MainCf::parse(Path::new("main.cf"), text) else { return };
    for name in file.names() {
        assert!(!name.is_empty() && file.get(name).is_some());
    }
});
