//! One line of the client: which command it is, and whether that may be obeyed now.

use smtp_proto::{Enhanced, Reply, Verb, command, conn};
use tracing::{info, warn};

use super::transaction::Envelope;
use super::{Admission, Next, Session};
use crate::access::Fault;
use crate::settings::BareNewlines;
use crate::text::{escaped, is_header, printable};
use crate::verb;

impl Session {
    /// One command line.
    pub(super) async fn obey(&mut self, line: &[u8]) -> Result<Next, conn::Error> {
        if self.server.params.identity.smtputf8_enable && std::str::from_utf8(line).is_err() {
            self.history.heard(line);
            return Ok(Session::garbled("Error: bad UTF-8 syntax"));
        }
        // A command ends at a NUL, as it does for Postfix.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let filtered = match self.filtered(line).await {
            Ok(filtered) => filtered,
            Err(reply) => return Ok(Next::Hangup(*reply)),
        };
        let line = filtered.as_deref().unwrap_or(line);
        self.history.heard(line);
        let (word, arguments) = command::split(line);
        if word.is_empty() {
            return Ok(Session::garbled("Error: bad syntax"));
        }
        if self.is_ignored(word).await {
            self.count_junk();
            return Ok(Next::Reply(Reply::fixed(250, Enhanced(2, 0, 0), "Ok")));
        }
        let verb = Verb::parse(word);
        self.statistics.attempted(verb);
        if verb == Verb::Unknown {
            return Ok(self.unknown(word, line).await);
        }
        if let Some(next) = self.denied().filter(|_| verb != Verb::Quit) {
            return Ok(next);
        }
        if let Some(next) = self.needs_tls(verb) {
            return Ok(next);
        }
        self.stage = verb.name();
        self.progress = None;
        if let Some(next) = self.check_pipelining(verb).or_else(|| self.refused_by_milters(verb)) {
            return Ok(next);
        }
        if matches!(verb, Verb::Rset | Verb::Noop | Verb::Vrfy | Verb::Etrn | Verb::Helo | Verb::Ehlo | Verb::Help) {
            self.count_junk();
        }
        let next = verb::obey(self, verb, arguments).await?;
        match &next {
            Next::Reply(_) | Next::Restart => self.statistics.succeeded(verb),
            Next::Hangup(reply) if reply.is_positive() => self.statistics.succeeded(verb),
            Next::Hangup(_) | Next::Error(_) | Next::Fault(..) | Next::Afresh(_) => {}
        }
        Ok(next)
    }

    /// `smtpd_command_filter`. Where it cannot be asked no command is obeyed: it may be there to hold something back.
    async fn filtered(&self, line: &[u8]) -> Result<Option<Vec<u8>>, Box<Reply>> {
        let filter = &self.server.tables.command_filter;
        if filter.is_empty() {
            return Ok(None);
        }
        let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
        let found = filter.lookup_line(line.get(start..).unwrap_or_default()).await;
        let peer = &self.peer.namaddr;
        if let Ok(Some(command)) = &found {
            info!("{peer}: replacing command \"{:.100}\" with \"{:.100}\"", printable(line), printable(command));
        }
        found.map_err(|_| Box::new(self.local_data_error()))
    }

    /// Whether `smtpd_noop_commands` has the word: then it is answered, and is no command.
    async fn is_ignored(&self, word: &[u8]) -> bool {
        let list = &self.server.tables.noop_commands;
        !list.is_empty() && list.matches_string(word).await.unwrap_or(false)
    }

    /// What does nothing may come so often, and is an error from then on.
    fn count_junk(&mut self) {
        if self.junk > self.limits.smtpd_junk_command_limit {
            self.errors += 1;
        }
        self.junk += 1;
    }

    /// A line that does not count as a command.
    fn garbled(text: &'static str) -> Next {
        Next::against_protocol(Reply::fixed(500, Enhanced(5, 5, 2), text))
    }

    async fn unknown(&mut self, word: &[u8], line: &[u8]) -> Next {
        self.stage = "UNKNOWN";
        let forbidden = &self.server.tables.forbidden_commands;
        if is_header(word) || forbidden.matches_string(word).await.unwrap_or(false) {
            warn!("non-SMTP command from {}: {:.100}", self.peer.namaddr, escaped(line));
            return Next::Hangup(Reply::fixed(221, Enhanced(2, 7, 0), "Error: I can break rules, too. Goodbye."));
        }
        self.faults.push(Fault::Protocol);
        if let Some(next) = self.denied() {
            return next;
        }
        self.show_unknown(line).await.unwrap_or_else(Session::unknown_verb)
    }

    /// What a client hears that was refused when it came.
    fn denied(&self) -> Option<Next> {
        (self.admission == Admission::Denied).then(|| {
            let text = format!("Error: access denied for {}", self.peer.namaddr);
            Next::Error(Reply::new(503, Some(Enhanced(5, 7, 0)), text))
        })
    }

    /// Commands after which a client has to wait for the reply.
    fn check_pipelining(&mut self, verb: Verb) -> Option<Next> {
        let waits = match verb {
            Verb::Helo
            | Verb::Ehlo
            | Verb::Starttls
            | Verb::Data
            | Verb::Noop
            | Verb::Vrfy
            | Verb::Xclient
            | Verb::Xforward => true,
            Verb::Auth | Verb::Mail | Verb::Rcpt | Verb::Bdat | Verb::Rset | Verb::Etrn | Verb::Help => {
                self.protocol() != "ESMTP"
            }
            Verb::Quit | Verb::Unknown => false,
        };
        // A program on standard input that sends all at once waits for nobody.
        if !waits || self.impatient || self.server.life.is_standalone() {
            return None;
        }
        self.notice_impatience(verb.name())
    }

    /// Looks whether the client has talked ahead.
    pub(super) fn notice_impatience(&mut self, after: &str) -> Option<Next> {
        if self.conn.buffered().is_empty() {
            self.conn.look_ahead();
        }
        let ahead = self.conn.buffered();
        if ahead.is_empty() {
            return None;
        }
        let ahead = escaped(ahead.get(..100).unwrap_or(ahead));
        info!("improper command pipelining after {after} from {}: {ahead}", self.peer.namaddr);
        self.impatient = true;
        self.server.params.smtpd.smtpd_forbid_unauth_pipelining.then(|| {
            self.faults.push(Fault::Protocol);
            Next::Hangup(Reply::fixed(554, Enhanced(5, 5, 0), "Error: SMTP protocol synchronization"))
        })
    }

    pub(super) fn too_long(&mut self) -> Reply {
        self.faults.push(Fault::Protocol);
        self.statistics.attempted(Verb::Unknown);
        let host = &self.server.params.identity.myhostname;
        Reply::new(500, Some(Enhanced(5, 5, 2)), format!("{host} Error: command too long"))
    }

    /// A line of this client has ended in a bare LF. That is noted, if it is to be; whether it is forbidden.
    pub(crate) async fn forbids_bare_newline(&mut self) -> bool {
        let policy = self.server.settings.bare_newline;
        let matters = matches!(policy, BareNewlines::Note | BareNewlines::Reject);
        if !matters || self.is_excluded_from_bare_newline().await {
            return false;
        }
        self.statistics.notes_bare_newline |= policy == BareNewlines::Note;
        policy == BareNewlines::Reject
    }

    pub(crate) async fn is_excluded_from_bare_newline(&self) -> bool {
        self.peer.is_listed(&self.server.tables.bare_newline_exclusions).await
    }

    /// Logs that a line or a message is refused for its bare LF, and says so.
    pub(super) fn bare_newline(&self, envelope: Option<&Envelope>) -> Reply {
        self.facts_to_log(envelope).log("reject", "bare <LF> received");
        let host = &self.server.params.identity.myhostname;
        let code = u16::try_from(self.server.params.smtpd.smtpd_forbid_bare_newline_reject_code).unwrap_or(550);
        Reply::new(code, Some(Enhanced(5, 5, 2)), format!("{host} Error: bare <LF> received"))
    }
}

#[cfg(test)]
mod tests {
    use crate::rehearsal::session;

    #[test]
    fn commands_that_do_nothing_are_found_in_tables_and_are_no_commands() {
        let main = "smtpd_noop_commands = regexp:{{/^fo/ x}} !baz inline:{bar=1} EHLO\n\
                    smtpd_junk_command_limit = 3\nsmtpd_hard_error_limit = 2\nsmtpd_error_sleep_time = 0\n";
        let heard = session(main, &["foo", "Bar x", "ehlo c.test", "baz", "foo", "foo"]);
        assert_eq!(heard.replies[1..4], ["250 2.0.0 Ok"; 3]);
        assert_eq!(heard.replies[4], "500 5.5.2 Error: command not recognized");
        assert_eq!(heard.replies[5], "250 2.0.0 Ok");
        assert_eq!(heard.replies[6], "250 2.0.0 Ok");
        heard.assert_logged(" unknown=0/1 commands=0/1");
        let heard = session(main, &["foo", "foo", "foo", "foo", "foo", "foo", "foo"]);
        assert_eq!(heard.replies[7], "421 4.7.0 mx.test Error: too many errors", "junk is counted");
    }
}
