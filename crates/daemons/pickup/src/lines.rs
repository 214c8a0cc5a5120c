//! Connections to cleanup. They are kept for the next message: cleanup has a file for it already, and would have made and
//! removed others in vain for a connection that brings one message.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ipc::cleanup::{Cause, Cleanup, Reply, Request, Verdict};
use ipc::{Channel, Error};

/// A connection, and the id that the next message will have.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) channel: Channel<Request, Reply>,
    pub(crate) queue_id: String,
}

/// All connections that wait for a message.
#[derive(Debug)]
pub(crate) struct Lines {
    cleanup: PathBuf,
    deadline: Duration,
    most: usize,
    idle: Mutex<Vec<Line>>,
}

impl Lines {
    pub(crate) fn new(cleanup: PathBuf, deadline: Duration, most: usize) -> Self {
        Self { cleanup, deadline, most, idle: Mutex::default() }
    }

    /// One that was used before.
    pub(crate) fn kept(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|line| !line.channel.is_stale())
    }

    /// A new one, or what becomes of the message without it.
    pub(crate) async fn connect(&self) -> Result<Result<Line, Verdict>, Error> {
        let mut channel = Channel::connect::<Cleanup>(&self.cleanup, self.deadline).await?;
        match channel.expect().await? {
            Reply::Ready(queue_id) => Ok(Ok(Line { channel, queue_id })),
            Reply::Unavailable(reason) => Ok(Err(Verdict::Refused { cause: Cause::Write, reason })),
            Reply::Finished { .. } | Reply::Filter { .. } => Err(Error::Malformed("answer without a message")),
        }
    }

    /// Keeps a connection for a message with the id `next`, which is empty if there will be none.
    pub(crate) fn keep(&self, mut channel: Channel<Request, Reply>, next: String) {
        if next.is_empty() {
            return;
        }
        channel.shrink();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.most {
            idle.push(Line { channel, queue_id: next });
        }
    }
}
