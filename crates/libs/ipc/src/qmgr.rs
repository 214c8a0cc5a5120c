//! qmgr: mail has arrived, or somebody asks for a scan. See qmgr(8).
//!
//! `public/qmgr` takes this protocol and plain trigger bytes ([`crate::trigger::is_trigger`] tells them apart). Nothing is answered: what
//! gets lost here is found by the next scan of `incoming`. What comes back are spare files for the next messages,
//! and whether these come too fast.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Scan `incoming`.
pub const SCAN_INCOMING: u8 = b'I';
/// Scan `deferred`.
pub const SCAN_DEFERRED: u8 = b'D';
/// Ignore the time stamps of mail during the next scan, and scan `incoming`.
pub const IGNORE_TIMES: u8 = b'A';
/// Forget dead destinations and transports.
pub const FORGET_DEAD: u8 = b'F';
/// Wake up: look whether anything waits.
pub const WAKEUP: u8 = crate::trigger::WAKEUP;

/// The service; a [`crate::Channel`] on which nothing is waited for.
#[derive(Debug)]
pub struct Qmgr;

impl crate::Protocol for Qmgr {
    const NAME: &'static str = "qmgr";
    const VERSION: u16 = 3;
    const LIMIT: usize = 512 * 1024;
    type Request = Request;
    type Reply = Back;
}

/// What a caller says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// cleanup has committed a file in `incoming`.
    Arrived(Arrival),
    /// Trigger bytes, in a frame.
    Trigger(Vec<u8>),
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Back {
    /// The file of a finished message, in `incoming`, for a new one. It is the receiver's from now on: to use or to
    /// remove.
    Spare {
        /// The file's queue id.
        queue_id: String,
    },
    /// How mail flows from now on; before the first word it is [`Flow::Free`].
    Flow(Flow),
}

/// Whether mail comes faster than it is taken up (`in_flow_delay`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flow {
    /// It does not.
    Free,
    /// It does: new mail is to come more slowly.
    Behind,
}

/// A new file in `incoming`, with what qmgr would read from it. The bytes are exactly the file's, so that
/// one parser serves both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The file's queue id.
    pub queue_id: String,
    /// Modification time of the file, seconds since the epoch.
    pub arrived: i64,
    /// The file from its first byte up to and with the `M` record; empty if too large to tell (qmgr reads the file).
    pub leading: Bytes,
    /// Offset in the file of `extracted`.
    pub extracted_at: u64,
    /// The file from its `X` record to its end.
    pub extracted: Bytes,
}
