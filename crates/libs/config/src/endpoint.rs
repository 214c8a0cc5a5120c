//! Where a server listens: `inet:host:port` or `unix:path`, as filters, policy servers, tables and others are named.
//!
//! The one reader of such names. A host may be left out, and is this one then; it may stand in brackets, and an IPv6
//! address there may have `ipv6:` before it. See postconf(5), smtpd_milters and check_policy_service.

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
enum Problem {
    #[error("need transport:endpoint")]
    NoTransport,
    #[error("invalid transport name: {0}")]
    Transport(String),
    #[error("missing \"]\"")]
    Unclosed,
    #[error("garbage after \"]\"")]
    BehindBracket,
    #[error("missing service information")]
    NoService,
    #[error("malformed IPv6 address")]
    Ipv6,
    #[error("valid hostname or network address required")]
    Host,
    #[error("garbage after numerical service")]
    BehindNumber,
    #[error("unknown service: {0}/tcp")]
    Service(String),
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
        let (host, service) = split(place).map_err(malformed)?;
        let port = services::port(service, known_tcp_ports);
        let port = port.ok_or_else(|| malformed(Problem::Service(service.to_owned())))?;
        Ok(Self::Inet { host: host.to_owned(), port })
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

/// Host and service.
fn split(place: &str) -> Result<(&str, &str), Problem> {
    let (host, service, is_bracketed) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']').ok_or(Problem::Unclosed)?;
            let behind = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""));
            (host, behind.ok_or(Problem::BehindBracket)?, true)
        }
        None => {
            let (host, service) = place.rsplit_once(':').unwrap_or(("", place));
            (host, service, false)
        }
    };
    if service.is_empty() {
        return Err(Problem::NoService);
    }
    let host = match host {
        "" if !is_bracketed => "localhost",
        _ if is_bracketed => without_family(host)?,
        _ => host,
    };
    if !is_host(host) {
        return Err(Problem::Host);
    }
    if service.starts_with(|c: char| c.is_ascii_digit()) && !service.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::BehindNumber);
    }
    Ok((host, service))
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
    let is_named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') || b >= 0x80;
    let is_number = |b: u8| b.is_ascii_digit() || b == b'.';
    let is_name = host.bytes().all(is_named) && !host.bytes().all(is_number);
    host.parse::<IpAddr>().is_ok() || is_name && !host.starts_with(['.', '-'])
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
            ("inet:127.0.0.1", "127.0.0.1: garbage after numerical service"),
            ("inet:8891@host", "8891@host: garbage after numerical service"),
            ("inet:host:nosuch-service", "host:nosuch-service: unknown service: nosuch-service/tcp"),
            ("inet:host:70000", "host:70000: unknown service: 70000/tcp"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
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
