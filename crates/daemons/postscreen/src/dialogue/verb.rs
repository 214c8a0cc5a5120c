//! What each command gets.
//!
//! Syntax is looked at no closer than is needed to tell the log who wrote to whom: nothing is accepted anyway.

use config::TlsLevel;
use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, Verb, printable};

use super::step::{Command, Stage};
use super::{Dialogue, Event, path};

const OK: Reply = Reply::fixed(250, Enhanced(2, 0, 0), "Ok");
const NOT_RECOGNIZED: Reply = Reply::fixed(502, Enhanced(5, 5, 2), "Error: command not recognized");
const NOT_IMPLEMENTED: Reply = Reply::fixed(502, Enhanced(5, 5, 1), "Error: command not implemented");
const HELO_FIRST: Reply = Reply::fixed(503, Enhanced(5, 5, 1), "Error: send HELO/EHLO first");
const NO_RECIPIENTS: Reply = Reply::fixed(554, Enhanced(5, 5, 1), "Error: no valid recipients");

impl Dialogue {
    /// The reply to a command, or whatever else follows from it.
    pub(super) fn obey(&mut self, command: &Command) {
        let arguments = &*command.arguments;
        if self.needs_tls(command.verb) {
            return self.reply(Reply::fixed(530, Enhanced(5, 7, 0), "Must issue a STARTTLS command first"));
        }
        let reply = match command.verb {
            Verb::Helo => self.helo(arguments),
            Verb::Ehlo => self.ehlo(arguments),
            Verb::Starttls => match self.starttls(arguments) {
                Some(reply) => reply,
                None => {
                    self.stage = Stage::Handshake;
                    return self.events.push_back(Event::StartTls);
                }
            },
            Verb::Mail => self.mail(arguments),
            Verb::Rcpt => self.rcpt(arguments),
            Verb::Data => return self.data(arguments),
            Verb::Bdat => return self.bdat(arguments),
            Verb::Rset => {
                self.session.sender = None;
                OK
            }
            Verb::Noop => OK,
            Verb::Vrfy => self.vrfy(arguments),
            Verb::Etrn => self.etrn(arguments),
            Verb::Quit => return self.dismiss(Reply::fixed(221, Enhanced(2, 0, 0), "Bye")),
            Verb::Xclient | Verb::Xforward | Verb::Auth | Verb::Help | Verb::Unknown => NOT_RECOGNIZED,
        };
        self.reply(reply);
    }

    /// Whether a command is one of those that TLS has to come before.
    fn needs_tls(&self, verb: Verb) -> bool {
        let is_held_back = match verb {
            Verb::Mail | Verb::Rcpt | Verb::Data | Verb::Bdat | Verb::Rset | Verb::Vrfy | Verb::Etrn => true,
            Verb::Helo | Verb::Ehlo | Verb::Starttls | Verb::Noop | Verb::Quit => false,
            Verb::Xclient | Verb::Xforward | Verb::Auth | Verb::Help | Verb::Unknown => false,
        };
        is_held_back && self.settings.tls == Some(TlsLevel::Encrypt) && !self.session.encrypted
    }

    fn helo(&mut self, arguments: &[u8]) -> Reply {
        let Some(name) = word(arguments) else { return Reply::plain(501, "Syntax: HELO hostname") };
        self.greeted_by(name);
        Reply::new(250, None, self.settings.manner.myhostname.as_bytes())
    }

    fn ehlo(&mut self, arguments: &[u8]) -> Reply {
        let Some(name) = word(arguments) else { return Reply::plain(501, "Syntax: EHLO hostname") };
        self.greeted_by(name);
        self.session.protocol = "ESMTP";
        let usual = self.settings.hidden;
        let mut hidden = self.client.hidden.unwrap_or(usual);
        if hidden != usual && !hidden.is_empty() && !hidden.has(Keyword::SilentDiscard) {
            let Self { client, .. } = &*self;
            self.log(format!("[{}]{}: discarding EHLO keywords: {hidden}", client.address, client.port));
        }
        if self.session.encrypted {
            hidden.insert(Keyword::Starttls);
        }
        self.session.hidden = hidden;
        self.settings.ehlo(hidden)
    }

