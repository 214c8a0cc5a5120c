//! bounce, defer and trace: logs of recipients that failed, and the notices made from them. See bounce(8).

use crate::deliver::Recipient;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service behind `private/bounce`, `private/defer` and `private/trace`; numbered requests.
#[derive(Debug)]
pub struct Bounce;

impl crate::Protocol for Bounce {
    const NAME: &'static str = "bounce";
    const VERSION: u16 = 1;
    const LIMIT: usize = 256 * 1024;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// What a caller asks. Which log is meant follows from the service asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Append to the message's log, synchronised to disk before the answer.
    Append {
        /// The message.
        queue_id: String,
        /// What happened.
        entry: Entry,
    },
    /// Return the message with its bounce log, then remove that log.
    Notify(Notice),
    /// The same, one notice per recipient (VERP), with these two delimiters.
    NotifyVerp(Notice, String),
    /// Tell the sender about the delay, from the defer log, which stays.
    Warn(Notice),
    /// Report from the trace log (DSN success, `sendmail -v`, `-bv`), then remove that log.
    Trace(Notice),
    /// Return one recipient at once, with no log.
    One(Notice, Entry),
}

/// What a log entry says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The recipient.
    pub recipient: Recipient,
    /// The next hop or host that was asked (`relay=`), for the log line of bounce itself.
    pub relay: String,
    /// Enhanced status.
    pub status: String,
    /// `failed`, `delayed`, `delivered`, `relayed`, `expanded` or `deliverable`, `undeliverable`.
    pub action: String,
    /// The reason in words.
    pub reason: String,
    /// Type of `diagnostic`, such as `smtp`; empty if none.
    pub diagnostic_type: String,
    /// The diagnostic as the peer gave it.
    pub diagnostic: String,
    /// Type of `mta`, such as `dns`.
    pub mta_type: String,
    /// The remote MTA.
    pub mta: String,
}

/// The message that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its queue.
    pub queue_name: String,
    /// Its id.
    pub queue_id: String,
    /// Its sender in internal form; empty is the null sender.
    pub sender: Bytes,
    /// `7bit`, `8bit` or empty.
    pub encoding: String,
    /// SMTPUTF8 flags.
    pub smtputf8: u32,
    /// DSN envelope id.
    pub envelope_id: String,
    /// DSN RET.
    pub ret: String,
}

/// What the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done, and on disk.
    Done,
    /// Not done: the message is deferred.
    Failed,
}
