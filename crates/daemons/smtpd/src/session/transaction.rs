//! A mail transaction: from MAIL to the end of the content.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use dsn::Ret;
use smtp_proto::parameter::Body;

use crate::access::{Actions, Deferral};
use crate::sink::Sink;
use crate::text::external;

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

    /// The same, to be marked.
    pub(crate) fn envelope_mut(&mut self) -> Option<&mut Envelope> {
        match self {
            Transaction::Idle => None,
            Transaction::Open(envelope) | Transaction::Chunks(envelope, _) => Some(envelope),
            Transaction::Skipped(envelope) => envelope.as_deref_mut(),
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
    /// `local_header_rewrite_clients`
    pub(crate) rewrites_locally: bool,
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
    /// Where the message goes it must have verified TLS (RFC 8689).
    pub(crate) requiretls: bool,
    pub(crate) ret: Option<Ret>,
    /// `ENVID=`, xtext undone.
    pub(crate) envelope_id: Option<Vec<u8>>,
    /// The delimiters of `XVERP`.
    pub(crate) verp: Option<String>,
    /// `AUTH=`, as it was sent.
    pub(crate) auth: Option<String>,
}

impl Sender {
    /// MAIL for a filter before the queue: with all that the client said.
    pub(crate) fn command(&self) -> String {
        let mut mail = format!("MAIL FROM:<{}>", external(&self.address));
        let mut add = |name: &str, value: &str| mail.extend([" ", name, value]);
        if self.size > 0 {
            add("SIZE=", &self.size.to_string());
        }
        if let Some(body) = self.body {
            add("BODY=", body.name());
        }
        if self.smtputf8 {
            add("SMTPUTF8", "");
        }
        if let Some(ret) = self.ret {
            add("RET=", &ret.to_string());
        }
        if let Some(id) = &self.envelope_id {
            add("ENVID=", &dsn::xtext::encode(id));
        }
        if let Some(auth) = &self.auth {
            add("AUTH=", auth);
        }
        if let Some(delimiters) = &self.verp {
            add("XVERP=", delimiters);
        }
        mail
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_told_all_that_the_client_said() {
        let bare = Sender { address: b"a b@x.test".to_vec(), ..Sender::default() };
        assert_eq!(bare.command(), "MAIL FROM:<\"a b\"@x.test>");
        let full = Sender {
            address: Vec::new(),
            size: 9,
            body: Some(Body::EightBitMime),
            smtputf8: true,
            // The filter learns of it from a header: there is no TLS on the way to it.
            requiretls: true,
            ret: Some(Ret::Hdrs),
            envelope_id: Some(b"a+b".to_vec()),
            verp: Some("+=".to_owned()),
            auth: Some("c+40d".to_owned()),
        };
        let words = "SIZE=9 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=c+40d XVERP=+=";
        assert_eq!(full.command(), format!("MAIL FROM:<> {words}"));
    }
}
