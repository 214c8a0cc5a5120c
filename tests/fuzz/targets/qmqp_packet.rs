//! A message as it comes by QMQP, whole and in pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use qmqpd::packet::{Limits, Packet, Progress};

const LIMITS: Limits = Limits { content: 1000, address: 100 };

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Packet::new(LIMITS);
    let expected = whole.push(bytes);
    let mut cut = Packet::new(LIMITS);
    let mut found = Ok(Progress::Partial);
    for piece in bytes.chunks(3) {
        found = cut.push(piece);
        if found != Ok(Progress::Partial) {
            break;
        }
    }
    assert_eq!((found, cut.part()), (expected, whole.part()));
    assert_eq!((&cut.content, &cut.sender, &cut.recipients), (&whole.content, &whole.sender, &whole.recipients));
    let _ = qmqpd::verp::split(&whole.sender);
});
