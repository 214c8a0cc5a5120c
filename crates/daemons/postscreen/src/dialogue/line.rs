//! Bytes to lines, with a bound.

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// It ended with CR and LF.
    Proper(Vec<u8>),
    /// It ended with LF alone.
    Bare(Vec<u8>),
    /// It is longer than it may be.
    TooLong,
}

/// What came and was not yet read. It holds no more than one line and what was fed at once.
#[derive(Debug)]
pub(super) struct Lines {
    pending: Vec<u8>,
    /// So much of it was read.
    start: usize,
    /// So much of it has no line end.
    scanned: usize,
    /// How long a line may be, its CR included.
    limit: usize,
}

impl Lines {
    pub(super) const fn new(limit: usize) -> Lines {
        Lines { pending: Vec::new(), start: 0, scanned: 0, limit }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// What was not yet read.
    pub(super) fn ahead(&self) -> &[u8] {
        self.pending.get(self.start..).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        *self = Lines::new(self.limit);
    }

    /// The next line, if there is a whole one.
    pub(super) fn next_line(&mut self) -> Option<Line> {
        let found = self.pending.get(self.scanned..)?.iter().position(|byte| *byte == b'\n');
        let end = found.map_or(self.pending.len(), |at| self.scanned + at);
        let line = self.pending.get(self.start..end)?;
        let proper = line.strip_suffix(b"\r");
        // A line of just this length, or one with a CR behind it that awaits its LF, is not too long yet.
        if line.len() > self.limit || (found.is_some() && line.len() == self.limit && proper.is_none()) {
            return Some(Line::TooLong);
        }
        let line = match proper {
            _ if found.is_none() => {
                self.scanned = end;
                return None;
            }
            Some(line) => Line::Proper(line.to_vec()),
            None => Line::Bare(line.to_vec()),
        };
        self.start = end + 1;
        self.scanned = self.start;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(limit: usize, pieces: &[&str]) -> Vec<Line> {
        let mut lines = Lines::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            lines.feed(piece.as_bytes());
            while let Some(line) = lines.next_line() {
                let ends = line == Line::TooLong;
                found.push(line);
                if ends {
                    return found;
                }
            }
        }
        found
    }

    fn proper(text: &str) -> Line {
        Line::Proper(text.into())
    }

    fn bare(text: &str) -> Line {
        Line::Bare(text.into())
    }

    #[test]
    fn lines_end_with_and_without_a_return() {
        assert_eq!(lines(9, &["a\r\nb\n\r", "\n", "c"]), [proper("a"), bare("b"), proper("")]);
        assert_eq!(lines(9, &["a\r\r\n", "\rb\r\n"]), [proper("a\r"), proper("\rb")]);
    }

    #[test]
    fn lines_are_bounded() {
        assert_eq!(lines(4, &["abc\r\n"]), [proper("abc")]);
        assert_eq!(lines(4, &["abc\n"]), [bare("abc")]);
        assert_eq!(lines(4, &["abcd"]), []);
        for long in ["abcd\r\n", "abcd\n", "abcde", "\r\r\r\r\r"] {
            assert_eq!(lines(4, &[long]), [Line::TooLong], "{long:?}");
            let pieces: Vec<&str> = long.split_inclusive(|_: char| true).collect();
            assert_eq!(lines(4, &pieces), [Line::TooLong], "{long:?}");
        }
    }
}
