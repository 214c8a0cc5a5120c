//! The right-hand side of an alias, a line of a `.forward` or `:include:` file: where mail goes. Pure.

use std::borrow::Cow;

use address::tree;

/// One place that mail goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// An address, in internal form.
    Address(Vec<u8>),
    /// `/file`
    File(Vec<u8>),
    /// `~/file`, without the `~`.
    Home(Vec<u8>),
    /// `|command`
    Command(Vec<u8>),
    /// `:include:/file`
    Include(Vec<u8>),
}

/// The places that a text names: addresses as a header has them, of which some mean something else here. A backslash
/// stands for nothing but the character behind it.
pub(crate) fn parse(text: &[u8]) -> Vec<Token> {
    let items = tree::parse(&joined(text), usize::MAX);
    tree::addresses(&items).map(|address| classify(address.as_bytes())).collect()
}

/// The lines of a file: comments gone, lines that begin with white space joined to the one before.
pub(crate) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|&b| b == b'\n') {
        // A line ends as strings do in C; a file that a crash has left full of NULs names nobody.
        let line = line.split(|&b| b == 0).next().unwrap_or_default();
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

/// Joins what stands on either side of a `|`. A quoted string behind it is written with backslashes instead, which
/// makes it part of the same word.
fn joined(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'|') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let (mut quoted, mut behind_bar, mut depth) = (false, false, 0_usize);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                out.push(byte);
                out.extend(bytes.next());
            }
            b'"' if depth == 0 => {
                quoted = !quoted;
                if !behind_bar {
                    out.push(byte);
                }
            }
            _ if quoted && behind_bar => out.extend([b'\\', byte]),
            _ if quoted => out.push(byte),
            b'|' if depth == 0 => {
                out.truncate(out.trim_ascii_end().len());
                out.push(byte);
            }
            _ if behind_bar && byte.is_ascii_whitespace() => continue,
            _ => {
                match byte {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                out.push(byte);
            }
        }
        behind_bar = quoted && behind_bar || !quoted && depth == 0 && byte == b'|';
    }
    Cow::Owned(out)
}

/// What an address in internal form means here.
fn classify(address: &[u8]) -> Token {
    const INCLUDE: &[u8] = b":include:";
    let (name, path) = address.split_at_checked(INCLUDE.len()).unwrap_or_default();
    match address {
        [b'|', command @ ..] => Token::Command(command.to_vec()),
        [b'/', ..] => Token::File(address.to_vec()),
        [b'~', path @ ..] => Token::Home(path.to_vec()),
        _ if name.eq_ignore_ascii_case(INCLUDE) => Token::Include(path.to_vec()),
        _ => Token::Address(address.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::Token::{Address, Command, File, Home, Include};
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
            ("\"| cat \"", vec![Command(b" cat ".to_vec())]),
            ("|\"exit 67\", x", vec![Command(b"exit 67".to_vec()), Address(b"x".to_vec())]),
            ("| \"exit \\\"6(7\" x", vec![Command(b"exit \"6(7".to_vec()), Address(b"x".to_vec())]),
            ("|\"exit 67\"@example.org", vec![Command(b"exit 67@example.org".to_vec())]),
            (
                "|echo hi (a | b) there | cat",
                vec![Command(b"echo".to_vec()), Address(b"hi".to_vec()), Address(b"there|cat".to_vec())],
            ),
            ("|", vec![Command(vec![])]),
            (":include:/etc/list", vec![Include(b"/etc/list".to_vec())]),
            (":INCLUDE: \"/etc/a list\", x", vec![Include(b"/etc/a list".to_vec()), Address(b"x".to_vec())]),
            ("\":include:/etc/list\"", vec![Include(b"/etc/list".to_vec())]),
            ("\\lab-alice, lab\\-bob", vec![Address(b"lab-alice".to_vec()), Address(b"lab-bob".to_vec())]),
            ("\"\\lab-alice\"", vec![Address(b"lab-alice".to_vec())]),
            ("\\lab-alice@example.org", vec![Address(b"lab-alice@example.org".to_vec())]),
            ("~/mbox, \"~joe/x y\"", vec![Home(b"/mbox".to_vec()), Home(b"joe/x y".to_vec())]),
            ("friends: a, \"b c\"; d", vec![Address(b"a".to_vec()), Address(b"b c".to_vec()), Address(b"d".to_vec())]),
            ("friends: \"|exit 67\", /var/box;", vec![Command(b"exit 67".to_vec()), File(b"/var/box".to_vec())]),
            ("friends:;", vec![]),
            (":include:/etc/a list", vec![Include(b"/etc/a".to_vec()), Address(b"list".to_vec())]),
            ("/var/box y", vec![File(b"/var/box".to_vec()), Address(b"y".to_vec())]),
            ("", vec![]),
            (" , ,", vec![]),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn files_have_comments_and_continued_lines() {
        let text = b"# the list\nlab-alice\n  lab-bob, \"lab-carol\"\n\n # more\nx\0 y\n\0\0\n";
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
