//! Copies a message out of the queue: the lines put before it, its line ends, and the quoting of its lines.

use std::io::{self, Write};

use queue_file::Piece;

use crate::content::{Content, unreadable};

/// How a copy differs from the message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What comes first, complete with line ends.
    pub head: Vec<u8>,
    /// What ends each line.
    pub eol: Vec<u8>,
    /// What is done to a line that begins with `From `.
    pub from_lines: Lines,
    /// What is done to a line that begins with a dot.
    pub dot_lines: Lines,
    /// How the copy ends.
    pub end: End,
}

/// What is done to lines that a reader might take for more than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lines {
    /// Nothing.
    Kept,
    /// `>` goes before `From `, a dot before a dot.
    Quoted,
}

/// How a copy ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// With the message.
    Plain,
    /// With one more line end, as mbox files need it between messages.
    BlankLine,
}

impl Layout {
    /// As it is in the queue, after `head`.
    #[must_use]
    pub fn plain(head: Vec<u8>) -> Self {
        let eol = b"\n".to_vec();
        Self { head, eol, from_lines: Lines::Kept, dot_lines: Lines::Kept, end: End::Plain }
    }

    /// As a message of an mbox file.
    #[must_use]
    pub fn mbox(head: Vec<u8>) -> Self {
        Self { from_lines: Lines::Quoted, end: End::BlankLine, ..Self::plain(head) }
    }
}

/// Why a copy is not complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue file is corrupt or cannot be read.
    #[error("error reading message: {0}")]
    Read(#[source] io::Error),
    /// The destination does not take it.
    #[error("error writing message: {0}")]
    Write(#[source] io::Error),
}

/// Writes the copy, and flushes.
///
/// # Errors
/// See [`Error`]; the destination then holds a part.
pub fn copy(content: &mut Content, layout: &Layout, out: &mut dyn Write) -> Result<(), Error> {
    out.write_all(&layout.head).map_err(Error::Write)?;
    let mut at_start = true;
    while let Some(piece) = content.next().map_err(|error| Error::Read(unreadable(error)))? {
        let (bytes, ends_line) = match piece {
            Piece::Line(bytes) => (bytes, true),
            Piece::Part(bytes) => (bytes, false),
        };
        write_piece(bytes, at_start, layout, out).map_err(Error::Write)?;
        if ends_line {
            out.write_all(&layout.eol).map_err(Error::Write)?;
        }
        at_start = ends_line;
    }
    if !at_start {
        out.write_all(&layout.eol).map_err(Error::Write)?;
    }
    if layout.end == End::BlankLine {
        out.write_all(&layout.eol).map_err(Error::Write)?;
    }
    out.flush().map_err(Error::Write)
}

fn write_piece(bytes: &[u8], at_start: bool, layout: &Layout, out: &mut dyn Write) -> io::Result<()> {
    if at_start && layout.from_lines == Lines::Quoted && bytes.starts_with(b"From ") {
        out.write_all(b">")?;
    }
    if at_start && layout.dot_lines == Lines::Quoted && bytes.starts_with(b".") {
        out.write_all(b".")?;
    }
    out.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::content_of;
    use crate::content::tests::file;
    use queue_file::record::Type::{self, Extracted, Filter, Line};

    fn copied(list: &[(Type, &[u8])], layout: &Layout) -> String {
        let (_kept, file) = file(list);
        let mut out = Vec::new();
        copy(&mut content_of(&file, 0), layout, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn layouts_differ_in_quoting_and_line_ends() {
        let list: &[(Type, &[u8])] = &[
            (Line, b"From a"),
            (Line, b">From b"),
            (Filter, b"x"),
            (Line, b"From c"),
            (Line, b".d"),
            (Extracted, b""),
        ];
        assert_eq!(copied(list, &Layout::plain(b"H\n".to_vec())), "H\nFrom a\n>From b\nxFrom c\n.d\n");
        assert_eq!(copied(list, &Layout::mbox(Vec::new())), ">From a\n>From b\nxFrom c\n.d\n\n");
        let odd = Layout { eol: b"\r\n".to_vec(), dot_lines: Lines::Quoted, ..Layout::plain(Vec::new()) };
        assert_eq!(copied(list, &odd), "From a\r\n>From b\r\nxFrom c\r\n..d\r\n");
    }

    #[test]
    fn a_last_line_without_end_gets_one() {
        assert_eq!(copied(&[(Filter, b"x"), (Extracted, b"")], &Layout::plain(Vec::new())), "x\n");
    }
}
