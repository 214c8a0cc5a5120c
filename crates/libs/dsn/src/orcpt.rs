//! `ORCPT`, RFC 3461 §4.2: the recipient that the first sender named.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, uxtext, xtext};

/// An address type and an address, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OriginalRecipient {
    kind: String,
    address: Vec<u8>,
}

impl OriginalRecipient {
    /// `rfc822;` and an address in external form.
    #[must_use]
    pub fn rfc822(external: &[u8]) -> Self {
        Self { kind: "rfc822".to_owned(), address: external.to_vec() }
    }

    /// `utf-8;` and an address in external form (RFC 6533).
    #[must_use]
    pub fn utf8(external: &[u8]) -> Self {
        Self { kind: "utf-8".to_owned(), address: external.to_vec() }
    }

    /// Parses the value of `ORCPT=`: the type is an atom, the address xtext, or uxtext for UTF-8 (RFC 6533).
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let original = Self::parse_decoded(text)?;
        let decode = if original.is_utf8() { uxtext::decode } else { xtext::decode };
        let address = decode(&original.address)?;
        if address.iter().any(|&b| b < b' ' || b == 127) {
            return Err(Error::OriginalRecipient);
        }
        Ok(Self { address, ..original })
    }

    /// Parses `type;address` as queue files keep it, the address decoded.
    pub fn parse_decoded(text: &[u8]) -> Result<Self, Error> {
        let at = text.iter().position(|&b| b == b';').ok_or(Error::OriginalRecipient)?;
        let (kind, address) = text.split_at(at);
        let kind = std::str::from_utf8(kind).map_err(|_| Error::OriginalRecipient)?;
        let is_atom = |b: u8| b.is_ascii_alphanumeric() || b"-_!#$%&'*+/=?^`{|}~".contains(&b);
        if kind.is_empty() || !kind.bytes().all(is_atom) {
            return Err(Error::OriginalRecipient);
        }
        Ok(Self { kind: kind.to_owned(), address: address.iter().skip(1).copied().collect() })
    }

    fn is_utf8(&self) -> bool {
        self.kind.eq_ignore_ascii_case("utf-8")
    }

    /// The address type, as given.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The address in external form.
    #[must_use]
    pub fn address(&self) -> &[u8] {
        &self.address
    }

    /// `type;address`, decoded, as in a queue file.
    #[must_use]
    pub fn decoded(&self) -> Vec<u8> {
        [self.kind.as_bytes(), b";", &self.address].concat()
    }
}

impl fmt::Display for OriginalRecipient {
    /// As it follows `ORCPT=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = if self.is_utf8() { uxtext::encode } else { xtext::encode };
        write!(f, "{};{}", self.kind, encode(&self.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_decoded() {
        let original = OriginalRecipient::parse(b"rfc822;a+2Bb@example.com").unwrap();
        assert_eq!((original.kind(), original.address()), ("rfc822", &b"a+b@example.com"[..]));
        assert_eq!(original.to_string(), "rfc822;a+2Bb@example.com");
        assert_eq!(original.decoded(), b"rfc822;a+b@example.com");
        assert_eq!(OriginalRecipient::parse(b"rfc822;").unwrap().address(), b"");
        let original = OriginalRecipient::parse(b"UTF-8;\\x{e4}+@b").unwrap();
        assert_eq!(original.decoded(), "UTF-8;ä+@b".as_bytes());
        assert_eq!(original.to_string(), r"UTF-8;\x{E4}\x{2B}@b");
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            &b"rfc822"[..],
            b";a@b",
            b"utf-8;a\\x{zz}@b",
            b"utf-8;\\x{110000}",
            b"rf c822;a@b",
            b"rfc822;a+2",
            b"rfc822;a+0Ab",
        ] {
            assert!(OriginalRecipient::parse(text).is_err(), "{text:?}");
        }
    }
}
