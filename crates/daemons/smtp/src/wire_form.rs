//! Content in wire form: CR LF line ends, dots stuffed, lines no longer than `smtp_line_length_limit`. Pure.
//!
//! A longer line is broken, and goes on after a space; the space counts. Whether the last line was complete is for the caller to know.

use memchr::memchr;

/// Makes the wire form, piece by piece.
#[derive(Debug)]
pub struct Encoder {
    limit: usize,
    column: usize,
    start: bool,
    lines: Lines,
}

/// What became of lines so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// All went out as they are.
    Whole,
    /// Some were too long.
    Broken,
}

impl Encoder {
    /// At the start of a message; 0 is no limit.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, column: 0, start: true, lines: Lines::Whole }
    }

    /// Whether lines had to be broken.
    #[must_use]
    pub const fn lines(&self) -> Lines {
        self.lines
    }

    /// Whether a new line would begin here.
    #[must_use]
    pub const fn is_at_start(&self) -> bool {
        self.start
    }

    /// Appends a part of a line, without line ends.
    pub fn part(&mut self, mut part: &[u8], out: &mut Vec<u8>) {
        if self.start && part.first() == Some(&b'.') {
            out.push(b'.');
        }
        self.start &= part.is_empty();
        while self.limit > 0 && self.column + part.len() > self.limit {
            let room = self.limit.saturating_sub(self.column);
            let (now, later) = part.split_at_checked(room).unwrap_or((part, b""));
            out.extend_from_slice(now);
            if later.is_empty() {
                self.column += now.len();
                return;
            }
            self.lines = Lines::Broken;
            out.extend_from_slice(b"\r\n ");
            self.column = usize::from(self.limit > 1);
            part = later;
        }
        out.extend_from_slice(part);
        self.column += part.len();
    }

    /// Appends a line, or what is left of one.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        // Most lines are whole and go out as they are.
        if self.start && line.first() != Some(&b'.') && (self.limit == 0 || line.len() <= self.limit) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
            return;
        }
        self.part(line, out);
        self.end_line(out);
    }

    /// Ends a line.
    pub fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.column = 0;
        self.start = true;
    }

    /// Appends text with LF line ends.
    pub fn text(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        while let Some(end) = memchr(b'\n', text) {
            self.line(text.get(..end).unwrap_or_default(), out);
            text = text.get(end + 1..).unwrap_or_default();
        }
        if !text.is_empty() {
            self.part(text, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &[u8], limit: usize, piece: usize) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::new(limit), Vec::new());
        text.chunks(piece).for_each(|chunk| encoder.text(chunk, &mut out));
        out
    }

    #[test]
    fn long_lines_go_on_after_a_space() {
        let text = [&b"a\n"[..], &[b'y'; 25], b"\nend\n"].concat();
        for piece in [1, 3, 10, 100] {
            assert_eq!(encode(&text, 10, piece), b"a\r\nyyyyyyyyyy\r\n yyyyyyyyy\r\n yyyyyy\r\nend\r\n");
        }
    }

    #[test]
    fn only_lines_over_the_limit_are_told_of() {
        for (length, lines) in [(10, Lines::Whole), (11, Lines::Broken)] {
            for parts in [&[length][..], &[5, length - 5]] {
                let (mut encoder, mut out) = (Encoder::new(10), Vec::new());
                parts.iter().for_each(|size| encoder.part(&b"y".repeat(*size), &mut out));
                encoder.end_line(&mut out);
                assert_eq!(encoder.lines(), lines, "{length}");
            }
        }
    }

    #[test]
    fn dots_are_stuffed_at_the_start_of_lines() {
        assert_eq!(encode(b".\n..two\nmiddle.\n.", 998, 100), b"..\r\n...two\r\nmiddle.\r\n..");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[a.\n]{0,80}", limit in 0_usize..9, piece in 1_usize..9) {
            prop_assert_eq!(encode(text.as_bytes(), limit, piece), encode(text.as_bytes(), limit, 1000));
        }

        #[test]
        fn no_line_is_over_the_limit(text in "[a.\n]{0,80}", limit in 2_usize..9) {
            for line in encode(text.as_bytes(), limit, 7).split(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let line = if line.starts_with(b".") { &line[1..] } else { line };
                prop_assert!(line.len() <= limit);
            }
        }
    }
}
