//! tlsmgr: ticket keys and TLS session caches shared by processes. See tlsmgr(8).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Tlsmgr;

impl crate::Protocol for Tlsmgr {
    const NAME: &'static str = "tlsmgr";
    const VERSION: u16 = 1;
    type Request = Request;
    type Reply = Reply;
}

/// What a caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The ticket keys to use now.
    TicketKeys,
    /// A cached session.
    Lookup {
        /// Which cache: `smtpd`, `smtp`, `lmtp`.
        cache: String,
        /// The session's key.
        key: Bytes,
    },
    /// Keep a session.
    Update {
        /// Which cache.
        cache: String,
        /// The session's key.
        key: Bytes,
        /// The session.
        session: Bytes,
    },
    /// Forget a session.
    Delete {
        /// Which cache.
        cache: String,
        /// The session's key.
        key: Bytes,
    },
}

/// A ticket key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKey {
    /// Its public name, 16 bytes.
    pub name: Bytes,
    /// The secret, 64 bytes.
    pub secret: Bytes,
    /// Seconds since the epoch until which tickets under it are accepted.
    pub expires: i64,
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TicketKey {{ expires: {} }}", self.expires)
    }
}

/// The ticket keys to use now.
///
/// # Errors
/// As [`crate::Caller::call`], or the answer is another.
pub async fn ticket_keys(caller: &crate::Caller<Tlsmgr>) -> Result<Vec<TicketKey>, crate::Error> {
    match caller.call(Request::TicketKeys).await? {
        Reply::TicketKeys(keys) => Ok(keys),
        Reply::Session(_) | Reply::NotFound | Reply::Done => Err(crate::Error::Malformed("no ticket keys")),
    }
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The current key, then those still accepted.
    TicketKeys(Vec<TicketKey>),
    /// A session.
    Session(Bytes),
    /// No such session, or no such cache.
    NotFound,
    /// Kept or forgotten.
    Done,
}
