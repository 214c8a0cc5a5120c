//! `Content-Type` and `Content-Transfer-Encoding`.

/// What a content type means for the structure of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Top {
    /// `multipart/…` with a boundary.
    Multipart,
    /// `multipart/…` without one: nothing tells its parts.
    Unbounded,
    /// `message/rfc822`: a message of its own.
    Message,
    /// `message/global`: likewise, in any encoding. RFC 6532 §3.7.
    MessageGlobal,
    /// `message/partial`, `message/external-body`: only in ASCII.
    Fragment,
    /// Other `message/…`: opaque.
    MessageOther,
    /// `text/…`, and what says nothing.
    #[default]
    Text,
    /// All else.
    Other,
}

/// A content type, as far as the structure of a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType {
    /// What it means.
    pub top: Top,
    /// The boundary of a multipart.
    pub boundary: Vec<u8>,
    /// Whether the parts are messages unless they say otherwise (`multipart/digest`).
    pub digest: bool,
}

/// What the octets of a body may be: RFC 2045 §6.2's domain, and whether they are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Lines of ASCII.
    #[default]
    Seven,
    /// Lines.
    Eight,
    /// Anything.
    Binary,
    /// `quoted-printable`, `base64`: ASCII that stands for something else.
    Encoded,
}

/// Reads the value of a `Content-Type` field; of a boundary `limit` bytes count.
#[must_use]
pub fn content_type(value: &[u8], limit: usize) -> ContentType {
    let mut lexer = Lexer(value);
    let Some(Token::Word(kind)) = lexer.next() else { return ContentType::default() };
    // A type without a subtype is read like one of an unknown subtype.
    let rest = Lexer(lexer.0);
    let subtype = match (lexer.next(), lexer.next()) {
        (Some(Token::Special(b'/')), Some(Token::Word(subtype))) => subtype.to_ascii_lowercase(),
        _ => {
            lexer = rest;
            Vec::new()
        }
    };
    match kind.to_ascii_lowercase().as_slice() {
        b"multipart" => {
            let found = boundary(lexer);
            let top = if found.is_some() { Top::Multipart } else { Top::Unbounded };
            let mut boundary = found.unwrap_or_default();
            boundary.truncate(limit);
            ContentType { top, boundary, digest: subtype == b"digest" }
        }
        b"message" => {
            let top = match subtype.as_slice() {
                b"rfc822" => Top::Message,
                b"global" => Top::MessageGlobal,
                b"partial" | b"external-body" => Top::Fragment,
                _ => Top::MessageOther,
            };
            ContentType { top, ..ContentType::default() }
        }
        b"text" => ContentType::default(),
        _ => ContentType { top: Top::Other, ..ContentType::default() },
    }
}

/// The `boundary` among the parameters. One of no characters is one too: lines with two dashes and more are boundaries then.
fn boundary(lexer: Lexer<'_>) -> Option<Vec<u8>> {
    let tokens: Vec<Token> = lexer.collect();
    tokens.windows(4).find_map(|window| match window {
        [Token::Special(b';'), Token::Word(name), Token::Special(b'='), value]
            if name.eq_ignore_ascii_case(b"boundary") =>
        {
            match value {
                Token::Word(value) | Token::Quoted(value) => Some(value.clone()),
                Token::Special(b';') => None,
                // What should have been quoted: lines begin with it at least.
                Token::Special(start) => Some(vec![*start]),
            }
        }
        _ => None,
    })
}

/// Reads the value of a `Content-Transfer-Encoding` field. What is unknown says nothing.
#[must_use]
pub fn encoding(value: &[u8]) -> Encoding {
    let Some(Token::Word(word)) = Lexer(value).next() else { return Encoding::Seven };
    match word.to_ascii_lowercase().as_slice() {
        b"8bit" => Encoding::Eight,
        b"binary" => Encoding::Binary,
        b"base64" | b"quoted-printable" => Encoding::Encoded,
        _ => Encoding::Seven,
    }
}

