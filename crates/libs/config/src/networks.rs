//! The default of mynetworks, from the addresses of this host.

use crate::host::Interface;
use crate::value::words;
use std::net::IpAddr;

/// How much of a network around each own address is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// The address itself.
    Host,
    /// The network that the interface is on.
    Subnet,
    /// The whole class A, B or C network.
    Class,
}

impl Style {
    /// The one style that a list names, or what is wrong with the list.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let styles = words(list).into_iter().map(|word| match word.as_str() {
            "host" => Ok(Self::Host),
            "subnet" => Ok(Self::Subnet),
            "class" => Ok(Self::Class),
            _ => Err(format!("unknown mynetworks mask style value \"{word}\" in \"{list}\"")),
        });
        match styles.collect::<Result<Vec<_>, _>>()?.as_slice() {
            [style] => Ok(*style),
            _ => Err(format!("bad mynetworks_style value: {list}; specify exactly one value")),
        }
    }
}

/// The patterns, in the order of the addresses.
pub(crate) fn patterns(interfaces: &[Interface], style: Style) -> String {
    let mut sorted = interfaces.to_vec();
    sorted.sort_by_key(|interface| interface.address);
    let mut patterns: Vec<String> = Vec::new();
    for interface in &sorted {
        let pattern = pattern(interface, style);
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    patterns.join(" ")
}

fn pattern(interface: &Interface, style: Style) -> String {
    match interface.address {
        IpAddr::V4(address) => {
            let length = match style {
                Style::Host => 32,
                Style::Subnet => interface.prefix.min(32),
                Style::Class => class_length(address.octets()[0]),
            };
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let network = std::net::Ipv4Addr::from(u32::from(address) & mask);
            format!("{network}/{length}")
        }
        IpAddr::V6(address) => {
            let length = if style == Style::Host { 128 } else { interface.prefix.min(128) };
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            let network = std::net::Ipv6Addr::from(u128::from(address) & mask);
            format!("[{network}]/{length}")
        }
    }
}

fn class_length(first: u8) -> u32 {
    match first {
        0..=127 => 8,
        128..=191 => 16,
        192..=223 => 24,
        224..=255 => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_follow_the_style() {
        let interface = |address: &str, prefix| Interface { address: address.parse().unwrap(), prefix };
        let all = [
            interface("192.0.2.7", 25),
            interface("127.0.0.1", 8),
            interface("::1", 128),
            interface("fd00::5", 64),
            interface("192.0.2.8", 25),
        ];
        let table = [
            (Style::Subnet, "127.0.0.0/8 192.0.2.0/25 [::1]/128 [fd00::]/64"),
            (Style::Host, "127.0.0.1/32 192.0.2.7/32 192.0.2.8/32 [::1]/128 [fd00::5]/128"),
            (Style::Class, "127.0.0.0/8 192.0.2.0/24 [::1]/128 [fd00::]/64"),
        ];
        for (style, expected) in table {
            assert_eq!(patterns(&all, style), expected);
        }
    }
}
