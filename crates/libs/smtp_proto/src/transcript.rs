//! What was said in a session, for those who are told of its trouble.

use std::borrow::Cow;

use crate::Reply;

/// A transcript grows no further than this.
const LIMIT: usize = 16 * 1024;
/// What most sessions need.
const USUAL: usize = 768;

/// The lines of a session in both directions.
#[derive(Debug, Clone)]
pub struct Transcript {
    text: Vec<u8>,
    lines: i64,
}

impl Default for Transcript {
    fn default() -> Self {
        Self { text: Vec::with_capacity(USUAL), lines: 0 }
    }
}

impl Transcript {
    /// A line that came in.
    pub fn heard(&mut self, line: &[u8]) {
        self.line(b"In:  ", line);
    }

    /// A line that went out.
    pub fn said(&mut self, line: &[u8]) {
        self.line(b"Out: ", line);
    }

    /// A reply that went out.
    pub fn replied(&mut self, reply: &Reply) {
        if self.goes_on() {
            reply.print_between(b"Out: ", b"\n", &mut self.text);
        }
    }

    /// Commands, replies and other lines so far.
    #[must_use]
    pub const fn len(&self) -> i64 {
        self.lines
    }

    /// Whether nothing was said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    fn line(&mut self, direction: &[u8], line: &[u8]) {
        if self.goes_on() {
            self.text.extend_from_slice(direction);
            self.text.extend_from_slice(printable(line).as_bytes());
            self.text.push(b'\n');
        }
    }

    /// Counts something that was said; whether there is room for it.
    fn goes_on(&mut self) -> bool {
        let has_room = self.text.len() < LIMIT;
        self.lines += i64::from(has_room);
        has_room
    }
}

/// Bytes of strangers as text: control characters, and what is no UTF-8, become question marks.
#[must_use]
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        // Without a way out at the first that is not, many bytes are looked at together.
        && text.bytes().fold(true, |all, byte| all & (b' '..0x7f).contains(&byte))
    {
        return Cow::Borrowed(text);
    }
    let text = String::from_utf8_lossy(bytes);
    Cow::Owned(text.chars().map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '?' } else { c }).collect())
}

/// Bytes of strangers with C escapes, as in log lines on what came too early.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Enhanced;

    #[test]
    fn it_has_all_lines_of_each_reply() {
        let mut transcript = Transcript::default();
        transcript.heard(b"NO\xffOP\r");
        transcript.replied(&Reply::fixed(250, Enhanced(2, 0, 0), "Ok"));
        transcript.replied(&Reply::plain(250, "a\nb"));
        transcript.said(b"QUIT");
        let expected = "In:  NO?OP?\nOut: 250 2.0.0 Ok\nOut: 250-a\nOut: 250 b\nOut: QUIT\n";
        assert_eq!((&*transcript.text(), transcript.len()), (expected, 4));
    }

    #[test]
    fn bytes_are_escaped_as_in_c() {
        assert_eq!(escaped(b"MAIL\r\n\x01\\"), "MAIL\\r\\n\\001\\\\");
        assert_eq!(escaped(b"\0\xc3%s\x7f\x08\x0c\x0b\x07\"'"), "\\000\\303%s\\177\\b\\f\\v\\a\"'");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut transcript = Transcript::default();
        for _ in 0..10_000 {
            transcript.heard(b"NOOP");
        }
        assert!(transcript.text().len() < LIMIT + 100 && transcript.len() < 10_000);
    }
}
