//! Hands a client to smtpd(8).

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::time::Duration;

use ipc::pass::Passed;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tracing::warn;

/// How long the service may take to let us in. Its queue is long; one that is full is full for longer.
const CONNECT: Duration = Duration::from_secs(1);
/// Between two attempts, where the queue is full.
const AGAIN: Duration = Duration::from_millis(50);
/// How long smtpd(8) may take to accept a client.
const ACCEPT: Duration = Duration::from_secs(100);

/// The way to smtpd(8), open.
#[derive(Debug)]
pub(crate) struct Way(UnixStream);

/// There is no way, as the log knows.
#[derive(Debug)]
pub(crate) struct Blocked;

impl Way {
    /// Opens the way to the service of that name.
    pub(crate) async fn open(service: &str) -> Result<Self, Blocked> {
        let path = format!("private/{service}");
        let attempts = async {
            loop {
                match UnixStream::connect(&path).await {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(AGAIN).await,
                    other => return other,
                }
            }
        };
        let problem = match timeout(CONNECT, attempts).await {
            Ok(Ok(stream)) => return Ok(Self(stream)),
            Ok(Err(error)) => table::system_text(&error).to_string(),
            Err(_) => "Resource temporarily unavailable".to_owned(),
        };
        warn!("cannot connect to service {path}: {problem}");
        Err(Blocked)
    }

    /// Sends the client and what is known of it. Afterwards it is open here no more.
    pub(crate) async fn send(&mut self, client: TcpStream, passed: &Passed) -> io::Result<()> {
        let bytes = passed.encode().map_err(|error| io::Error::other(error.to_string()))?;
        let client = OwnedFd::from(client.into_std()?);
        let sent = loop {
            self.0.writable().await?;
            match self.0.try_io(Interest::WRITABLE, || privsep::send_descriptor(&self.0, &bytes, &client)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => break other?,
            }
        };
        self.0.write_all(bytes.get(sent..).unwrap_or_default()).await?;
        self.0.shutdown().await
    }

    /// Waits until smtpd(8) has taken the client.
    pub(crate) async fn accepted(mut self, service: &str) {
        let mut nothing = [0];
        if timeout(ACCEPT, self.0.read(&mut nothing)).await.is_err() {
            warn!("timeout sending connection to service {service}");
        }
    }
}
