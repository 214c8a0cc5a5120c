//! What an SMTP session does for every line: cut it, read the command, undo and make dots.

use divan::black_box;
use divan::counter::BytesCount;
use smtp_proto::command::{self, PathArgument, Verb};
use smtp_proto::dot::{BareNewline, Decoder, Encoder};

fn main() {
    divan::main();
}

fn wire() -> Vec<u8> {
    "A line of text as it comes in a message, some 60 bytes long\r\n..and one with a dot\r\n".repeat(400).into_bytes()
}

#[divan::bench]
fn verb() -> Verb {
    Verb::parse(command::split(black_box(b"RCPT TO:<someone@example.com> NOTIFY=NEVER")).0)
}

#[divan::bench]
fn rcpt() -> bool {
    let (_, arguments) = command::split(black_box(b"RCPT TO:<someone@example.com> NOTIFY=NEVER"));
    PathArgument::of_rcpt(arguments).is_some()
}

#[divan::bench]
fn dots_undone(bencher: divan::Bencher<'_, '_>) {
    let wire = wire();
    let mut out = Vec::with_capacity(wire.len());
    bencher.counter(BytesCount::of_slice(&wire)).bench_local(|| {
        out.clear();
        Decoder::new(BareNewline::Normalize).push(&wire, &mut out)
    });
}

#[divan::bench]
fn dots_made(bencher: divan::Bencher<'_, '_>) {
    let text: Vec<u8> = wire().into_iter().filter(|&byte| byte != b'\r').collect();
    let mut out = Vec::with_capacity(text.len() * 2);
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        out.clear();
        Encoder::new().push(&text, &mut out);
        out.len()
    });
}
