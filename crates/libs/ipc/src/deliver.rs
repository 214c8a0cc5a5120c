//! Delivery requests of qmgr to delivery agents (smtp, local, error, …).
//!
//! The agent is the service and speaks first: [`Reply::Ready`] with its process id and how many deliveries it takes at
//! once on this connection. qmgr then sends up to that many unanswered [`Request`]s; results come in any order.
//! The agent marks recipients done in the queue file at the given offsets and has written failures to the bounce or
//! defer log before it answers; the answer only says what qmgr needs for scheduling.

use crate::{Error, Protocol as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; a [`crate::Channel`], requests numbered by [`Request::number`].
#[derive(Debug)]
pub struct Deliver;

impl crate::Protocol for Deliver {
    const NAME: &'static str = "deliver";
    const VERSION: u16 = 2;
    const LIMIT: usize = 4 * 1024 * 1024;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// Bytes that the recipients of one request may have, as [`Recipient::weight`] counts them.
pub const RECIPIENTS: usize = Deliver::LIMIT / 2;

/// One delivery: a message, a next hop, and some of the message's recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by qmgr, unique on the connection while unanswered.
    pub number: u32,
    /// The queue that the file is in: `active`.
    pub queue_name: String,
    /// The file's id.
    pub queue_id: String,
    /// Where the mail goes, in the transport's syntax.
    pub nexthop: String,
    /// What is asked for besides plain delivery.
    pub mode: Mode,
    /// The message.
    pub message: Message,
    /// Time stamps for the delays of the delivery line.
    pub times: Times,
    /// Whom it came from, for logs, pipe(8) macros and XFORWARD.
    pub client: Client,
    /// The recipients, at least one.
    pub recipients: Vec<Recipient>,
}

/// What an agent is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Deliver.
    Deliver,
    /// Deliver, and report to the sender (`sendmail -v`).
    DeliverAndReport,
    /// Deliver, and report success to the sender, who was told of a delay (`confirm_delay_cleared`).
    DeliverLate,
    /// Only tell what would be done (`sendmail -bv`): nothing is delivered.
    Expand,
    /// An address probe of verify(8): nothing is delivered, the status goes to verify.
    Probe,
}

/// What agents need to know of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Envelope sender in internal form; empty is the null sender.
    pub sender: Bytes,
    /// Size as Postfix counts it, in bytes, of the whole message.
    pub size: u64,
    /// Offset in the file of the first content record.
    pub data_offset: u64,
    /// Bytes of the content section in the file.
    pub data_size: u64,
    /// `7bit`, `8bit` or empty when unknown.
    pub encoding: String,
    /// The SMTPUTF8 flags of the message's `C` record.
    pub smtputf8: u32,
    /// DSN envelope id (xtext undone), empty if none.
    pub envelope_id: String,
    /// DSN RET, empty if not asked for, else `FULL` or `HDRS`.
    pub ret: String,
    /// `local` or `remote`: how headers were rewritten.
    pub rewrite_context: String,
}

/// Time stamps in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The message arrived (its `T` record).
    pub arrived: i64,
    /// The message entered the active queue.
    pub active: i64,
    /// The delivery was handed to an agent's queue.
    pub handed: i64,
}

/// The client attributes of a message; empty where unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Verified name, or `unknown`.
    pub name: String,
    /// Address.
    pub address: String,
    /// Port.
    pub port: String,
    /// `SMTP`, `ESMTP`, …
    pub protocol: String,
    /// HELO argument.
    pub helo: String,
    /// The id that the message had at its origin (`log_ident`).
    pub ident: String,
    /// SASL mechanism, user and `AUTH=` sender.
    pub sasl_method: String,
    /// The authenticated user.
    pub sasl_username: String,
    /// The `AUTH=` sender.
    pub sasl_sender: String,
}

/// A recipient of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Offset in the file of its `R` record, which is marked `D` when done; negative if there is none.
    pub offset: i64,
    /// Address in internal form.
    pub address: Bytes,
    /// The address before aliases, in internal form; may be empty.
    pub original: Bytes,
    /// DSN ORCPT, as `rfc822;addr`, empty if none.
    pub dsn_original: String,
    /// DSN NOTIFY as the bits of `dsn::Notify`; 0 if not asked for.
    pub notify: u8,
}

impl Recipient {
    /// About how many bytes it takes in a request.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.address.len() + self.original.len() + self.dsn_original.len() + 32
    }
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// First of all.
    Ready {
        /// The agent's process id.
        pid: u32,
        /// Deliveries it takes at once on this connection, at least 1.
        credit: u32,
    },
    /// A delivery has ended.
    Finished(Finished),
}

impl Reply {
    /// What an agent must say first.
    ///
    /// # Errors
    /// It is something else.
    pub fn readiness(self) -> Result<(), Error> {
        match self {
            Self::Ready { .. } => Ok(()),
            Self::Finished(_) => Err(Error::Malformed("answer without a request")),
        }
    }

    /// What is left of the request with this number, the only one that is under way.
    ///
    /// # Errors
    /// It is the answer to another one, or none.
    pub fn remains_of(self, number: u32) -> Result<Remains, Error> {
        match self {
            Self::Finished(finished) if finished.number == number => Ok(finished.remains),
            Self::Finished(_) | Self::Ready { .. } => Err(Error::Malformed("answer to another request")),
        }
    }
}

/// The end of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Which.
    pub number: u32,
    /// What is left to be done.
    pub remains: Remains,
    /// The destination itself could not be reached: the feedback for its concurrency, with the status for the
    /// recipients that qmgr then defers by itself.
    pub unreachable: Option<Unreachable>,
}

/// What is left of a delivery; the greatest counts for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Remains {
    /// All were delivered or bounced.
    Nothing,
    /// Some are deferred.
    Some,
    /// The content is damaged where only an agent looks: the file belongs into the corrupt queue.
    Damaged,
}

/// Why a destination could not be reached at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// Enhanced status, such as `4.4.1`.
    pub status: String,
    /// The reason in words.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(number: u32) -> Reply {
        Reply::Finished(Finished { number, remains: Remains::Some, unreachable: None })
    }

    #[test]
    fn an_agent_says_first_that_it_is_ready_and_then_what_is_left() {
        let ready = || Reply::Ready { pid: 1, credit: 1 };
        assert!(ready().readiness().is_ok());
        assert!(finished(1).readiness().is_err());
        assert!(matches!(finished(1).remains_of(1), Ok(Remains::Some)));
        assert!(finished(2).remains_of(1).is_err());
        assert!(ready().remains_of(1).is_err());
    }
}
