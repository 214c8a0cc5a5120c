//! What milters answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use milter::packet::parse;

fuzz_target!(|packet: &[u8]| {
    let _ = parse(packet);
});
