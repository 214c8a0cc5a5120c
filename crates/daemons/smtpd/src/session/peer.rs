//! Who the client is: its address, the name of that address, and whether the name leads back.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

pub(crate) use dns::NameStatus;
use table::{Error, PatternList};

use super::stream::Ends;
use crate::Smtpd;
use crate::text::address_text;

/// The client, and where it connected to.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The verified name, or `unknown`.
    pub(crate) name: String,
    pub(crate) name_status: NameStatus,
    /// The name of the address, verified or not.
    pub(crate) reverse_name: String,
    pub(crate) reverse_status: NameStatus,
    /// The address as text, without brackets.
    pub(crate) address: String,
    pub(crate) ip: Option<IpAddr>,
    /// The address that is connected, whatever XCLIENT says.
    pub(crate) connected: IpAddr,
    pub(crate) port: String,
    /// `name[address]`, with the port if `smtpd_client_port_logging`.
    pub(crate) namaddr: String,
    pub(crate) server_address: String,
    pub(crate) server_port: String,
}

pub(crate) const UNKNOWN: &str = "unknown";

impl Peer {
    /// A client on a Unix-domain socket, or standard input: this host itself.
    fn local() -> Peer {
        let mut peer = Peer {
            name: "localhost".to_owned(),
            name_status: NameStatus::Known,
            reverse_name: "localhost".to_owned(),
            reverse_status: NameStatus::Known,
            address: "127.0.0.1".to_owned(),
            ip: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            connected: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            port: "0".to_owned(),
            namaddr: String::new(),
            server_address: "127.0.0.1".to_owned(),
            server_port: "0".to_owned(),
        };
        peer.rename(false);
        peer
    }

    /// The client of a connection; names are looked up.
    pub(crate) async fn of(ends: Ends, server: &Smtpd) -> Peer {
        match ends {
            Ends::Local => Peer::local(),
            Ends::Inet { client, server: local } => {
                let mut peer = Peer::unnamed(client, local);
                if server.params.smtpd.smtpd_peername_lookup {
                    peer.look_up(server).await;
                } else {
                    peer.name_status = NameStatus::Unknown;
                }
                peer.rename(server.params.smtpd.smtpd_client_port_logging);
                peer
            }
        }
    }

    fn unnamed(client: SocketAddr, server: SocketAddr) -> Peer {
        let (ip, server_ip) = (client.ip().to_canonical(), server.ip().to_canonical());
        Peer {
            name: UNKNOWN.to_owned(),
            name_status: NameStatus::Unknown,
            reverse_name: UNKNOWN.to_owned(),
            reverse_status: NameStatus::Unknown,
            address: address_text(ip),
            ip: Some(ip),
            connected: ip,
            port: client.port().to_string(),
            namaddr: String::new(),
            server_address: address_text(server_ip),
            server_port: server.port().to_string(),
        }
    }

    /// The name of the address, and whether it leads back to the address.
    async fn look_up(&mut self, server: &Smtpd) {
        let Some(ip) = self.ip else { return };
        let found = server.dns.native().client_name(ip).await;
        (self.name_status, self.reverse_status) = (found.status, found.reverse_status);
        self.name = found.verified.unwrap_or_else(|| UNKNOWN.to_owned());
        self.reverse_name = found.reverse.unwrap_or_else(|| UNKNOWN.to_owned());
    }

    /// Makes `namaddr` anew, after name, address or port have changed.
    pub(crate) fn rename(&mut self, with_port: bool) {
        let mut namaddr = [&self.name, "[", &self.address, "]"].concat();
        if with_port {
            namaddr.push(':');
            namaddr.push_str(&self.port);
        }
        self.namaddr = namaddr;
    }

    /// The address as it stands in a `Received:` header: IPv6 has a prefix.
    pub(crate) fn rfc_address(&self) -> Cow<'_, str> {
        match self.ip {
            Some(IpAddr::V6(_)) => Cow::Owned(format!("IPv6:{}", self.address)),
            Some(IpAddr::V4(_)) | None => Cow::Borrowed(&self.address),
        }
    }

    /// Whether it is one of our own networks.
    pub(crate) async fn in_mynetworks(&self, mynetworks: &PatternList) -> Result<bool, Error> {
        mynetworks.matches_client(self.name.as_bytes(), &self.address).await
    }

    /// Whether a list names it; a list that fails does not.
    pub(crate) async fn is_listed(&self, list: &PatternList) -> bool {
        self.is_named_by(list).await.unwrap_or(false)
    }

    /// Whether a list names it.
    pub(crate) async fn is_named_by(&self, list: &PatternList) -> Result<bool, Error> {
        Ok(!list.is_empty() && list.matches_client(self.name.as_bytes(), &self.address).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_canonical() {
        let mut peer = Peer::unnamed("[::ffff:192.0.2.1]:99".parse().unwrap(), "[::1]:25".parse().unwrap());
        peer.rename(false);
        assert_eq!((peer.namaddr.as_str(), &*peer.rfc_address()), ("unknown[192.0.2.1]", "192.0.2.1"));
        let mut peer = Peer::unnamed("[2001:db8::1]:99".parse().unwrap(), "[::1]:25".parse().unwrap());
        peer.rename(true);
        assert_eq!((peer.namaddr.as_str(), &*peer.rfc_address()), ("unknown[2001:db8::1]:99", "IPv6:2001:db8::1"));
    }
}
