//! Who the client is where a proxy is between: `postscreen_upstream_proxy_protocol`.

use std::net::SocketAddr;
use std::time::Duration;

use smtp_proto::escaped;
use smtp_proto::proxy_header::{self, Origin, Parsed};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Who talks with whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

impl Ends {
    /// Those of the connection itself.
    pub(crate) fn of(stream: &TcpStream) -> std::io::Result<Self> {
        Ok(Self { client: plain(stream.peer_addr()?), server: plain(stream.local_addr()?) })
    }

    /// Those that the proxy tells, which says so before anything else.
    ///
    /// # Errors
    /// What was wrong, in words for the log.
    pub(crate) async fn told(self, stream: &mut TcpStream, limit: Duration) -> Result<Self, String> {
        let origin = timeout(limit, read(stream)).await.map_err(|_| "time limit exceeded".to_owned())??;
        Ok(match origin {
            Origin::Balancer => self,
            Origin::Client { source, destination } => Self { client: plain(source), server: plain(destination) },
        })
    }
}

/// Reads what the proxy says, and not a byte more.
async fn read(stream: &mut TcpStream) -> Result<Origin, String> {
    let mut said = Vec::new();
    loop {
        let mut buffer = [0; proxy_header::LIMIT];
        let count = stream.peek(&mut buffer).await.map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("EOF".to_owned());
        }
        let known = said.len();
        said.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let parsed = proxy_header::parse(&said);
        let taken = match parsed {
            Ok(Parsed::Complete(_, length)) => length.saturating_sub(known),
            // All of it belongs to what the proxy says.
            Ok(Parsed::Incomplete) => count,
            Err(problem) => return Err(format!("{problem}: {}", escaped(&said))),
        };
        stream.read_exact(buffer.get_mut(..taken).unwrap_or_default()).await.map_err(|error| error.to_string())?;
        if let Ok(Parsed::Complete(origin, _)) = parsed {
            return Ok(origin);
        }
    }
}

/// An address as it is usually written: an IPv4 one that came over an IPv6 socket is an IPv4 one.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
