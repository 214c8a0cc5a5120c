//! The text from which tables are made: logical lines, and `key value` entries.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use data_encoding::BASE64;

use crate::environment::Values;
use crate::error::system_text;
use crate::fold::shown;

/// A logical line: continuation lines joined, comments and empty lines left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it starts; the first line is 1.
    pub number: usize,
    /// The text, without the last line end.
    pub text: Vec<u8>,
}

/// The logical lines of a text. A line that starts with white space continues the one before.
/// A first line that does so is warned about, with the path of the text, and skipped.
pub fn lines<'a>(text: &'a [u8], path: &'a str) -> Lines<'a> {
    Lines { rest: text, path, number: 0 }
}

/// Gives each logical line of a text that is read piece by piece to `work`, as [`lines`] has them.
///
/// # Errors
///
/// When the text cannot be read, or as `work` says.
pub fn each_line<E: From<io::Error>>(
    input: &mut dyn Read,
    path: &str,
    work: &mut dyn FnMut(&Line) -> Result<(), E>,
) -> Result<(), E> {
    let (mut text, mut number) = (Vec::new(), 0);
    loop {
        let is_last = input.take(PIECE).read_to_end(&mut text)? == 0;
        let whole = if is_last { text.len() } else { end_of_lines(&text) };
        let mut lines = Lines { rest: text.get(..whole).unwrap_or_default(), path, number };
        for line in &mut lines {
            work(&line)?;
        }
        number = lines.number;
        text.drain(..whole);
        if is_last {
            return Ok(());
        }
    }
}

/// How much is read at once.
const PIECE: u64 = 1 << 18;

/// Where the last line starts that continues none.
fn end_of_lines(text: &[u8]) -> usize {
    let continues = |byte: u8| is_space(byte) || byte == b'#';
    let starts = memchr::memrchr_iter(b'\n', text).map(|end| end + 1);
    starts.into_iter().find(|start| text.get(*start).is_some_and(|first| !continues(*first))).unwrap_or(0)
}

/// See [`lines`].
pub struct Lines<'a> {
    rest: &'a [u8],
    path: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        match memchr::memchr(b'\n', self.rest).and_then(|end| self.rest.split_at_checked(end)) {
            Some((line, rest)) => {
                self.rest = rest.get(1..).unwrap_or_default();
                Some(line)
            }
            None => Some(std::mem::take(&mut self.rest)),
        }
    }
}

/// White space as C's isspace() has it.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_ignored(line: &[u8]) -> bool {
    matches!(line.iter().find(|byte| !is_space(**byte)), None | Some(b'#'))
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let line = self.logical()?;
            if !line.text.first().is_some_and(|first| is_space(*first)) {
                return Some(line);
            }
            let (start, more) = line.text.split_at_checked(30).map_or((&*line.text, ""), |(start, _)| (start, "..."));
            let start = shown(start);
            tracing::warn!("{}: logical line must not start with whitespace: \"{start}{more}\"", self.path);
        }
    }
}

impl Lines<'_> {
    fn logical(&mut self) -> Option<Line> {
        let (number, mut text) = loop {
            let line = self.physical()?;
            if !is_ignored(line) {
                break (self.number, line.to_vec());
            }
        };
        loop {
            match self.rest.first() {
                Some(&b) if is_space(b) || b == b'#' => {
                    let line = self.physical()?;
                    if !is_ignored(line) {
                        text.extend_from_slice(line);
                    }
                }
                _ => {
                    // To Postfix a NUL is the end of a line.
                    let end = memchr::memchr(0, &text).unwrap_or(text.len());
                    text.truncate(end);
                    return Some(Line { number, text });
                }
            }
        }
    }
}

/// Where a line stands, for warnings.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The file.
    pub path: &'a str,
    /// The line.
    pub line: usize,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}", self.path, self.line)
    }
}

/// The key and value of a line. A line that has none is warned about and skipped.
pub fn entry<'a>(line: &'a [u8], place: Place<'_>) -> Option<(&'a [u8], &'a [u8])> {
    let Some(end) = end_of_key(line) else {
        let text = shown(line);
        tracing::warn!("{place}: unbalanced '\"' in '{text}' -- ignoring this line");
        return None;
    };
    let (key, value) = line.split_at_checked(end)?;
    let value = trim(value);
    if key.is_empty() || value.is_empty() {
        tracing::warn!("{place}: expected format: key whitespace value -- ignoring this line");
        return None;
    }
    if key.ends_with(b":") {
        tracing::warn!("{place}: record is in \"key: value\" format; is this an alias file?");
    }
    Some((key, value))
}

/// Where the key ends: at white space that is not quoted. None if a quote stays open.
fn end_of_key(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = line.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            _ if !quoted && is_space(byte) => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(line.len())
}

pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text {
        if !is_space(*first) {
            break;
        }
        text = rest;
    }
    while let [rest @ .., last] = text {
        if !is_space(*last) {
            break;
        }
        text = rest;
    }
    text
}

/// Whether a line is text; if not, it is warned about.
pub fn is_text(line: &[u8], place: Place<'_>) -> bool {
    if std::str::from_utf8(line).is_ok() {
        return true;
    }
    let text = shown(line);
    tracing::warn!("{place}: non-UTF-8 input \"{text}\" -- ignoring this line");
    false
}

/// The value to store: the text, or the content of the files that it names.
///
/// # Errors
///
/// A sentence for the log, when a file cannot be read.
pub fn stored_value(value: &[u8], values: Values) -> Result<Cow<'_, [u8]>, String> {
    match values {
        Values::Text => Ok(Cow::Borrowed(value)),
        Values::Files => {
            let names = String::from_utf8_lossy(value);
            let mut files = Vec::new();
            for name in crate::split::items(&names, crate::split::SEPARATORS) {
                let content = std::fs::read(Path::new(name));
                files.push(content.map_err(|error| format!("open {name}: {}", system_text(&error)))?);
            }
            Ok(Cow::Owned(BASE64.encode(&files.join(&b'\n')).into_bytes()))
        }
    }
}

/// The content of a value that was stored from files.
///
/// # Errors
///
/// A sentence for the log, when the value is not Base64.
pub fn file_content(value: &[u8]) -> Result<Vec<u8>, String> {
    BASE64.decode(value).map_err(|_| {
        let text = String::from_utf8_lossy(value);
        format!("malformed BASE64 value: {text:.30}")
    })
}

#[cfg(test)]
#[path = "source/tests.rs"]
mod tests;
