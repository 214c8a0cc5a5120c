//! Content after DATA: what comes out must not depend on how the bytes arrive.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::dot::{BareNewline, Decoder, Encoder};

/// The text, where it ended, and whether any line ended in a bare LF.
fn decoded(input: &[u8], piece: usize, policy: BareNewline) -> (Vec<u8>, Option<usize>, bool) {
    let mut decoder = Decoder::new(policy);
    let (mut output, mut done, mut seen) = (Vec::new(), 0, 0);
    while seen < input.len() {
        seen = input.len().min(seen + piece);
        let progress = decoder.push(&input[done..seen], &mut output);
        done += progress.consumed;
        if progress.end {
            return (output, Some(done), decoder.seen_bare_newline());
        }
    }
    (output, None, decoder.seen_bare_newline())
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    for policy in [BareNewline::Allow, BareNewline::Normalize] {
        let whole = decoded(bytes, usize::MAX / 2, policy);
        let pieces = decoded(bytes, usize::from(piece).max(1), policy);
        assert_eq!(whole, pieces);
    }
    let mut wire = Vec::new();
    let mut encoder = Encoder::new();
    encoder.push(bytes, &mut wire);
    encoder.finish(&mut wire);
    let end = decoded(&wire, usize::MAX / 2, BareNewline::Normalize).1;
    assert_eq!(end, Some(wire.len()), "content ends where it ends");
});
