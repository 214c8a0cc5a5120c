//! Splitting of lists at commas and white space, with `{ }` groups kept whole.

/// The characters between items of most lists.
pub const SEPARATORS: &[char] = &[',', ' ', '\t', '\r', '\n'];

/// The items of a list. A group in braces is one item, braces included; `separators` inside it do not count.
pub fn items<'a>(text: &'a str, separators: &[char]) -> Vec<&'a str> {
    let mut items = Vec::new();
    let mut rest = text.trim_start_matches(separators);
    while !rest.is_empty() {
        let (item, after) = rest.split_at(end_of_item(rest, separators));
        items.push(item);
        rest = after.trim_start_matches(separators);
    }
    items
}

fn end_of_item(text: &str, separators: &[char]) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && separators.contains(&letter) => return at,
            _ => {}
        }
    }
    text.len()
}

/// Why `{ text }` could not be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BraceError {
    /// It does not end.
    #[error("missing '}}' in \"{0}\"")]
    Unclosed(String),
    /// Something follows.
    #[error("syntax error after '}}' in \"{0}\"")]
    Trailing(String),
}

/// The text inside `{ }`, trimmed.
///
/// # Errors
///
/// When the closing brace is missing, or is not the end.
pub fn inside_braces(text: &str) -> Result<&str, BraceError> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            let (group, after) = text.split_at(at + letter.len_utf8());
            if !after.trim().is_empty() {
                return Err(BraceError::Trailing(text.to_owned()));
            }
            let inner = group.strip_prefix('{').and_then(|g| g.strip_suffix('}'));
            return inner.map(str::trim).ok_or_else(|| BraceError::Unclosed(text.to_owned()));
        }
    }
    Err(BraceError::Unclosed(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_one_item() {
        for (text, expected) in [
            ("", vec![]),
            (" a, b\tc ,,", vec!["a", "b", "c"]),
            ("{a, b} c{d e}f", vec!["{a, b}", "c{d e}f"]),
            ("{a {b, c}}, d", vec!["{a {b, c}}", "d"]),
            ("{open a", vec!["{open a"]),
        ] {
            assert_eq!(items(text, SEPARATORS), expected, "{text}");
        }
    }

    #[test]
    fn braces_come_off() {
        assert_eq!(inside_braces("{ a {b} }"), Ok("a {b}"));
        assert_eq!(inside_braces("{}"), Ok(""));
        assert_eq!(inside_braces("{a").unwrap_err().to_string(), "missing '}' in \"{a\"");
        assert_eq!(inside_braces("{a}b").unwrap_err().to_string(), "syntax error after '}' in \"{a}b\"");
    }
}
