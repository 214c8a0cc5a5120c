//! The bytes' way to a server: TCP or a Unix-domain socket, in plain or under TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, UnixStream};

use crate::peer::Endpoint;

/// What a session can run over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Wire for T {}

/// Any of them.
pub type Stream = Box<dyn Wire>;

/// Where connections come from: `smtp_bind_address`, `smtp_bind_address6`, `inet_interfaces`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source {
    /// For IPv4.
    pub v4: Option<IpAddr>,
    /// For IPv6.
    pub v6: Option<IpAddr>,
    /// What happens when the address is not ours.
    pub missing: Missing,
}

/// `smtp_bind_address_enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missing {
    /// Connect from any address.
    #[default]
    Ignore,
    /// The mail waits.
    Defer,
}

/// No connection can be made from where it has to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("server configuration error")]
pub struct Unbound;

/// Connects, within the time limit (zero means the system's own); gives our own address too, if there is one.
pub async fn connect(endpoint: &Endpoint, source: &Source, limit: Duration) -> io::Result<(Stream, Option<IpAddr>)> {
    let connecting = async {
        match endpoint {
            Endpoint::Inet(address) => connect_inet(*address, source).await,
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(|stream| (Box::new(stream) as Stream, None)),
        }
    };
    if limit.is_zero() {
        return connecting.await;
    }
    match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn connect_inet(address: SocketAddr, source: &Source) -> io::Result<(Stream, Option<IpAddr>)> {
    let (socket, from) = match address {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, source.v4),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, source.v6),
    };
    if let Some(from) = from
        && let Err(error) = socket.bind(SocketAddr::new(from, 0))
    {
        tracing::warn!("smtp_connect_addr: bind {from}: {}", describe(&error));
        if source.missing == Missing::Defer {
            return Err(io::Error::other(Unbound));
        }
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let local = stream.local_addr().ok().map(|address| address.ip());
    Ok((Box::new(stream), local))
}

/// The system's words for an error, as the C library has them.
#[must_use]
pub fn describe(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::TimedOut {
        return "Connection timed out".to_owned();
    }
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::unreachable;
    use crate::peer::Peer;

    #[tokio::test]
    async fn an_address_that_is_not_ours_is_a_fault_of_the_configuration() {
        // Of a documentation range (RFC 5737); nobody listens there either.
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        let source = Source { v4: Some(elsewhere), v6: None, missing: Missing::Defer };
        let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 1);
        for (source, expected) in [
            (source, "4.4.0 server configuration error"),
            (Source::default(), "4.4.1 connect to mx.test[127.0.0.1]:1: Connection refused"),
        ] {
            let error = connect(&peer.endpoint, &source, Duration::from_secs(9)).await.err().unwrap();
            let detail = unreachable(&peer, &error).detail;
            assert_eq!(format!("{} {}", detail.status, detail.reason), expected);
        }
    }
}
