//! Talks SMTP with clients that no smtpd(8) is to see.
//!
//! A client that failed a test is led up to its recipients, so that the log says for whom the mail was, and is refused there;
//! one that failed nothing is led there too when it is to be tested by what it says, and told to come again. Nothing is ever
//! accepted. This is a machine without clock, socket or tables: its owner feeds it bytes, takes events from it until there are
//! none, and answers the questions among them. See postscreen(8) and RFC 5321.

mod deep;
mod line;
mod manner;
mod path;
mod settings;
mod step;
#[cfg(test)]
mod tests;
mod verb;

use std::collections::VecDeque;
use std::sync::Arc;

use smtp_proto::ehlo::Keywords;
use smtp_proto::{Enhanced, Reply};

use crate::action::Action;

use deep::{Course, Tests};
pub use deep::{PerTest, Test, Verdict};
use line::Lines;
pub use manner::{Dressed, Manner};
pub use settings::Settings;
use step::Stage;

/// Said to clients that failed nothing: they come again, and are then let in.
pub const COME_AGAIN: Reply = Reply::fixed(450, Enhanced(4, 3, 2), "Service currently unavailable");

/// Whom we talk with.
#[derive(Debug, Clone)]
pub struct Client {
    /// The IP address, as logs have it, without brackets.
    pub address: String,
    /// The port.
    pub port: String,
    /// What `postscreen_discard_ehlo_keyword_address_maps` has for the address.
    pub hidden: Option<Keywords>,
}

/// What the client is led to.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// It failed nothing so far. These tests are due, and then it is to come again.
    Test(PerTest<bool>),
    /// It failed a test: every recipient is refused with this reply. All deep tests are made, for the log.
    Refuse(Reply),
    /// Whatever it says but QUIT, it gets this reply and the end of the session.
    Dismiss(Reply),
}

/// Whether a greeting goes out before the first command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// The last line of the greeting.
    Say,
    /// None: the client talked before its turn, and its replies would be out of step.
    Omit,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Send this, in the manner of [`Manner::dressed`].
    Reply(Reply),
    /// Write this to the log.
    Log(String),
    /// Ask `postscreen_command_filter` about this command, and answer with [`Dialogue::filtered`].
    Filter(Vec<u8>),
    /// Ask whether `postscreen_forbidden_commands` has this word, and answer with [`Dialogue::judged`].
    Forbidden(Vec<u8>),
    /// Ask for TLS, and answer with [`Dialogue::start_tls`] or [`Dialogue::refuse_tls`]. Feed nothing before.
    StartTls,
    /// The last reply: close the connection behind it. Nothing comes after this.
    Dismiss(Reply),
}

/// A conversation with one client.
#[derive(Debug)]
pub struct Dialogue {
    settings: Arc<Settings>,
    client: Client,
    lines: Lines,
    events: VecDeque<Event>,
    stage: Stage,
    session: Session,
    tests: Tests,
    /// The reply to anything but QUIT, if there is but one.
    farewell: Option<Reply>,
}

/// What the client said so far.
#[derive(Debug)]
struct Session {
    helo: Option<Vec<u8>>,
    sender: Option<Vec<u8>>,
    protocol: &'static str,
    /// The last command, as log lines name it.
    after: &'static str,
    commands: u32,
    /// What EHLO did not offer.
    hidden: Keywords,
    encrypted: bool,
    /// What recipients get.
    refusal: Reply,
}

impl Dialogue {
    /// The first words are ours; they are among the events.
    #[must_use]
    pub fn new(settings: Arc<Settings>, client: Client, purpose: Purpose, greeting: Greeting) -> Dialogue {
        let (due, refusal, farewell) = match purpose {
            Purpose::Test(due) => (due, COME_AGAIN, None),
            Purpose::Refuse(refusal) => (PerTest([true; 3]), refusal, None),
            Purpose::Dismiss(farewell) => (PerTest([false; 3]), COME_AGAIN, Some(farewell)),
        };
        let mut events = VecDeque::new();
        if greeting == Greeting::Say {
            events.push_back(Event::Reply(Reply::new(220, None, settings.banner.as_bytes())));
        }
        let session = Session {
            helo: None,
            sender: None,
            protocol: "SMTP",
            after: "CONNECT",
            commands: 0,
            hidden: Keywords::NONE,
            encrypted: false,
            refusal,
        };
        let lines = Lines::new(settings.line_length_limit);
        Dialogue { settings, client, lines, events, stage: Stage::Reading, session, tests: Tests::new(due), farewell }
    }

    /// Takes what the client sent: all that has come, since what has come behind a command counts as pipelining.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !matches!(self.stage, Stage::Over) {
            self.lines.feed(bytes);
        }
    }

    /// The next thing to do; `None` until there is more to feed.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.advance() {
                return None;
            }
        }
    }

    /// How many commands came. `postscreen_command_time_limit` begins anew with each of them, not with parts of them.
    #[must_use]
    pub const fn commands(&self) -> u32 {
        self.session.commands
    }

    /// `postscreen_command_time_limit` is over.
    pub fn time_out(&mut self) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.log(format!("COMMAND TIME LIMIT from {} after {}", self.peer(), self.session.after));
        let text = format!("{} Error: timeout exceeded", self.settings.manner.myhostname);
        self.dismiss(Reply::new(421, Some(Enhanced(4, 4, 2)), text));
    }

    /// What came out of a test so far.
    #[must_use]
    pub fn verdict(&self, test: Test) -> Verdict {
        self.tests.verdict(test)
    }

    /// The client as most log lines have it.
    fn peer(&self) -> String {
        format!("[{}]:{}", self.client.address, self.client.port)
    }

    fn log(&mut self, line: String) {
        self.events.push_back(Event::Log(line));
    }

    fn reply(&mut self, reply: Reply) {
        self.events.push_back(Event::Reply(reply));
    }

    /// The last reply.
    fn dismiss(&mut self, reply: Reply) {
        self.events.push_back(Event::Dismiss(reply));
        self.stage = Stage::Over;
        self.lines.clear();
    }

    /// A test was failed. Whether the session goes on.
    fn found(&mut self, test: Test) -> Course {
        let action = *self.settings.actions.of(test);
        self.tests.fail(test, action);
        match action {
            Action::Ignore => Course::GoesOn,
            Action::Enforce => {
                self.session.refusal = Reply::fixed(550, Enhanced(5, 5, 1), "Protocol error");
                Course::GoesOn
            }
            Action::Drop => {
                self.dismiss(test.farewell());
                Course::Ends
            }
        }
    }
}
