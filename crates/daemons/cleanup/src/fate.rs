//! What is to become of a message: the verdicts that checks and failures have brought so far.

use std::collections::BTreeSet;

use address::Address;
use ipc::cleanup::{Cause, Verdict};

/// Why a message is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    /// `5.7.1 text`; empty for the caller's own words.
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into() }
    }

    /// An alias cannot be expanded.
    pub(crate) fn alias() -> Self {
        Self::new(Cause::Defer, "4.6.0 Alias expansion error")
    }

    /// The file cannot be written, or a table or service could not be asked what belongs in it.
    pub(crate) fn write() -> Self {
        Self::new(Cause::Write, "")
    }

    /// Whether the sender can be told by a bounce that nothing will change. A message for nobody has failed nobody.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.cause, Cause::Size | Cause::Hops | Cause::Content)
    }

    /// What of the message comes back to a sender who wants this: content that is not wanted here stays here.
    pub(crate) fn returned(&self, wanted: Option<dsn::Ret>) -> Option<dsn::Ret> {
        if self.cause == Cause::Content { Some(dsn::Ret::Hdrs) } else { wanted }
    }

    /// Whether nothing more needs to be written, even if the message is to be returned.
    pub(crate) fn stops(&self) -> bool {
        matches!(self.cause, Cause::Malformed | Cause::Write | Cause::Size | Cause::Defer)
    }

    /// Status and text for a notice.
    pub(crate) fn detail(&self) -> (&str, &str) {
        let default = match self.cause {
            Cause::Size => ("5.3.4", "message file too big"),
            Cause::Hops => ("5.4.0", "too many hops"),
            Cause::NoRecipients => ("5.1.0", "no recipients specified"),
            Cause::Content => ("5.7.1", "message content rejected"),
            Cause::Malformed => ("4.3.0", "internal protocol error"),
            Cause::Write => ("4.3.0", "queue file write error"),
            Cause::Defer | Cause::Shutdown => ("4.3.0", "service unavailable"),
        };
        match self.reason.split_once(' ') {
            Some((status, text)) if status.starts_with(|c: char| c.is_ascii_digit()) => (status, text),
            Some(_) => (default.0, &self.reason),
            None => default,
        }
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        Verdict::Refused { cause: self.cause, reason: self.reason }
    }
}

/// What strict settings find wrong with a message; the first of them is what its sender learns of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Objection {
    Nesting,
    EightBitHeader,
    EightBitBody,
    EncodingDomain,
    UnendedHeader,
}

impl Objection {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nesting => "MIME nesting exceeds safety limit",
            Self::EightBitHeader => "improper use of 8-bit data in message header",
            Self::EightBitBody => "improper use of 8-bit data in message body",
            Self::EncodingDomain => "invalid message/* or multipart/* encoding domain",
            Self::UnendedHeader => "message header was not terminated by empty line",
        }
    }
}

/// Everything that was decided about a message so far.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    pub(crate) refusal: Option<Refusal>,
    /// They refuse the message when nothing else has.
    pub(crate) objections: BTreeSet<Objection>,
    pub(crate) discard: bool,
    pub(crate) hold: bool,
    /// `transport:destination`, by a FILTER action.
    pub(crate) filter: Option<String>,
    pub(crate) redirect: Option<Address>,
    /// Recipients by BCC actions.
    pub(crate) copies: Vec<Address>,
}

impl Fate {
    /// Notes a refusal; the first one counts, but for one that makes an earlier one temporary.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        match &self.refusal {
            Some(earlier) if !earlier.is_final() || refusal.is_final() => {}
            Some(_) | None => self.refusal = Some(refusal),
        }
    }

    /// Of all objections, the weightiest counts, and only where checks and limits let the message pass and nobody discards it.
    pub(crate) fn settle_objections(&mut self) {
        if self.refusal.is_none()
            && !self.discard
            && let Some(objection) = self.objections.first()
        {
            self.refuse(Refusal::new(Cause::Content, format!("5.6.0 {}", objection.words())));
        }
    }

    /// Notes the error of a stage.
    pub(crate) fn take(&mut self, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            self.refuse(refusal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_refusal_outweighs_a_final_one() {
        let mut fate = Fate::default();
        fate.refuse(Refusal::new(Cause::Content, "5.7.1 no"));
        fate.refuse(Refusal::new(Cause::Hops, ""));
        assert_eq!(fate.refusal.as_ref().map(|r| r.cause), Some(Cause::Content));
        fate.refuse(Refusal::write());
        fate.refuse(Refusal::new(Cause::Content, "5.7.1 no"));
        assert_eq!(fate.refusal.map(|r| r.cause), Some(Cause::Write));
    }

    #[test]
    fn details_come_from_the_reason_or_the_cause() {
        assert_eq!(Refusal::new(Cause::Content, "5.7.9 no way").detail(), ("5.7.9", "no way"));
        assert_eq!(Refusal::new(Cause::Hops, "").detail(), ("5.4.0", "too many hops"));
    }

    #[test]
    fn refused_content_does_not_come_back() {
        let returned = |cause, wanted| Refusal::new(cause, "").returned(wanted);
        assert_eq!(returned(Cause::Content, Some(dsn::Ret::Full)), Some(dsn::Ret::Hdrs));
        assert_eq!(returned(Cause::Content, None), Some(dsn::Ret::Hdrs));
        assert_eq!(returned(Cause::Hops, None), None);
    }
}
