//! Changes logical lines of a file and leaves all else as it is, comments between their parts included.

/// What becomes of a logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    Remove,
    Comment,
    Replace(String),
}

/// Asks about every logical line, and gives the text with what was decided.
pub(crate) fn change(text: &str, mut decide: impl FnMut(&str) -> Fate) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.split_inclusive('\n').peekable();
    while let Some(first) = rest.next() {
        if is_skipped(first) {
            out.push_str(first);
            continue;
        }
        let mut physical = vec![first];
        while let Some(line) = rest.next_if(|line| is_skipped(line) || continues(line)) {
            physical.push(line);
        }
        let parts = physical.iter().filter(|line| !is_skipped(line));
        let logical: String = parts.map(|line| line.trim_end_matches(['\r', '\n'])).collect();
        let fate = decide(&logical);
        for (index, line) in physical.into_iter().enumerate() {
            match &fate {
                _ if is_skipped(line) => out.push_str(line),
                Fate::Keep => out.push_str(line),
                Fate::Comment => out.extend(["#", line]),
                Fate::Replace(new) if index == 0 => append(&mut out, new),
                Fate::Remove | Fate::Replace(_) => {}
            }
        }
    }
    out
}

/// Appends a line, ending one that has no end.
pub(crate) fn append(out: &mut String, line: &str) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(line);
    out.push('\n');
}

fn is_skipped(line: &str) -> bool {
    let visible = line.trim_start_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}']);
    visible.is_empty() || visible.starts_with('#')
}

fn continues(line: &str) -> bool {
    line.starts_with([' ', '\t', '\u{b}', '\u{c}'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "# keep\na = 1\n   # inner\n   2\n\n  3\n# after\nb = x";

    #[test]
    fn parts_are_changed_and_comments_kept() {
        let table = [
            (Fate::Keep, TEXT.to_owned()),
            (Fate::Remove, "# keep\n   # inner\n\n# after\nb = x".to_owned()),
            (Fate::Comment, "# keep\n#a = 1\n   # inner\n#   2\n\n#  3\n# after\nb = x".to_owned()),
            (Fate::Replace("a = 9".to_owned()), "# keep\na = 9\n   # inner\n\n# after\nb = x".to_owned()),
        ];
        for (fate, expected) in table {
            let mut seen = Vec::new();
            let text = change(TEXT, |line| {
                seen.push(line.to_owned());
                if line.starts_with('a') { fate.clone() } else { Fate::Keep }
            });
            assert_eq!(text, expected);
            assert_eq!(seen, ["a = 1   2  3", "b = x"]);
        }
    }

    proptest! {
        #[test]
        fn keeping_all_changes_nothing(text in "([ a#=]{0,4}\n?){0,8}") {
            prop_assert_eq!(change(&text, |_| Fate::Keep), text);
        }
    }
}
