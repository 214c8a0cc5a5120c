//! Servers that break the protocol, and the notice to postmaster about them: `notify_classes` with `protocol`.

use std::sync::Arc;

use delivery::Dates;
use ipc::post::{Notice, Postmaster};
use queue_file::{Time, record};
use smtp_proto::Transcript;
use tracing::warn;

use crate::flavor::Flavor;

/// Where complaints go.
#[derive(Debug)]
pub struct Complaints {
    /// Who hears them.
    pub postmaster: Postmaster,
    /// When.
    pub dates: Dates,
}

/// What a server said and heard, in case it is to be complained about.
#[derive(Debug)]
pub(crate) struct Case {
    complaints: Arc<Complaints>,
    /// The session since the last message.
    pub(crate) transcript: Transcript,
    conduct: Conduct,
    mail: Mail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    Proper,
    Improper,
}

/// What a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mail {
    Ordinary,
    /// It may be a notice. Complaints about those would go on for ever.
    Notice,
}

impl Case {
    pub(crate) fn new(complaints: Arc<Complaints>) -> Self {
        Self { complaints, transcript: Transcript::default(), conduct: Conduct::Proper, mail: Mail::Ordinary }
    }

    /// Mail of this sender is at hand.
    pub(crate) fn carry(&mut self, sender: &[u8]) {
        let is_notice = sender.is_empty() || sender == self.complaints.postmaster.sender.as_bytes();
        self.mail = if is_notice { Mail::Notice } else { Mail::Ordinary };
    }

    /// Considers a reply that kept mail from going on.
    pub(crate) fn consider(&mut self, code: u16) {
        if is_improper(code) {
            self.conduct = Conduct::Improper;
        }
    }

    /// Complains where there is reason to, and begins anew.
    pub(crate) async fn close(&mut self, flavor: Flavor, relay: &str) {
        let transcript = std::mem::take(&mut self.transcript);
        let conduct = std::mem::replace(&mut self.conduct, Conduct::Proper);
        if conduct == Conduct::Proper || self.mail == Mail::Notice {
            return;
        }
        let notice = Notice {
            subject: match flavor {
                Flavor::Smtp => format!("SMTP client: errors from {relay}"),
                Flavor::Lmtp => format!("LMTP client: errors from {relay}"),
            },
            cause: format!("Unexpected response from {relay}.\n\n"),
            transcript: transcript.text().into_owned(),
            end: String::new(),
        };
        let Complaints { postmaster, dates } = &*self.complaints;
        let envelope = record::own_envelope(Time::now(), postmaster.sender.as_bytes(), postmaster.recipient.as_bytes());
        if let Err(error) = postmaster.tell(&notice, &dates.now(), envelope.into()).await {
            warn!("postmaster notify: {error}");
        }
    }
}

/// Whether a refusal says that a command was not understood, or is none: such a server, or we, did not keep to the protocol.
pub(crate) fn is_improper(code: u16) -> bool {
    !(400..600).contains(&code) || (500..510).contains(&code) || code == 555
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_misunderstandings() {
        for (code, improper) in
            [(250, true), (354, true), (399, true), (450, false), (499, false), (500, true), (509, true), (510, false)]
        {
            assert_eq!(is_improper(code), improper, "{code}");
        }
        for (code, improper) in [(554, false), (555, true), (556, false), (599, false), (600, true)] {
            assert_eq!(is_improper(code), improper, "{code}");
        }
    }
}
