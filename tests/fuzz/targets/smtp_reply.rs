//! Replies of SMTP servers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::ehlo::{Keywords, Offer};
use smtp_proto::reply::{Assembler, Reply};

const LIMIT: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut assembler = Assembler::new(LIMIT);
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(answer) = assembler.add(line) else { continue };
        assert!(answer.text.len() <= LIMIT + 1);
        let _ = (answer.logged(), Offer::parse(answer.texts(), Keywords::default()));
    }
    let mut printed = Vec::new();
    if let Some(reply) = Reply::from_text(bytes) {
        reply.print(&mut printed);
        assert!(printed.ends_with(b"\r\n"));
    }
});
