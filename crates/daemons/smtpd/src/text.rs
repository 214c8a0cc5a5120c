//! Bytes of strangers as text for logs and replies.

use std::borrow::Cow;
use std::net::IpAddr;

pub(crate) use smtp_proto::{escaped, printable};

/// An address in its external form, with quotes where they are needed.
pub(crate) fn external(address: &[u8]) -> Cow<'_, str> {
    match address::quote::quote(address) {
        Cow::Borrowed(plain) => printable(plain),
        Cow::Owned(quoted) => Cow::Owned(printable(&quoted).into_owned()),
    }
}

/// An IP address as text.
pub(crate) fn address_text(ip: IpAddr) -> String {
    match ip {
        // Much the quicker way, and there are two in every session.
        IpAddr::V4(ip) => ip.octets().map(|octet| octet.to_string()).join("."),
        IpAddr::V6(ip) => ip.to_string(),
    }
}

/// `smtpd_expansion_filter`: which bytes a value may bring into a reply. It is written with C escapes.
#[derive(Debug)]
pub(crate) struct ExpansionFilter([bool; 256]);

impl ExpansionFilter {
    pub(crate) fn parse(text: &str) -> ExpansionFilter {
        let mut kept = [false; 256];
        for byte in config::value::unescaped(text) {
            if let Some(entry) = kept.get_mut(usize::from(byte)) {
                *entry = true;
            }
        }
        ExpansionFilter(kept)
    }

    /// A value; other bytes become underscores.
    pub(crate) fn apply<'v>(&self, value: Cow<'v, str>) -> Cow<'v, str> {
        let keeps = |byte: u8| self.0.get(usize::from(byte)).is_some_and(|kept| *kept);
        if value.bytes().all(keeps) {
            return value;
        }
        let kept: Vec<u8> = value.bytes().map(|byte| if keeps(byte) { byte } else { b'_' }).collect();
        Cow::Owned(String::from_utf8_lossy(&kept).into_owned())
    }
}

/// Whether a line that begins with this word looks like a header field: what browsers send, for one, that are made to talk to
/// port 25.
pub(crate) fn is_header(word: &[u8]) -> bool {
    let Some(colon) = word.iter().position(|byte| *byte == b':') else { return false };
    let name = word.get(..colon).unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_from_commands() {
        for (line, expected) in [("Host:", true), ("X-Y:z", true), ("Host", false), (":", false), ("", false)] {
            assert_eq!(is_header(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn addresses_are_as_the_library_prints_them() {
        for ip in ["0.0.0.0", "192.0.2.10", "255.255.255.255", "2001:db8::1", "::"] {
            assert_eq!(address_text(ip.parse().unwrap()), ip);
        }
    }

    #[test]
    fn nothing_unprintable_is_shown() {
        assert_eq!(printable(b"a\r\nb\xff"), "a??b?");
        assert_eq!(printable("grün".as_bytes()), "grün");
        assert_eq!(external(b"a b@c"), "\"a b\"@c");
    }

    #[test]
    fn values_keep_what_the_filter_has() {
        let filter = ExpansionFilter::parse("ab\\40\\t\\\\]");
        assert_eq!(filter.apply("a b\t\\]".into()), "a b\t\\]");
        assert_eq!(filter.apply("c a$40\u{e9}".into()), "_ a_____");
        let source = config::Source::parse(std::path::Path::new("/nonexistent"), "").unwrap();
        let access: config::params::SmtpdAccess = source.get().unwrap();
        let printable: String = (b' '..0x7f).map(char::from).collect();
        assert_eq!(ExpansionFilter::parse(&access.smtpd_expansion_filter).apply(printable.as_str().into()), printable);
    }
}
