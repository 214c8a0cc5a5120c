//! The status channel between master and each daemon process: edges, never single sessions.
//!
//! master makes a socket pair per process; the daemon has the [`Protocol::Request`](crate::Protocol) side.

use crate::frame::{self, Frame};
use crate::{Error, Protocol};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The environment variable in which master tells a process how many sessions it may have; 0 means any number.
pub const SHARE: &str = "MAIL_PROCESS_SHARE";

/// The environment variable in which master tells a process who `mail_owner` is, as a `privsep::Owner` is written.
pub const OWNER: &str = "MAIL_OWNER";

/// The channel; a [`crate::Channel`] over an inherited descriptor, without hello.
#[derive(Debug)]
pub struct Master;

impl Protocol for Master {
    const NAME: &'static str = "master";
    const VERSION: u16 = 1;
    const LIMIT: usize = 4096;
    type Request = Status;
    type Reply = Order;
}

/// What a daemon tells master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It is past its birth and accepts clients.
    Available,
    /// Every one of its slots is taken; it does not accept.
    Full,
    /// It has more than a few sessions: another process of the service would help.
    Busy,
    /// It has served enough: it wants a successor, and to be drained once that one is there.
    Retiring,
    /// It stops accepting, finishes its sessions and ends; a successor may start.
    Exiting,
}

/// What master tells a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Stop accepting, finish, end.
    Drain,
    /// The wake-up timer of the service: trigger bytes.
    Wake(Vec<u8>),
    /// The service is (or is no more) under stress.
    Stress(bool),
}

/// master's end of the channel of one process: never waits.
#[derive(Debug)]
pub struct Link {
    stream: UnixStream,
    incoming: BytesMut,
}

impl Link {
    /// Over master's side of a socket pair.
    ///
    /// # Errors
    /// The socket cannot be made non-blocking.
    pub fn new(stream: UnixStream) -> Result<Self, Error> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: BytesMut::new() })
    }

    /// What the process has said since; `None` behind the last when it has closed.
    ///
    /// # Errors
    /// What it says makes no sense.
    pub fn hear(&mut self) -> Result<Vec<Option<Status>>, Error> {
        let mut heard = Vec::new();
        let mut buffer = [0; 512];
        let closed = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.incoming.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
        };
        while let Some(frame) = frame::take(&mut self.incoming, Master::LIMIT)? {
            match frame {
                Frame::Message(status) => heard.push(Some(status)),
                Frame::Raw(_) => return Err(Error::Malformed("unexpected raw frame")),
            }
        }
        if closed {
            heard.push(None);
        }
        Ok(heard)
    }

    /// Tells the process something. It may be at its birth still, and reads it later.
    ///
    /// # Errors
    /// It is gone, or does not read.
    pub fn order(&mut self, order: &Order) -> Result<(), Error> {
        let mut bytes = Vec::new();
        frame::write_message(&mut bytes, order, Master::LIMIT)?;
        Ok(self.stream.write_all(&bytes)?)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
