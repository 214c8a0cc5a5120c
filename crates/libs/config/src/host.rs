//! What only this host knows: its name and its addresses.

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};

/// An address of this host and the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u32,
}

/// The name of this host as the kernel has it.
#[must_use]
pub fn name() -> String {
    match nix::unistd::gethostname() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => String::from("localhost"),
    }
}

/// All addresses of interfaces that are up, of the protocols that `inet_protocols` allows.
pub(crate) fn interfaces(protocols: &str) -> Vec<Interface> {
    let all = protocols.split([',', ' ']).any(|word| word.eq_ignore_ascii_case("all"));
    let allows = |name: &str| all || protocols.split([',', ' ']).any(|word| word == name);
    let (v4, v6) = (allows("ipv4"), allows("ipv6"));
    let Ok(addresses) = getifaddrs() else {
        return Vec::new();
    };
    addresses
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = address(interface.address.as_ref()?)?;
            let mask = interface.netmask.as_ref().and_then(self::address);
            Some(Interface { address, prefix: mask.map_or(full_length(address), ones) })
        })
        .filter(|interface| if interface.address.is_ipv4() { v4 } else { v6 })
        .collect()
}

/// The addresses that stand for all, of the protocols that `inet_protocols` allows.
pub(crate) fn wildcards(protocols: &str) -> Vec<IpAddr> {
    let allows = |name| protocols.split([',', ' ']).any(|word| word.eq_ignore_ascii_case("all") || word == name);
    let v4 = allows("ipv4").then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let v6 = allows("ipv6").then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    v4.into_iter().chain(v6).collect()
}

/// Whether the kernel knows the protocol of an address.
pub(crate) fn is_supported(wildcard: &IpAddr) -> bool {
    let refused = UdpSocket::bind((*wildcard, 0)).err().and_then(|error| error.raw_os_error());
    refused != Some(Errno::EAFNOSUPPORT as i32)
}

/// The interfaces that `inet_interfaces` names.
pub(crate) fn chosen(all: &[Interface], inet_interfaces: &str) -> Vec<Interface> {
    let mut chosen = Vec::new();
    for word in inet_interfaces.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
        match word {
            _ if word.eq_ignore_ascii_case("all") => chosen.extend_from_slice(all),
            _ if word.eq_ignore_ascii_case("loopback-only") => {
                chosen.extend(all.iter().filter(|one| one.address.is_loopback()));
            }
            _ => chosen.extend(named(all, word)),
        }
    }
    chosen
}

/// What is wrong with a list of `inet_interfaces`, whose words stand for addresses of this host.
pub(crate) fn stray(all: &[Interface], protocols: &str, inet_interfaces: &str) -> Option<String> {
    let names = inet_interfaces.trim();
    if matches!(names, "all" | "loopback-only") || all.is_empty() {
        return None;
    }
    let spoken = wildcards(protocols);
    for word in names.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()) {
        let usable = |address: &IpAddr| spoken.iter().any(|one| one.is_ipv4() == address.is_ipv4());
        let addresses: Vec<IpAddr> = resolved(word).into_iter().filter(usable).collect();
        if addresses.is_empty() {
            return Some(format!("config variable inet_interfaces: host not found: {word}"));
        }
        if let Some(foreign) = addresses.iter().find(|address| !all.iter().any(|one| one.address == **address)) {
            return Some(format!("parameter inet_interfaces: no local interface found for {foreign}"));
        }
    }
    None
}

/// The addresses of a name, or the one that it is.
fn resolved(word: &str) -> Vec<IpAddr> {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(address) => vec![address],
        Err(_) => match (bare, 0).to_socket_addrs() {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        },
    }
}

fn named(all: &[Interface], word: &str) -> Vec<Interface> {
    let known = |address: IpAddr| all.iter().find(|one| one.address == address).copied();
    resolved(word)
        .into_iter()
        .map(|address| known(address).unwrap_or(Interface { address, prefix: full_length(address) }))
        .collect()
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

fn ones(mask: IpAddr) -> u32 {
    match mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones(),
        IpAddr::V6(mask) => u128::from(mask).leading_ones(),
    }
}

fn full_length(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_addresses_of_this_host() {
        let interface = |address: &str| Interface { address: address.parse().unwrap(), prefix: 8 };
        let all = [interface("127.0.0.1"), interface("192.0.2.7"), interface("::1")];
        let foreign = |address| Some(format!("parameter inet_interfaces: no local interface found for {address}"));
        let unknown = |name| Some(format!("config variable inet_interfaces: host not found: {name}"));
        for (names, protocols, expected) in [
            ("all", "ipv4", None),
            ("loopback-only", "ipv4", None),
            ("", "ipv4", None),
            ("127.0.0.1, [192.0.2.7]", "ipv4", None),
            ("127.0.0.1 [::1]", "all", None),
            ("127.0.0.1 [::1]", "ipv4", unknown("[::1]")),
            ("127.0.0.1,192.0.2.8", "ipv4, ipv6", foreign("192.0.2.8")),
            ("ALL", "ipv4", unknown("ALL")),
            ("127.0.0.1:25", "ipv4", unknown("127.0.0.1:25")),
        ] {
            assert_eq!(stray(&all, protocols, names), expected, "{names}");
        }
        assert_eq!(stray(&[], "ipv4", "192.0.2.8"), None);
    }
}
