//! STARTTLS: the session begins anew, encrypted (RFC 3207).

use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, Verb, conn};

use crate::access::Fault;
use crate::session::tls::Level;
use crate::session::{Next, Session};

impl Session {
    /// Whether STARTTLS is offered now.
    pub(crate) fn offers_tls(&self) -> bool {
        self.tls.is_none() && self.server.tls.as_ref().is_some_and(|tls| !tls.wrapped)
    }

    /// Whether REQUIRETLS is offered now.
    pub(crate) fn offers_requiretls(&self) -> bool {
        self.tls.is_some() && self.server.params.cleanup.requiretls_enable
    }

    /// Whether hardly anything may be said in clear.
    pub(crate) fn demands_tls(&self) -> bool {
        self.server.tls.as_ref().is_some_and(|tls| tls.level == Level::Encrypt)
    }

    /// Whether a command has to wait for STARTTLS.
    pub(crate) fn needs_tls(&self, verb: Verb) -> Option<Next> {
        let exempt = match verb {
            Verb::Helo
            | Verb::Ehlo
            | Verb::Starttls
            | Verb::Noop
            | Verb::Quit
            | Verb::Help
            | Verb::Xclient
            | Verb::Unknown => true,
            Verb::Auth | Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Bdat => false,
            Verb::Rset | Verb::Vrfy | Verb::Etrn | Verb::Xforward => false,
        };
        (self.demands_tls() && self.tls.is_none() && !exempt)
            .then(|| Next::Error(Reply::fixed(530, Enhanced(5, 7, 0), "Must issue a STARTTLS command first")))
    }

    pub(super) async fn starttls(&mut self, arguments: &[u8]) -> Result<Next, conn::Error> {
        let refusal = if !arguments.is_empty() {
            Some((Fault::Protocol, Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: STARTTLS")))
        } else if self.tls.is_some() {
            Some((Fault::Protocol, Reply::fixed(554, Enhanced(5, 5, 1), "Error: TLS already active")))
        } else if !self.offers_tls() || self.hidden.has(Keyword::Starttls) {
            Some((Fault::Protocol, Reply::fixed(502, Enhanced(5, 5, 1), "Error: command not implemented")))
        } else if !self.server.tls.as_ref().is_some_and(crate::session::tls::Tls::is_ready) {
            Some((Fault::Resource, Reply::fixed(454, Enhanced(4, 7, 0), "TLS not available due to local problem")))
        } else {
            self.refuse_tls_session("STARTTLS").await.map(|reply| (Fault::Policy, reply))
        };
        if let Some((fault, reply)) = refusal {
            return Ok(Next::Fault(fault, reply));
        }
        // Whatever was sent in clear together with the command is not part of the encrypted session.
        self.conn.discard();
        self.say(Reply::fixed(220, Enhanced(2, 0, 0), "Ready to start TLS")).await?;
        self.conn.flush().await?;
        self.drop_transaction();
        self.helo = None;
        self.login = None;
        self.impatient = false;
        Ok(self.encrypt().await?.map_or(Next::Restart, Next::Hangup))
    }
}

#[cfg(test)]
mod tests {
    use crate::rehearsal::session;

    #[test]
    fn a_command_that_needs_tls_is_not_where_a_client_is_lost() {
        let heard = session("smtpd_tls_security_level = encrypt\n", &["EHLO c.test", "MAIL FROM:<>"]);
        assert_eq!(heard.replies[2], "530 5.7.0 Must issue a STARTTLS command first");
        heard.assert_logged("lost connection after EHLO from localhost[127.0.0.1]");
    }
}
