//! Cuts a header's value into tokens.

use std::borrow::Cow;

use crate::quote::is_atom_byte;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An atom, a quoted string or a domain literal, with its text in internal form.
    Word(Cow<'a, [u8]>),
    /// `(…)`
    Comment,
    /// One of `<>@,;:.`
    Special(u8),
}

impl Kind<'_> {
    /// Whether it is a word that was quoted or had backslashes; a domain literal is as it was written.
    pub(super) fn is_escaped(&self) -> bool {
        matches!(self, Self::Word(Cow::Owned(word)) if !word.starts_with(b"["))
    }
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, special: u8) -> bool {
        self.kind == Kind::Special(special)
    }
}

/// Cuts `text` into at most `limit` tokens; the rest is left out.
pub(super) fn tokens(text: &[u8], limit: usize) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0 };
    // As many as one address has.
    let mut tokens = Vec::with_capacity(16);
    tokens.extend(std::iter::from_fn(|| lexer.token()).take(limit));
    tokens
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn token(&mut self) -> Option<Token<'a>> {
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
    fn comment(&mut self) -> Kind<'a> {
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
    fn quoted(&mut self) -> Kind<'a> {
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
        Kind::Word(Cow::Owned(word))
    }

    /// With its brackets.
    fn literal(&mut self) -> Kind<'a> {
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
        Kind::Word(Cow::Owned(word))
    }

    /// Until a special, white space, quote or comment; never empty, since the first byte is none of those.
    fn atom(&mut self) -> Kind<'a> {
        let plain = self.plain();
        if self.peek() != Some(b'\\') {
            return Kind::Word(Cow::Borrowed(plain));
        }
        let mut word = plain.to_vec();
        while self.peek() == Some(b'\\') {
            self.at += 1;
            word.extend(self.next());
            word.extend_from_slice(self.plain());
        }
        Kind::Word(Cow::Owned(word))
    }

    /// What an atom is made of, up to what ends it or a backslash.
    fn plain(&mut self) -> &'a [u8] {
        let belongs = |byte: u8| {
            let control = byte.is_ascii_control() && !byte.is_ascii_whitespace();
            control || is_atom_byte(byte) || matches!(byte, b']' | b')')
        };
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}
