//! Folds lines of a report at white space, so that mail programs show them whole.

/// The longest line, where words allow.
const WIDTH: usize = 79;

/// What a continued line begins with.
const INDENT: &str = "    ";

/// Appends `text` as one or more lines.
pub(crate) fn put_wrapped(out: &mut Vec<u8>, text: &str) {
    let mut line = String::new();
    for word in text.split_ascii_whitespace() {
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
            line = format!("{INDENT}{word}");
        }
    }
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_before_column_80() {
        for (text, folded) in [
            ("short", "short\n"),
            (
                "<a@example.org>: host 127.83.180.8[127.83.180.8] said: 550 5.1.6 moved away (in reply to RCPT TO command)",
                "<a@example.org>: host 127.83.180.8[127.83.180.8] said: 550 5.1.6 moved away (in\n    reply to RCPT TO command)\n",
            ),
            (
                "<you@example.org>: host 127.97.116.111[127.97.116.111] said: 450 4.2.0 later (in reply to RCPT TO command)",
                "<you@example.org>: host 127.97.116.111[127.97.116.111] said: 450 4.2.0 later\n    (in reply to RCPT TO command)\n",
            ),
        ] {
            let mut out = Vec::new();
            put_wrapped(&mut out, text);
            assert_eq!(String::from_utf8(out).unwrap(), folded);
        }
    }
}