    fn greeted_by(&mut self, name: &[u8]) {
        self.session.helo = Some(name.into());
        self.session.sender = None;
    }

    /// Why there will be no TLS.
    fn starttls(&self, arguments: &[u8]) -> Option<Reply> {
        if word(arguments).is_some() {
            return Some(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: STARTTLS"));
        }
        if self.session.encrypted {
            return Some(Reply::fixed(554, Enhanced(5, 5, 1), "Error: TLS already active"));
        }
        let is_offered = self.settings.tls.is_some() && !self.session.hidden.has(Keyword::Starttls);
        (!is_offered).then_some(NOT_IMPLEMENTED)
    }

    fn mail(&mut self, arguments: &[u8]) -> Reply {
        if self.needs_helo() {
            return HELO_FIRST;
        }
        if self.session.sender.is_some() {
            return Reply::fixed(503, Enhanced(5, 5, 1), "Error: nested MAIL command");
        }
        let Some(path) = behind_colon(arguments) else {
            return Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: MAIL FROM:<address>");
        };
        self.session.sender = Some(path::address(path));
        Reply::fixed(250, Enhanced(2, 1, 0), "Ok")
    }

    fn rcpt(&mut self, arguments: &[u8]) -> Reply {
        let Some(sender) = &self.session.sender else {
            return Reply::fixed(503, Enhanced(5, 5, 1), "Error: need MAIL command");
        };
        let Some(path) = behind_colon(arguments) else {
            return Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: RCPT TO:<address>");
        };
        let line = format!(
            "NOQUEUE: reject: RCPT from {}: {}; from=<{}>, to=<{}>, proto={}, helo=<{}>",
            self.peer(),
            self.settings.manner.softened(self.session.refusal.clone()),
            self.settings.log_form.shown(sender),
            self.settings.log_form.shown(&path::address(path)),
            self.session.protocol,
            printable(self.session.helo.as_deref().unwrap_or_default()),
        );
        self.log(line);
        self.session.refusal.clone()
    }

    /// Nobody comes here who heeds replies, so this is the end.
    fn data(&mut self, arguments: &[u8]) {
        self.log(format!("DATA without valid RCPT from {}", self.peer()));
        self.dismiss(if word(arguments).is_some() {
            Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: DATA")
        } else if self.session.sender.is_none() {
            Reply::fixed(503, Enhanced(5, 5, 1), "Error: need RCPT command")
        } else {
            NO_RECIPIENTS
        });
    }

    /// As [`Dialogue::data`].
    fn bdat(&mut self, arguments: &[u8]) {
        self.log(format!("BDAT without valid RCPT from {}", self.peer()));
        self.dismiss(if self.session.hidden.has(Keyword::Chunking) {
            NOT_IMPLEMENTED
        } else if word(arguments).is_none() {
            Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: BDAT count [LAST]")
        } else if self.session.sender.is_none() {
            Reply::fixed(554, Enhanced(5, 5, 1), "Error: need MAIL command")
        } else {
            NO_RECIPIENTS
        });
    }

    fn vrfy(&self, arguments: &[u8]) -> Reply {
        if word(arguments).is_none() {
            return Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: VRFY address");
        }
        if self.settings.disable_vrfy_command {
            return Reply::fixed(502, Enhanced(5, 5, 1), "VRFY command is disabled");
        }
        self.session.refusal.clone()
    }

    fn etrn(&self, arguments: &[u8]) -> Reply {
        if self.needs_helo() {
            return HELO_FIRST;
        }
        match word(arguments) {
            None => Reply::plain(500, "Syntax: ETRN domain"),
            Some(_) => Reply::plain(458, "Unable to queue messages"),
        }
    }

    fn needs_helo(&self) -> bool {
        self.settings.helo_required && self.session.helo.is_none()
    }
}

/// The first word, if there is one.
fn word(arguments: &[u8]) -> Option<&[u8]> {
    arguments.split(|byte| *byte == b' ').find(|word| !word.is_empty())
}

/// What follows the first colon. What stands before it does not matter.
fn behind_colon(arguments: &[u8]) -> Option<&[u8]> {
    arguments.splitn(2, |byte| *byte == b':').nth(1)
}
