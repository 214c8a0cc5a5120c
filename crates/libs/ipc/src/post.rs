//! Handing a message of the mail system's own to cleanup: a notice, a probe.

mod notice;
mod wrap;

pub use notice::{Notice, Postmaster, double_bounce_sender};
pub use wrap::put_wrapped;

use crate::cleanup::{Cleanup, Handling, Reply, Request, Verdict};
use crate::{Channel, Error};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A date in the header of a message, for strftime(3): RFC 5322 section 3.3, with the name of the time zone behind it. Days have
/// two digits, so that all dates are equally long.
pub const DATE: &str = "%a, %d %b %Y %H:%M:%S %z (%Z)";

/// The header field that tells where a message was made. `with` is said of that in the parentheses.
#[must_use]
pub fn received(host: &str, with: &str, queue_id: &str, date: &str) -> String {
    format!("Received: by {host} ({with})\n\tid {queue_id}; {date}\n")
}

/// Why a message is not in the queue. All of it is temporary.
#[derive(Debug, thiserror::Error)]
pub enum Unposted {
    /// cleanup could not be talked to.
    #[error(transparent)]
    Talk(#[from] Error),
    /// cleanup did not take it.
    #[error("cleanup does not accept the message: {0}")]
    Refused(String),
}

/// Where messages are handed in.
#[derive(Debug, Clone)]
pub struct Outbox {
    path: PathBuf,
    deadline: Duration,
}

/// A message that cleanup has an id for already.
#[derive(Debug)]
pub struct Letter {
    channel: Channel<Request, Reply>,
    /// The id.
    pub queue_id: String,
}

impl Outbox {
    /// The way to `cleanup_service_name`, each step of which may take `ipc_timeout`.
    #[must_use]
    pub fn new(service_name: &str, deadline: Duration) -> Self {
        Self { path: Path::new("public").join(service_name), deadline }
    }

    /// Begins a message.
    ///
    /// # Errors
    /// [`Unposted`].
    pub async fn open(&self) -> Result<Letter, Unposted> {
        let mut channel = Channel::connect::<Cleanup>(&self.path, self.deadline).await?;
        match channel.expect().await? {
            Reply::Ready(queue_id) => Ok(Letter { channel, queue_id }),
            Reply::Unavailable(reason) => Err(Unposted::Refused(reason)),
            Reply::Finished { .. } | Reply::Filter { .. } | Reply::Leaving => {
                Err(Error::Malformed("answer without a message").into())
            }
        }
    }
}

impl Letter {
    /// Sends all of it, and waits until it is in the queue. `envelope` is queue-file records, `text` has LF line ends.
    ///
    /// # Errors
    /// [`Unposted`].
    pub async fn send(mut self, handling: Handling, envelope: Bytes, text: &[&[u8]]) -> Result<(), Unposted> {
        self.channel.send(&Request::Begin(handling))?;
        self.channel.send(&Request::Envelope(envelope))?;
        for part in text {
            self.channel.send_raw(part)?;
        }
        self.channel.send(&Request::End)?;
        match self.channel.answer().await? {
            Reply::Finished { verdict: Verdict::Queued | Verdict::Discarded, .. } => Ok(()),
            Reply::Finished { verdict: Verdict::Refused { cause, reason }, .. } => {
                Err(Unposted::Refused(cause.told(&reason)))
            }
            Reply::Unavailable(reason) => Err(Unposted::Refused(reason)),
            Reply::Ready(_) | Reply::Filter { .. } | Reply::Leaving => {
                Err(Error::Malformed("no answer to a message").into())
            }
        }
    }

    /// Forgets the message.
    ///
    /// # Errors
    /// [`Unposted`].
    pub async fn cancel(mut self) -> Result<(), Unposted> {
        self.channel.send(&Request::Abort)?;
        let _ = self.channel.answer().await?;
        Ok(())
    }
}
