//! The submission socket: mail from programs of this host without a set-gid command.
//!
//! `pickup` serves it outside `public/`, where everyone may enter, and knows the user by the socket's peer credentials.
//! The caller sends `Begin`, raw frames with maildrop records (as postdrop(1) reads them), then `End`; success
//! means that a complete maildrop file is on disk. Connections are taken while nobody serves them, too: a caller with another way
//! waits for `Ready` before it sends anything.

use serde::{Deserialize, Serialize};

/// The socket, below the queue directory: in a directory of its own, which everyone may enter.
pub const SOCKET: &str = "submission/pickup";

/// The service; a [`crate::blocking::Channel`] with raw frames.
#[derive(Debug)]
pub struct Submit;

impl crate::Protocol for Submit {
    const NAME: &'static str = "submit";
    const VERSION: u16 = 2;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// What the caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Raw frames follow.
    Begin,
    /// They were all.
    End,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The answer to `Begin`: frames are read.
    Ready,
    /// On disk, under this maildrop id.
    Queued(String),
    /// The user may not submit (`authorized_submit_users`).
    Denied,
    /// Not accepted, and whether trying later may help.
    Refused {
        /// In words, for the user.
        reason: String,
        /// Whether it may go better later.
        temporary: bool,
    },
    /// Nothing was read, because too many others hand in messages: postdrop(1) is the way.
    Busy,
}
