//! Which addresses in the answer of a list in the DNS count: `reject_rbl_client` and `postscreen_dnsbl_sites` know such filters.

use std::net::Ipv4Addr;

/// `127.0.[0;1].[2..11]`: four sets of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern([Vec<(u8, u8)>; 4]);

impl AddressPattern {
    /// Reads a pattern; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut octets: [Vec<(u8, u8)>; 4] = Default::default();
        let mut rest = text;
        for (at, octet) in octets.iter_mut().enumerate() {
            if at > 0 {
                rest = rest.strip_prefix('.')?;
            }
            let part;
            (part, rest) = match rest.strip_prefix('[') {
                Some(inner) => inner.split_once(']')?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            for range in part.split(';') {
                let (first, last) = range.split_once("..").unwrap_or((range, range));
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                if first > last {
                    return None;
                }
                octet.push((first, last));
            }
        }
        rest.is_empty().then_some(Self(octets))
    }

    /// Whether an address is one of those.
    #[must_use]
    pub fn matches(&self, address: Ipv4Addr) -> bool {
        self.0
            .iter()
            .zip(address.octets())
            .all(|(ranges, octet)| ranges.iter().any(|(first, last)| (*first..=*last).contains(&octet)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_sets_are_known() {
        let pattern = AddressPattern::parse("127.0.[0;2].[2..11;20]").unwrap();
        for (address, expected) in
            [("127.0.0.2", true), ("127.0.2.20", true), ("127.0.1.2", false), ("127.0.0.12", false)]
        {
            assert_eq!(pattern.matches(address.parse().unwrap()), expected, "{address}");
        }
        for bad in ["127.0.0", "127.0.0.1.2", "127.0.0.[1", "127.0.0.[4..2]", "127.0.0.256", "", "127.0.0.1x"] {
            assert!(AddressPattern::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "[0-9.;\\[\\]]{0,40}") {
            let _ = AddressPattern::parse(&text);
        }
    }
}
