//! What carries the conversation: the client's own connection, or tlsproxy(8), which has that then and speaks TLS on it.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use ipc::tlsproxy::{Offer, Request};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};
use tracing::warn;

use super::Session;

/// How long tlsproxy(8) may take to say whether it is ready.
const ANSWER: Duration = Duration::from_secs(10);

/// What carries the conversation.
#[derive(Debug)]
pub(super) enum Carrier {
    /// The client.
    Client(TcpStream),
    /// Plain text, for tlsproxy(8).
    Tlsproxy(UnixStream),
    /// The client is with tlsproxy(8), and there is no TLS yet.
    Away,
}

impl Carrier {
    /// The client's connection; `None`: it was handed over before.
    pub(super) fn into_client(self) -> Option<TcpStream> {
        match self {
            Self::Client(stream) => Some(stream),
            Self::Tlsproxy(_) | Self::Away => None,
        }
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Client(stream) => stream.readable().await,
            Self::Tlsproxy(stream) => stream.readable().await,
            Self::Away => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what is there.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Client(stream) => stream.try_read(buffer),
            Self::Tlsproxy(stream) => stream.try_read(buffer),
            Self::Away => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what the client itself has sent, without waiting, and leaves it where it is.
    pub(super) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Client(stream) => stream.try_io(Interest::READABLE, || privsep::peek(stream, buffer)),
            Self::Tlsproxy(_) | Self::Away => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Writes all of it.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Client(stream) => stream.write_all(bytes).await,
            Self::Tlsproxy(stream) => stream.write_all(bytes).await,
            Self::Away => Err(ErrorKind::NotConnected.into()),
        }
    }
}

/// What came of STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Begun,
    /// The client is gone.
    Failed,
}

impl Session {
    /// Asks tlsproxy(8) whether there can be TLS. `None`: there can not, as the log knows.
    pub(super) async fn offer(&self) -> Option<Offer> {
        let path = format!("private/{}", self.server.params.ipc.tlsproxy_service_name);
        let (handshake_limit, time_limit) = (self.server.starttls_time(), self.server.command_time());
        let (client, service) = (self.client().to_string(), "smtpd".to_owned());
        let request = Request { client, service, handshake_limit, time_limit };
        match Offer::ask(Path::new(&path), &request, ANSWER.min(time_limit)).await {
            Ok(Some(offer)) => return Some(offer),
            Err(ipc::Error::Connect { source, .. }) => {
                warn!("connect to {path} service: {}", table::system_text(&source));
            }
            Ok(None) | Err(_) => warn!("problem receiving status from {path} service"),
        }
        None
    }

    /// Hands the client to tlsproxy(8), and waits for the end of the handshake.
    pub(super) async fn encrypt(&mut self, offer: Offer) -> Encryption {
        let carrier = std::mem::replace(&mut self.stream, Carrier::Away);
        let Some(client) = carrier.into_client() else { return Encryption::Failed };
        let pass = |socket: &UnixStream, bytes: &[u8]| privsep::send_descriptor(socket, bytes, &client);
        let handshake = match offer.hand_over(pass).await {
            Ok(handshake) => handshake,
            Err(error) => {
                warn!("problem sending connection to service tlsproxy: {error}");
                return Encryption::Failed;
            }
        };
        // From now on only tlsproxy(8) has it, and the client sees its end when tlsproxy ends.
        drop(client);
        match handshake.secured().await {
            Ok(stream) => {
                self.stream = Carrier::Tlsproxy(stream);
                Encryption::Begun
            }
            Err(_) => Encryption::Failed,
        }
    }
}
