//! DATA: the content of a message, up to a line with a dot.

use std::sync::Arc;

use smtp_proto::{Enhanced, Reply, conn};

use crate::access::Check;
use crate::session::transaction::{Envelope, Transaction};
use crate::session::{Next, Session, faults_of};

impl Session {
    pub(super) async fn data(&mut self, arguments: &[u8]) -> Result<Next, conn::Error> {
        let mut envelope = match std::mem::take(&mut self.transaction) {
            Transaction::Open(envelope) if envelope.recipients.count > 0 => envelope,
            other @ (Transaction::Idle | Transaction::Open(_) | Transaction::Chunks(..) | Transaction::Skipped(_)) => {
                return Ok(self.data_is_early(other));
            }
        };
        if !arguments.is_empty() {
            self.transaction = Transaction::Open(envelope);
            return Ok(Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: DATA")));
        }
        if let Err(reply) = self.admit_content(&mut envelope).await {
            self.transaction = Transaction::Open(envelope);
            return Ok(Next::Error(reply));
        }
        self.say(Reply::plain(354, "End data with <CR><LF>.<CR><LF>")).await?;
        self.pace_content();
        match self.receive(&mut envelope).await {
            Ok(content) => Ok(self.settle(envelope, &content).await),
            Err(error) => {
                // The id is still needed for the line that tells of the loss.
                self.transaction = Transaction::Open(envelope);
                Err(error)
            }
        }
    }

    fn data_is_early(&mut self, transaction: Transaction) -> Next {
        let next = match &transaction {
            Transaction::Idle => {
                Next::against_protocol(Reply::fixed(503, Enhanced(5, 5, 1), "Error: need RCPT command"))
            }
            // Why there are none is known by now.
            Transaction::Open(_) => Next::Error(Reply::fixed(554, Enhanced(5, 5, 1), "Error: no valid recipients")),
            Transaction::Chunks(..) | Transaction::Skipped(_) => {
                Next::against_protocol(Reply::fixed(503, Enhanced(5, 5, 1), "Error: DATA after BDAT"))
            }
        };
        self.transaction = transaction;
        next
    }

    /// Asks all who may refuse content before it comes: restrictions, the mail filters of the session, a before-queue filter.
    pub(super) async fn admit_content(&mut self, envelope: &mut Envelope) -> Result<(), Reply> {
        self.check_data(envelope).await.map_err(|reply| *reply)?;
        self.show_data(envelope).await?;
        match &mut envelope.sink {
            Some(sink) => sink.ask().await,
            None => Ok(()),
        }
    }

    /// `smtpd_data_restrictions`.
    async fn check_data(&mut self, envelope: &mut Envelope) -> crate::access::stages::Outcome {
        if self.server.rules.data.is_empty() {
            return Ok(());
        }
        let server = Arc::clone(&self.server);
        let mut actions = std::mem::take(&mut envelope.actions);
        let facts = self.facts_of_message(envelope);
        let mut check = Check::new(&server, facts, &mut actions, envelope.deferral.clone());
        let outcome = Box::pin(check.data()).await;
        let (faults, _) = faults_of(check);
        envelope.actions = actions;
        self.faults.extend(faults);
        outcome
    }

    /// Content may take long, but has to keep coming.
    pub(super) fn pace_content(&mut self) {
        self.new_request();
        self.progress = Some(0);
    }
}
