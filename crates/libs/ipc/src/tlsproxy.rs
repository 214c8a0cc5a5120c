//! tlsproxy: TLS for a program that holds no keys itself. See tlsproxy(8).
//!
//! A connection stands for one client. The caller says who the client is, and hears whether TLS can be had ([`Offer::ask`]), before it
//! tells the client to begin. Then it passes the client's socket along with one byte ([`Offer::hand_over`]) and has nothing more to
//! do with it. When the handshake is over the service says so ([`Handshake::secured`]), and from then on the connection carries plain
//! text in both directions. Where the handshake fails, the connection ends.

use crate::frame::{self, HEADER, Hello};
use crate::{Error, Protocol};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The service. Frames first, then a descriptor, then plain text.
#[derive(Debug)]
pub struct Tlsproxy;

impl Protocol for Tlsproxy {
    const NAME: &'static str = "tlsproxy";
    const VERSION: u16 = 2;
    const LIMIT: usize = 4096;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// The byte with which the client's socket comes.
pub const HANDOVER: u8 = b'h';

/// What a caller wants: to be a server of TLS to this client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The client, as log lines have it: `[192.0.2.1]:4711`.
    pub client: String,
    /// For whom: `smtpd`.
    pub service: String,
    /// How long the handshake may take.
    pub handshake_limit: Duration,
    /// How long each read or write of encrypted text after it may take.
    pub time_limit: Duration,
}

/// What the service says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It waits for the client's socket.
    Ready,
    /// It has no certificate, or does not do this.
    Unavailable,
    /// The handshake is over; plain text follows.
    Secured,
}

/// TLS can be had: the client may be told to begin.
#[derive(Debug)]
pub struct Offer {
    stream: UnixStream,
    deadline: Duration,
}

/// The client's socket is with the service.
#[derive(Debug)]
pub struct Handshake {
    stream: UnixStream,
}

impl Offer {
    /// Asks the service at `path` (`private/tlsproxy`) for TLS; `None` if it cannot be had. `deadline` bounds each wait.
    ///
    /// # Errors
    /// [`Error::Connect`] and others of a connection that breaks.
    pub async fn ask(path: &Path, request: &Request, deadline: Duration) -> Result<Option<Self>, Error> {
        let stream = match timeout(deadline, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(Error::Connect { service: path.display().to_string(), source }),
            Err(_) => return Err(Error::Timeout),
        };
        let mut offer = Self { stream, deadline };
        let mut bytes = Vec::new();
        frame::write_message(&mut bytes, &Hello::of::<Tlsproxy>(), Tlsproxy::LIMIT)?;
        frame::write_message(&mut bytes, request, Tlsproxy::LIMIT)?;
        write(&mut offer.stream, &bytes, deadline).await?;
        match in_time(deadline, read::<Reply>(&mut offer.stream)).await? {
            Reply::Ready => Ok(Some(offer)),
            Reply::Unavailable => Ok(None),
            Reply::Secured => Err(Error::Malformed("answer before the handshake")),
        }
    }

    /// Passes the client's socket. `pass` sends bytes and the socket over a connection, and returns how many bytes went.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Timeout`].
    pub async fn hand_over(
        self,
        mut pass: impl FnMut(&UnixStream, &[u8]) -> io::Result<usize>,
    ) -> Result<Handshake, Error> {
        let Self { stream, deadline } = self;
        let sent = stream.async_io(Interest::WRITABLE, || pass(&stream, &[HANDOVER]));
        match timeout(deadline, sent).await {
            Ok(Ok(1..)) => Ok(Handshake { stream }),
            Ok(Ok(0)) => Err(Error::Closed),
            Ok(Err(source)) => Err(source.into()),
            Err(_) => Err(Error::Timeout),
        }
    }
}

impl Handshake {
    /// Waits for the end of the handshake, for which the service itself has a limit. The stream then carries plain text.
    ///
    /// # Errors
    /// [`Error::Closed`]: it failed, and the client is gone.
    pub async fn secured(mut self) -> Result<UnixStream, Error> {
        match read::<Reply>(&mut self.stream).await? {
            Reply::Secured => Ok(self.stream),
            Reply::Ready | Reply::Unavailable => Err(Error::Malformed("no end of the handshake")),
        }
    }
}

/// Takes what a caller says first: the service's side.
///
/// # Errors
/// Another protocol or version, or a connection that breaks.
pub async fn accept(stream: &mut UnixStream, deadline: Duration) -> Result<Request, Error> {
    in_time(deadline, async {
        read::<Hello>(stream).await?.agree::<Tlsproxy>()?;
        read::<Request>(stream).await
    })
    .await
}

