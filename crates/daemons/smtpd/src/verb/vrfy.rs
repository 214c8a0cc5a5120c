//! VRFY: whether RCPT would take an address.

use std::sync::Arc;

use smtp_proto::{Enhanced, Reply, path};

use super::mail::MUST_DECLARE;
use crate::access::{Actions, Check};
use crate::session::transaction::Sender;
use crate::session::{Next, Session, faults_of};
use crate::text::printable;

impl Session {
    pub(super) async fn vrfy(&mut self, arguments: &[u8]) -> Next {
        if self.server.params.smtpd.disable_vrfy_command {
            return Next::against_policy(Reply::fixed(502, Enhanced(5, 5, 1), "VRFY command is disabled"));
        }
        let may_declare = self.server.settings.smtputf8;
        let (text, smtputf8) = match arguments.len().checked_sub(8).and_then(|at| arguments.split_at_checked(at)) {
            Some((address, word))
                if may_declare && word.eq_ignore_ascii_case(b"SMTPUTF8") && matches!(address, [] | [.., b' ']) =>
            {
                (address.trim_ascii_end(), true)
            }
            _ => (arguments, false),
        };
        if text.is_empty() {
            let text = if may_declare { "Syntax: VRFY address [SMTPUTF8]" } else { "Syntax: VRFY address" };
            return Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), text));
        }
        // Who asks for addresses one by one is as who sends to them.
        if let Some(reply) = self.limit_recipients().await {
            return Next::against_policy(reply);
        }
        // There need not be brackets, however strict MAIL and RCPT are.
        let address = path::internal(text, path::Strictness::Lenient).unwrap_or_default();
        let declared = Sender { smtputf8, ..Sender::default() };
        if !address.is_ascii() && self.must_declare(&declared) {
            return Next::against_protocol(MUST_DECLARE);
        }
        if address.is_empty() || self.is_bad_address(&declared, &address).await {
            self.warn_of_syntax("VRFY", text);
            return Next::against_protocol(Reply::fixed(501, Enhanced(5, 1, 3), "Bad recipient address syntax"));
        }
        let server = Arc::clone(&self.server);
        let mut actions = Actions::default();
        let facts = self.facts(self.transaction.envelope(), Some(&address));
        let deferral = self.transaction.envelope().map_or(&self.deferral, |envelope| &envelope.deferral).clone();
        let mut check = Check::new(&server, facts, &mut actions, deferral);
        let outcome = Box::pin(check.recipient()).await;
        let (faults, _) = faults_of(check);
        self.faults.extend(faults);
        match outcome {
            Ok(()) => Next::Reply(Reply::new(252, Some(Enhanced(2, 0, 0)), printable(text).into_owned())),
            Err(reply) => Next::Error(*reply),
        }
    }
}
