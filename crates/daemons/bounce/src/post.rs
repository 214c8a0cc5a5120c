//! Hands a notice to cleanup.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use ipc::Channel;
use ipc::cleanup::{Cleanup, Handling, Reply, Request, Verdict};
use jiff::Zoned;
use queue_file::Time;
use queue_file::record::{self, Type};

/// Why a notice is not in the queue. All of it is temporary.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// cleanup could not be talked to.
    #[error(transparent)]
    Talk(#[from] ipc::Error),
    /// cleanup did not take it.
    #[error("cleanup does not accept the notice: {0}")]
    Refused(String),
}

/// Where notices are handed in.
#[derive(Debug)]
pub(crate) struct Box {
    /// The socket of cleanup.
    pub(crate) path: PathBuf,
    /// `ipc_timeout`.
    pub(crate) deadline: Duration,
}

/// A message that cleanup has an id for already.
pub(crate) struct Open {
    channel: Channel<Request, Reply>,
    /// The id.
    pub(crate) queue_id: String,
}

impl Box {
    /// Begins a message.
    pub(crate) async fn open(&self) -> Result<Open, Error> {
        let mut channel = Channel::connect::<Cleanup>(&self.path, self.deadline).await?;
        match channel.expect().await? {
            Reply::Ready(queue_id) => Ok(Open { channel, queue_id }),
            Reply::Unavailable(reason) => Err(Error::Refused(reason)),
            Reply::Finished { .. } => Err(ipc::Error::Malformed("answer without a message").into()),
        }
    }
}

impl Open {
    /// Sends all of it, and waits until it is in the queue.
    pub(crate) async fn send(mut self, handling: Handling, envelope: Bytes, text: &[&[u8]]) -> Result<(), Error> {
        self.channel.send(&Request::Begin(handling))?;
        self.channel.send(&Request::Envelope(envelope))?;
        for part in text {
            self.channel.send_raw(part)?;
        }
        self.channel.send(&Request::End)?;
        match self.channel.expect().await? {
            Reply::Finished { verdict: Verdict::Queued | Verdict::Discarded, .. } => Ok(()),
            Reply::Finished { verdict: Verdict::Refused { cause, reason }, .. } => {
                Err(Error::Refused(format!("{cause:?} {reason}")))
            }
            Reply::Unavailable(reason) => Err(Error::Refused(reason)),
            Reply::Ready(_) => Err(ipc::Error::Malformed("no answer to a message").into()),
        }
    }

    /// Forgets the message.
    pub(crate) async fn cancel(mut self) -> Result<(), Error> {
        self.channel.send(&Request::Abort)?;
        let _ = self.channel.expect().await?;
        Ok(())
    }
}

/// The envelope records of a message with one recipient.
pub(crate) fn envelope(sender: &[u8], recipient: &[u8], now: &Zoned) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let now = now.timestamp();
    let microseconds = u32::try_from(now.subsec_microsecond()).unwrap_or(0);
    record::put_time(&mut out, Time { seconds: now.as_second(), microseconds });
    record::put_attribute(&mut out, "rewrite_context", b"local");
    record::put(&mut out, Type::Sender, sender);
    record::put(&mut out, Type::Recipient, recipient);
    out.into()
}
