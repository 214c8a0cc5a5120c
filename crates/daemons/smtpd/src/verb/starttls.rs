//! STARTTLS.

use smtp_proto::{Enhanced, Reply, conn};

use crate::session::{Next, Session};

impl Session {
    /// Whether STARTTLS is offered now.
    pub(crate) fn offers_tls(&self) -> bool {
        false
    }

    /// Whether the command has to wait for STARTTLS.
    pub(super) fn needs_tls(&self) -> Option<Next> {
        None
    }

    pub(super) async fn starttls(&mut self, _arguments: &[u8]) -> Result<Next, conn::Error> {
        Ok(Next::Error(Reply::fixed(502, Enhanced(5, 5, 1), "Error: command not implemented")))
    }
}
