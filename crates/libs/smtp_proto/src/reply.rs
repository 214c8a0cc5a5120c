//! Replies: what a server says, and how a client reads it.
//!
//! A server's replies are mostly fixed texts, which cost no allocation until they are printed. A client keeps all lines of
//! what it got, up to a limit, because logs and notices quote them.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;

/// An enhanced status code such as `5.7.1` (RFC 3463).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl Enhanced {
    /// The code at the start of a text, and the text after it. The class must be 2, 4 or 5.
    #[must_use]
    pub fn split(text: &[u8]) -> Option<(Enhanced, &[u8])> {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let mut parts = word.split(|byte| *byte == b'.');
        let class = number(parts.next()?, 1)?;
        let (subject, detail) = (number(parts.next()?, 3)?, number(parts.next()?, 3)?);
        if parts.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some((Enhanced(u8::try_from(class).ok()?, subject, detail), rest.trim_ascii_start()))
    }

    /// The same with another class.
    #[must_use]
    pub const fn with_class(self, class: u8) -> Enhanced {
        Enhanced(class, self.1, self.2)
    }
}

fn number(digits: &[u8], most: usize) -> Option<u16> {
    if digits.is_empty() || digits.len() > most || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A reply. Lines of the text are separated by `\n`; the enhanced code, if any, is not part of them.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The enhanced code; for a reply that was read, that of its last line.
    pub status: Option<Enhanced>,
    /// The lines.
    pub text: Cow<'static, [u8]>,
}

impl Reply {
    /// A fixed text with an enhanced code.
    pub const fn fixed(code: u16, status: Enhanced, text: &'static str) -> Reply {
        Reply { code, status: Some(status), text: Cow::Borrowed(text.as_bytes()) }
    }

    /// A fixed text without one.
    pub const fn plain(code: u16, text: &'static str) -> Reply {
        Reply { code, status: None, text: Cow::Borrowed(text.as_bytes()) }
    }

    /// A text made for the occasion.
    pub fn new(code: u16, status: Option<Enhanced>, text: impl Into<Vec<u8>>) -> Reply {
        Reply { code, status, text: Cow::Owned(text.into()) }
    }

    /// What an administrator wrote: `554 5.7.1 Text`, with or without an enhanced code. `None` without a code.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Reply> {
        let (code, rest) = text.split_at_checked(3)?;
        let code = number(code, 3).filter(|code| (200..600).contains(code))?;
        if !matches!(rest.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        let rest = rest.trim_ascii_start();
        Some(match Enhanced::split(rest) {
            Some((status, rest)) => Reply::new(code, Some(status), rest),
            None => Reply::new(code, None, rest),
        })
    }

    /// `soft_bounce`: what would be refused for good is refused for now.
    pub fn softened(mut self) -> Reply {
        if self.code / 100 == 5 {
            self.code -= 100;
            self.status = self.status.map(|status| status.with_class(4));
        }
        self
    }

    /// With a footer (`smtpd_reject_footer`): in lines of its own, or in the same line where it begins with `\c`. The two characters
    /// `\n` start a new line.
    pub fn with_footer(self, footer: &str) -> Reply {
        let mut text = self.text.into_owned();
        let footer = match footer.strip_prefix("\\c") {
            Some(rest) => rest,
            None => {
                text.push(b'\n');
                footer
            }
        };
        text.extend_from_slice(footer.replace("\\n", "\n").as_bytes());
        Reply::new(self.code, self.status, text)
    }

