//! What database servers answer to look-ups.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| table::read_answers(bytes));
