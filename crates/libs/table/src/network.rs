//! Networks in `address/length` form, as in `mynetworks` and `cidr:` tables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that share the leading bits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// Reads `address`, `address/length`, `[address]` or `[address]/length`.
    ///
    /// # Errors
    ///
    /// What is wrong, in Postfix's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = without_brackets(text)?;
        let Some((address, mask)) = plain.split_once('/') else {
            let address: IpAddr = plain.parse().map_err(|_| format!("bad address pattern: \"{plain}\""))?;
            return Ok(Self { address, length: bits(address) });
        };
        if mask.is_empty() || !mask.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("bad mask value in \"{plain}\""));
        }
        let most = if address.contains(':') { 128 } else { 32 };
        let length = mask.parse().ok().filter(|length| *length <= most);
        let length = length.ok_or_else(|| format!("bad mask length in \"{plain}\""))?;
        let address: IpAddr = address.parse().map_err(|_| format!("bad network value in \"{plain}\""))?;
        let network = first_address(address, length);
        if network != address {
            return Err(format!(
                "non-null host address bits in \"{plain}\", perhaps you should use \"{network}/{length}\" instead"
            ));
        }
        Ok(Self { address, length })
    }

    /// The addresses that share so many leading bits with this one.
    pub fn around(address: IpAddr, length: u8) -> Self {
        Self { address: first_address(address, length), length }
    }

    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && first_address(address, self.length) == self.address
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    pub fn length(&self) -> u8 {
        self.length
    }
}

/// The address with all but its leading bits cleared.
fn first_address(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn without_brackets(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('[') else {
        return Ok(text.to_owned());
    };
    let Some((address, after)) = rest.split_once(']') else {
        return Err(format!("missing ']' character after \"{text}\""));
    };
    if !after.is_empty() && !after.starts_with('/') {
        return Err(format!("garbage after \"[{address}]\""));
    }
    Ok(format!("{address}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_contain_their_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("1.2.3.4", "1.2.3.4", "1.2.3.5"),
            ("[::1]", "::1", "::2"),
            ("[2001:db8::]/32", "2001:DB8:1::", "2001:db9::"),
            ("::/0", "fe80::1", "127.0.0.1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network:?}");
            assert!(!network.contains(outside.parse().unwrap()), "{network:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("172.16.0.0/33", "bad mask length in \"172.16.0.0/33\""),
            ("1.2.3", "bad address pattern: \"1.2.3\""),
            ("[1.2.3.4", "missing ']' character after \"[1.2.3.4\""),
            ("1.2.3.4/x", "bad mask value in \"1.2.3.4/x\""),
            ("1.2.3.4/", "bad mask value in \"1.2.3.4/\""),
            ("x/8", "bad network value in \"x/8\""),
            ("[::1]x", "garbage after \"[::1]\""),
            (
                "10.0.1.1/24",
                "non-null host address bits in \"10.0.1.1/24\", perhaps you should use \"10.0.1.0/24\" instead",
            ),
        ] {
            assert_eq!(Network::parse(text), Err(expected.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,40}") {
            let _ = Network::parse(&text);
        }
    }
}
