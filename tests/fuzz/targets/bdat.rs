//! `BDAT` arguments.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::bdat::Chunk;

fuzz_target!(|arguments: &[u8]| {
    if let Some(chunk) = Chunk::parse(arguments) {
        assert!(chunk.size < 1_000_000_000_000_000_000);
    }
});
