//! Where a server is: `inet:host:port` or `unix:path`, as filters, policy servers, tables and others are named, and
//! `host:port` alone, as next hops are.
//!
//! The one reader of such names. A host may stand in brackets, and an IPv6 address there may have `ipv6:` before it. What
//! may be left out, the host or the port, is up to those who ask. See postconf(5), smtpd_milters and check_policy_service.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::services;

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// By TCP.
    Inet {
        /// Name or address, without brackets.
        host: String,
        /// Which may have been given by its name.
        port: u16,
    },
    /// A Unix-domain socket's path, absolute or below the queue directory.
    Unix(String),
}

/// A text that is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {problem}")]
pub struct Malformed {
    text: String,
    problem: Problem,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing before a colon, or nothing behind it.
    #[error("need transport:endpoint")]
    NoTransport,
    /// Neither `inet` nor `unix`.
    #[error("invalid transport name: {0}")]
    Transport(String),
    /// A bracket that is not closed.
    #[error("missing \"]\"")]
    Unclosed,
    /// A closed one with something other than a port behind it.
    #[error("garbage after \"]\"")]
    BehindBracket,
    /// No host where one has to be.
    #[error("missing host information")]
    NoHost,
    /// No port where one has to be.
    #[error("missing service information")]
    NoService,
    /// `ipv6:` before something else.
    #[error("malformed IPv6 address")]
    Ipv6,
    /// A host that is neither a name nor an address.
    #[error("valid hostname or network address required")]
    Host,
    /// A port that begins as a number.
    #[error("garbage after numerical service")]
    BehindNumber,
    /// A port that nobody knows.
    #[error("unknown service: {0}/tcp")]
    Service(String),
}

/// A host, and a port where one is named: `host`, `host:port`, `[host]` or `[host]:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Name or address, without brackets.
    pub host: &'a str,
    /// Number or name of a port.
    pub service: Option<&'a str>,
    /// Whether the host stands in brackets, as one does that is no mail domain.
    pub is_bracketed: bool,
}

/// What a text without a colon names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Host,
    Service,
}

impl Endpoint {
    /// Reads `inet:host:port`, `unix:path` or `local:path`; names of ports are those of `known_tcp_ports` and the system.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(text: &str, known_tcp_ports: &str) -> Result<Self, Malformed> {
        let malformed = |problem| Malformed { text: text.to_owned(), problem };
        match text.split_once(':').filter(|(kind, rest)| !kind.is_empty() && !rest.is_empty()) {
            Some(("inet", place)) => Self::inet(place, known_tcp_ports),
            Some(("unix" | "local", path)) => Ok(Self::Unix(path.to_owned())),
            Some((kind, _)) => Err(malformed(Problem::Transport(kind.to_owned()))),
            None => Err(malformed(Problem::NoTransport)),
        }
    }

    /// Reads what stands behind `inet:`, which is `host:port`, `[host]:port`, or a port of this host.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn inet(place: &str, known_tcp_ports: &str) -> Result<Self, Malformed> {
        let malformed = |problem| Malformed { text: place.to_owned(), problem };
        let place = Place::listener(place).map_err(malformed)?;
        let port = place.port("", known_tcp_ports).map_err(malformed)?;
        let host = if place.host.is_empty() { "localhost" } else { place.host };
        Ok(Self::Inet { host: host.to_owned(), port })
    }
}

impl<'a> Place<'a> {
    /// Reads a host that may have a port; nothing behind the colon is no port.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn parse(text: &'a str) -> Result<Self, Problem> {
        let place = Self::split(text, Alone::Host)?;
        if place.host.is_empty() && !place.is_bracketed {
            return Err(Problem::NoHost);
        }
        place.checked()
    }

    /// Reads where this host listens: a port that may have a host before it, which is empty where it has none.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn listener(text: &'a str) -> Result<Self, Problem> {
        let place = Self::split(text, Alone::Service)?;
        if place.service.is_none() {
            return Err(Problem::NoService);
        }
        if place.host.is_empty() && !place.is_bracketed { Ok(place) } else { place.checked() }
    }

    /// The number of its port, or of another one where it names none.
    ///
    /// # Errors
    /// [`Problem::Service`].
    pub fn port(&self, default: &str, known_tcp_ports: &str) -> Result<u16, Problem> {
        let service = self.service.unwrap_or(default);
        services::port(service, known_tcp_ports).ok_or_else(|| Problem::Service(service.to_owned()))
    }

    fn split(text: &'a str, alone: Alone) -> Result<Self, Problem> {
        let (host, service, is_bracketed) = match text.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or(Problem::Unclosed)?;
                let service = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""));
                (without_family(host)?, service.ok_or(Problem::BehindBracket)?, true)
            }
            None => {
                let whole = if alone == Alone::Host { (text, "") } else { ("", text) };
                let (host, service) = text.rsplit_once(':').unwrap_or(whole);
                (host, service, false)
            }
        };
        if service.starts_with(|c: char| c.is_ascii_digit()) && !service.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Problem::BehindNumber);
        }
        Ok(Self { host, service: Some(service).filter(|service| !service.is_empty()), is_bracketed })
    }

    fn checked(self) -> Result<Self, Problem> {
        if is_host(self.host) { Ok(self) } else { Err(Problem::Host) }
    }
}

/// As it is told to an operator, and to functions that connect.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Inet { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// `[ipv6:2001:db8::1]` is an address literal of RFC 5321.
fn without_family(host: &str) -> Result<&str, Problem> {
    match host.split_at_checked(5) {
        Some((family, address)) if family.eq_ignore_ascii_case("ipv6:") => {
            address.parse::<Ipv6Addr>().map(|_| address).map_err(|_| Problem::Ipv6)
        }
        Some(_) | None => Ok(host),
    }
}

