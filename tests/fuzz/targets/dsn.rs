//! Parameters of DSN: xtext, original recipients, status codes.

#![no_main]

use dsn::{OriginalRecipient, Status, split_status, uxtext, xtext};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let encoded = xtext::encode(text);
    assert_eq!(xtext::decode(encoded.as_bytes()).as_deref(), Ok(text));
    let _ = xtext::decode(text);
    if let Ok(decoded) = uxtext::decode(text) {
        let encoded = uxtext::encode(&decoded);
        assert_eq!(uxtext::decode(encoded.as_bytes()).as_deref(), Ok(String::from_utf8_lossy(&decoded).as_bytes()));
    }
    for read in [OriginalRecipient::parse(text), OriginalRecipient::parse_decoded(text)].into_iter().flatten() {
        let _ = (read.to_string(), read.decoded());
    }
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = (text.parse::<Status>(), split_status(text));
    }
});
