//! cleanup: a message comes in, a queue file is committed. See cleanup(8).
//!
//! A connection carries one transaction at a time and is kept for the next. The service speaks first:
//! [`Reply::Ready`] with the id of the file that it has created, again after each transaction, so that
//! the caller knows the next id without waiting. A transaction is: `Begin`, any number of `Envelope`, then raw frames
//! with the content, then `End` (or `Abort` at any point). The caller may send all of it without
//! waiting; the socket's buffers are the only flow control, so that it waits when cleanup does not read.
//!
//! A service that retires says [`Reply::Leaving`] where no transaction has begun: a caller that has not told anybody of the
//! id connects anew, one that has may still bring its message.
//!
//! Content is the message text with lines ended by LF (CRLF and dots undone, chunks cut anywhere).
//!
//! A caller that has mail filters names them with `Filters` before `End`. Then cleanup, which alone knows what the content
//! has become, asks through the caller: to each [`Reply::Filter`] the caller answers with raw frames that hold the
//! filter's answers, as they came, and [`Request::Filtered`]. `Finished` follows when all filters have been asked.

mod beginning;
mod lines;

pub use beginning::{beginning_of, mend_beginning};
pub use lines::{Line, Lines};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; a [`crate::Channel`] with raw frames for the content.
#[derive(Debug)]
pub struct Cleanup;

impl crate::Protocol for Cleanup {
    const NAME: &'static str = "cleanup";
    const VERSION: u16 = 4;
    /// A chunk of a body for a filter is the largest message.
    const LIMIT: usize = 128 * 1024;
    const REPEATABLE: bool = false;
    type Request = Request;
    type Reply = Reply;
}

/// The flag of a record of flags, also one that follows the content, by which a message goes to the hold queue.
pub const HOLD: u32 = 4;

/// Records that one [`Request::Envelope`] may hold: an envelope that is longer is sent in pieces.
pub const ENVELOPE: usize = 64 * 1024;

/// What the caller says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A message begins.
    Begin(Handling),
    /// Envelope records in queue-file form (type, length, data): `T`, `A`, `F`, `S`, then per recipient `O`, `A` and `R`.
    /// At most [`ENVELOPE`] bytes; may be repeated; a record is never cut.
    Envelope(Bytes),
    /// The filters that want to see the content, each by its number and the protocol flags that it has asked for.
    Filters(Vec<(u32, u32)>),
    /// The content is complete: commit and answer.
    End,
    /// A filter's answers have been sent, in raw frames.
    Filtered,
    /// Forget what was sent; answered by [`Reply::Ready`].
    Abort,
}

/// How a message is treated, by where it comes from. See the `receive_override_options` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handling {
    /// Who hands the message in.
    pub origin: Origin,
    /// Header and body checks apply.
    pub checks: Switch,
    /// Canonical, virtual alias, masquerade and automatic bcc maps apply.
    pub mapping: Switch,
    /// Automatic bcc recipients alone (`no_address_mappings` turns off both).
    pub bcc: Switch,
    /// Milters apply.
    pub milters: Switch,
    /// A failure that is final is bounced by cleanup itself, since the caller cannot tell the sender.
    pub bounce: Switch,
    /// Start in the hold queue.
    pub hold: Switch,
    /// SMTPUTF8 was asked for by the sender.
    pub smtputf8: Switch,
    /// REQUIRETLS was asked for by the sender.
    pub requiretls: Switch,
    /// Detect whether SMTPUTF8 is needed (`smtputf8_autodetect_classes`).
    pub autodetect: Switch,
}

impl Handling {
    /// As mail from strangers is handled: all that there is applies, and nothing was asked for.
    #[must_use]
    pub const fn usual(origin: Origin) -> Self {
        Self {
            origin,
            checks: Switch::On,
            mapping: Switch::On,
            bcc: Switch::On,
            milters: Switch::On,
            bounce: Switch::Off,
            hold: Switch::Off,
            smtputf8: Switch::Off,
            requiretls: Switch::Off,
            autodetect: Switch::Off,
        }
    }

