//! Port numbers of service names: those of `known_tcp_ports`, then the system's list, which is read before a jail.

use std::collections::HashMap;

/// Used where neither names them.
const WELL_KNOWN: [(&str, u16); 6] =
    [("smtp", 25), ("lmtp", 24), ("submission", 587), ("submissions", 465), ("smtps", 465), ("qmqp", 628)];
const SYSTEM_LIST: &str = "/etc/services";

/// Names of TCP ports.
#[derive(Debug, Clone, Default)]
pub struct Services(HashMap<String, u16>);

impl Services {
    /// The names that the system knows, and those of `known_tcp_ports`.
    #[must_use]
    pub fn system(known_tcp_ports: &str) -> Self {
        Self::parse(known_tcp_ports, &std::fs::read_to_string(SYSTEM_LIST).unwrap_or_default())
    }

    /// The same, from the text of an `/etc/services`.
    #[must_use]
    pub fn parse(known_tcp_ports: &str, text: &str) -> Self {
        let mut ports: HashMap<_, _> = WELL_KNOWN.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
            for name in std::iter::once(name).chain(words) {
                ports.insert(name.to_owned(), port);
            }
        }
        for group in crate::value::words(known_tcp_ports) {
            let mut names: Vec<_> = group.split('=').collect();
            let Some(port) = names.pop().and_then(|port| port.parse().ok()) else { continue };
            ports.extend(names.into_iter().map(|name| (name.to_owned(), port)));
        }
        Self(ports)
    }

    /// The port of a number or name.
    #[must_use]
    pub fn port(&self, service: &str) -> Option<u16> {
        service.parse().ok().filter(|port| *port != 0).or_else(|| self.0.get(service).copied())
    }
}

/// The port of a number or name, for those who have to know one.
#[must_use]
pub fn port(service: &str, known_tcp_ports: &str) -> Option<u16> {
    service.parse().ok().or_else(|| Services::system(known_tcp_ports).port(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let services = Services::parse("own=two=2626, bad=x", "smtp 25/tcp mail\nodd 9/udp\nown 2525/tcp # x\n");
        for (name, port) in [
            ("smtp", Some(25)),
            ("mail", Some(25)),
            ("own", Some(2626)),
            ("two", Some(2626)),
            ("2424", Some(2424)),
            ("lmtp", Some(24)),
            ("odd", None),
            ("bad", None),
            ("0", None),
            ("70000", None),
        ] {
            assert_eq!(services.port(name), port, "{name}");
        }
    }
}
