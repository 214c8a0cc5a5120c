//! Content behind DATA: dot-stuffing, and the end of the message.
//!
//! The decoder takes what the wire brings, in pieces of any size, and appends plain lines that end in LF. Whatever cannot
//! be decided yet (a CR, a lone dot at the end of a piece) stays with the caller, so there is one state less to get wrong. What
//! counts as the end is a matter of safety: a peer that disagrees with us can be made to smuggle a second message.

use memchr::memchr;

/// What a bare LF means (`smtpd_forbid_bare_newline`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewline {
    /// It ends a line like CR LF, and may end the message.
    Allow,
    /// It ends a line, but only CR LF `.` CR LF ends the message; lone dots beside it are dropped.
    Normalize,
}

/// How far a piece got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that need not be offered again.
    pub consumed: usize,
    /// Whether the message ended there.
    pub end: bool,
}

/// Undoes the stuffing.
#[derive(Debug)]
pub struct Decoder {
    policy: BareNewline,
    before: Before,
    seen_bare: bool,
}

/// What stands before the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Text of the same line.
    Text,
    /// CR LF, or nothing at all.
    CrLf,
    /// A bare LF.
    BareLf,
}

/// Of more CRs in a row than this, the first are text; it keeps the undecided rest short, wherever the pieces end.
const CR_RUN: usize = 256;

impl Decoder {
    /// At the start of a message.
    #[must_use]
    pub const fn new(policy: BareNewline) -> Decoder {
        Decoder { policy, before: Before::CrLf, seen_bare: false }
    }

    /// Whether any line ended in a bare LF.
    #[must_use]
    pub const fn seen_bare_newline(&self) -> bool {
        self.seen_bare
    }

    /// Appends the text of `input` to `output`, up to the end of the message.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> Progress {
        let mut at = 0;
        output.reserve(input.len());
        loop {
            let rest = input.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Progress { consumed: at, end: false };
            }
            if self.before != Before::Text && rest.first() == Some(&b'.') {
                match self.dot(rest) {
                    Dot::Undecided => return Progress { consumed: at, end: false },
                    Dot::End(length) => return Progress { consumed: at + length, end: true },
                    Dot::Dropped(length) => at += length,
                    Dot::Stuffed => {
                        at += 1;
                        self.before = Before::Text;
                    }
                }
                continue;
            }
            let Some(end) = memchr(b'\n', rest) else {
                let text = without_crs(rest);
                if !text.is_empty() {
                    self.before = Before::Text;
                }
                output.extend_from_slice(text);
                return Progress { consumed: at + text.len(), end: false };
            };
            let line = rest.get(..end).unwrap_or_default();
            let text = without_crs(line);
            output.extend_from_slice(text);
            output.push(b'\n');
            self.end_line(text.len() == line.len());
            at += end + 1;
        }
    }

    fn end_line(&mut self, bare: bool) {
        self.before = if bare { Before::BareLf } else { Before::CrLf };
        self.seen_bare |= bare;
    }

    /// A dot at the start of a line.
    fn dot(&mut self, rest: &[u8]) -> Dot {
        let after = rest.get(1..).unwrap_or_default();
        let crs = after.iter().take_while(|byte| **byte == b'\r').count();
        match after.get(crs) {
            _ if crs > CR_RUN => Dot::Stuffed,
            None => Dot::Undecided,
            Some(b'\n') => {
                let (bare, length) = (crs == 0, crs + 2);
                if self.policy == BareNewline::Allow || (!bare && self.before == Before::CrLf) {
                    self.seen_bare |= bare;
                    return Dot::End(length);
                }
                self.end_line(bare);
                Dot::Dropped(length)
            }
            Some(_) => Dot::Stuffed,
        }
    }
}

enum Dot {
    Undecided,
    End(usize),
    Dropped(usize),
    Stuffed,
}

/// `text` without the CRs at its end that belong to the line end.
fn without_crs(text: &[u8]) -> &[u8] {
    match text {
        [rest @ .., b'\r'] if rest.last() != Some(&b'\r') => return rest,
        [.., b'\r'] => {}
        _ => return text,
    }
    let length = text.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    let length = length.max(text.len().saturating_sub(CR_RUN));
    text.get(..length).unwrap_or(text)
}

/// Makes the wire form: CR LF after every line, and a dot before every leading dot.
#[derive(Debug)]
pub struct Encoder {
    line_start: bool,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// At the start of a message.
    #[must_use]
    pub const fn new() -> Encoder {
        Encoder { line_start: true }
    }

    /// Appends text with LF line ends, in pieces of any size.
    pub fn push(&mut self, mut text: &[u8], output: &mut Vec<u8>) {
        while !text.is_empty() {
            if self.line_start && text.first() == Some(&b'.') {
                output.push(b'.');
            }
            let Some(end) = memchr(b'\n', text) else {
                output.extend_from_slice(text);
                self.line_start = false;
                return;
            };
            output.extend_from_slice(text.get(..end).unwrap_or_default());
            output.extend_from_slice(b"\r\n");
            self.line_start = true;
            text = text.get(end + 1..).unwrap_or_default();
        }
    }

