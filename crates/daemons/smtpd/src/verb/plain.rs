//! RSET, NOOP, QUIT, HELP.

use smtp_proto::{Enhanced, Reply, Verb};

use crate::session::{Next, Session};

impl Session {
    pub(super) async fn rset(&mut self, arguments: &[u8]) -> Next {
        if !arguments.is_empty() {
            return Next::Error(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: RSET"));
        }
        self.drop_transaction();
        self.flush_history(self.server.params.smtpd.smtpd_history_flush_threshold).await;
        Next::Reply(Reply::fixed(250, Enhanced(2, 0, 0), "Ok"))
    }

    pub(super) fn noop(&self) -> Next {
        Next::Reply(Reply::fixed(250, Enhanced(2, 0, 0), "Ok"))
    }

    pub(super) fn quit(&self) -> Next {
        Next::Hangup(Reply::fixed(221, Enhanced(2, 0, 0), "Bye"))
    }

    /// The commands that this session may use.
    pub(super) fn help(&self) -> Next {
        let offered = |verb: &Verb| match verb {
            Verb::Xclient => self.rights.xclient,
            Verb::Xforward => self.rights.xforward,
            Verb::Starttls => self.offers_tls(),
            Verb::Auth => self.server.params.smtpd.smtpd_sasl_auth_enable,
            Verb::Vrfy => !self.server.params.smtpd.disable_vrfy_command,
            Verb::Unknown => false,
            Verb::Helo
            | Verb::Ehlo
            | Verb::Mail
            | Verb::Rcpt
            | Verb::Data
            | Verb::Bdat
            | Verb::Rset
            | Verb::Noop
            | Verb::Etrn => true,
            Verb::Help | Verb::Quit => true,
        };
        let names: Vec<&str> = Verb::ALL.iter().filter(|verb| offered(verb)).map(|verb| verb.name()).collect();
        Next::Reply(Reply::new(214, Some(Enhanced(2, 0, 0)), format!("Commands: {}", names.join(" "))))
    }

    pub(super) fn unknown_verb() -> Next {
        Next::Error(Reply::fixed(500, Enhanced(5, 5, 2), "Error: command not recognized"))
    }
}
