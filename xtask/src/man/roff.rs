//! Sets a page in roff: headings, paragraphs, lists and examples of the text become requests of the `man` macros.

use super::Page;

/// The page as a source for man(1).
pub(super) fn set(page: &Page, date: &str) -> String {
    let date = match (date.get(0..4), date.get(4..6), date.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    };
    let name = escaped(&page.name);
    let mut out = format!(
        ".\\\" Made by `cargo xtask man`; do not edit.\n.TH {} {} {date} Postern\n.ad l\n.nh\n.SH NAME\n{name} \\- {}\n",
        name.to_uppercase(),
        page.section,
        inline(&page.summary)
    );
    Setter { out: &mut out, state: State::Heading }.text(&page.text);
    out
}

/// Stands for a back quote that is text.
pub(super) const QUOTE: char = '\u{1}';

/// What the line before was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A heading, after which a paragraph needs no request.
    Heading,
    /// An empty line: a paragraph begins.
    Gap,
    /// Text.
    Text,
    /// A list, whose items may go on.
    Item,
    /// An example.
    Example,
}

struct Setter<'o> {
    out: &'o mut String,
    state: State,
}

impl Setter<'_> {
    fn text(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let example = line.starts_with("    ") && self.state != State::Item;
            if self.state == State::Example && !example {
                let goes_on = line.is_empty() && lines.peek().is_some_and(|next| next.starts_with("    "));
                if goes_on {
                    self.out.push('\n');
                    continue;
                }
                self.out.push_str(".fi\n.RE\n");
                self.state = State::Gap;
            }
            match line {
                "" if self.state == State::Heading => {}
                "" => self.state = State::Gap,
                _ if example => self.example(line),
                _ => self.line(line),
            }
        }
        if self.state == State::Example {
            self.out.push_str(".fi\n.RE\n");
        }
    }

    fn example(&mut self, line: &str) {
        if self.state != State::Example {
            self.out.push_str(".PP\n.RS 4\n.nf\n".trim_start_matches(if self.state == State::Heading {
                ".PP\n"
            } else {
                ""
            }));
        }
        self.state = State::Example;
        self.out.push_str(&guarded(&escaped(line.get(4..).unwrap_or_default())));
        self.out.push('\n');
    }

    fn line(&mut self, line: &str) {
        if let Some(heading) = line.strip_prefix("## ") {
            self.out.push_str(&format!(".SS {}\n", escaped(heading)));
            self.state = State::Heading;
        } else if let Some(heading) = line.strip_prefix("# ") {
            self.out.push_str(&format!(".SH {}\n", escaped(&heading.to_uppercase())));
            self.state = State::Heading;
        } else if let Some(item) = line.strip_prefix("- ") {
            let (term, text) = parted(item).unwrap_or(("\u{b7}", item));
            self.out.push_str(&format!(".TP\n{}\n", guarded(&inline(term))));
            if !text.is_empty() {
                self.out.push_str(&format!("{}\n", guarded(&inline(text))));
            }
            self.state = State::Item;
        } else {
            if self.state == State::Gap {
                self.out.push_str(".PP\n");
            }
            self.out.push_str(&format!("{}\n", guarded(&inline(line.trim_start()))));
            self.state = if self.state == State::Item { State::Item } else { State::Text };
        }
    }
}

/// Term and text of an item: the colon between them is neither in quotes nor in parentheses.
fn parted(item: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (place, character) in item.char_indices() {
        let rest = item.get(place + 1..).unwrap_or_default();
        match character {
            '`' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ':' if !quoted && depth == 0 && (rest.is_empty() || rest.starts_with(' ')) => {
                return Some((item.get(..place)?, rest.trim_start()));
            }
            _ => {}
        }
    }
    None
}

/// A line that roff takes for text.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}

/// Text with what stands between back quotes in bold.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => out.push_str(&escaped(part)),
            _ => out.push_str(&format!("\\fB{}\\fR", escaped(part))),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A long list without spaces may go on in the next line.
            ',' if characters.peek().is_some_and(|next| next.is_alphanumeric()) => out.push_str(",\\:"),
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            QUOTE => out.push_str("\\(ga"),
            '\u{b7}' => out.push_str("\\(bu"),
            _ if character.is_ascii() => out.push(character),
            _ => out.push_str(&format!("\\[u{:04X}]", u32::from(character))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_set() {
        let page = Page {
            name: "x".to_owned(),
            section: '1',
            summary: "does it".to_owned(),
            text: "\n# Options\n\n- `-a:` (b: c): all\n  of it\n\n.text `b\\c`\n\n    cmd -x\n\n    y\n".to_owned(),
        };
        let set = set(&page, "20261121");
        let (_, body) = set.split_once(".SH OPTIONS\n").unwrap();
        assert_eq!(
            body,
            ".TP\n\\fB\\-a:\\fR (b: c)\nall\nof it\n.PP\n\\&.text \\fBb\\ec\\fR\n.PP\n.RS 4\n.nf\ncmd \\-x\n\ny\n.fi\n.RE\n"
        );
        assert!(set.contains(".TH X 1 2026-11-21 Postern\n.ad l\n.nh\n.SH NAME\nx \\- does it\n"));
    }
}