    /// Whether the client may go on (2xx or 3xx).
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| *byte == b'\n')
    }

    /// The first line as it goes over the wire, for logs: `554 5.7.1 Text`.
    #[must_use]
    pub fn logged(&self) -> String {
        let mut line = Vec::with_capacity(self.text.len() + CODES);
        self.print_first(&mut line);
        String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// All lines as they go over the wire, on one: what ends them is shown as any control character is.
    #[must_use]
    pub fn logged_whole(&self) -> String {
        let mut text = Vec::with_capacity(self.text.len() + CODES);
        self.print_between(b"", b"??", &mut text);
        String::from_utf8_lossy(text.strip_suffix(b"??").unwrap_or(&text)).into_owned()
    }

    /// Appends the first line with code and enhanced code, without a line end.
    pub fn print_first(&self, output: &mut Vec<u8>) {
        self.print_codes(b' ', output);
        let end = memchr(b'\n', &self.text).unwrap_or(self.text.len());
        output.extend_from_slice(self.text.get(..end).unwrap_or_default());
    }

    /// Appends the reply as it goes over the wire: every line with code and enhanced code.
    pub fn print(&self, output: &mut Vec<u8>) {
        output.reserve(self.text.len() + CODES);
        self.print_between(b"", b"\r\n", output);
    }

    /// The same with each line between these, as transcripts have it.
    pub fn print_between(&self, before: &[u8], end: &[u8], output: &mut Vec<u8>) {
        let mut line = |separator, text: &[u8]| {
            output.extend_from_slice(before);
            self.print_codes(separator, output);
            output.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
            output.extend_from_slice(end);
        };
        let mut rest = &*self.text;
        while let Some(at) = memchr(b'\n', rest) {
            line(b'-', rest.get(..at).unwrap_or_default());
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        line(b' ', rest);
    }

    fn print_codes(&self, after: u8, output: &mut Vec<u8>) {
        push_number(output, self.code);
        output.push(after);
        if let Some(Enhanced(class, subject, detail)) = self.status {
            for (part, after) in [(u16::from(class), b'.'), (subject, b'.'), (detail, b' ')] {
                push_number(output, part);
                output.push(after);
            }
        }
    }
}

/// Room for both codes of a line, and its end.
const CODES: usize = 20;

fn push_number(output: &mut Vec<u8>, number: u16) {
    if number >= 10 {
        push_number(output, number / 10);
    }
    output.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.logged())
    }
}

/// One line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The three digits.
    pub code: u16,
    /// Whether more lines follow.
    pub more: bool,
    /// What stands after them.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Parses a line without its line end. `None`: it is no reply line.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let (code, rest) = line.split_at_checked(3)?;
        let code = number(code, 3)?;
        match rest.split_first() {
            None => Some(Line { code, more: false, text: rest }),
            Some((b'-', text)) => Some(Line { code, more: true, text }),
            Some((b' ', text)) => Some(Line { code, more: false, text }),
            Some(_) => None,
        }
    }
}

/// A reply that a client read, with every line as it came, since logs and notices quote it so.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The three digits of the last line.
    pub code: u16,
    /// The enhanced code of the last line, if it has one that fits the three digits.
    pub status: Option<Enhanced>,
    /// All lines, codes included, separated by `\n`.
    pub text: Vec<u8>,
}

impl Answer {
    /// The class: 2, 3, 4 or 5.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// Its lines without codes.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| *byte == b'\n').map(|line| Line::parse(line).map_or(line, |line| line.text))
    }

    /// All lines on one, as logs show them.
    #[must_use]
    pub fn logged(&self) -> String {
        String::from_utf8_lossy(&self.text).replace('\n', " ")
    }
}

/// Puts a reply together from its lines. What exceeds `limit` bytes is dropped, so a server cannot fill the memory.
#[derive(Debug)]
pub struct Assembler {
    limit: usize,
    text: Vec<u8>,
    lines: usize,
}

impl Assembler {
    /// An empty reply that keeps at most `limit` bytes of text.
    #[must_use]
    pub const fn new(limit: usize) -> Assembler {
        Assembler { limit, text: Vec::new(), lines: 0 }
    }

