//! Folds lines of notices at white space, so that mail programs show them whole.

/// What a continued line begins with.
const INDENT: &str = "    ";

/// Appends `text` as one or more lines, each of at most `width` characters where words allow, behind a `margin`.
pub fn put_wrapped(out: &mut Vec<u8>, margin: &str, text: &str, width: usize) {
    let (mut rest, mut indent) = (text.trim_ascii_end(), "");
    loop {
        let (line, after) = rest.split_at(line_end(rest, width.saturating_sub(indent.len())));
        for part in [margin, indent, line, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        (rest, indent) = (after.trim_ascii_start(), INDENT);
        if rest.is_empty() {
            return;
        }
    }
}

/// The end of the last word that a line has room for, or of the first.
fn line_end(text: &str, width: usize) -> usize {
    let bytes = text.as_bytes();
    let ends_word = |at: &usize| {
        let is_blank = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
        is_blank(*at) && !is_blank(at.saturating_sub(1))
    };
    let fitting = (1..=width.min(text.len())).rev().find(ends_word);
    fitting.or_else(|| (width + 1..=text.len()).find(ends_word)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(margin: &str, text: &str, width: usize) -> String {
        let mut out = Vec::new();
        put_wrapped(&mut out, margin, text, width);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_break_before_the_word_that_does_not_fit() {
        for (text, folded) in [
            ("", "\n"),
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
            assert_eq!(wrapped("", text, 79), folded);
        }
    }

    #[test]
    fn words_are_never_cut_and_blanks_between_them_stay() {
        let long = "w".repeat(90);
        assert_eq!(wrapped(" ", &format!("In:  NOOP {long}"), 78), format!(" In:  NOOP\n     {long}\n"));
        let line = format!("In:  NOOP {}", "w".repeat(68));
        assert_eq!(wrapped(" ", &format!("{line}   tail"), 78), format!(" {line}\n     tail\n"));
        assert_eq!(wrapped("", "a  b   c", 4), "a  b\n    c\n");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[a-c \u{e4}]{0,60}", width in 0_usize..20) {
            let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&wrapped(" ", &text, width)), words(&text));
        }
    }
}
