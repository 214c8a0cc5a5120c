//! The outcome of a delivery attempt for one recipient, with all that a report about it says.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Class, Status};

/// What another system said, as RFC 3464 has it: a type (`smtp`, `x-unix`) and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `smtp`, `x-unix`, …
    pub kind: String,
    /// The reply or exit status itself.
    pub text: String,
}

/// Everything that a delivery status notification says about one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The enhanced status code.
    pub status: Status,
    /// RFC 3464 `Action:`: `failed`, `delayed`, `delivered`, `relayed`, `expanded`; empty means the default of the outcome.
    pub action: Cow<'static, str>,
    /// The text for people: `(…)` in the log, the body of a notice.
    pub reason: String,
    /// What the other system said.
    pub diagnostic: Option<Diagnostic>,
    /// The host that said it.
    pub remote_mta: Option<String>,
}

impl Detail {
    /// A detail that our own system decided, without a remote party.
    #[must_use]
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, action: Cow::Borrowed(""), reason: reason.into(), diagnostic: None, remote_mta: None }
    }

    /// Adds what a host said.
    #[must_use]
    pub fn said_by(mut self, host: impl Into<String>, diagnostic: Diagnostic) -> Self {
        self.remote_mta = Some(host.into());
        self.diagnostic = Some(diagnostic);
        self
    }

    /// Sets the RFC 3464 action.
    #[must_use]
    pub fn with_action(mut self, action: &'static str) -> Self {
        self.action = Cow::Borrowed(action);
        self
    }

    /// The outcome that the class of the status stands for.
    pub fn outcome(self) -> Outcome {
        match self.status.class() {
            Class::Success => Outcome::Sent(self),
            Class::Temporary => Outcome::Deferred(self),
            Class::Permanent => Outcome::Bounced(self),
        }
    }
}

/// What became of one recipient in one attempt.
#[must_use = "a recipient whose outcome is dropped is neither delivered nor kept"]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Delivered, relayed or expanded; the recipient is finished.
    Sent(Detail),
    /// Stays in the queue.
    Deferred(Detail),
    /// Will never be delivered; the recipient is finished, its sender hears of it.
    Bounced(Detail),
}

impl Outcome {
    /// The detail, whatever the outcome.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        match self {
            Self::Sent(detail) | Self::Deferred(detail) | Self::Bounced(detail) => detail,
        }
    }

    /// `status=` in a delivery line.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::Deferred(_) => "deferred",
            Self::Bounced(_) => "bounced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_the_outcome() {
        assert_eq!(Detail::new(Status::SENT, "ok").outcome().word(), "sent");
        assert_eq!(Detail::new(Status::temporary(4, 1), "later").outcome().word(), "deferred");
        assert_eq!(Detail::new(Status::permanent(1, 1), "no").outcome().word(), "bounced");
    }
}
