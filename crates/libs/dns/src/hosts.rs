//! The hosts file, asked before the DNS in native lookups.

use std::collections::HashMap;
use std::net::IpAddr;

/// Names and addresses of a hosts file.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    addresses: HashMap<String, Vec<IpAddr>>,
    names: HashMap<IpAddr, String>,
}

impl Hosts {
    /// Reads the text of a hosts file; lines that are not `address name...` are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            hosts.line(line.split('#').next().unwrap_or_default());
        }
        hosts
    }

    /// The addresses of a name.
    #[must_use]
    pub fn addresses(&self, name: &str) -> &[IpAddr] {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        self.addresses.get(&name).map_or(&[], Vec::as_slice)
    }

    /// The canonical name of an address: the first of its first line.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    fn line(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { return };
        for name in words {
            self.names.entry(address).or_insert_with(|| name.to_owned());
            let known = self.addresses.entry(name.to_ascii_lowercase()).or_default();
            if !known.contains(&address) {
                known.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_collect_addresses_and_the_first_name_is_canonical() {
        let hosts = Hosts::parse("127.0.0.1 localhost loop # x\n::1 localhost\n10.0.0.1 Mail.Test mail\nbad x\n");
        assert_eq!(hosts.addresses("LOCALHOST").len(), 2);
        assert_eq!(hosts.name("10.0.0.1".parse().unwrap()), Some("Mail.Test"));
        assert_eq!(hosts.addresses("mail.test"), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        assert!(hosts.addresses("x").is_empty());
    }
}
