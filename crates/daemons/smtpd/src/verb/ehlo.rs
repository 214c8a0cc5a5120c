//! HELO and EHLO: who the client says it is, and what it may use.

use std::sync::Arc;

use smtp_proto::Reply;
use smtp_proto::ehlo::{Keyword, Keywords};

use crate::access::{Actions, Check};
use crate::session::{Hello, Next, Protocol, Session, faults_of};
use crate::text::printable;

impl Session {
    pub(super) async fn helo(&mut self, arguments: &[u8]) -> Next {
        if arguments.is_empty() {
            return Next::against_protocol(Reply::plain(501, "Syntax: HELO hostname"));
        }
        if let Some(next) = self.introduce(arguments).await {
            return next;
        }
        if let Some(reply) = self.show_helo(arguments).await.filter(|reply| reply.code == 421) {
            return Next::Hangup(reply);
        }
        Next::Reply(Reply::new(250, None, self.server.params.identity.myhostname.clone()))
    }

    pub(super) async fn ehlo(&mut self, arguments: &[u8]) -> Next {
        if arguments.is_empty() {
            return Next::against_protocol(Reply::plain(501, "Syntax: EHLO hostname"));
        }
        if let Some(next) = self.introduce(arguments).await {
            return next;
        }
        let wanted = match self.show_helo(arguments).await {
            Some(reply) if reply.code == 421 => return Next::Hangup(reply),
            Some(reply) => reply.code < 500,
            None => true,
        };
        if let Some(what) = self.rights.unknown {
            tracing::warn!("don't know {what} to {}", self.peer.namaddr);
            return Next::Hangup(self.local_data_error());
        }
        self.spoken = Protocol::Esmtp;
        let host = &self.server.params.identity.myhostname;
        let offer = if wanted { self.offer().await } else { format!("{host}\nENHANCEDSTATUSCODES") };
        Next::Reply(Reply::new(250, None, offer))
    }

    /// Takes the name. What was begun ends here.
    async fn introduce(&mut self, arguments: &[u8]) -> Option<Next> {
        let before = self.helo.take();
        self.drop_transaction();
        self.flush_history(self.server.params.smtpd.smtpd_history_flush_threshold).await;
        self.helo = Some(Hello { name: harmless(arguments) });
        self.find_mechanisms().await;
        if self.server.params.access.smtpd_delay_reject {
            return None;
        }
        let mut actions = Actions::default();
        let server = Arc::clone(&self.server);
        let mut check = Check::new(&server, self.facts(None, None), &mut actions, self.deferral.clone());
        let outcome = Box::pin(check.helo()).await;
        let (faults, deferral) = faults_of(check);
        self.faults.extend(faults);
        self.deferral = deferral;
        let reply = outcome.err()?;
        self.helo = before;
        Some(Next::Error(*reply))
    }

    /// The lines of the reply to EHLO.
    async fn offer(&self) -> String {
        let smtpd = &self.server.params.smtpd;
        let mut offer = Offer { text: self.server.params.identity.myhostname.clone(), hidden: self.hidden };
        let size = self.server.params.queue.message_size_limit;
        offer.word(Keyword::Pipelining, true);
        offer.line(Keyword::Size, &if size > 0 { format!("SIZE {size}") } else { "SIZE".to_owned() });
        offer.word(Keyword::Vrfy, !smtpd.disable_vrfy_command);
        offer.word(Keyword::Etrn, true);
        offer.word(Keyword::Starttls, self.offers_tls());
        for line in self.login_offers().await {
            offer.line(Keyword::Auth, &line);
        }
        if self.may_verp {
            offer.push("XVERP");
        }
        if self.rights.xclient {
            offer.line(Keyword::Xclient, "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT");
        }
        if self.rights.xforward {
            offer.line(Keyword::Xforward, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT");
        }
        offer.word(Keyword::EnhancedStatusCodes, true);
        offer.word(Keyword::EightBitMime, true);
        offer.word(Keyword::Dsn, true);
        offer.word(Keyword::SmtpUtf8, self.server.settings.smtputf8);
        offer.word(Keyword::Chunking, true);
        offer.word(Keyword::RequireTls, self.offers_requiretls());
        if !self.hidden.is_empty() && !self.hidden.has(Keyword::SilentDiscard) {
            tracing::info!("discarding EHLO keywords: {}", self.hidden);
        }
        offer.text
    }
}

/// A name without what has a meaning in headers and logs.
pub(super) fn harmless(name: &[u8]) -> String {
    printable(name).chars().map(|c| if " <>()\\\";@".contains(c) { '?' } else { c }).collect()
}

/// The lines of an offer, as one text, without what is kept from this client.
struct Offer {
    text: String,
    hidden: Keywords,
}

impl Offer {
    fn word(&mut self, keyword: Keyword, there: bool) {
        if there {
            self.line(keyword, keyword.name());
        }
    }

    fn line(&mut self, keyword: Keyword, line: &str) {
        if !self.hidden.has(keyword) {
            self.push(line);
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push('\n');
        self.text.push_str(line);
    }
}
