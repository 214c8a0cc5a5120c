//! The first lines of content that comes behind headers of our own.

/// Separator lines of an mbox become headers, and a first line that would continue our own headers begins the body. The content of the
/// client begins at `at` in `text`.
pub fn mend_beginning(text: &mut Vec<u8>, mut at: usize) {
    while let Some(line) = text.get(at..).filter(|rest| is_separator(rest)) {
        let length = line.iter().position(|byte| *byte == b'\n').map_or(line.len(), |end| end + 1);
        let label = b"X-Mailbox-Line: ";
        text.splice(at..at, label.iter().copied());
        at += label.len() + length;
    }
    if matches!(text.get(at), Some(b' ' | b'\t')) {
        text.insert(at, b'\n');
    }
}

/// How much of the content [`mend_beginning`] has to see: the separator lines, and the next byte.
#[must_use]
pub fn beginning_of(content: &[u8]) -> usize {
    let lines = content.split_inclusive(|byte| *byte == b'\n').take_while(|line| is_separator(line));
    let end: usize = lines.map(<[u8]>::len).sum();
    (end + 1).min(content.len())
}

/// `From `, quoted or not.
fn is_separator(text: &[u8]) -> bool {
    let quotes = text.iter().take_while(|byte| **byte == b'>').count();
    text.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_an_mbox_begins_with_headers() {
        for (given, expected) in [
            ("From a\n>>From b\nSubject: x\n", "X-Mailbox-Line: From a\nX-Mailbox-Line: >>From b\nSubject: x\n"),
            ("From a", "X-Mailbox-Line: From a"),
            ("From a\n\tb\n", "X-Mailbox-Line: From a\n\n\tb\n"),
            (" x\n", "\n x\n"),
            ("From: a\nFrom b\n", "From: a\nFrom b\n"),
            ("", ""),
        ] {
            let mut text = format!("Received: y\n{given}").into_bytes();
            mend_beginning(&mut text, 12);
            assert_eq!(String::from_utf8(text).unwrap(), format!("Received: y\n{expected}"), "{given:?}");
        }
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        for (content, expected) in
            [("From a\n>From b\nSubject: x\n", 16), ("Subject: x\n", 1), (" x", 1), ("", 0), ("From a", 6), ("\n", 1)]
        {
            assert_eq!(beginning_of(content.as_bytes()), expected, "{content:?}");
        }
    }
}