enum Token {
    Word(Vec<u8>),
    /// Stands for itself only where any text may be, and for no name.
    Quoted(Vec<u8>),
    Special(u8),
}

/// RFC 2045 §5.1 tokens; comments and white space are skipped.
struct Lexer<'a>(&'a [u8]);

impl Lexer<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn skip_comment(&mut self) {
        let mut depth = 1usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'\\' => {
                    self.byte();
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut word = Vec::new();
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => break,
                b'\\' => word.extend(self.byte()),
                b'\n' => {}
                _ => word.push(byte),
            }
        }
        word
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let byte = self.byte()?;
            match byte {
                b'(' => self.skip_comment(),
                b'"' => return Some(Token::Quoted(self.quoted())),
                _ if byte.is_ascii_whitespace() => {}
                _ if is_special(byte) => return Some(Token::Special(byte)),
                _ => {
                    let ends = |b: &u8| is_special(*b) || b.is_ascii_whitespace() || matches!(b, b'(' | b'"');
                    let length = self.0.iter().position(ends).unwrap_or(self.0.len());
                    let (word, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    return Some(Token::Word([&[byte], word].concat()));
                }
            }
        }
    }
}

fn is_special(byte: u8) -> bool {
    b")<>@,;:\\/[]?=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_types() {
        for (value, top, boundary) in [
            ("multipart/mixed; boundary=\"ed\\\"ge\"", Top::Multipart, "ed\"ge"),
            ("Multipart/Mixed; charset=x; BOUNDARY=b (c)", Top::Multipart, "b"),
            ("multipart/mixed;\n\tboundary=b1", Top::Multipart, "b1"),
            ("multipart/mixed; boundary==_b", Top::Multipart, "="),
            ("multipart/mixed; boundary=<b>", Top::Multipart, "<"),
            ("multipart/mixed; boundary=; x", Top::Unbounded, ""),
            ("multipart/mixed; boundary=\"\"", Top::Multipart, ""),
            ("multipart/mixed", Top::Unbounded, ""),
            ("multipart; boundary=b", Top::Multipart, "b"),
            ("multipart/\"mixed\"; boundary=b", Top::Multipart, "b"),
            ("multipart/mixed; \"boundary\"=b", Top::Unbounded, ""),
            ("\"multipart\"/mixed; boundary=b", Top::Text, ""),
            ("\"message\"/rfc822", Top::Text, ""),
            ("message/\"rfc822\"", Top::MessageOther, ""),
            ("message/rfc822", Top::Message, ""),
            ("message/global", Top::MessageGlobal, ""),
            ("message/Global", Top::MessageGlobal, ""),
            ("message/partial; id=x", Top::Fragment, ""),
            ("message/external-body", Top::Fragment, ""),
            ("message/news", Top::MessageOther, ""),
            ("text/plain", Top::Text, ""),
            ("", Top::Text, ""),
            ("image/png", Top::Other, ""),
        ] {
            let parsed = content_type(value.as_bytes(), 100);
            assert_eq!((parsed.top, parsed.boundary.as_slice()), (top, boundary.as_bytes()), "{value}");
        }
        assert!(content_type(b"multipart/digest; boundary=b", 9).digest);
        assert_eq!(content_type(b"multipart/mixed; boundary=abcdef", 3).boundary, b"abc");
    }

    #[test]
    fn encodings() {
        for (value, expected) in [
            ("8BIT", Encoding::Eight),
            (" 7bit (x)", Encoding::Seven),
            ("binary", Encoding::Binary),
            ("quoted-printable", Encoding::Encoded),
            ("Base64", Encoding::Encoded),
            ("x-unknown", Encoding::Seven),
            ("", Encoding::Seven),
        ] {
            assert_eq!(encoding(value.as_bytes()), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(value: Vec<u8>) {
            let _ = (content_type(&value, 10), encoding(&value));
        }
    }
}
