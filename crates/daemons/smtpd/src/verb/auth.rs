//! AUTH.

use smtp_proto::{Enhanced, Reply, conn};

use crate::session::{Next, Session};

impl Session {
    /// Whether AUTH is offered now.
    pub(crate) fn offers_login(&self) -> bool {
        false
    }

    /// The lines that EHLO has for AUTH.
    pub(super) fn login_offers(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) async fn auth(&mut self, _arguments: &[u8]) -> Result<Next, conn::Error> {
        Ok(Next::Error(Reply::fixed(503, Enhanced(5, 5, 1), "Error: authentication not enabled")))
    }
}
