//! Connections to cleanup. They are kept for the next message: cleanup has a file for it already, and would have made and
//! removed others in vain for a connection that brings one message.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Cleanup, Reply, Request};
use crate::{Channel, Error, blocking};

/// A connection, and the id that the next message will have.
#[derive(Debug)]
pub struct Line {
    /// What was said on it is answered.
    pub channel: Channel<Request, Reply>,
    /// The file that cleanup has made.
    pub queue_id: String,
}

/// All connections that wait for a message.
#[derive(Debug)]
pub struct Lines {
    cleanup: PathBuf,
    deadline: Duration,
    most: usize,
    idle: Mutex<Vec<Line>>,
}

impl Lines {
    /// To the service at this path; no more than `most` are kept, since cleanup holds an empty file for each.
    pub fn new(cleanup: impl Into<PathBuf>, deadline: Duration, most: usize) -> Self {
        Self { cleanup: cleanup.into(), deadline, most, idle: Mutex::default() }
    }

    /// One that was used before.
    pub fn kept(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // A service that retires waits for the last of them to be closed.
        idle.retain(|line| !line.channel.is_stale());
        idle.pop()
    }

    /// A new one, or why cleanup takes no message.
    ///
    /// # Errors
    /// As [`Channel::connect`]; or cleanup does not begin as it should.
    pub async fn connect(&self) -> Result<Result<Line, String>, Error> {
        let mut channel = Channel::connect::<Cleanup>(&self.cleanup, self.deadline).await?;
        match channel.expect().await? {
            Reply::Ready(queue_id) => Ok(Ok(Line { channel, queue_id })),
            Reply::Unavailable(reason) => Ok(Err(reason)),
            Reply::Finished { .. } | Reply::Filter { .. } | Reply::Leaving => {
                Err(Error::Malformed("answer without a message"))
            }
        }
    }

    /// Keeps a connection for a message with the id `next`, which is empty if there will be none.
    pub fn keep(&self, mut channel: Channel<Request, Reply>, next: String) {
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

impl Channel<Request, Reply> {
    /// The answer to what was sent, also of a service that retires.
    ///
    /// # Errors
    /// As [`Channel::expect`].
    pub async fn answer(&mut self) -> Result<Reply, Error> {
        loop {
            let reply = self.expect().await?;
            if reply != Reply::Leaving {
                return Ok(reply);
            }
        }
    }
}

impl blocking::Channel<Request, Reply> {
    /// The answer to what was sent, also of a service that retires.
    ///
    /// # Errors
    /// As [`blocking::Channel::expect`].
    pub fn answer(&mut self) -> Result<Reply, Error> {
        loop {
            let reply = self.expect()?;
            if reply != Reply::Leaving {
                return Ok(reply);
            }
        }
    }
}