    /// As mail that the mail system itself hands in is handled: addresses are mapped, and what is filtered
    /// (`internal_mail_filter_classes`) or looked through for UTF-8 (`smtputf8_autodetect_classes`) is told by the classes.
    #[must_use]
    pub fn internal(origin: Origin, filtered: &[String], autodetected: &[String]) -> Self {
        let filtered = origin.is_among(filtered).into();
        Self {
            checks: filtered,
            bcc: Switch::Off,
            milters: filtered,
            autodetect: origin.is_among(autodetected).into(),
            ..Self::usual(origin)
        }
    }
}

/// Who hands a message in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// smtpd, which asks its filters itself.
    Smtpd,
    /// qmqpd.
    Qmqpd,
    /// pickup.
    Pickup,
    /// local forwards what it received (`internal_mail_filter_classes`).
    Forward,
    /// bounce sends a notice.
    Bounce,
    /// verify sends a probe.
    Verify,
    /// A notice to postmaster.
    Notify,
}

impl Origin {
    /// Whether one of these classes is its own, or `all`.
    #[must_use]
    pub fn is_among(self, classes: &[String]) -> bool {
        let own = match self {
            Self::Smtpd => "smtpd",
            Self::Qmqpd => "qmqpd",
            Self::Pickup => "sendmail",
            Self::Forward => "forward",
            Self::Bounce => "bounce",
            Self::Verify => "verify",
            Self::Notify => "notify",
        };
        classes.iter().any(|class| class == own || class == "all")
    }
}

/// On or off, where a bool would not say what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Switch {
    /// Applies.
    On,
    /// Does not.
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// What the service says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A file of this id has been created for the next transaction.
    Ready(String),
    /// The end of a transaction; `next` is as in `Ready`.
    Finished {
        /// What became of the message.
        verdict: Verdict,
        /// The next id. Empty when the service retires and the caller must connect anew.
        next: String,
    },
    /// Packets for one filter, to be passed on one by one until it answers more than "continue".
    Filter {
        /// As in [`Request::Filters`].
        number: u32,
        /// Whole packets, each with its length.
        packets: Bytes,
    },
    /// The service retires. What a caller has begun it takes; other connections are to be closed.
    Leaving,
    /// No file can be created now (disk full, say): the caller answers with a temporary failure.
    Unavailable(String),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Committed: the queue file has been synchronised to disk.
    Queued,
    /// Accepted and thrown away, by a DISCARD action or since a bounce needed no sender.
    Discarded,
    /// Not accepted.
    Refused {
        /// Why.
        cause: Cause,
        /// `5.7.1 text` for [`Cause::Content`] and others that have their own words; empty for the caller's default.
        reason: String,
    },
}

/// Why cleanup does not accept a message; callers have the SMTP code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// The caller sent what no message is.
    Malformed,
    /// The file could not be written; 451 or 452.
    Write,
    /// Over `message_size_limit`; 552.
    Size,
    /// `hopcount_limit`; 554.
    Hops,
    /// Header or body checks, or a milter; the reason has the code.
    Content,
    /// No recipients; 554.
    NoRecipients,
    /// A map or milter could not be asked; 451.
    Defer,
    /// A milter or check ended the session; 421.
    Shutdown,
}

impl Cause {
    /// As logs have it, with what cleanup says besides, if it says anything.
    #[must_use]
    pub fn told(self, reason: &str) -> String {
        if reason.is_empty() { self.to_string() } else { format!("{self}: {reason}") }
    }
}

impl std::fmt::Display for Cause {
    /// As logs have it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "internal protocol error",
            Self::Write => "queue file write error",
            Self::Size => "message file too big",
            Self::Hops => "too many hops",
            Self::Content => "message content rejected",
            Self::NoRecipients => "no recipients specified",
            Self::Defer | Self::Shutdown => "service unavailable",
        })
    }
}
