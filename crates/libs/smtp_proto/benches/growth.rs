//! Longer content, more commands, longer replies.

use std::time::Duration;

use smtp_proto::Conn;
use smtp_proto::conn::Pace;
use smtp_proto::dot::{BareNewline, Decoder, Encoder};
use smtp_proto::reply::Assembler;
use testkit::growth::curve;

/// Undoes dots as smtpd does: in pieces, and what is undecided is offered again.
fn decode(wire: &[u8]) -> usize {
    let mut decoder = Decoder::new(BareNewline::Normalize);
    let (mut out, mut rest, mut bytes) = (Vec::new(), Vec::new(), 0);
    for piece in wire.chunks(1000) {
        rest.extend_from_slice(piece);
        let progress = decoder.push(&rest, &mut out);
        rest.drain(..progress.consumed);
        bytes += out.len();
        out.clear();
    }
    bytes
}

fn read_lines(wire: &[u8]) -> usize {
    let mut conn = Conn::new(tokio::io::join(wire, tokio::io::sink()), Pace::Each(Duration::from_secs(1)));
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return 0 };
    runtime.block_on(async {
        let (mut line, mut lines) = (Vec::new(), 0);
        while conn.read_line(&mut line, 2048).await.is_ok() {
            lines += 1;
        }
        lines
    })
}

fn main() {
    let dots = |bytes: usize| ".\r..\r\n..\r\n".repeat(bytes / 12).into_bytes();
    curve("smtp_proto: N bytes full of dots undone", &[10_000, 100_000, 1_000_000], dots, |wire| decode(wire));
    let returns = |bytes: usize| vec![b'\r'; bytes];
    curve("smtp_proto: N bytes of CR undone", &[10_000, 100_000, 1_000_000], returns, |wire| decode(wire));
    let text = |bytes: usize| ".\n..\na\n".repeat(bytes / 7).into_bytes();
    curve("smtp_proto: N bytes full of dots made", &[10_000, 100_000, 1_000_000], text, |text| {
        let (mut encoder, mut out, mut bytes) = (Encoder::new(), Vec::new(), 0);
        for piece in text.chunks(32 * 1024) {
            encoder.push(piece, &mut out);
            bytes += out.len();
            out.clear();
        }
        bytes
    });
    let commands = |count: usize| "RCPT TO:<someone@example.com>\r\n".repeat(count).into_bytes();
    curve("smtp_proto: N commands read", &[1000, 10_000, 100_000], commands, |wire| read_lines(wire));
    let reply = |lines: usize| "250-one more line of it\n".repeat(lines).into_bytes();
    curve("smtp_proto: reply of N lines", &[100, 1000, 10_000], reply, |text| {
        let mut assembler = Assembler::new(usize::MAX);
        text.split(|&byte| byte == b'\n').filter_map(|line| assembler.add(line)).count()
    });
}
