//! Berkeley DB files, damaged in any way.

#![no_main]

use engine::berkeley::Berkeley;
use libfuzzer_sys::fuzz_target;

/// Pages to look at.
const MOST: u32 = 64;

fuzz_target!(|file: &[u8]| {
    let Ok(file) = Berkeley::new(file.to_vec()) else { return };
    for page in 0..=file.last_page().min(MOST) {
        for (key, _) in file.entries_of_page(page).unwrap_or_default() {
            let _ = file.get(&key);
        }
    }
    let _ = file.get(b"postmaster\0");
});
