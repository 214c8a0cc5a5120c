//! One query to one server: UDP from a fresh port, TCP where the answer was cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::resolv_conf::Carrier;
use crate::wire;

/// Largest datagram that is looked at.
const MOST_BYTES: usize = 4096;

/// Why a server gave no usable reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing came in time, or the connection failed.
    Silence,
    /// A reply that does not parse.
    Garbage,
}

/// Asks one server, within the time limit.
pub(crate) async fn ask(
    server: SocketAddr,
    query: &Message,
    carrier: Carrier,
    limit: Duration,
) -> Result<Message, Trouble> {
    let bytes = query.to_vec().map_err(|_| Trouble::Garbage)?;
    if carrier == Carrier::Datagram {
        let reply = within(limit, datagram(server, query, &bytes)).await?;
        if !reply.metadata.truncation {
            return Ok(reply);
        }
    }
    within(limit, stream(server, query, &bytes)).await
}

async fn within(
    limit: Duration,
    exchange: impl Future<Output = std::io::Result<Result<Message, ()>>>,
) -> Result<Message, Trouble> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(Ok(reply)) => reply.map_err(|()| Trouble::Garbage),
        Ok(Err(_)) | Err(_) => Err(Trouble::Silence),
    }
}

async fn datagram(server: SocketAddr, query: &Message, bytes: &[u8]) -> std::io::Result<Result<Message, ()>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; MOST_BYTES];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(reply) = buffer.get(..length).and_then(|bytes| wire::reply_to(query, bytes)) {
            return Ok(reply);
        }
    }
}

async fn stream(server: SocketAddr, query: &Message, bytes: &[u8]) -> std::io::Result<Result<Message, ()>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut request = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    request.extend_from_slice(bytes);
    stream.write_all(&request).await?;
    let length = usize::from(stream.read_u16().await?);
    let mut reply = vec![0; length];
    stream.read_exact(&mut reply).await?;
    Ok(wire::reply_to(query, &reply).unwrap_or(Err(())))
}
