//! The status channel to master, from the daemon's side.
//!
//! Edges are collected and written once per turn of the event loop, when the process is about to wait.

use ipc::Protocol;
use ipc::master::{Master, Status};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What master is told.
#[derive(Debug)]
pub(crate) struct Report(Mutex<Pending>);

#[derive(Debug)]
struct Pending {
    socket: Option<UnixStream>,
    /// What master believes: whether this process accepts.
    told: Option<bool>,
    accepts: Option<bool>,
    once: Vec<Status>,
}

impl Report {
    /// Over the channel, if there is one.
    pub(crate) fn new(socket: Option<UnixStream>) -> Self {
        Self(Mutex::new(Pending { socket, told: None, accepts: None, once: Vec::new() }))
    }

    /// Whether clients are accepted from now on.
    pub(crate) fn accepts(&self, accepts: bool) {
        self.lock().accepts = Some(accepts);
    }

    /// Something that is told once.
    pub(crate) fn once(&self, status: Status) {
        self.lock().once.push(status);
    }

    /// Writes what has changed.
    pub(crate) fn flush(&self) {
        let mut pending = self.lock();
        if pending.accepts != pending.told {
            pending.told = pending.accepts;
            let status = if pending.accepts == Some(true) { Status::Available } else { Status::Full };
            pending.once.insert(0, status);
        }
        if pending.once.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for status in std::mem::take(&mut pending.once) {
            // A status is a few bytes; it cannot exceed the limit.
            let _ = ipc::frame::write_message(&mut bytes, &status, Master::LIMIT);
        }
        // Without a master there is nobody to tell, and the reading side notices.
        let _ = pending.socket.as_ref().map(|mut socket| socket.write_all(&bytes));
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
