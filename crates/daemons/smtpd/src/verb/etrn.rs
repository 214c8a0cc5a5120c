//! ETRN: delivers what waits for a domain (RFC 1985).

use std::sync::Arc;

use ipc::flush::{Reply as Answer, Request};
use smtp_proto::{Reply, command};
use tracing::warn;

use crate::access::{Actions, Check};
use crate::session::{Next, Session, faults_of};
use crate::text::printable;

impl Session {
    pub(super) async fn etrn(&mut self, arguments: &[u8]) -> Next {
        if self.helo.is_none() && self.server.params.smtpd.smtpd_helo_required {
            return Next::against_policy(Reply::plain(503, "Error: send HELO/EHLO first"));
        }
        if self.transaction.envelope().is_some() {
            return Next::against_protocol(Reply::plain(503, "Error: MAIL transaction in progress"));
        }
        let mut words = command::words(arguments);
        let (Some(domain), None) = (words.next(), words.next()) else {
            return Next::against_protocol(Reply::plain(500, "Syntax: ETRN domain"));
        };
        let name = domain.strip_prefix(b"@").or_else(|| domain.strip_prefix(b"#")).unwrap_or(domain);
        let literal = name.first() == Some(&b'[') && address::domain::literal(name).is_some();
        if !literal && !address::domain::is_hostname(name) {
            return Next::against_protocol(Reply::plain(501, "Error: invalid parameter syntax"));
        }
        let name = printable(name).into_owned();
        if let Err(reply) = self.check_etrn(&name).await {
            return Next::Error(*reply);
        }
        match self.server.flush.call(Request::Site(name.clone())).await {
            Ok(Answer::Done) => Next::Reply(Reply::plain(250, "Queuing started")),
            Ok(Answer::Denied) => {
                warn!("reject: ETRN {name:.100}... from {}", self.peer.namaddr);
                Next::Error(Reply::new(459, None, format!("<{name}>: service unavailable")))
            }
            Ok(Answer::Malformed) => {
                Next::against_protocol(Reply::new(501, None, format!("<{name}>: invalid parameter syntax")))
            }
            Ok(Answer::Failed) => Next::Error(Reply::plain(458, "Unable to queue messages")),
            Err(error) => {
                warn!("problem talking to service {}: {error}", self.server.params.ipc.flush_service_name);
                Next::Error(Reply::plain(458, "Unable to queue messages"))
            }
        }
    }

    async fn check_etrn(&mut self, domain: &str) -> crate::access::stages::Outcome {
        let server = Arc::clone(&self.server);
        let mut actions = Actions::default();
        let mut facts = self.facts(None, None);
        facts.etrn = Some(domain);
        let mut check = Check::new(&server, facts, &mut actions, self.deferral.clone());
        let outcome = Box::pin(check.etrn()).await;
        let (faults, _) = faults_of(check);
        self.faults.extend(faults);
        outcome
    }
}
