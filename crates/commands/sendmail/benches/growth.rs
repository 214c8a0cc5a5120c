//! `sendmail -t`: longer headers, longer messages.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the files are no one else's: they are compiled in, and not all of them is used here"
)]

#[path = "../src/message.rs"]
mod message;
#[path = "../src/options.rs"]
mod options;

use message::{LineEnds, Reading};
use options::Dot;
use testkit::growth::curve;

const READING: Reading =
    Reading { dot: Dot::Ends, line_ends: LineEnds::AsFirst, line_length_limit: 2048, size_limit: 0, extract: true };

fn recipients(text: &[u8]) -> usize {
    message::copy(&mut &*text, &mut std::io::sink(), READING).map_or(0, |found| found.len())
}

fn main() {
    let one = |size: usize| {
        let addresses: Vec<String> = (0..size).map(|n| format!("User <user{n}@example.com>")).collect();
        format!("To: {}\n\nbody\n", addresses.join(",\n ")).into_bytes()
    };
    curve("sendmail -t: N addresses in one header", &[100, 1000, 10_000], one, |text| recipients(text));
    let many = |size: usize| format!("{}\nbody\n", "To: user@example.com\n".repeat(size)).into_bytes();
    curve("sendmail -t: N headers", &[1000, 10_000, 100_000], many, |text| recipients(text));
    let body = |size: usize| format!("To: a\n\n{}", "..a line of text\n".repeat(size)).into_bytes();
    curve("sendmail: N lines", &[1000, 10_000, 100_000], body, |text| recipients(text));
}
