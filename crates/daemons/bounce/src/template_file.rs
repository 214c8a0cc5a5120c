//! The file of templates: names with values, most of which are texts of many lines up to an end marker. Pure.
//!
//! Texts are in whatever character set their template says, so each byte of the file is a character here.

/// A name with its value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    /// How many lines had been begun when it ended.
    pub(crate) line: usize,
    /// The end marker, if it is missing and the text is all the rest.
    pub(crate) missing: Option<&'a str>,
}

/// The bytes of a file as characters.
pub(crate) fn widen(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The bytes that characters stand for.
pub(crate) fn narrow(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// What a file defines, in its order.
///
/// # Errors
/// What is wrong with which line.
pub(crate) fn definitions(file: &str) -> Result<Vec<Definition<'_>>, String> {
    let mut lines = Lines { rest: file, number: 1 };
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let wrong = |what: &str| format!("line {}: {what}", lines.number);
        let (name, value) =
            line.split_once('=').ok_or_else(|| wrong(&format!("missing '=' after attribute name: \"{line}\"")))?;
        let (name, value) = (name.trim(), value.trim());
        let (text, missing) = match value.strip_prefix("<<").map(str::trim_start) {
            None => (value, None),
            Some("") => return Err(wrong("missing end marker after <<")),
            Some(end) if !end.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                return Err(wrong("malformed end marker after <<"));
            }
            Some(end) => lines.until(end),
        };
        found.push(Definition { name, text, line: lines.number, missing });
    }
    Ok(found)
}

/// The lines of a text that are left.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    /// All up to the line that is only `end`; with `end` itself if there is none.
    fn until(&mut self, end: &'a str) -> (&'a str, Option<&'a str>) {
        let text = self.rest;
        let mut length = 0;
        while let Some(line) = self.next() {
            if line == end {
                return (text.get(..length).unwrap_or_default(), None);
            }
            length = text.len() - self.rest.len();
        }
        (text, Some(end))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_lines_or_texts() {
        let file = "# words\n\na = <<EOF\nSubject: x\n\n# text\nEOF\n b = one line \nc=<< END\nx\nEOF\n";
        let definition = |name, text, line, missing| Definition { name, text, line, missing };
        assert_eq!(
            definitions(file).unwrap(),
            [
                definition("a", "Subject: x\n\n# text\n", 8, None),
                definition("b", "one line", 9, None),
                definition("c", "x\nEOF\n", 12, Some("END")),
            ]
        );
    }

    #[test]
    fn faults_are_named_with_the_line_behind() {
        for (file, expected) in [
            ("garbage line\n", "line 2: missing '=' after attribute name: \"garbage line\""),
            ("a = one\n  two\n", "line 3: missing '=' after attribute name: \"  two\""),
            ("a = <<\nx\n", "line 2: missing end marker after <<"),
            ("a = <<!\nx\n", "line 2: malformed end marker after <<"),
        ] {
            assert_eq!(definitions(file).unwrap_err(), expected);
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(narrow(&widen(&all)), all);
    }
}
