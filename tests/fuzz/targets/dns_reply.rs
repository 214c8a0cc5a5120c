//! Replies of name servers.

#![no_main]

use dns::Kind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|reply: &[u8]| {
    for kind in [Kind::A, Kind::Aaaa, Kind::Mx, Kind::Ptr, Kind::Txt, Kind::Tlsa, Kind::Srv, Kind::Ns, Kind::Soa] {
        if let Ok(answer) = dns::read_reply("example.test", kind, reply) {
            assert!(!answer.records.is_empty());
        }
    }
});
