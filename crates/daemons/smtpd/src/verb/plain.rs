//! RSET, NOOP, QUIT, HELP.

use smtp_proto::{Enhanced, Reply, Verb};

use crate::session::{Next, Session};

impl Session {
    pub(super) async fn rset(&mut self, arguments: &[u8]) -> Next {
        if !arguments.is_empty() {
            return Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: RSET"));
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

    /// The commands that there are, whether or not this client may use them.
    pub(super) fn help() -> Next {
        let mut names = Verb::ALL.map(Verb::name);
        names.sort_unstable();
        Next::Reply(Reply::new(214, Some(Enhanced(2, 0, 0)), format!("Commands: {}", names.join(" "))))
    }

    pub(crate) fn unknown_verb() -> Next {
        Next::Error(Reply::fixed(500, Enhanced(5, 5, 2), "Error: command not recognized"))
    }
}
