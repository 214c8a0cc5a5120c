//! A client, accepted.

use crate::slots::Slot;
use std::io::{self, ErrorKind};
use tokio::net::{TcpStream, UnixStream};

/// A client, with the slot that it takes.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub stream: Stream,
    /// What came along with a connection that another daemon passed on (`pass` services); else empty.
    pub preamble: Vec<u8>,
    pub(crate) slot: Slot,
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix-domain.
    Unix(UnixStream),
}

impl Client {
    /// The connection of an internal caller, and the slot to be kept as long as it is served.
    ///
    /// # Errors
    /// A TCP connection, where `master.cf` makes an internal service listen on a port.
    pub fn into_unix(self) -> io::Result<(UnixStream, Slot)> {
        match self.stream {
            Stream::Unix(stream) => Ok((stream, self.slot)),
            Stream::Tcp(_) => Err(io::Error::new(ErrorKind::Unsupported, "internal service on a TCP port")),
        }
    }

    /// The parts, of which the slot is to be kept as long as the client is served.
    pub fn into_parts(self) -> (Stream, Vec<u8>, Slot) {
        (self.stream, self.preamble, self.slot)
    }
}