    /// Appends the end of the message, after a line end if one is missing.
    pub fn finish(self, output: &mut Vec<u8>) {
        output.extend_from_slice(if self.line_start { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

/// Appends text with CR LF line ends and no stuffing, as BDAT carries it.
pub fn crlf(mut text: &[u8], output: &mut Vec<u8>) {
    while let Some(end) = memchr(b'\n', text) {
        output.extend_from_slice(text.get(..end).unwrap_or_default());
        output.extend_from_slice(b"\r\n");
        text = text.get(end + 1..).unwrap_or_default();
    }
    output.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds pieces of the given size, keeping what was not consumed, and returns text and rest if the end was found.
    fn decode(policy: BareNewline, wire: &[u8], piece: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut decoder, mut output, mut held) = (Decoder::new(policy), Vec::new(), Vec::new());
        for (at, chunk) in wire.chunks(piece).enumerate() {
            held.extend_from_slice(chunk);
            let progress = decoder.push(&held, &mut output);
            held.drain(..progress.consumed);
            if progress.end {
                held.extend_from_slice(&wire[((at + 1) * piece).min(wire.len())..]);
                return (output, Some(held));
            }
        }
        (output, None)
    }

    #[test]
    fn messages_end_where_they_should() {
        use BareNewline::{Allow, Normalize};
        for (policy, wire, text, rest, why) in [
            (Normalize, "a\r\nb\r\n.\r\nQUIT", "a\nb\n", Some("QUIT"), "the plain case"),
            (Normalize, ".\r\n", "", Some(""), "an empty message"),
            (Normalize, "..\r\n...\r\n.x\r\na.\r\n.\r\n", ".\n..\nx\na.\n", Some(""), "stuffing"),
            (Normalize, "one\n.\ntwo\n.\r\nM\r\n.\r\n", "one\ntwo\nM\n", Some(""), "smuggling"),
            (Normalize, "a\r\n.\nb\r\n.\r\n", "a\nb\n", Some(""), "a bare LF after the dot"),
            (Allow, "one\n.\ntwo", "one\n", Some("two"), "a bare LF may end it"),
            (Normalize, "a\r\r\n\rb\r\n.\r\n", "a\n\rb\n", Some(""), "CRs before LF go, others stay"),
            (Normalize, "a\r\n.", "a\n", None, "not yet"),
        ] {
            for piece in [1, 2, 3, 7, 100] {
                let (output, after) = decode(policy, wire.as_bytes(), piece);
                assert_eq!(String::from_utf8_lossy(&output), text, "{why}, by {piece}");
                assert_eq!(after.as_deref(), rest.map(str::as_bytes), "{why}, by {piece}");
            }
        }
    }

    #[test]
    fn long_runs_of_cr_are_read_the_same_in_any_pieces() {
        let run = "\r".repeat(CR_RUN + 2);
        for wire in [format!("a{run}\nb\r\n.\r\n"), format!(".{run}\nb\r\n.\r\n"), format!("a\n.{run}x\r\n.\r\n")] {
            let whole = decode(BareNewline::Normalize, wire.as_bytes(), wire.len());
            assert_eq!(whole.1.as_deref(), Some(&b""[..]));
            for piece in [1, 2, 7, CR_RUN, CR_RUN + 1] {
                assert_eq!(decode(BareNewline::Normalize, wire.as_bytes(), piece), whole, "by {piece}");
            }
        }
    }

    proptest! {
        #[test]
        fn crs_of_a_line_end_go(text in "[a\r]{0,6}") {
            prop_assert_eq!(without_crs(text.as_bytes()), text.trim_end_matches('\r').as_bytes());
        }

        #[test]
        fn pieces_make_no_difference(wire in proptest::collection::vec(proptest::sample::select(&b"a.\r\n"[..]), 0..60), piece in 1_usize..9) {
            for policy in [BareNewline::Allow, BareNewline::Normalize] {
                let (mut whole, rest) = decode(policy, &wire, 1000);
                let (parts, other) = decode(policy, &wire, piece);
                // What is undecided at the end may be shown by one and held by the other.
                if rest.is_none() {
                    whole.truncate(parts.len());
                }
                prop_assert_eq!(&whole, &parts);
                prop_assert_eq!(rest, other);
            }
        }

        #[test]
        fn encode_then_decode(lines in proptest::collection::vec("[a.]{0,5}", 0..9), piece in 1_usize..9) {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let (mut encoder, mut wire) = (Encoder::new(), Vec::new());
            for part in text.as_bytes().chunks(piece) {
                encoder.push(part, &mut wire);
            }
            encoder.finish(&mut wire);
            wire.extend_from_slice(b"NEXT");
            let (decoded, rest) = decode(BareNewline::Normalize, &wire, piece);
            prop_assert_eq!(decoded, text.into_bytes());
            prop_assert_eq!(rest, Some(b"NEXT".to_vec()));
        }
    }
}
