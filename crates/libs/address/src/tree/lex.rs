//! Cuts a header's value into tokens.

use crate::quote::is_atom_byte;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// An atom, a quoted string or a domain literal, with its text in internal form.
    Word(Vec<u8>),
    /// `(…)`
    Comment,
    /// One of `<>@,;:.`
    Special(u8),
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn is(&self, special: u8) -> bool {
        self.kind == Kind::Special(special)
    }
}

/// Cuts `text` into at most `limit` tokens; the rest is left out.
pub(super) fn tokens(text: &[u8], limit: usize) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0 };
    std::iter::from_fn(|| lexer.token()).take(limit).collect()
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn token(&mut self) -> Option<Token> {
        while self.peek()?.is_ascii_whitespace() {
            self.at += 1;
        }
        let start = self.at;
        let kind = match self.peek()? {
            b'(' => self.comment(),
            b'"' => self.quoted(),
            b'[' => self.literal(),
            special @ (b'<' | b'>' | b'@' | b',' | b';' | b':' | b'.') => {
                self.at += 1;
                Kind::Special(special)
            }
            _ => self.atom(),
        };
        Some(Token { kind, start, end: self.at })
    }

    /// Nested, with backslashes; one that is not closed runs to the end.
    fn comment(&mut self) -> Kind {
        let mut depth = 0usize;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => self.at = self.text.len().min(self.at + 1),
                b'(' => depth += 1,
                b')' if depth == 1 => break,
                b')' => depth -= 1,
                _ => {}
            }
        }
        Kind::Comment
    }

    /// Without its quotes and backslashes; line ends of folding go.
    fn quoted(&mut self) -> Kind {
        self.at += 1;
        let mut word = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'"' => break,
                b'\\' => word.extend(self.next()),
                b'\r' | b'\n' => {}
                _ => word.push(byte),
            }
        }
        Kind::Word(word)
    }

    /// With its brackets.
    fn literal(&mut self) -> Kind {
        let mut word = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => word.extend(self.next()),
                b'\r' | b'\n' => {}
                _ => word.push(byte),
            }
            if byte == b']' {
                break;
            }
        }
        Kind::Word(word)
    }

    /// Until a special, white space, quote or comment; never empty, since the first byte is none of those.
    fn atom(&mut self) -> Kind {
        let mut word = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => {
                    self.at += 1;
                    word.extend(self.next());
                }
                b']' | b')' => {
                    self.at += 1;
                    word.push(byte);
                }
                _ if byte.is_ascii_whitespace() => break,
                _ if byte.is_ascii_control() || is_atom_byte(byte) => {
                    self.at += 1;
                    word.push(byte);
                }
                _ => break,
            }
        }
        Kind::Word(word)
    }
}
