//! Standard input as a maildrop message: lines become records, and recipients are taken from the header if asked for.

use std::io::{self, BufRead, Write};

use address::tree;
use queue_file::record::{self, Type};

use crate::options::Dot;

/// The most that is kept of one header for its addresses.
const HEADER_LIMIT: usize = 1024 * 1024;

/// How many tokens a header may have.
const TOKENS: usize = 100_000;

/// `sendmail_fix_line_endings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnds {
    /// CRLF becomes LF, however many CR there are.
    Always,
    /// It does if the first line ends so.
    AsFirst,
    /// It does not.
    Kept,
}

/// How a message is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) dot: Dot,
    pub(crate) line_ends: LineEnds,
    pub(crate) line_length_limit: usize,
    /// `message_size_limit`, 0 for none.
    pub(crate) size_limit: u64,
    /// Whether recipients are collected.
    pub(crate) extract: bool,
}

/// Why a message cannot be taken.
#[derive(Debug)]
pub(crate) enum Error {
    /// It could not be read.
    Read(io::Error),
    /// It could not be handed on.
    Write(io::Error),
    /// It is too large.
    TooLarge,
    /// Nobody is to get it.
    NoRecipients,
}

/// Copies the content; the addresses of its recipient headers are the result.
pub(crate) fn copy(input: &mut impl BufRead, out: &mut impl Write, reading: Reading) -> Result<Vec<Vec<u8>>, Error> {
    let mut header = Header::new(reading.extract);
    let mut lines = Lines { reading, strips: None, at_first: true };
    let mut line = Vec::new();
    let mut size = 0_u64;
    let mut records = Vec::with_capacity(64 * 1024);
    while lines.read(input, &mut line).map_err(Error::Read)? {
        size = size.saturating_add(line.len() as u64 + 1);
        if reading.size_limit > 0 && size > reading.size_limit {
            return Err(Error::TooLarge);
        }
        header.line(&line);
        record::put_line(&mut records, &line, reading.line_length_limit);
        if records.len() >= 32 * 1024 {
            out.write_all(&records).map_err(Error::Write)?;
            records.clear();
        }
    }
    out.write_all(&records).map_err(Error::Write)?;
    Ok(header.finish())
}

/// Cuts the input into lines.
struct Lines {
    reading: Reading,
    /// Whether CR goes from line ends, once that is known.
    strips: Option<bool>,
    at_first: bool,
}

impl Lines {
    /// Reads a line without its end; false at the end of the message.
    fn read(&mut self, input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            line.clear();
            if input.read_until(b'\n', line)? == 0 {
                return Ok(false);
            }
            self.strip(line);
            if self.reading.dot == Dot::Ends && line == b"." {
                return Ok(false);
            }
            // A mailbox separator is no part of the message.
            let is_separator = std::mem::take(&mut self.at_first)
                && line.iter().skip_while(|&&b| b == b'>').copied().take(5).eq(*b"From ");
            if !is_separator {
                return Ok(true);
            }
            self.at_first = true;
        }
    }

    fn strip(&mut self, line: &mut Vec<u8>) {
        if line.last() != Some(&b'\n') {
            return;
        }
        line.pop();
        let has_cr = line.last() == Some(&b'\r');
        let strips = match self.reading.line_ends {
            LineEnds::Always => true,
            LineEnds::Kept => false,
            LineEnds::AsFirst => *self.strips.get_or_insert(has_cr),
        };
        if strips {
            let end = line.iter().rposition(|&b| b != b'\r').map_or(0, |last| last + 1);
            line.truncate(end);
        }
    }
}

/// Collects recipients from the header: those of the last hand that sent it on, if a header of its names recipients.
struct Header {
    active: bool,
    current: Vec<u8>,
    usual: Vec<Vec<u8>>,
    resent: Vec<Vec<u8>>,
    is_resent: bool,
}

impl Header {
    fn new(active: bool) -> Self {
        Self { active, current: Vec::new(), usual: Vec::new(), resent: Vec::new(), is_resent: false }
    }

    fn line(&mut self, line: &[u8]) {
        if !self.active {
            return;
        }
        if line.first().is_some_and(|&b| b == b' ' || b == b'\t') && !self.current.is_empty() {
            if self.current.len() < HEADER_LIMIT {
                self.current.extend_from_slice(line);
            }
            return;
        }
        self.take();
        let name = line.iter().take_while(|&&b| b.is_ascii_graphic() && b != b':').count();
        let colon = line.get(name..).is_some_and(|rest| rest.trim_ascii_start().first() == Some(&b':'));
        if name > 0 && colon {
            self.current.extend_from_slice(line);
        } else {
            self.active = false;
        }
    }

