//! The internal protocol: what one daemon of the suite may say to another.
//!
//! One module per service holds its `Request` and `Reply`; both ends are typed by it, so that a daemon that
//! is broken cannot even phrase another service's request. [`frame`] is the only file that knows the
//! encoding. [`Channel`] carries frames for daemons, [`blocking::Channel`] for commands and one-delivery daemons;
//! [`Caller`] and [`answer`] number the requests of services that reply in any order.
//!
//! Every frame has a size limit and every wait a deadline. No daemon trusts another's bytes: each end
//! parses what it reads. This protocol is private to one installed version; a hello frame tells mismatches.

pub mod frame;

mod answerer;
pub mod blocking;
mod caller;
mod channel;

pub mod anvil;
pub mod bounce;
pub mod cleanup;
pub mod deliver;
pub mod dnsblog;
pub mod flush;
pub mod master;
pub mod pass;
pub mod post;
pub mod postdrop;
pub mod proxymap;
pub mod qmgr;
pub mod rewrite;
pub mod showq;
pub mod submit;
pub mod tlsmgr;
pub mod tlsproxy;
pub mod trigger;
pub mod verify;
mod wire;

pub use answerer::{answer, answer_until};
pub use caller::Caller;
pub use channel::{Channel, Frames};

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// The contract of one internal service.
pub trait Protocol: Send + Sync + 'static {
    /// The name that both ends give in their hello.
    const NAME: &'static str;
    /// Raised whenever a message of the service changes.
    const VERSION: u16;
    /// The largest message of either direction, in bytes as encoded; raw frames have [`frame::RAW_LIMIT`].
    const LIMIT: usize = 64 * 1024;
    /// Whether a request may be sent a second time when its answer was lost.
    const REPEATABLE: bool = true;
    /// What the caller says.
    type Request: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What the service answers.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// What can go wrong between two daemons. All of it is temporary for the mail at hand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service's socket does not answer.
    #[error("connect to service {service}: {source}")]
    Connect {
        /// The socket's path, as `private/rewrite`.
        service: String,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("talk to service: {0}")]
    Io(#[from] io::Error),
    /// The peer closed in the middle of a frame, or before it had answered.
    #[error("service closed the connection")]
    Closed,
    /// No answer within `ipc_timeout`.
    #[error("service did not answer in time")]
    Timeout,
    /// A frame is larger than the service's limit.
    #[error("frame of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Bytes announced or produced.
        size: usize,
        /// The service's limit.
        limit: usize,
    },
    /// Bytes that do not decode as the message expected here.
    #[error("malformed frame: {0}")]
    Malformed(&'static str),
    /// The peer is of another service or version.
    #[error("peer speaks {found}, expected {expected}: reload the mail system")]
    Version {
        /// What the peer's hello says.
        found: String,
        /// What this end speaks.
        expected: String,
    },
}
