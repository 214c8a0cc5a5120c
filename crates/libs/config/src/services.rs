//! Port numbers of service names, read from the system's list before the jail.

use std::collections::HashMap;

/// Used where the system has no list, or not these.
const WELL_KNOWN: [(&str, u16); 6] =
    [("smtp", 25), ("lmtp", 24), ("submission", 587), ("submissions", 465), ("smtps", 465), ("qmqp", 628)];

/// Names of TCP ports.
#[derive(Debug, Clone, Default)]
pub struct Services(HashMap<String, u16>);

impl Services {
    /// Reads the text of an `/etc/services`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut ports: HashMap<_, _> = WELL_KNOWN.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
            for name in std::iter::once(name).chain(words) {
                ports.insert(name.to_owned(), port);
            }
        }
        Self(ports)
    }

    /// The port of a number or name.
    #[must_use]
    pub fn port(&self, service: &str) -> Option<u16> {
        service.parse().ok().filter(|port| *port != 0).or_else(|| self.0.get(service).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let services = Services::parse("smtp 25/tcp mail\nodd 9/udp\nown 2525/tcp # x\n");
        for (name, port) in [
            ("smtp", Some(25)),
            ("mail", Some(25)),
            ("own", Some(2525)),
            ("2424", Some(2424)),
            ("lmtp", Some(24)),
            ("odd", None),
            ("0", None),
            ("70000", None),
        ] {
            assert_eq!(services.port(name), port, "{name}");
        }
    }
}
