//! Bytes of strangers as text for logs and replies.

use std::borrow::Cow;
use std::net::IpAddr;

pub(crate) use smtp_proto::command::is_header;
pub(crate) use smtp_proto::{escaped, printable};

/// An address in its external form, with quotes where they are needed.
pub(crate) fn external(address: &[u8]) -> Cow<'_, str> {
    match address::quote::quote(address) {
        Cow::Borrowed(plain) => printable(plain),
        Cow::Owned(quoted) => Cow::Owned(printable(&quoted).into_owned()),
    }
}

/// An address in its internal form, as replies tell it: a control character is a space.
pub(crate) fn told(address: &[u8]) -> Cow<'_, str> {
    if address.iter().any(u8::is_ascii_control) {
        let spaced: Vec<u8> = address.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }).collect();
        return Cow::Owned(printable(&spaced).into_owned());
    }
    printable(address)
}

/// The parts of an address before and behind its last `@`.
pub(crate) fn parted(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
}

/// An IP address as text.
pub(crate) fn address_text(ip: IpAddr) -> String {
    match ip {
        // Much the quicker way, and there are two in every session.
        IpAddr::V4(ip) => ip.octets().map(|octet| octet.to_string()).join("."),
        IpAddr::V6(ip) => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(told(b"a\x01b\x7f@c\xff"), "a b @c?");
        assert_eq!(told(b"a b@c"), "a b@c");
    }
}
