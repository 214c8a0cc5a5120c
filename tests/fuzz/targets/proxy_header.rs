//! The preamble of a load balancer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::proxy_header::{Parsed, parse};

fuzz_target!(|input: &[u8]| {
    if let Ok(Parsed::Complete(origin, length)) = parse(input) {
        assert_eq!(parse(&input[..length]), Ok(Parsed::Complete(origin, length)), "nothing behind it counts");
        assert_ne!(parse(&input[..length - 1]), Ok(Parsed::Complete(origin, length)));
    }
});
