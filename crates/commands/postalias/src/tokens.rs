//! The words of an alias: `name: value`, each written the way it will be read again.

use address::quote::{quote_local, quoted_string};

/// A word, a sign, or something that is kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// One of `<>@,;:.%!`.
    Sign(u8),
    /// A word without quotes.
    Atom(Vec<u8>),
    /// A word that was in quotes or had a backslash; without them.
    Quoted(Vec<u8>),
    /// `(comment)` or `[literal]`.
    Kept(Vec<u8>),
}

const SIGNS: &[u8] = b"<>@,;:.%!";

/// Why a line is no alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    /// No name, no colon, several names, or no value.
    #[error("need name:value pair")]
    NoPair,
    /// The name has a domain.
    #[error("name must be local")]
    NotLocal,
}

/// The name in quoted form, and the value.
pub(crate) fn entry(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Mistake> {
    let tokens = read(line);
    let colon = tokens.iter().position(|token| *token == Token::Sign(b':')).ok_or(Mistake::NoPair)?;
    let (name, value) = tokens.split_at_checked(colon).ok_or(Mistake::NoPair)?;
    let value = value.get(1..).unwrap_or_default();
    let has = |sign: u8| name.contains(&Token::Sign(sign));
    if name.is_empty() || value.is_empty() || has(b',') {
        return Err(Mistake::NoPair);
    }
    if has(b'@') || has(b'%') {
        return Err(Mistake::NotLocal);
    }
    Ok((quote_local(&write(name, Form::Internal)).into_owned(), write(value, Form::External)))
}

fn read(line: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        if is_space(*first) {
            rest = after;
            continue;
        }
        let (token, length) = match first {
            sign if SIGNS.contains(sign) => (Token::Sign(*sign), 1),
            b'"' => quoted(rest),
            b'(' => kept(rest, b'(', b')'),
            b'[' => kept(rest, b'[', b']'),
            _ => atom(rest),
        };
        tokens.push(token);
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    tokens
}

/// White space between words; inside quotes it is a space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn quoted(text: &[u8]) -> (Token, usize) {
    let mut word = Vec::new();
    let mut bytes = text.iter().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (Token::Quoted(word), at + 1),
            b'\\' => word.extend(bytes.next().map(|(_, escaped)| if is_space(*escaped) { b' ' } else { *escaped })),
            byte if is_space(*byte) => word.push(b' '),
            _ => word.push(*byte),
        }
    }
    (Token::Quoted(word), text.len())
}

fn kept(text: &[u8], open: u8, close: u8) -> (Token, usize) {
    let mut depth = 0_usize;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match *byte {
            b'\\' => {
                bytes.next();
            }
            // Literals do not nest.
            byte if byte == open && (open == b'(' || depth == 0) => depth += 1,
            byte if byte == close => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (Token::Kept(text.get(..=at).unwrap_or(text).to_vec()), at + 1);
        }
    }
    (Token::Kept(text.to_vec()), text.len())
}

fn atom(text: &[u8]) -> (Token, usize) {
    let mut word = Vec::new();
    let mut escapes = false;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let ends = is_space(*byte) || SIGNS.contains(byte) || matches!(byte, b'"' | b'(' | b'[');
        if ends {
            return (word_token(word, escapes), at);
        }
        if *byte == b'\\' {
            escapes = true;
            word.extend(bytes.next().map(|(_, escaped)| *escaped));
        } else {
            word.push(*byte);
        }
    }
    (word_token(word, escapes), text.len())
}

fn word_token(word: Vec<u8>, escapes: bool) -> Token {
    if escapes || word.iter().any(u8::is_ascii_control) { Token::Quoted(word) } else { Token::Atom(word) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Without quotes.
    Internal,
    /// To be parsed again.
    External,
}

fn write(tokens: &[Token], form: Form) -> Vec<u8> {
    let mut text = Vec::new();
    let mut before: Option<&Token> = None;
    for token in tokens {
        if needs_space(before, token) {
            text.push(b' ');
        }
        match token {
            Token::Sign(b',') => text.extend_from_slice(b", "),
            Token::Sign(sign) => text.push(*sign),
            Token::Atom(word) | Token::Kept(word) => text.extend_from_slice(word),
            Token::Quoted(word) if form == Form::External => text.extend_from_slice(&quoted_string(word)),
            Token::Quoted(word) => text.extend_from_slice(word),
        }
        before = Some(token);
    }
    text
}

fn needs_space(before: Option<&Token>, token: &Token) -> bool {
    match (before, token) {
        (None | Some(Token::Sign(_)), _) => false,
        (Some(_), Token::Sign(sign)) => *sign == b'<',
        (Some(_), _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_read() {
        for (line, name, value) in [
            ("team: one ,two,three   four", "team", "one, two, three four"),
            ("\"two words\": x", "\"two words\"", "x"),
            ("\"file\": /dev/null", "file", "/dev/null"),
            ("a: x@y , <b@c>,\"d e\"@f.g", "a", "x@y, <b@c>, \"d e\"@f.g"),
            ("a: \"|/bin/x  y\"  , /file/name", "a", "\"|/bin/x  y\", /file/name"),
            ("a: :include:/a/b , :include: /c", "a", ":include:/a/b, :include:/c"),
            ("a: (com  ment) x (a,b) y", "a", "(com  ment) x (a,b) y"),
            ("a: \\\"x\\\" \\\\y", "a", "\"\\\"x\\\"\" \"\\\\y\""),
            ("a: [1.2.3.4] user@[1.2.3.4]", "a", "[1.2.3.4] user@[1.2.3.4]"),
            ("a: list: b, c;", "a", "list:b, c;"),
            ("a: x<y>z", "a", "x <y>z"),
            ("a: ,,b,", "a", ", , b, "),
            ("a: \"open", "a", "\"open\""),
            ("a: (open", "a", "(open"),
            ("j:k:l", "j", "k:l"),
            ("k 4: y", "\"k 4\"", "y"),
            ("k.3: y", "k.3", "y"),
            ("a: \"\" x", "a", "\"\" x"),
            ("\"k\te\": \"b\\\t\rc\"", "\"k e\"", "\"b  c\""),
            ("a: b\x0bc d", "a", "\"b\x0bc\" d"),
        ] {
            let expected = (name.as_bytes().to_vec(), value.as_bytes().to_vec());
            assert_eq!(entry(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, expected) in [
            ("nokey", Mistake::NoPair),
            (": x", Mistake::NoPair),
            ("e:", Mistake::NoPair),
            ("a, b: c", Mistake::NoPair),
            ("user@dom: z", Mistake::NotLocal),
        ] {
            assert_eq!(entry(line.as_bytes()), Err(expected), "{line}");
        }
    }
}
