//! Where the server is: the destination, its hosts and their addresses.

use crate::plan::{Plan, Wish};
use config::endpoint::Place;
use dns::{Data, Kind, Resolver};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tls::client::Secured;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// No destination has more servers that matter.
const MOST_SERVERS: usize = 50;

/// The destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Unix(PathBuf),
    Inet {
        host: String,
        port: u16,
        /// Whether it is looked up as a mail domain.
        domain: bool,
    },
}

/// One server.
#[derive(Debug, Clone)]
pub(crate) enum Server {
    Unix(PathBuf),
    Inet {
        host: String,
        address: IpAddr,
        port: u16,
        /// Whether the name of the host is given, or comes from a signed MX record.
        authentic: bool,
    },
}

/// A server may be read from and written to.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether it has a TLS session that a later connection can resume.
    fn is_resumable(&self) -> bool {
        false
    }
}

impl Stream for TcpStream {}

impl Stream for UnixStream {}

impl Stream for Secured<Box<dyn Stream>> {
    fn is_resumable(&self) -> bool {
        tls::client::is_resumable(self)
    }
}

impl Target {
    /// `host`, `[host]`, either with a port; `unix:path` and `inet:…` for LMTP.
    pub(crate) fn parse(text: &str, lmtp: bool, known_tcp_ports: &str) -> Result<Self, String> {
        let (inet, default) = match text.strip_prefix("unix:") {
            Some(path) if lmtp => return Ok(Self::Unix(PathBuf::from(path))),
            Some(_) | None if lmtp => (text.strip_prefix("inet:").unwrap_or(text), "lmtp"),
            Some(_) | None => (text, "smtp"),
        };
        let place = Place::parse(inet).map_err(|problem| format!("{problem} in server description: {text}"))?;
        let port = place.port(default, known_tcp_ports).map_err(|problem| problem.to_string())?;
        let is_address = place.host.parse::<IpAddr>().is_ok();
        Ok(Self::Inet { host: place.host.to_owned(), port, domain: !place.is_bracketed && !lmtp && !is_address })
    }
}

/// The servers of a destination, in the order of their preference.
pub(crate) async fn servers(plan: &Plan) -> Result<Vec<Server>, String> {
    let Target::Inet { host, port, domain } = &plan.target else { return Ok(Vec::new()) };
    let resolver = Resolver::system();
    let (hosts, authentic) = if *domain { exchangers(&resolver, host).await? } else { (vec![host.clone()], true) };
    let (mut found, mut failure) = (Vec::new(), String::new());
    for host in hosts {
        let addresses = match (host.parse::<IpAddr>(), plan.wants(Wish::NativeLookup)) {
            (Ok(address), _) => Ok(vec![address]),
            (Err(_), true) => resolver.native_addresses(&host, plan.families).await,
            (Err(_), false) => resolver.addresses(&host, plan.families).await,
        };
        match addresses {
            Ok(addresses) => {
                found.extend(addresses.into_iter().map(|address| Server::Inet {
                    host: host.clone(),
                    address,
                    port: *port,
                    authentic,
                }));
            }
            Err(error) => failure = error.to_string(),
        }
    }
    found.truncate(MOST_SERVERS);
    if found.is_empty() { Err(failure) } else { Ok(found) }
}

/// The hosts that take mail for a domain: itself, if it names none.
async fn exchangers(resolver: &Resolver, domain: &str) -> Result<(Vec<String>, bool), String> {
    let answer = match resolver.lookup(domain, Kind::Mx).await {
        Ok(answer) => answer,
        Err(error) if error.is_not_found() => return Ok((vec![domain.to_owned()], true)),
        Err(error) => return Err(error.to_string()),
    };
    let mut hosts: Vec<(u16, String)> = Vec::new();
    for record in &answer.records {
        if let Data::Mx { preference, exchange } = &record.data {
            hosts.push((*preference, exchange.clone()));
        }
    }
    hosts.sort();
    Ok((hosts.into_iter().map(|(_, host)| host).collect(), answer.authentic))
}

/// Connects to a server.
pub(crate) async fn connect(server: &Server, plan: &Plan) -> Result<Box<dyn Stream>, String> {
    let name = name(server, plan);
    let connected = async {
        Ok::<Box<dyn Stream>, io::Error>(match server {
            Server::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Server::Inet { address, port, .. } => {
                let stream = TcpStream::connect(SocketAddr::new(*address, *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    };
    match timeout(plan.connect_limit, connected).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("connect to {name}: {}", command::said(&error))),
        Err(_) => Err(format!("connect to {name}: Connection timed out")),
    }
}

/// A server as the report names it.
pub(crate) fn name(server: &Server, plan: &Plan) -> String {
    match server {
        Server::Unix(path) => format!("{}[{}]", plan.myhostname, path.display()),
        Server::Inet { host, address, port, .. } => format!("{host}[{address}]:{port}"),
    }
}

/// The destination and the host that was tried for it.
pub(crate) fn place(server: &Server, plan: &Plan) -> String {
    match (server, &plan.target) {
        (Server::Inet { host: via, .. }, Target::Inet { host, port, domain }) => {
            let host = if *domain { host.clone() } else { format!("[{host}]") };
            format!("{host}:{port} via {via}")
        }
        (Server::Unix(path), _) | (_, Target::Unix(path)) => format!("unix:{}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_understood() {
        let inet = |host: &str, port, domain| Ok(Target::Inet { host: host.to_owned(), port, domain });
        let table = [
            ("example.org", false, inet("example.org", 25, true)),
            ("example.org:submission", false, inet("example.org", 587, true)),
            ("[mx.example.org]:465", false, inet("mx.example.org", 465, false)),
            ("example.org:own", false, inet("example.org", 2626, true)),
            ("[ipv6:::1]", false, inet("::1", 25, false)),
            ("127.0.0.1", false, inet("127.0.0.1", 25, false)),
            ("inet:example.org", true, inet("example.org", 24, false)),
            ("unix:/run/x", true, Ok(Target::Unix(PathBuf::from("/run/x")))),
            ("[::1", false, Err("missing \"]\" in server description: [::1".to_owned())),
            ("[]", false, Err("valid hostname or network address required in server description: []".to_owned())),
            (":25", false, Err("missing host information in server description: :25".to_owned())),
            ("inet:nope", false, Err("unknown service: nope/tcp".to_owned())),
        ];
        for (text, lmtp, expected) in table {
            assert_eq!(Target::parse(text, lmtp, "own=2626"), expected, "{text}");
        }
    }
}
