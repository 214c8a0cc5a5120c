//! Logical lines: how main.cf, master.cf and table sources are laid out.
//!
//! A line that starts with white space continues the line before. Empty lines and lines whose first visible
//! character is `#` are skipped, also between a line and its continuation.

/// One logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalLine {
    /// The physical lines, joined as they are, without line ends.
    pub text: String,
    /// The number of its first physical line, counted from 1.
    pub first: usize,
}

impl LogicalLine {
    /// Whether this is a continuation of nothing, which is to be skipped with a warning.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.text.starts_with([' ', '\t'])
    }

    /// What to say about an orphan in the named file.
    #[must_use]
    pub fn orphan_warning(&self, file: &str) -> String {
        let start: String = self.text.chars().take(30).map(printable).collect();
        let more = if self.text.chars().count() > 30 { "..." } else { "" };
        format!("{file}: logical line must not start with whitespace: \"{start}{more}\"")
    }
}

/// Iterates over the logical lines of a text.
#[derive(Debug)]
pub struct LogicalLines<'a> {
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>,
}

impl<'a> LogicalLines<'a> {
    /// The logical lines of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { lines: text.lines().enumerate().peekable() }
    }
}

impl Iterator for LogicalLines<'_> {
    type Item = LogicalLine;

    fn next(&mut self) -> Option<LogicalLine> {
        let mut line: Option<LogicalLine> = None;
        while let Some((index, text)) = self.lines.peek() {
            let visible = text.trim_start_matches(is_space);
            let skipped = visible.is_empty() || visible.starts_with('#');
            let continues = text.starts_with(is_space);
            match &mut line {
                _ if skipped => {}
                Some(_) if !continues => break,
                Some(line) => line.text.push_str(text),
                None => line = Some(LogicalLine { text: (*text).to_owned(), first: index + 1 }),
            }
            self.lines.next();
        }
        line
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

fn printable(character: char) -> char {
    if character.is_control() { '?' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_skips_comments_and_blank_lines() {
        let text = "# x\n\na =\n    # c\n    1,\n\n\tb\nc = 2\n # d\n";
        let lines: Vec<_> = LogicalLines::new(text).map(|l| (l.text, l.first)).collect();
        assert_eq!(lines, [("a =    1,\tb".to_owned(), 3), ("c = 2".to_owned(), 8)]);
    }

    #[test]
    fn an_orphan_is_known() {
        let lines: Vec<_> = LogicalLines::new(" foo = bar\n\talways_bcc=z\n").collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(
            lines[0].orphan_warning("main.cf"),
            "main.cf: logical line must not start with whitespace: \" foo = bar?always_bcc=z\""
        );
    }
}
