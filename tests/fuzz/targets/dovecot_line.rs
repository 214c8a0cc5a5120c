//! What a Dovecot authentication server answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::dovecot::step;

fuzz_target!(|line: &str| {
    let _ = step(line, 1);
});
