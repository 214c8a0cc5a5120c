//! The connection of a client: TCP or Unix-domain, and perhaps encrypted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// An encrypted stream, whatever carries it.
pub(crate) trait Secured: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Secured for T {}

/// A client's stream.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Secured(Box<dyn Secured>),
    /// It was taken away for a handshake.
    Gone,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stream::Tcp(_) => "Tcp",
            Stream::Unix(_) => "Unix",
            Stream::Secured(_) => "Secured",
            Stream::Gone => "Gone",
        })
    }
}

/// Both ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ends {
    Inet { client: SocketAddr, server: SocketAddr },
    Local,
}

impl Stream {
    pub(crate) fn new(stream: service::Stream) -> Stream {
        match stream {
            service::Stream::Tcp(stream) => {
                // Replies go out in one piece anyway; waiting for more only delays them.
                let _ = stream.set_nodelay(true);
                Stream::Tcp(stream)
            }
            service::Stream::Unix(stream) => Stream::Unix(stream),
        }
    }

    /// Who is connected to whom.
    pub(crate) fn ends(&self) -> Option<Ends> {
        match self {
            Stream::Tcp(stream) => {
                Some(Ends::Inet { client: stream.peer_addr().ok()?, server: stream.local_addr().ok()? })
            }
            Stream::Unix(_) | Stream::Secured(_) | Stream::Gone => Some(Ends::Local),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Secured(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Secured(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
            Stream::Secured(stream) => Pin::new(stream).poll_flush(context),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Secured(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}
