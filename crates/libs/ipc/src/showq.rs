//! showq: the mail queue as a list. See showq(8) and postqueue(1).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; after the one request come [`Reply::Messages`], the last of them perhaps with [`Reply::More`], then [`Reply::End`].
#[derive(Debug)]
pub struct Showq;

impl crate::Protocol for Showq {
    const NAME: &'static str = "showq";
    const VERSION: u16 = 2;
    const LIMIT: usize = 8 * 1024 * 1024;
    type Request = Request;
    type Reply = Reply;
}

/// What the caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Every message of the queue.
    List,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Messages; the last of them may have more recipients than are told here.
    Messages(Vec<Message>),
    /// More recipients of the last message.
    More(Vec<Recipient>),
    /// There is no more.
    End,
}

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `active`, `deferred`, `hold`, `incoming`, `maildrop`.
    pub queue_name: String,
    /// Its id.
    pub queue_id: String,
    /// Seconds since the epoch.
    pub arrived: i64,
    /// Bytes of content.
    pub size: u64,
    /// Whether it was forced to expire (`postsuper -e`).
    pub expiring: bool,
    /// Envelope sender in internal form.
    pub sender: Bytes,
    /// Those that are not done.
    pub recipients: Vec<Recipient>,
}

/// A recipient that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Address in internal form.
    pub address: Bytes,
    /// The address before aliases.
    pub original: Bytes,
    /// Why it waits, from the defer log; empty if not deferred.
    pub reason: String,
}