/// Answers a caller: the service's side.
///
/// # Errors
/// [`Error::Io`], [`Error::Timeout`].
pub async fn answer(stream: &mut UnixStream, reply: Reply, deadline: Duration) -> Result<(), Error> {
    let mut bytes = Vec::new();
    frame::write_message(&mut bytes, &reply, Tlsproxy::LIMIT)?;
    write(stream, &bytes, deadline).await
}

/// Ends a connection: the service's side. The caller hears of it only when all is in the log.
pub fn end(stream: UnixStream) {
    log_first();
    drop(stream);
}

async fn write(stream: &mut UnixStream, bytes: &[u8], deadline: Duration) -> Result<(), Error> {
    log_first();
    in_time(deadline, async { Ok(stream.write_all(bytes).await?) }).await
}

/// What was logged before comes first (maillog's barrier), since the peer may log what it does now.
fn log_first() {
    tracing::info!(target: "maillog::barrier", "");
}

/// Reads one message, and not a byte more: what follows may be no frame.
async fn read<T: DeserializeOwned>(stream: &mut UnixStream) -> Result<T, Error> {
    let mut header = [0; HEADER];
    exactly(stream, &mut header).await?;
    let (is_raw, size) = frame::split(header, Tlsproxy::LIMIT)?;
    if is_raw {
        return Err(Error::Malformed("unexpected raw frame"));
    }
    let mut body = vec![0; size];
    exactly(stream, &mut body).await?;
    frame::decode(&body)
}

async fn exactly(stream: &mut UnixStream, buffer: &mut [u8]) -> Result<(), Error> {
    match stream.read_exact(buffer).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Error::Closed),
        Err(error) => Err(error.into()),
    }
}

async fn in_time<T>(deadline: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(deadline, step).await.unwrap_or(Err(Error::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    const LIMIT: Duration = Duration::from_secs(10);

    fn request() -> Request {
        Request {
            client: "[192.0.2.1]:99".into(),
            service: "smtpd".into(),
            handshake_limit: Duration::from_secs(60),
            time_limit: Duration::from_secs(300),
        }
    }

    /// What a caller and a service say to each other; the service's side is `serve`.
    async fn meet<S: Future<Output = ()>>(serve: impl FnOnce(UnixStream) -> S) -> Result<Option<Offer>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tlsproxy");
        let listener = UnixListener::bind(&path).unwrap();
        let wanted = request();
        let (asked, ()) = tokio::join!(Offer::ask(&path, &wanted, LIMIT), async {
            serve(listener.accept().await.unwrap().0).await;
        });
        asked
    }

    #[tokio::test]
    async fn plain_text_follows_the_last_frame() {
        let (hold, mut held) = tokio::sync::mpsc::channel(1);
        let asked = meet(|mut stream| async move {
            assert_eq!(accept(&mut stream, LIMIT).await.unwrap(), request());
            answer(&mut stream, Reply::Ready, LIMIT).await.unwrap();
            hold.send(stream).await.unwrap();
        });
        let offer = asked.await.unwrap().unwrap();
        let mut service = held.recv().await.unwrap();
        let shaking = offer.hand_over(|stream, bytes| stream.try_write(bytes)).await.unwrap();
        assert_eq!(service.read_u8().await.unwrap(), HANDOVER);
        answer(&mut service, Reply::Secured, LIMIT).await.unwrap();
        service.write_all(b"EHLO x\r\n").await.unwrap();
        let mut plain = shaking.secured().await.unwrap();
        let mut text = [0; 8];
        plain.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"EHLO x\r\n");
    }

    #[tokio::test]
    async fn without_tls_there_is_no_offer() {
        let refused = meet(|mut stream| async move {
            accept(&mut stream, LIMIT).await.unwrap();
            answer(&mut stream, Reply::Unavailable, LIMIT).await.unwrap();
        });
        assert!(refused.await.unwrap().is_none());
        assert!(matches!(meet(|stream| async { drop(stream) }).await, Err(Error::Closed | Error::Io(_))));
        let missing = Offer::ask(Path::new("/nonexistent/tlsproxy"), &request(), LIMIT).await;
        assert!(matches!(missing, Err(Error::Connect { .. })));
    }

    #[tokio::test]
    async fn a_caller_of_something_else_is_refused() {
        for first in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\x02\x00\x00\x80ab", b"\x05\x00\x00\x00\x03abc\x01", b"\x01"] {
            let (mut here, mut there) = UnixStream::pair().unwrap();
            here.write_all(first).await.unwrap();
            drop(here);
            assert!(accept(&mut there, LIMIT).await.is_err(), "{first:?}");
        }
    }
}
