//! Domains: literals, host names, and the two spellings of an internationalised name.

use std::net::{IpAddr, Ipv4Addr};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Longest host name, RFC 1035 §2.3.4.
const HOSTNAME_LIMIT: usize = 255;
/// Longest label of a host name.
const LABEL_LIMIT: usize = 63;

/// The address within `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
#[must_use]
pub fn literal(domain: &[u8]) -> Option<IpAddr> {
    let inner = domain.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let text = std::str::from_utf8(inner).ok()?;
    match text.split_at_checked(5) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("IPv6:") => rest.parse().map(IpAddr::V6).ok(),
        Some(_) | None => ipv4(text).map(IpAddr::V4),
    }
}

/// An IPv4 address, whose numbers may have zeros in front: `192.168.001.002`, as some devices introduce themselves.
#[must_use]
pub fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut numbers = text.split('.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        *octet = numbers.next().filter(|number| number.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    }
    numbers.next().is_none().then(|| octets.into())
}

/// Whether a name can be a host's: labels of letters, digits, `-` and `_`, not all digits, no label beginning or ending with `-`.
#[must_use]
pub fn is_hostname(name: &[u8]) -> bool {
    is_of_labels(name, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether a name can be a host's that somebody wrote: in letters of any script, and with a final dot or without.
#[must_use]
pub fn is_written_hostname(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || !byte.is_ascii();
    is_of_labels(name.strip_suffix('.').unwrap_or(name).as_bytes(), is_letter)
}

fn is_of_labels(name: &[u8], is_letter: impl Fn(u8) -> bool) -> bool {
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.len() <= LABEL_LIMIT
            && label.iter().all(|byte| is_letter(*byte))
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    };
    name.len() <= HOSTNAME_LIMIT && !is_numeric(name) && name.split(|&b| b == b'.').all(is_label)
}

/// Whether a name is all digits and dots, as `192.0.2.1`.
#[must_use]
pub fn is_numeric(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| b.is_ascii_digit() || b == b'.')
}

/// The spelling for the DNS (`xn--…`), by UTS #46 without transitional mapping. `None` if there is none.
#[must_use]
pub fn to_ascii(domain: &[u8]) -> Option<String> {
    if domain.is_ascii() {
        return std::str::from_utf8(domain).ok().map(str::to_owned);
    }
    let ascii = Uts46::new().to_ascii(domain, AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::VerifyAllowRootDot);
    ascii.ok().map(std::borrow::Cow::into_owned)
}

/// The spelling for people. `None` if the name is no valid one.
#[must_use]
pub fn to_utf8(domain: &[u8]) -> Option<String> {
    let (name, result) = Uts46::new().to_unicode(domain, AsciiDenyList::EMPTY, Hyphens::Allow);
    result.ok().map(|()| name.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_hold_addresses() {
        for (domain, address) in [
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("[ipv6:::1]", Some("::1")),
            ("[2001:db8::1]", None),
            ("[192.000.02.1]", Some("192.0.2.1")),
            ("[192.0.2]", None),
            ("[192.0.2.1.]", None),
            ("[192.0.2.256]", None),
            ("[192.0.2.+1]", None),
            ("[192.0..1]", None),
            ("192.0.2.1", None),
            ("[", None),
        ] {
            assert_eq!(literal(domain.as_bytes()), address.map(|a| a.parse().unwrap()), "{domain}");
        }
    }

    #[test]
    fn hostnames() {
        let long = "a".repeat(64);
        for (name, valid) in [
            ("example.com", true),
            ("a_b.example", true),
            ("1.2.3.4", false),
            ("1.2.3.x", true),
            ("-a.b", false),
            ("a-.b", false),
            ("a..b", false),
            ("a.", false),
            ("", false),
            (&long, false),
        ] {
            assert_eq!(is_hostname(name.as_bytes()), valid, "{name}");
        }
    }

    #[test]
    fn written_hostnames() {
        for (name, valid) in [
            ("example.org", true),
            ("_dmarc.example.org", true),
            ("a-b.test.", true),
            ("b\u{fc}cher.test", true),
            ("", false),
            (".", false),
            ("a..b", false),
            (".a", false),
            ("-a.test", false),
            ("a-.test", false),
            ("a b.test", false),
            ("1.2.3.4", false),
            ("1.2.3.4.", false),
            ("12345", false),
            ("a/b.test", false),
        ] {
            assert_eq!(is_written_hostname(name), valid, "{name}");
        }
        assert!(!is_written_hostname(&"a".repeat(64)));
        assert!(!is_written_hostname(&"abc.".repeat(70)));
    }

    #[test]
    fn international_names_have_two_spellings() {
        let name = "b\u{fc}cher.example".as_bytes();
        assert_eq!(to_ascii(name).as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(to_utf8(b"xn--bcher-kva.example").unwrap().as_bytes(), name);
        assert_eq!(to_ascii(b"Example.COM").as_deref(), Some("Example.COM"));
        assert_eq!(to_ascii(b"a\xff.example"), None);
    }

    proptest! {
        #[test]
        fn no_name_panics(name: Vec<u8>) {
            let _ = (literal(&name), is_hostname(&name), to_ascii(&name), to_utf8(&name));
        }
    }
}
