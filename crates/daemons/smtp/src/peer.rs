//! The server at the other end, as logs and notices name it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Over the network.
    Inet(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A server: its name and its endpoint. Prints as `name[address]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Host name (the MX host, or the host that was given; with `smtp_cname_overrides_servername` what that is an alias of).
    pub name: String,
    /// The alias that led to the name, if one did.
    pub alias: Option<String>,
    /// Where it is.
    pub endpoint: Endpoint,
}

impl Peer {
    /// A server on the network.
    #[must_use]
    pub fn inet(name: impl Into<String>, address: IpAddr, port: u16) -> Self {
        Self { name: name.into(), alias: None, endpoint: Endpoint::Inet(SocketAddr::new(address, port)) }
    }

    /// A server on this host, which goes by our own name.
    #[must_use]
    pub fn unix(myhostname: &str, path: &Path) -> Self {
        Self { name: myhostname.to_owned(), alias: None, endpoint: Endpoint::Unix(path.to_owned()) }
    }

    /// The name that was looked up, be it an alias.
    #[must_use]
    pub fn sought(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// `relay=` in a delivery line: `name[address]:port`.
    #[must_use]
    pub fn relay(&self) -> String {
        match &self.endpoint {
            Endpoint::Inet(address) => format!("{self}:{}", address.port()),
            Endpoint::Unix(_) => self.to_string(),
        }
    }

    /// The port; 0 for a socket in the file system.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.endpoint {
            Endpoint::Inet(address) => address.port(),
            Endpoint::Unix(_) => 0,
        }
    }

    /// The address, for servers on the network.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match &self.endpoint {
            Endpoint::Inet(address) => Some(address.ip()),
            Endpoint::Unix(_) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Inet(address) => write!(f, "{}[{}]", self.name, address.ip()),
            Endpoint::Unix(path) => write!(f, "{}[{}]", self.name, path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_in_logs() {
        let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 2]), 25);
        assert_eq!((peer.to_string(), peer.relay()), ("mx.test[127.0.0.2]".into(), "mx.test[127.0.0.2]:25".into()));
        let peer = Peer::unix("mail.test", Path::new("/run/lmtp"));
        assert_eq!(peer.relay(), "mail.test[/run/lmtp]");
    }
}