/// An address, or what may be a name: that one exists is found out by asking for it.
fn is_host(host: &str) -> bool {
    address::domain::is_written_hostname(host) || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        match Endpoint::parse(text, "own=2626") {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn servers() {
        for (text, expected) in [
            ("inet:filter.test:8891", "filter.test:8891"),
            ("inet:192.0.2.1:smtp", "192.0.2.1:25"),
            ("inet:localhost:own", "localhost:2626"),
            ("inet:8891", "localhost:8891"),
            ("inet::8891", "localhost:8891"),
            ("inet:[filter.test]:8891", "filter.test:8891"),
            ("inet:[192.0.2.1]:8891", "192.0.2.1:8891"),
            ("inet:[2001:db8::1]:8891", "[2001:db8::1]:8891"),
            ("inet:[IPv6:2001:db8::1]:8891", "[2001:db8::1]:8891"),
            ("inet:2001:db8::1:8891", "[2001:db8::1]:8891"),
            ("unix:/run/x:y", "/run/x:y"),
            ("unix:private/x", "private/x"),
            ("local:/run/x", "/run/x"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, expected) in [
            ("localhost", "localhost: need transport:endpoint"),
            (":25", ":25: need transport:endpoint"),
            ("unix:", "unix:: need transport:endpoint"),
            ("smoke:signals", "smoke:signals: invalid transport name: smoke"),
            ("127.0.0.1:25", "127.0.0.1:25: invalid transport name: 127.0.0.1"),
            ("inet:[::1", "[::1: missing \"]\""),
            ("inet:[::1]25", "[::1]25: garbage after \"]\""),
            ("inet:[::1]", "[::1]: missing service information"),
            ("inet:host:", "host:: missing service information"),
            ("inet:[ipv6:192.0.2.1]:25", "[ipv6:192.0.2.1]:25: malformed IPv6 address"),
            ("inet:[]:25", "[]:25: valid hostname or network address required"),
            ("inet:::1", "::1: valid hostname or network address required"),
            ("inet:ipv6:::1:25", "ipv6:::1:25: valid hostname or network address required"),
            ("inet:host]:25", "host]:25: valid hostname or network address required"),
            ("inet:127.1:25", "127.1:25: valid hostname or network address required"),
            ("inet:[::1%lo]:25", "[::1%lo]:25: valid hostname or network address required"),
            ("inet:a..b:25", "a..b:25: valid hostname or network address required"),
            ("inet:a-:25", "a-:25: valid hostname or network address required"),
            ("inet:127.0.0.1", "127.0.0.1: garbage after numerical service"),
            ("inet:8891@host", "8891@host: garbage after numerical service"),
            ("inet:host:nosuch-service", "host:nosuch-service: unknown service: nosuch-service/tcp"),
            ("inet:host:70000", "host:70000: unknown service: 70000/tcp"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_listener_may_lack_a_host() {
        let place = |host, service, is_bracketed| Ok(Place { host, service: Some(service), is_bracketed });
        for (text, expected) in [
            ("25", place("", "25", false)),
            (":smtp", place("", "smtp", false)),
            ("[::1]:25", place("::1", "25", true)),
            ("::1:25", place("::1", "25", false)),
            ("[]:25", Err(Problem::Host)),
            ("host:", Err(Problem::NoService)),
            ("[::1]", Err(Problem::NoService)),
            ("", Err(Problem::NoService)),
        ] {
            assert_eq!(Place::listener(text), expected, "{text}");
        }
    }

    #[test]
    fn ports_have_numbers() {
        let port = |text| Place::parse(text).unwrap().port("smtp", "own=2626").map_err(|problem| problem.to_string());
        assert_eq!((port("host:own"), port("host:24"), port("host")), (Ok(2626), Ok(24), Ok(25)));
        assert_eq!(port("host:nosuch-service"), Err("unknown service: nosuch-service/tcp".to_owned()));
    }

    #[test]
    fn places_may_lack_a_port() {
        let place = |host, service, is_bracketed| Ok(Place { host, service, is_bracketed });
        for (text, expected) in [
            ("host", place("host", None, false)),
            ("host:", place("host", None, false)),
            ("host:smtp", place("host", Some("smtp"), false)),
            ("::1:25", place("::1", Some("25"), false)),
            ("[host]", place("host", None, true)),
            ("[ipv6:::1]:25", place("::1", Some("25"), true)),
            ("", Err(Problem::NoHost)),
            (":25", Err(Problem::NoHost)),
            ("25", Err(Problem::Host)),
            ("::1", Err(Problem::Host)),
            ("[]", Err(Problem::Host)),
            ("[host", Err(Problem::Unclosed)),
            ("[host]25", Err(Problem::BehindBracket)),
            ("host:25x", Err(Problem::BehindNumber)),
        ] {
            assert_eq!(Place::parse(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_endpoint_that_can_be_told_or_none(text in "(inet:)?.{0,40}") {
            if let Ok(endpoint @ Endpoint::Inet { .. }) = Endpoint::parse(&text, "") {
                prop_assert_eq!(Endpoint::inet(&endpoint.to_string(), ""), Ok(endpoint));
            }
        }

        #[test]
        fn addresses_are_kept(address: IpAddr, port: u16) {
            let told = Endpoint::Inet { host: address.to_string(), port };
            prop_assert_eq!(Endpoint::inet(&format!("[{address}]:{port}"), ""), Ok(told.clone()));
            prop_assert_eq!(Endpoint::inet(&format!("{address}:{port}"), ""), Ok(told));
        }
    }
}
