//! The address type, and the sender, which may be nobody.

use std::borrow::Cow;
use std::fmt;

use crate::quote;

/// An address in internal (unquoted) form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Address(Vec<u8>);

impl Address {
    /// An address from its internal form.
    #[must_use]
    pub fn new(internal: impl Into<Vec<u8>>) -> Self {
        Self(internal.into())
    }

    /// An address from its external form: quotes and backslashes of the local part are undone.
    #[must_use]
    pub fn from_external(external: &[u8]) -> Self {
        Self(quote::unquote(external))
    }

    /// An address from its two parts, in internal form.
    #[must_use]
    pub fn from_parts(local: &[u8], domain: &[u8]) -> Self {
        Self([local, b"@", domain].concat())
    }

    /// The internal form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The internal form, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Whether there is nothing at all: the null address `<>`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands before the last `@`; all of it when there is none.
    #[must_use]
    pub fn local_part(&self) -> &[u8] {
        split_domain(&self.0).0
    }

    /// What stands after the last `@`, if there is one. May be empty.
    #[must_use]
    pub fn domain(&self) -> Option<&[u8]> {
        split_domain(&self.0).1
    }

    /// The same local part at another domain.
    #[must_use]
    pub fn at(&self, domain: &[u8]) -> Self {
        Self::from_parts(self.local_part(), domain)
    }

    /// The same with more at the end of its local part: a delimiter and an extension.
    #[must_use]
    pub fn extended(&self, suffix: &[u8]) -> Self {
        let local = [self.local_part(), suffix].concat();
        match self.domain() {
            Some(domain) => Self::from_parts(&local, domain),
            None => Self(local),
        }
    }

    /// The external form: the local part quoted where it must be.
    #[must_use]
    pub fn external(&self) -> Vec<u8> {
        quote::quote(&self.0).into_owned()
    }

    /// The form under which duplicates are recognised and tables are searched: in lower case.
    #[must_use]
    pub fn folded(&self) -> Vec<u8> {
        fold(&self.0)
    }

    /// Whether all of it is ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// Whether it is one of RFC 6531: UTF-8 with more than ASCII. Octets in another encoding are no such address.
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.0.is_ascii() && str::from_utf8(&self.0).is_ok()
    }
}

impl fmt::Display for Address {
    /// As [`shown`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl From<&str> for Address {
    fn from(internal: &str) -> Self {
        Self::new(internal)
    }
}

impl From<String> for Address {
    fn from(internal: String) -> Self {
        Self::new(internal)
    }
}

impl From<&[u8]> for Address {
    fn from(internal: &[u8]) -> Self {
        Self::new(internal)
    }
}

impl From<Vec<u8>> for Address {
    fn from(internal: Vec<u8>) -> Self {
        Self(internal)
    }
}

impl AsRef<[u8]> for Address {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Who sent a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Sender {
    /// `<>`: nobody wants to hear of failures.
    #[default]
    Null,
    /// Somebody.
    Mailbox(Address),
}

impl Sender {
    /// A sender from its internal form; the empty one is the null sender.
    #[must_use]
    pub fn new(internal: impl Into<Vec<u8>>) -> Self {
        let internal = internal.into();
        if internal.is_empty() { Self::Null } else { Self::Mailbox(Address(internal)) }
    }

    /// The internal form; empty for the null sender.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Null => b"",
            Self::Mailbox(address) => address.as_bytes(),
        }
    }

    /// The external form; empty for the null sender.
    #[must_use]
    pub fn external(&self) -> Vec<u8> {
        match self {
            Self::Null => Vec::new(),
            Self::Mailbox(address) => address.external(),
        }
    }

    /// The address, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Mailbox(address) => Some(address),
        }
    }

    /// Whether this is the null sender.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Mailbox(address) => address.fmt(f),
        }
    }
}

/// Whether a program that is started for an address might take it for an option; refused without `allow_min_user`.
#[must_use]
pub fn looks_like_option(internal: &[u8]) -> bool {
    internal.starts_with(b"-")
}

/// Splits an internal form at its last `@`.
#[must_use]
pub(crate) fn split_domain(internal: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memrchr(b'@', internal).and_then(|at| internal.split_at_checked(at)) {
        Some((local, rest)) => (local, rest.get(1..)),
        None => (internal, None),
    }
}

/// Lower case, of Unicode too where the bytes are UTF-8.
pub(crate) fn fold(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_ascii() {
        return bytes.to_ascii_lowercase();
    }
    std::str::from_utf8(bytes).map_or_else(|_| bytes.to_ascii_lowercase(), |text| text.to_lowercase().into_bytes())
}

/// The external form of an address in internal form, as logs show it: what is not printable becomes `?`.
#[must_use]
pub fn shown(internal: &[u8]) -> Cow<'_, str> {
    match quote::quote(internal) {
        Cow::Borrowed(external) => printable(external),
        Cow::Owned(external) => Cow::Owned(printable(&external).into_owned()),
    }
}

/// Bytes that a peer chose: valid UTF-8 as it is, the rest and control characters as `?`.
#[must_use]
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    let has_control = |text: &str| {
        // Nearly all are ASCII, which is looked through quicker.
        if text.is_ascii() { bytes.iter().any(u8::is_ascii_control) } else { text.contains(char::is_control) }
    };
    if let Ok(text) = std::str::from_utf8(bytes)
        && !has_control(text)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().chars().map(|character| if character.is_control() { '?' } else { character }));
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn extensions_go_behind_the_user() {
        assert_eq!(Address::from("a@b").extended(b"+x"), Address::from("a+x@b"));
        assert_eq!(Address::from("a").extended(b"+x"), Address::from("a+x"));
    }

    proptest! {
        #[test]
        fn addresses_are_shown_without_control_characters(address in "[a-c.@ \"\\x01\x7f\u{85}\u{f6}]{0,9}") {
            let external = String::from_utf8(quote::quote(address.as_bytes()).into_owned()).unwrap();
            let expected = external.replace(char::is_control, "?");
            prop_assert_eq!(shown(address.as_bytes()), expected.as_str());
            prop_assert_eq!(Address::from(&*address).to_string(), expected);
        }
    }

    #[test]
    fn the_last_at_divides() {
        for (internal, local, domain) in [
            ("user@example.com", "user", Some("example.com")),
            ("a@b@c", "a@b", Some("c")),
            ("user", "user", None),
            ("user@", "user", Some("")),
            ("", "", None),
        ] {
            let address = Address::from(internal);
            assert_eq!(address.local_part(), local.as_bytes());
            assert_eq!(address.domain(), domain.map(str::as_bytes));
        }
    }

    #[test]
    fn logs_show_the_external_form_without_control_characters() {
        for (internal, shown) in [
            (&b"user@example.com"[..], "user@example.com"),
            (b"two words@x", "\"two words\"@x"),
            (b"a\x07b@x", "\"a?b\"@x"),
            (b"\xff@x", "?@x"),
            ("j\u{f6}rg@x".as_bytes(), "j\u{f6}rg@x"),
            (b"", ""),
        ] {
            assert_eq!(Address::from(internal).to_string(), shown);
        }
    }

    #[test]
    fn the_empty_sender_is_null() {
        assert!(Sender::new("").is_null());
        assert_eq!(Sender::new("a@b").to_string(), "a@b");
        assert_eq!(Sender::Null.to_string(), "");
    }

    proptest! {
        #[test]
        fn external_and_back_is_the_same(internal: Vec<u8>) {
            let address = Address::new(internal);
            prop_assert_eq!(Address::from_external(&address.external()), address);
        }
    }
}
