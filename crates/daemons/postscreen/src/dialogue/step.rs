//! One step of the dialogue: a line, whether it offends, and the command in it.

use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, Verb, command, escaped, printable};

use super::deep::{Course, Test};
use super::line::Line;
use super::{Dialogue, Event};

/// So much of what offends is shown.
const SHOWN: usize = 100;

/// What is awaited.
#[derive(Debug)]
pub(super) enum Stage {
    /// A line.
    Reading,
    /// What the filter makes of it.
    Filtering(Vec<u8>),
    /// Whether its first word is forbidden.
    Judging(Command),
    /// TLS.
    Handshake,
    /// Nothing more.
    Over,
}

/// A command line.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) verb: Verb,
    word: Vec<u8>,
    pub(super) arguments: Vec<u8>,
    /// The command before it.
    after: &'static str,
}

impl Command {
    /// The words of a line are separated by spaces alone.
    fn parse(line: &[u8], after: &'static str) -> Command {
        let start = line.iter().position(|byte| *byte != b' ').unwrap_or(line.len());
        let line = line.get(start..).unwrap_or_default();
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        // Nobody has asked for help who is worth helping.
        let verb = Some(Verb::parse(word)).filter(|verb| *verb != Verb::Help).unwrap_or(Verb::Unknown);
        Command { verb, word: word.into(), arguments: rest.strip_prefix(b" ").unwrap_or(rest).into(), after }
    }
}

impl Dialogue {
    /// Takes the next step; whether there was one to take.
    pub(super) fn advance(&mut self) -> bool {
        if !matches!(self.stage, Stage::Reading) {
            return false;
        }
        match self.lines.next_line() {
            None => return false,
            Some(Line::TooLong) => {
                self.log(format!("COMMAND LENGTH LIMIT from {} after {}", self.peer(), self.session.after));
                self.dismiss(self.try_again_later());
            }
            Some(Line::Bare(line)) => {
                if self.bare_newline(&line) == Course::GoesOn {
                    self.ask_filter(line);
                }
            }
            Some(Line::Proper(line)) => self.ask_filter(line),
        }
        true
    }

    /// What `postscreen_command_filter` makes of the command it was asked about; `None`: it stays as it is.
    pub fn filtered(&mut self, replacement: Option<Vec<u8>>) {
        let Stage::Filtering(line) = std::mem::replace(&mut self.stage, Stage::Reading) else { return };
        let line = match replacement {
            Some(replacement) => {
                let (old, new) = (shown(&line), shown(&replacement));
                self.log(format!("{}: replacing command \"{old}\" with \"{new}\"", self.peer()));
                replacement
            }
            None => line,
        };
        self.parse(&line);
    }

    /// Whether `postscreen_forbidden_commands` has the word it was asked about.
    pub fn judged(&mut self, forbidden: bool) {
        let Stage::Judging(command) = std::mem::replace(&mut self.stage, Stage::Reading) else { return };
        if !forbidden || self.non_smtp_command(&command) == Course::GoesOn {
            self.consider(&command);
        }
    }

    /// Answers [`Event::StartTls`]: when the reply that this makes is sent, TLS may begin. What the client said before does not
    /// count any more.
    pub fn start_tls(&mut self) {
        if matches!(self.stage, Stage::Handshake) {
            self.reply(Reply::fixed(220, Enhanced(2, 0, 0), "Ready to start TLS"));
            self.lines.clear();
            self.session.encrypted = true;
            self.session.helo = None;
            self.session.sender = None;
            self.stage = Stage::Reading;
        }
    }

    /// Answers [`Event::StartTls`]: there is none.
    pub fn refuse_tls(&mut self) {
        if matches!(self.stage, Stage::Handshake) {
            self.reply(Reply::fixed(454, Enhanced(4, 7, 0), "TLS not available due to local problem"));
            self.stage = Stage::Reading;
        }
    }

    fn ask_filter(&mut self, mut line: Vec<u8>) {
        let is_garbled = self.is_garbled(&line);
        // A command ends at a NUL, as it does for Postfix.
        line.truncate(line.iter().position(|byte| *byte == 0).unwrap_or(line.len()));
        if is_garbled {
            return self.parse(&line);
        }
        let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
        self.events.push_back(Event::Filter(line.get(start..).unwrap_or_default().into()));
        self.stage = Stage::Filtering(line);
    }

    fn parse(&mut self, line: &[u8]) {
        let command = Command::parse(line, self.session.after);
        self.session.after = if command.verb == Verb::Unknown { "UNIMPLEMENTED" } else { command.verb.name() };
        if let Some(farewell) = self.farewell.take_if(|_| command.verb != Verb::Quit) {
            return self.dismiss(farewell);
        }
        if command.verb != Verb::Unknown || !self.tests.watches(Test::NonSmtpCommand) {
            return self.consider(&command);
        }
        if command::is_header(&command.word) || self.is_garbled(&command.word) {
            if self.non_smtp_command(&command) == Course::GoesOn {
                self.consider(&command);
            }
            return;
        }
        self.events.push_back(Event::Forbidden(command.word.clone()));
        self.stage = Stage::Judging(command);
    }

    /// The other tests of a command, and the command.
    fn consider(&mut self, command: &Command) {
        // What comes behind BDAT is its chunk.
        if command.verb != Verb::Bdat && self.pipelining(command) == Course::Ends {
            return;
        }
        if command.verb == Verb::Rcpt {
            self.tests.pass();
        }
        self.session.commands = self.session.commands.saturating_add(1);
        if self.session.commands > self.settings.command_count_limit && command.verb != Verb::Quit {
            self.log(format!("COMMAND COUNT LIMIT from {} after {}", self.peer(), command.after));
            return self.dismiss(self.try_again_later());
        }
        self.obey(command);
    }

    fn bare_newline(&mut self, line: &[u8]) -> Course {
        if !self.tests.watches(Test::BareNewline) {
            return Course::GoesOn;
        }
        let line = escaped(line.get(..SHOWN).unwrap_or(line));
        self.log(format!("BARE NEWLINE from {} after {line}", self.peer()));
        self.found(Test::BareNewline)
    }

    fn non_smtp_command(&mut self, command: &Command) -> Course {
        let arguments = command.arguments.get(..SHOWN).unwrap_or(&command.arguments);
        let text = format!("{} {}", shown(&command.word), escaped(arguments));
        self.log(format!("NON-SMTP COMMAND from {} after {}: {text}", self.peer(), command.after));
        self.found(Test::NonSmtpCommand)
    }

    fn pipelining(&mut self, command: &Command) -> Course {
        let ahead = self.lines.ahead();
        if ahead.is_empty() || !self.tests.watches(Test::Pipelining) {
            return Course::GoesOn;
        }
        let ahead = escaped(ahead.get(..SHOWN).unwrap_or(ahead));
        self.log(format!("COMMAND PIPELINING from {} after {}: {ahead}", self.peer(), shown(&command.word)));
        self.found(Test::Pipelining)
    }

    /// Whether a text is not what it has to be where UTF-8 is spoken.
    fn is_garbled(&self, text: &[u8]) -> bool {
        self.settings.offered.has(Keyword::SmtpUtf8) && std::str::from_utf8(text).is_err()
    }

    fn try_again_later(&self) -> Reply {
        Reply::new(421, None, format!("{} Service unavailable - try again later", self.settings.manner.myhostname))
    }
}

/// The beginning of a text, for the log.
fn shown(text: &[u8]) -> String {
    printable(text.get(..SHOWN).unwrap_or(text)).into_owned()
}
