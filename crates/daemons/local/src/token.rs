//! The right-hand side of an alias, a line of a `.forward` or `:include:` file: where mail goes. Pure.

use address::tree;

/// One place that mail goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// An address, in internal form.
    Address(Vec<u8>),
    /// `\user`: the mailbox of a user, without further expansion.
    Mailbox(Vec<u8>),
    /// `/file`
    File(Vec<u8>),
    /// `|command`
    Command(Vec<u8>),
    /// `:include:/file`
    Include(Vec<u8>),
}

/// How many addresses one item may hold.
const LIMIT: usize = 10_000;

/// The places that a text names, separated by commas or line ends.
pub(crate) fn parse(text: &[u8]) -> Vec<Token> {
    items(text).into_iter().flat_map(item).collect()
}

/// The lines of a file: comments gone, lines that begin with white space joined to the one before.
pub(crate) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|&b| b == b'\n') {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() || trimmed.first() == Some(&b'#') {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.first().is_some_and(u8::is_ascii_whitespace) => {
                last.push(b' ');
                last.extend_from_slice(trimmed);
            }
            _ => lines.push(trimmed.to_vec()),
        }
    }
    lines
}

/// Cuts at commas outside of quotes, comments and angle brackets.
fn items(text: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    let (mut start, mut quoted, mut depth, mut escaped) = (0, false, 0_usize, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'<' => depth += 1,
            b')' | b'>' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                items.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text.get(start..).unwrap_or_default());
    items.into_iter().map(<[u8]>::trim_ascii).filter(|item| !item.is_empty()).collect()
}

fn item(item: &[u8]) -> Vec<Token> {
    const INCLUDE: &[u8] = b":include:";
    if let Some((name, path)) = item.split_at_checked(INCLUDE.len())
        && name.eq_ignore_ascii_case(INCLUDE)
    {
        return vec![Token::Include(unquoted(path))];
    }
    if let Some(user) = item.strip_prefix(b"\\") {
        return addresses(user).into_iter().map(Token::Mailbox).collect();
    }
    addresses(item).into_iter().map(classify).collect()
}

fn addresses(item: &[u8]) -> Vec<Vec<u8>> {
    let items = tree::parse(item, LIMIT);
    tree::addresses(&items).map(|address| address.as_bytes().to_vec()).collect()
}

/// What an address in internal form means here.
fn classify(address: Vec<u8>) -> Token {
    const INCLUDE: &[u8] = b":include:";
    match address.first() {
        Some(b'|') => Token::Command(address.get(1..).unwrap_or_default().trim_ascii().to_vec()),
        Some(b'/') => Token::File(address),
        Some(b':') if address.get(..INCLUDE.len()).is_some_and(|name| name.eq_ignore_ascii_case(INCLUDE)) => {
            Token::Include(address.get(INCLUDE.len()..).unwrap_or_default().to_vec())
        }
        Some(b'\\') => Token::Mailbox(address.get(1..).unwrap_or_default().to_vec()),
        _ => Token::Address(address),
    }
}

fn unquoted(path: &[u8]) -> Vec<u8> {
    let path = path.trim_ascii();
    let inner = path.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.unwrap_or(path).to_vec()
}

#[cfg(test)]
mod tests {
    use super::Token::{Address, Command, File, Include, Mailbox};
    use super::*;

    #[test]
    fn texts_name_addresses_files_commands_and_lists() {
        for (text, expected) in [
            ("staff, lab-alice", vec![Address(b"staff".to_vec()), Address(b"lab-alice".to_vec())]),
            ("\"lab-bob\", Boss", vec![Address(b"lab-bob".to_vec()), Address(b"Boss".to_vec())]),
            ("a b", vec![Address(b"a".to_vec()), Address(b"b".to_vec())]),
            ("Joe User <joe@example.org> (home)", vec![Address(b"joe@example.org".to_vec())]),
            ("\"Joe, the User\" <joe@example.org>", vec![Address(b"joe@example.org".to_vec())]),
            ("\"two words\"@example.org", vec![Address(b"two words@example.org".to_vec())]),
            ("/var/box, \"/var/box two\"", vec![File(b"/var/box".to_vec()), File(b"/var/box two".to_vec())]),
            ("\"|id -un >who; cat, >mail\"", vec![Command(b"id -un >who; cat, >mail".to_vec())]),
            ("\"|IFS=' ' && exec \\\"x\\\" #alice\"", vec![Command(b"IFS=' ' && exec \"x\" #alice".to_vec())]),
            ("|cat", vec![Command(b"cat".to_vec())]),
            (":include:/etc/list", vec![Include(b"/etc/list".to_vec())]),
            (":INCLUDE: \"/etc/a list\", x", vec![Include(b"/etc/a list".to_vec()), Address(b"x".to_vec())]),
            ("\":include:/etc/list\"", vec![Include(b"/etc/list".to_vec())]),
            ("\\lab-alice, lab-bob", vec![Mailbox(b"lab-alice".to_vec()), Address(b"lab-bob".to_vec())]),
            ("", vec![]),
            (" , ,", vec![]),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn files_have_comments_and_continued_lines() {
        let text = b"# the list\nlab-alice\n  lab-bob, \"lab-carol\"\n\n # more\nx\n";
        assert_eq!(lines(text), [&b"lab-alice lab-bob, \"lab-carol\""[..], b"x"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text: Vec<u8>) {
            for line in lines(&text) {
                let _ = parse(&line);
            }
        }
    }
}
