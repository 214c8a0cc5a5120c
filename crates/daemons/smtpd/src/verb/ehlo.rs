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
            return Next::Error(Reply::plain(501, "Syntax: HELO hostname"));
        }
        if let Some(next) = self.introduce(arguments, Protocol::Smtp).await {
            return next;
        }
        Next::Reply(Reply::new(250, None, self.server.params.identity.myhostname.clone()))
    }

    pub(super) async fn ehlo(&mut self, arguments: &[u8]) -> Next {
        if arguments.is_empty() {
            return Next::Error(Reply::plain(501, "Syntax: EHLO hostname"));
        }
        if let Some(next) = self.introduce(arguments, Protocol::Esmtp).await {
            return next;
        }
        let offer = self.offer();
        Next::Reply(Reply::new(250, None, offer))
    }

    /// Takes the name. What was begun ends here.
    async fn introduce(&mut self, arguments: &[u8], protocol: Protocol) -> Option<Next> {
        let before = self.helo.take();
        self.drop_transaction();
        self.history.forget();
        self.helo = Some(Hello { name: printable(arguments).into_owned(), protocol });
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
    fn offer(&self) -> String {
        let smtpd = &self.server.params.smtpd;
        let hidden = self.hidden;
        let mut lines = vec![self.server.params.identity.myhostname.clone()];
        let mut concealed = Keywords::NONE;
        let mut offer = |keyword: Keyword, line: Option<String>| {
            if let Some(line) = line {
                if hidden.has(keyword) {
                    concealed.insert(keyword);
                } else {
                    lines.push(line);
                }
            }
        };
        let plain = |keyword: Keyword| Some(keyword.name().to_owned());
        offer(Keyword::Pipelining, plain(Keyword::Pipelining));
        let size = self.server.params.queue.message_size_limit;
        offer(Keyword::Size, Some(if size > 0 { format!("SIZE {size}") } else { "SIZE".to_owned() }));
        offer(Keyword::Vrfy, plain(Keyword::Vrfy).filter(|_| !smtpd.disable_vrfy_command));
        offer(Keyword::Etrn, plain(Keyword::Etrn));
        offer(Keyword::Starttls, plain(Keyword::Starttls).filter(|_| self.offers_tls()));
        for line in self.login_offers() {
            offer(Keyword::Auth, Some(line));
        }
        let xclient = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT";
        offer(Keyword::Xclient, self.rights.xclient.then(|| xclient.to_owned()));
        let xforward = "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT";
        offer(Keyword::Xforward, self.rights.xforward.then(|| xforward.to_owned()));
        offer(Keyword::EnhancedStatusCodes, plain(Keyword::EnhancedStatusCodes));
        offer(Keyword::EightBitMime, plain(Keyword::EightBitMime));
        offer(Keyword::Dsn, plain(Keyword::Dsn));
        offer(Keyword::SmtpUtf8, plain(Keyword::SmtpUtf8).filter(|_| self.server.settings.smtputf8));
        offer(Keyword::Chunking, plain(Keyword::Chunking));
        if !concealed.is_empty() && !hidden.has(Keyword::SilentDiscard) {
            tracing::info!("discarding EHLO keywords: {concealed}");
        }
        lines.join("\n")
    }
}
