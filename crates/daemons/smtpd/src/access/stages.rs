//! Which lists apply when.
//!
//! With `smtpd_delay_reject` the lists on client, HELO and sender are walked at RCPT, for every recipient, so that logs
//! tell what was refused. Otherwise each is walked when its command comes.

use smtp_proto::Reply;

use super::verdict::Checks;
use super::{Check, Subject, Verdict};
use crate::text::{printable, told};

/// What a stage says: go on, or this reply.
pub(crate) type Outcome = Result<(), Box<Reply>>;

// A program on standard input has no more rights than its user, who may write to anybody: nothing is checked for it.
impl Check<'_> {
    /// The client has connected.
    pub(crate) async fn client(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        self.deferral.if_reject = None;
        let rules = &self.server.rules.client;
        let subject = self.client_subject();
        self.walk(rules, &subject).await.outcome()
    }

    /// The client has said who it is.
    pub(crate) async fn helo(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        self.deferral.if_reject = None;
        let Some(helo) = self.facts.helo else { return Ok(()) };
        let subject = Subject { name: printable(helo.as_bytes()), class: "Helo command" };
        self.walk(&self.server.rules.helo, &subject).await.outcome()
    }

    /// The sender is known.
    pub(crate) async fn sender(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        self.deferral.if_reject = None;
        let Some(sender) = self.facts.sender else { return Ok(()) };
        let subject = Subject { name: told(sender), class: "Sender address" };
        self.walk(&self.server.rules.sender, &subject).await.outcome()?;
        if self.server.params.access.smtpd_reject_unlisted_sender
            && !self.asked.sender_listed
            && self.actions.checks == Checks::GoOn
            && !self.server.settings.overrides.no_unknown()
        {
            self.reject_unlisted_sender().await.outcome()?;
        }
        Ok(())
    }

    /// A recipient is known; with `smtpd_delay_reject` everything before it is looked at too.
    pub(crate) async fn recipient(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        // Whoever is in trouble may write to postmaster (RFC 5321, section 4.5.1).
        if self.facts.recipient.is_some_and(|recipient| recipient.eq_ignore_ascii_case(b"postmaster")) {
            return Ok(());
        }
        if self.server.params.access.smtpd_delay_reject {
            self.client().await?;
            self.helo().await?;
            self.sender().await?;
        }
        self.deferral.if_reject = None;
        let Some(recipient) = self.facts.recipient else { return Ok(()) };
        let subject = Subject { name: told(recipient), class: "Recipient address" };
        let rules = &self.server.rules;
        let lists = if self.server.params.access.smtpd_relay_before_recipient_restrictions {
            [&rules.relay, &rules.recipient]
        } else {
            [&rules.recipient, &rules.relay]
        };
        for list in lists {
            self.walk(list, &subject).await.outcome()?;
        }
        self.settle_deferral()?;
        let unlisted =
            self.server.params.access.smtpd_reject_unlisted_recipient && !self.server.settings.overrides.no_unknown();
        if unlisted && !self.asked.recipient_listed && self.actions.checks == Checks::GoOn {
            self.reject_unlisted_recipient().await.outcome()?;
        }
        Ok(())
    }

    /// The client wants to send content.
    pub(crate) async fn data(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        let subject = Subject { name: "DATA".into(), class: "Data command" };
        self.walk(&self.server.rules.data, &subject).await.outcome()?;
        self.settle_deferral()
    }

    /// The content is here.
    pub(crate) async fn end_of_data(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        let subject = Subject { name: "END-OF-MESSAGE".into(), class: "End-of-data" };
        self.walk(&self.server.rules.end_of_data, &subject).await.outcome()?;
        self.settle_deferral()
    }

    /// The client asks for mail of a domain to be delivered.
    pub(crate) async fn etrn(&mut self) -> Outcome {
        if self.server.life.is_standalone() {
            return Ok(());
        }
        if self.server.params.access.smtpd_delay_reject {
            self.client().await?;
            self.helo().await?;
        }
        let subject = Subject { name: self.facts.etrn.unwrap_or_default().into(), class: "Etrn command" };
        self.walk(&self.server.rules.etrn, &subject).await.outcome()?;
        self.settle_deferral()
    }

    /// What could not be known before may have been a reason to refuse: permission becomes a deferral.
    fn settle_deferral(&mut self) -> Outcome {
        match self.deferral.if_permit.take() {
            Some(refusal) => self.refuse(refusal).outcome(),
            None => Ok(()),
        }
    }
}

impl Verdict {
    fn outcome(self) -> Outcome {
        match self {
            Verdict::Dunno | Verdict::Permit => Ok(()),
            Verdict::Reject(reply) => Err(reply),
        }
    }
}