    fn take(&mut self) {
        let header = std::mem::take(&mut self.current);
        let Some(colon) = header.iter().position(|&b| b == b':') else { return };
        let (name, value) = header.split_at_checked(colon).unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        let resent = name.starts_with(b"resent-");
        if !matches!(name.strip_prefix(b"resent-").unwrap_or(&name), b"to" | b"cc" | b"bcc") {
            return;
        }
        self.is_resent |= resent;
        let list = if resent { &mut self.resent } else { &mut self.usual };
        list.extend(addresses(value.get(1..).unwrap_or_default()));
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.take();
        if self.is_resent { self.resent } else { self.usual }
    }
}

/// The addresses of a text, in internal form. Empty ones (`<>`) are none.
pub(crate) fn addresses(text: &[u8]) -> Vec<Vec<u8>> {
    let items = tree::parse(text, TOKENS);
    let found = items.iter().filter_map(tree::Item::address).filter(|address| !address.is_empty());
    found.map(|address| address.as_bytes().to_vec()).collect()
}

/// Appends a recipient with what was asked for it.
pub(crate) fn put_recipient(out: &mut Vec<u8>, recipient: &[u8], notify: dsn::Notify) {
    if !notify.is_unset() {
        record::put_attribute(out, "notify_flags", notify.bits().to_string().as_bytes());
    }
    record::put(out, Type::Recipient, recipient);
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::record::{Pointers, Records};

    const READING: Reading =
        Reading { dot: Dot::Ends, line_ends: LineEnds::Always, line_length_limit: 10, size_limit: 1000, extract: true };

    fn text(input: &str, reading: Reading) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let found = copy(&mut input.as_bytes(), &mut out, reading).unwrap();
        let mut text = String::new();
        let mut records = Records::new(&out[..], 0, Pointers::Show);
        while let Some(record) = records.next().unwrap() {
            text += std::str::from_utf8(record.data).unwrap();
            text += if record.kind == Type::Line { "\n" } else { "~" };
        }
        (text, found.into_iter().map(|a| String::from_utf8(a).unwrap()).collect())
    }

    #[test]
    fn lines_become_records() {
        let plain = Reading { dot: Dot::Text, ..READING };
        let first = Reading { line_ends: LineEnds::AsFirst, ..READING };
        let kept = Reading { line_ends: LineEnds::Kept, ..READING };
        for (input, reading, expected) in [
            ("one\n.\ntwo\n", READING, "one\n"),
            ("one\n.\ntwo\n", plain, "one\n.\ntwo\n"),
            ("a\r\nb\nc\r\n.\r\nd", READING, "a\nb\nc\n"),
            ("a\nb\r\n", first, "a\nb\r\n"),
            ("a\r\nb\r\n", first, "a\nb\n"),
            ("a\r\n", kept, "a\r\n"),
            ("a\r\r\n\r\r\nb\rc\r\r\r\n.\r\r\nd", READING, "a\n\nb\rc\n"),
            ("a\r\r\nb\r\r\n", first, "a\nb\n"),
            ("no end", READING, "no end\n"),
            ("0123456789ab\n", READING, "0123456789~ab\n"),
            ("From me Mon\n>From you\na\nFrom b\n", READING, "a\nFrom b\n"),
            ("From a\n From b\nFrom c\n", READING, " From b\nFrom c\n"),
            ("", READING, ""),
        ] {
            assert_eq!(text(input, reading).0, expected, "{input:?}");
        }
    }

    #[test]
    fn recipients_are_found_in_the_header() {
        for (input, expected) in [
            ("To: a, B C <b@x>\nCc: g: c,\n d;\nBcc: e\nFrom: f\n\nTo: no\n", vec!["a", "b@x", "c", "d", "e"]),
            ("To: a\nResent-To: b\nResent-Bcc: c\n", vec!["b", "c"]),
            ("To: a\nResent-From: b\nResent-Date: c\n", vec!["a"]),
            ("To: a\nResent-To:\n", vec![]),
            ("To: <>, a\nBcc: <>\n", vec!["a"]),
            ("Subject: x\nbody\nTo: a\n", vec![]),
        ] {
            assert_eq!(text(input, Reading { line_length_limit: 1000, ..READING }).1, expected, "{input:?}");
        }
    }

    #[test]
    fn size_is_limited() {
        let small = Reading { size_limit: 5, ..READING };
        assert!(matches!(copy(&mut &b"12345\n"[..], &mut Vec::new(), small), Err(Error::TooLarge)));
        assert!(copy(&mut &b"1234\n"[..], &mut Vec::new(), small).is_ok());
    }
}
