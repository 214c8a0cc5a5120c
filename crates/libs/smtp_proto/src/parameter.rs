//! Parameters of MAIL and RCPT, `KEYWORD` or `KEYWORD=VALUE`.
//!
//! This file splits them and understands those of the SMTP family itself (SIZE, BODY); what belongs to DSN is parsed by
//! the `dsn` crate.

use crate::command;

/// One parameter as the client wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// All of it, for the reply that refuses it.
    pub text: &'a [u8],
    /// Before the equals sign.
    pub keyword: &'a [u8],
    /// After the equals sign, if there is one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Parameter<'a> {
    /// Splits at the first equals sign.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Parameter<'a> {
        match memchr::memchr(b'=', text) {
            Some(at) => Parameter { text, keyword: text.get(..at).unwrap_or(text), value: text.get(at + 1..) },
            None => Parameter { text, keyword: text, value: None },
        }
    }

    /// Whether the keyword is this one, in any case.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// The parameters of a list.
pub fn parameters(list: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    command::words(list).map(Parameter::new)
}

/// The value of `SIZE=`. Digits only; more than fits counts as the largest number.
#[must_use]
pub fn size(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(value).ok()?.parse().unwrap_or(u64::MAX))
}

/// The value of `BODY=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

impl Body {
    /// The known values, in any case.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Body> {
        [Body::SevenBit, Body::EightBitMime].into_iter().find(|body| value.eq_ignore_ascii_case(body.name().as_bytes()))
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Body::SevenBit => "7BIT",
            Body::EightBitMime => "8BITMIME",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split() {
        let list: Vec<_> = parameters(b"SIZE=10  smtputf8 X=a=b").collect();
        assert_eq!(list.len(), 3);
        assert!(list[0].is("size") && list[0].value == Some(b"10"));
        assert!(list[1].is("SMTPUTF8") && list[1].value.is_none());
        assert_eq!(list[2].value, Some(&b"a=b"[..]));
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("123", Some(123)),
            ("99999999999999999999", Some(u64::MAX)),
            ("999999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("x", None),
            ("-1", None),
            ("1k", None),
        ] {
            assert_eq!(size(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(Body::parse(b"8bitmime"), Some(Body::EightBitMime));
        assert_eq!(Body::parse(b"BINARYMIME"), None);
    }
}
