//! Address headers, to tokens and back.

#![no_main]

use address::tree::{addresses, parse, print};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1000;

fuzz_target!(|text: &[u8]| {
    let items = parse(text, LIMIT);
    assert!(addresses(&items).count() <= LIMIT);
    let _ = parse(&print(&items, 0), LIMIT);
});