    /// How many lines were added since the last reply.
    #[must_use]
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// Adds a line without its line end; the reply is there when its last line is. A line that is no reply line is kept as
    /// text and does not end the reply; so is one with a tab behind its code. Control characters become question marks.
    pub fn add(&mut self, line: &[u8]) -> Option<Answer> {
        if self.lines > 0 && self.text.len() < self.limit {
            self.text.push(b'\n');
        }
        self.lines += 1;
        let room = self.limit.saturating_sub(self.text.len());
        let kept = line.get(..room).unwrap_or(line);
        self.text.extend(kept.iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }));
        let last = Line::parse(line).filter(|line| !line.more)?;
        let status = Enhanced::split(last.text.trim_ascii_start())
            .map(|(status, _)| status)
            .filter(|status| u16::from(status.0) == last.code / 100);
        self.lines = 0;
        Some(Answer { code: last.code, status, text: std::mem::take(&mut self.text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_softened() {
        let reply = Reply::fixed(554, Enhanced(5, 5, 1), "Error: 554 5.5.1").softened();
        assert_eq!(reply.logged(), "454 4.5.1 Error: 554 5.5.1");
        assert_eq!(Reply::plain(501, "Syntax").softened().logged(), "401 Syntax");
        assert_eq!(Reply::plain(250, "Ok").softened().logged(), "250 Ok");
    }

    #[test]
    fn footers_stand_in_their_own_lines_or_go_on() {
        for (footer, expected) in [
            ("a", "550-5.1.1 No\r\n550 5.1.1 a\r\n"),
            ("a\\nb", "550-5.1.1 No\r\n550-5.1.1 a\r\n550 5.1.1 b\r\n"),
            ("\\ca\\nb", "550-5.1.1 Noa\r\n550 5.1.1 b\r\n"),
            ("\\c", "550 5.1.1 No\r\n"),
            ("x\\n", "550-5.1.1 No\r\n550-5.1.1 x\r\n550 5.1.1 \r\n"),
            ("\\n\\cx", "550-5.1.1 No\r\n550-5.1.1 \r\n550 5.1.1 \\cx\r\n"),
        ] {
            let mut wire = Vec::new();
            Reply::fixed(550, Enhanced(5, 1, 1), "No").with_footer(footer).print(&mut wire);
            assert_eq!(String::from_utf8(wire).unwrap(), expected, "{footer}");
        }
    }
    use proptest::prelude::*;

    fn printed(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.print(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn replies_are_printed() {
        assert_eq!(printed(&Reply::fixed(250, Enhanced(2, 1, 0), "Ok")), "250 2.1.0 Ok\r\n");
        assert_eq!(printed(&Reply::plain(250, "a\nb")), "250-a\r\n250 b\r\n");
        assert_eq!(printed(&Reply::plain(250, "a\r\n\n")), "250-a\r\n250-\r\n250 \r\n");
        assert_eq!(printed(&Reply::plain(250, "")), "250 \r\n");
        assert_eq!(printed(&Reply::new(550, Some(Enhanced(5, 7, 27)), "a\nb")), "550-5.7.27 a\r\n550 5.7.27 b\r\n");
        assert_eq!(Reply::fixed(250, Enhanced(2, 0, 0), "Ok").logged(), "250 2.0.0 Ok");
        assert_eq!(Reply::new(550, None, b"\xff\nb").logged(), "550 \u{fffd}");
    }

    #[test]
    fn replies_are_read() {
        let mut reply = Assembler::new(100);
        assert_eq!(reply.add(b"250-5.1.1 one"), None);
        let answer = reply.add(b"250 2.1.5 two").unwrap();
        assert_eq!((answer.code, answer.status, answer.class()), (250, Some(Enhanced(2, 1, 5)), 2));
        assert_eq!(answer.logged(), "250-5.1.1 one 250 2.1.5 two");
        assert_eq!(answer.texts().collect::<Vec<_>>(), [&b"5.1.1 one"[..], b"2.1.5 two"]);
        assert_eq!(reply.add(b"250"), Some(Answer { code: 250, status: None, text: b"250".to_vec() }));
        assert_eq!(reply.add(b"junk"), None);
        assert_eq!(reply.add(b"550 5.1.x no").unwrap().text, b"junk\n550 5.1.x no");
        assert_eq!(reply.add(b"450 5.1.1 no").unwrap().status, None);
        assert_eq!(reply.add(b"450  4.2.1  no").unwrap().status, Some(Enhanced(4, 2, 1)));
        assert_eq!(reply.add(b"550\tno"), None);
        assert_eq!(reply.add(b"250 a\tb").unwrap().text, b"550?no\n250 a?b");
    }

    #[test]
    fn text_of_administrators() {
        assert_eq!(Reply::from_text(b"521 5.7.9 no"), Some(Reply::new(521, Some(Enhanced(5, 7, 9)), "no")));
        assert_eq!(Reply::from_text(b"450 later"), Some(Reply::new(450, None, "later")));
        assert_eq!(Reply::from_text(b"5xx no"), None);
        assert_eq!(Reply::from_text(b"1234 no"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_taken(lines: Vec<Vec<u8>>, limit in 0_usize..100) {
            let mut reply = Assembler::new(limit);
            for line in lines {
                if let Some(reply) = reply.add(&line) {
                    prop_assert!(reply.text.len() <= limit);
                }
            }
        }

        #[test]
        fn print_then_read(code in 200_u16..600, lines in proptest::collection::vec("[a-z ]{0,9}", 1..4)) {
            let reply = Reply::new(code, None, lines.join("\n"));
            let mut assembler = Assembler::new(1000);
            let mut output = Vec::new();
            reply.print(&mut output);
            let mut read = None;
            for line in output.split(|byte| *byte == b'\n') {
                read = read.or(assembler.add(line.strip_suffix(b"\r").unwrap_or(line)));
            }
            let read = read.unwrap();
            prop_assert_eq!(read.code, code);
            prop_assert_eq!(read.texts().map(<[u8]>::to_vec).collect::<Vec<_>>().join(&b'\n'), reply.text.to_vec());
        }
    }
}
