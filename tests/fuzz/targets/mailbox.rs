//! Addresses: every internal form survives quoting.

#![no_main]

use address::{Address, domain, split_extension};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let read = Address::from_external(text);
    let _ = (read.folded(), read.to_string(), split_extension(read.local_part(), b"+-"));
    if let Some(domain) = read.domain() {
        let _ = (domain::literal(domain), domain::to_ascii(domain), domain::to_utf8(domain));
    }
    let internal = Address::new(text);
    let clean = text.iter().all(|byte| (32..127).contains(byte)) && !internal.local_part().is_empty();
    let plain = internal.domain().is_some_and(domain::is_hostname);
    if clean && plain {
        assert_eq!(Address::from_external(&internal.external()), internal);
    }
});
