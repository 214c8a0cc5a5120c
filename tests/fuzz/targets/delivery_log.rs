//! Bounce and defer logs: no entry becomes two when it is written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use queue_file::log::{Entries, Entry};

fn read(bytes: &[u8]) -> Vec<Entry> {
    Entries::new(bytes).filter_map(Result::ok).collect()
}

fuzz_target!(|file: &[u8]| {
    let entries = read(file);
    let mut written = Vec::new();
    for entry in &entries {
        entry.write(&mut written);
    }
    assert!(read(&written).len() <= entries.len());
});
