//! resolv.conf: which servers to ask, how often, and for how long.
//!
//! Unknown words are skipped, as the system's resolver does. Bounds are those of resolv.conf(5).

use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const PORT: u16 = 53;
const MOST_SERVERS: usize = 3;
const MOST_SEARCHED: usize = 6;

/// The settings of a stub resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvConf {
    /// Servers in the order in which they are asked; never empty.
    pub servers: Vec<SocketAddr>,
    /// Domains that are tried behind a name with few dots, in native lookups.
    pub search: Vec<String>,
    /// Names with at least this many dots are tried as they are first.
    pub ndots: usize,
    /// How long one server has for one answer.
    pub timeout: Duration,
    /// How many rounds are made over all servers.
    pub attempts: u32,
    /// How a query reaches a server.
    pub carrier: Carrier,
}

/// How a query reaches a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// UDP, then TCP where the answer was cut.
    Datagram,
    /// TCP always (`use-vc`).
    Stream,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self {
            servers: vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)],
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            carrier: Carrier::Datagram,
        }
    }
}

impl ResolvConf {
    /// Reads the text of a resolv.conf.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self { servers: Vec::new(), ..Self::default() };
        for line in text.lines() {
            conf.line(line);
        }
        if conf.servers.is_empty() {
            conf.servers = Self::default().servers;
        }
        conf
    }

    fn line(&mut self, line: &str) {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") if self.servers.len() < MOST_SERVERS => {
                self.servers.extend(words.next().and_then(server));
            }
            Some("search" | "domain") => {
                // The root, as systemd-resolved(8) names it where there is nothing to search, adds nothing to a name.
                let domains = words.map(|word| word.trim_end_matches('.')).filter(|domain| !domain.is_empty());
                self.search = domains.take(MOST_SEARCHED).map(str::to_owned).collect();
            }
            Some("options") => words.for_each(|word| self.option(word)),
            Some(_) | None => {}
        }
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<u32>();
        match (name, number) {
            ("timeout", Ok(seconds)) => self.timeout = Duration::from_secs(u64::from(seconds.clamp(1, 30))),
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(1, 5),
            ("ndots", Ok(dots)) => self.ndots = usize::try_from(dots.min(15)).unwrap_or(1),
            ("use-vc", _) => self.carrier = Carrier::Stream,
            _ => {}
        }
    }
}

/// `address`, or `address%zone` for one that is only known on an interface, given by name or number (RFC 4007 section 11).
fn server(word: &str) -> Option<SocketAddr> {
    let (address, zone) = word.split_once('%').map_or((word, None), |(address, zone)| (address, Some(zone)));
    let mut server = SocketAddr::new(address.parse().ok()?, PORT);
    if let (SocketAddr::V6(server), Some(zone)) = (&mut server, zone) {
        server.set_scope_id(zone.parse().or_else(|_| if_nametoindex(zone)).ok()?);
    }
    Some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_servers_search_and_options() {
        let conf = ResolvConf::parse(
            "# comment\nnameserver 127.0.0.53 ; local\nnameserver ::1\nnameserver bad\n\
             search a.test b.test\noptions timeout:2 attempts:9 ndots:2 edns0 trust-ad use-vc\n",
        );
        assert_eq!(conf.servers, ["127.0.0.53:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(conf.search, ["a.test", "b.test"]);
        assert_eq!((conf.timeout, conf.attempts, conf.ndots), (Duration::from_secs(2), 5, 2));
        assert_eq!(conf.carrier, Carrier::Stream);
    }

    #[test]
    fn a_server_may_be_known_on_one_interface_only() {
        let lo = if_nametoindex("lo").unwrap();
        let conf = ResolvConf::parse("nameserver fe80::1%lo\nnameserver fe80::2%7\nnameserver fe80::3%nowhere\n");
        assert_eq!(conf.servers, [format!("[fe80::1%{lo}]:53").parse().unwrap(), "[fe80::2%7]:53".parse().unwrap()]);
    }

    #[test]
    fn searched_domains_may_be_written_with_their_last_dot() {
        assert_eq!(ResolvConf::parse("search a.test. . b.test\n").search, ["a.test", "b.test"]);
        assert!(ResolvConf::parse("search .\n").search.is_empty());
    }

    #[test]
    fn an_empty_file_means_this_host() {
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
    }
}
