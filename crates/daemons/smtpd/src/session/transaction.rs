//! A mail transaction: from MAIL to the end of the content.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use dsn::Ret;
use smtp_proto::parameter::Body;

use crate::access::{Actions, Deferral};
use crate::sink::Sink;

/// Where the session stands. DATA cannot see a missing sender: it would have to be in a state that has none.
#[derive(Debug, Default)]
pub(crate) enum Transaction {
    /// No MAIL yet.
    #[default]
    Idle,
    /// MAIL was accepted; recipients may follow.
    Open(Box<Envelope>),
    /// BDAT has begun; only BDAT may follow.
    Chunks(Box<Envelope>, Chunks),
    /// BDAT was refused: what it brings is skipped up to its last chunk.
    Skipped(Option<Box<Envelope>>),
}

impl Transaction {
    /// The envelope, if there is one.
    pub(crate) fn envelope(&self) -> Option<&Envelope> {
        match self {
            Transaction::Idle => None,
            Transaction::Open(envelope) | Transaction::Chunks(envelope, _) => Some(envelope),
            Transaction::Skipped(envelope) => envelope.as_deref(),
        }
    }

    /// The same, taken out.
    pub(crate) fn into_envelope(self) -> Option<Box<Envelope>> {
        match self {
            Transaction::Idle => None,
            Transaction::Open(envelope) | Transaction::Chunks(envelope, _) => Some(envelope),
            Transaction::Skipped(envelope) => envelope,
        }
    }
}

/// What MAIL and RCPT have said, and what was found about it.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) sender: Sender,
    pub(crate) recipients: Recipients,
    pub(crate) actions: Actions,
    pub(crate) deferral: Deferral,
    pub(crate) instance: Instance,
    /// Where it goes; opened at the first accepted recipient.
    pub(crate) sink: Option<Sink>,
    pub(crate) queue_id: Option<String>,
}

/// Distinguishes a message from others, for policy servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance {
    pub(crate) arrived: SystemTime,
    /// Among the messages of the session.
    pub(crate) number: u64,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrived = self.arrived.duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(f, "{:x}.{:x}.{:x}.{}", std::process::id(), arrived.as_secs(), arrived.subsec_micros(), self.number)
    }
}

/// What MAIL has said.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    /// In internal form; empty is the null sender.
    pub(crate) address: Vec<u8>,
    /// `SIZE=`.
    pub(crate) size: u64,
    pub(crate) body: Option<Body>,
    pub(crate) smtputf8: bool,
    pub(crate) ret: Option<Ret>,
    /// `ENVID=`, xtext undone.
    pub(crate) envelope_id: Option<Vec<u8>>,
    /// The delimiters of `XVERP`.
    pub(crate) verp: Option<String>,
    /// `AUTH=`, as it was sent.
    pub(crate) auth: Option<String>,
}

/// What RCPT has said.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    pub(crate) count: usize,
    /// The first, in internal form.
    pub(crate) first: Option<Vec<u8>>,
    /// Refused beyond `smtpd_recipient_limit`.
    pub(crate) over: i64,
}

/// The progress of BDAT.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    pub(crate) content: super::content::Content,
    /// Bytes on the wire so far.
    pub(crate) total: u64,
}
