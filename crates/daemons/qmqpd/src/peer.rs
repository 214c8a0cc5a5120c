//! Who the client is.

use std::net::{IpAddr, Ipv4Addr};

use service::Stream;

use crate::Qmqpd;

const UNKNOWN: &str = "unknown";

/// The client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its name, if that leads back to its address, else `unknown`.
    pub(crate) name: String,
    /// `None`: it has left before it could be asked for.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: String,
    /// `name[address]`, with the port if `qmqpd_client_port_logging`.
    pub(crate) namaddr: String,
}

impl Peer {
    /// The client of a connection; its name is looked up.
    pub(crate) async fn of(stream: &Stream, service: &Qmqpd) -> Self {
        let (name, ip, port) = match stream {
            Stream::Unix(_) => ("localhost".to_owned(), Some(Ipv4Addr::LOCALHOST.into()), 0),
            Stream::Tcp(stream) => match stream.peer_addr() {
                Ok(client) => {
                    let ip = client.ip().to_canonical();
                    let found = service.opened.resolver.client_name(ip).await;
                    (found.verified.unwrap_or_else(|| UNKNOWN.to_owned()), Some(ip), client.port())
                }
                Err(_) => (UNKNOWN.to_owned(), None, 0),
            },
        };
        let mut peer = Self { name, ip, port: port.to_string(), namaddr: String::new() };
        peer.namaddr = format!("{}[{}]", peer.name, peer.address());
        if service.params.qmqpd.qmqpd_client_port_logging && ip.is_some() {
            peer.namaddr.push_str(&format!(":{port}"));
        }
        peer
    }

    /// Its address, without brackets.
    pub(crate) fn address(&self) -> String {
        self.ip.map_or_else(|| UNKNOWN.to_owned(), |ip| ip.to_string())
    }

    /// Its address as it stands in a `Received:` header: IPv6 has a prefix.
    pub(crate) fn rfc_address(&self) -> String {
        match self.ip {
            Some(IpAddr::V6(ip)) => format!("IPv6:{ip}"),
            Some(IpAddr::V4(_)) | None => self.address(),
        }
    }
}
