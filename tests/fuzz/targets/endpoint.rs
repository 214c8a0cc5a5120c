//! Where servers listen, as parameters and tables name them.

#![no_main]

use config::endpoint::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(endpoint @ Endpoint::Inet { .. }) = Endpoint::parse(text, "") {
        assert_eq!(Endpoint::inet(&endpoint.to_string(), ""), Ok(endpoint));
    }
});
