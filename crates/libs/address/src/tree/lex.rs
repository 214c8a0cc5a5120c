//! Cuts a header's value into tokens.

use std::borrow::Cow;

use crate::quote::quoted_string;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An atom, in internal form.
    Atom(Cow<'a, [u8]>),
    /// What is in quotes, or should be: without the quotes and backslashes.
    Quoted(Vec<u8>),
    /// A domain literal, without its brackets and backslashes.
    Literal(Vec<u8>),
    /// `(…)`, as written.
    Comment(&'a [u8]),
    /// One of [`SPECIALS`].
    Special(u8),
}

/// What divides atoms, besides white space. `%`, `!` and `|` are among them since they divide addresses of old.
const SPECIALS: &[u8] = b"()<>@,;:\\\".[]|%!";

impl Token<'_> {
    /// Adds it without quotes.
    pub(super) fn push_internal(&self, out: &mut Vec<u8>) {
        match self {
            Self::Atom(text) => out.extend_from_slice(text),
            Self::Quoted(text) => out.extend_from_slice(text),
            Self::Literal(text) => {
                out.push(b'[');
                out.extend_from_slice(text);
                out.push(b']');
            }
            Self::Comment(text) => out.extend_from_slice(text),
            Self::Special(special) => {
                // A bracket that belongs to no address is away from what is before it.
                if *special == b'<' && !out.is_empty() {
                    out.push(b' ');
                }
                out.push(*special);
            }
        }
    }

    /// Adds it as it goes into a header, where it stands for itself.
    pub(super) fn push_external(&self, out: &mut Vec<u8>) {
        match self {
            Self::Quoted(text) => out.extend(quoted_string(text)),
            Self::Literal(text) => {
                out.push(b'[');
                for &byte in text {
                    if byte == b'\\' {
                        out.push(b'\\');
                    }
                    out.push(byte);
                }
                out.push(b']');
            }
            Self::Atom(_) | Self::Comment(_) | Self::Special(_) => self.push_internal(out),
        }
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
        while is_space(self.peek()?) {
            self.at += 1;
        }
        Some(match self.peek()? {
            b'(' => self.comment(),
            b'"' => Token::Quoted(self.until(b'"')),
            b'[' => Token::Literal(self.until(b']')),
            b'\\' => self.atom(),
            special if SPECIALS.contains(&special) => {
                self.at += 1;
                Token::Special(special)
            }
            _ => self.atom(),
        })
    }

    /// Nested, with backslashes; one that is not closed runs to the end.
    fn comment(&mut self) -> Token<'a> {
        let start = self.at;
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
        Token::Comment(self.text.get(start..self.at).unwrap_or_default())
    }

    /// What stands between an opening and this closing character, or the end.
    fn until(&mut self, closing: u8) -> Vec<u8> {
        self.at += 1;
        let mut word = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => word.extend(self.next().map(spaced)),
                _ if byte == closing => break,
                _ => word.push(spaced(byte)),
            }
        }
        word
    }

    /// Until a special or white space; with what was escaped in it, it may need quotes.
    fn atom(&mut self) -> Token<'a> {
        let plain = self.plain();
        let mut text = Cow::Borrowed(plain);
        while self.peek() == Some(b'\\') {
            self.at += 1;
            let word = text.to_mut();
            word.extend(self.next().map(spaced));
            word.extend_from_slice(self.plain());
        }
        let needs_quotes = |byte: &u8| *byte == b' ' || byte.is_ascii_control() || SPECIALS.contains(byte);
        if text.iter().any(needs_quotes) { Token::Quoted(text.into_owned()) } else { Token::Atom(text) }
    }

    /// What an atom is made of, up to what ends it or a backslash.
    fn plain(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| is_space(*byte) || SPECIALS.contains(byte);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }
}

/// White space of header fields.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// White space, and what folding leaves, is a space within words.
fn spaced(byte: u8) -> u8 {
    if is_space(byte) { b' ' } else { byte }
}
