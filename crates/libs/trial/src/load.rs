//! What a generator sends: to whom, how much, how fast, and over how many sessions.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use config::endpoint::Endpoint;
use jiff::Zoned;
use lexopt::prelude::*;

use crate::place::{self, Family, Stream};
use crate::program;

/// Everything that generators have options for.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where to.
    pub server: Endpoint,
    /// Over which protocol.
    pub family: Family,
    /// Attempts to connect.
    pub attempts: usize,
    /// Sessions at a time.
    pub sessions: usize,
    /// Messages in all.
    pub messages: usize,
    /// Recipients of each.
    pub recipients: usize,
    /// Between messages of a session.
    pub pause: Option<Pause>,
    /// Whether a counter is shown.
    pub counter: Counter,
    /// The name of this host, in greetings and in default addresses.
    pub myhostname: String,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// Bytes of a message, or of its body.
    pub length: Option<usize>,
}

/// Pause between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Always as long (`-w`).
    Fixed(Duration),
    /// At most as long (`-R`).
    Random(Duration),
}

/// Whether messages are counted on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// They are (`-c`).
    Shown,
    /// They are not.
    Hidden,
}

/// The user in addresses where nothing else is said.
const NOBODY: &str = "foo";

impl Load {
    /// Parses a command line. Letters that are not among `own` are those that all generators have.
    ///
    /// # Errors
    /// An unknown option, a bad number, or no server.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        default_service: &str,
        mut own: impl FnMut(char, &mut lexopt::Parser) -> Result<Taken, lexopt::Error>,
    ) -> Result<Self, lexopt::Error> {
        let (mut load, mut server) = (Self::plain(), None);
        let (mut from, mut to) = (None, None);
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('f') => from = Some(parser.value()?.string()?),
                Short('t') => to = Some(parser.value()?.string()?),
                Short(letter) => {
                    if own(letter, &mut parser)? == Taken::No {
                        load.option(letter, &mut parser)?;
                    }
                }
                Value(value) if server.is_none() => server = Some(value.string()?),
                Value(_) | Long(_) => return Err(argument.unexpected()),
            }
        }
        let server = server.ok_or(lexopt::Error::MissingValue { option: None })?;
        load.server = place::server(&server, default_service)?;
        let nobody = || format!("{NOBODY}@{}", load.myhostname);
        (load.from, load.to) = (from.unwrap_or_else(nobody), to.unwrap_or_else(nobody));
        Ok(load)
    }

    fn plain() -> Self {
        Self {
            server: Endpoint::Unix(String::new()),
            family: Family::Any,
            attempts: 1,
            sessions: 1,
            messages: 1,
            recipients: 1,
            pause: None,
            counter: Counter::Hidden,
            myhostname: program::hostname(),
            from: String::new(),
            to: String::new(),
            length: None,
        }
    }

    fn option(&mut self, letter: char, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        match letter {
            '4' => self.family = Family::V4,
            '6' => self.family = Family::V6,
            'c' => self.counter = Counter::Shown,
            'C' => self.attempts = number(parser, "connection count")?,
            'l' => self.length = Some(number(parser, "message length")?),
            'm' => self.messages = number(parser, "message count")?,
            'M' => self.myhostname = parser.value()?.string()?,
            'r' => self.recipients = number(parser, "recipient count")?,
            's' => self.sessions = number(parser, "session count")?,
            'R' | 'w' if self.pause.is_some() => return Err("do not use -w and -R options at the same time".into()),
            'R' => self.pause = Some(Pause::Random(seconds(parser, "random delay")?)),
            'w' => self.pause = Some(Pause::Fixed(seconds(parser, "fixed delay")?)),
            // Chatter changes nothing that is sent.
            'v' => {}
            _ => return Err(Short(letter).unexpected()),
        }
        Ok(())
    }

    /// The headers of each message but for its subject, lines ended by LF.
    #[must_use]
    pub fn headers(&self, date: &Zoned) -> String {
        let (date, id) = (date.strftime("%a, %d %b %Y %H:%M:%S %z (%Z)"), std::process::id());
        let Self { from, to, myhostname, .. } = self;
        format!("From: <{from}>\nTo: <{to}>\nDate: {date}\nMessage-Id: <{id}@{myhostname}>\n")
    }

    /// Connects to the server.
    ///
    /// # Errors
    /// As for [`place::connect`].
    pub async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        place::connect(&self.server, self.family, self.attempts).await
    }

    /// Sends everything, by sessions that all do the same.
    ///
    /// # Errors
    /// The first failure of a session.
    pub async fn spread<F>(self, session: impl Fn(Session) -> F) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let sessions = self.sessions.min(self.messages);
        let shared = Arc::new(Shared { load: self, begun: AtomicUsize::new(0), done: AtomicUsize::new(0) });
        let begin = |_| tokio::spawn(session(Session { shared: Arc::clone(&shared), has_sent: false }));
        let tasks: Vec<_> = (0..sessions).map(begin).collect();
        for task in tasks {
            task.await.map_err(io::Error::other)??;
        }
        if shared.load.counter == Counter::Shown {
            program::keep_shown();
        }
        Ok(())
    }
}

/// Whether an option was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was.
    Yes,
    /// It was not.
    No,
}

#[derive(Debug)]
struct Shared {
    load: Load,
    begun: AtomicUsize,
    done: AtomicUsize,
}

/// One of the sessions over which a load is spread.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    has_sent: bool,
}

impl Session {
    /// What is sent in all.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.shared.load
    }

    /// The number of the next message, when it is time for it; none is left: `None`.
    pub async fn next(&mut self) -> Option<usize> {
        let number = self.shared.begun.fetch_add(1, Ordering::Relaxed);
        if number >= self.load().messages {
            return None;
        }
        if let Some(pause) = self.load().pause
            && std::mem::replace(&mut self.has_sent, true)
        {
            tokio::time::sleep(length(pause)).await;
        }
        Some(number)
    }

    /// A message is sent.
    pub fn count(&self) {
        let done = self.shared.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.load().counter == Counter::Shown {
            program::show(&done);
        }
    }
}

fn length(pause: Pause) -> Duration {
    match pause {
        Pause::Fixed(time) => time,
        Pause::Random(most) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            most.mul_f64(f64::from(now.subsec_nanos() % 1000) / 1000.0)
        }
    }
}

/// A number of things, at least one.
///
/// # Errors
/// It is none.
pub fn number(parser: &mut lexopt::Parser, what: &str) -> Result<usize, lexopt::Error> {
    let text = parser.value()?.string()?;
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        Ok(0) | Err(_) => Err(format!("bad {what}: {text}").into()),
    }
}

/// A time that passes, at least a second.
///
/// # Errors
/// It is none.
pub fn seconds(parser: &mut lexopt::Parser, what: &str) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(number(parser, what)? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use std::sync::{Mutex, PoisonError};

    fn parse(line: &str) -> Result<Load, String> {
        let own = |letter, _: &mut _| Ok(if letter == 'd' { Taken::Yes } else { Taken::No });
        Load::parse(line.split(' ').map(Into::into), "smtp", own).map_err(|error| error.to_string())
    }

    #[test]
    fn options_as_postfix_has_them() {
        let load = parse("-4 -s 10 -l 4096 -m 100 -d -c -f a@x -t b@y 127.0.0.1:2525").unwrap();
        assert_eq!(load.server.to_string(), "127.0.0.1:2525");
        assert_eq!((load.sessions, load.messages, load.length), (10, 100, Some(4096)));
        assert_eq!((load.from.as_str(), load.to.as_str()), ("a@x", "b@y"));
        assert_eq!((load.family, load.counter), (Family::V4, Counter::Shown));
    }

    #[test]
    fn nobody_writes_to_nobody() {
        let load = parse("-M me.test host").unwrap();
        assert_eq!((load.from.as_str(), load.to.as_str()), ("foo@me.test", "foo@me.test"));
        let load = parse("-f  -t foo host").unwrap();
        assert_eq!((load.from.as_str(), load.to.as_str()), ("", "foo"));
    }

    #[test]
    fn headers_tell_who_and_when() {
        let date = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let headers = parse("-M me.test -f a@x -t b@y host").unwrap().headers(&date);
        let (known, id) = headers.split_once("Message-Id: <").unwrap();
        assert_eq!(known, "From: <a@x>\nTo: <b@y>\nDate: Thu, 01 Jan 1970 00:00:00 +0000 (UTC)\n");
        assert!(id.ends_with("@me.test>\n"), "{id}");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (line, expected) in [
            ("-m x host", "bad message count: x"),
            ("-l 0 host", "bad message length: 0"),
            ("-w 0 host", "bad fixed delay: 0"),
            ("-w 1 -R 1 host", "do not use -w and -R options at the same time"),
            ("-z host", "invalid option '-z'"),
            ("host:25x", "host:25x: garbage after numerical service"),
        ] {
            assert_eq!(parse(line).unwrap_err(), expected, "{line}");
        }
        assert!(parse("-4").is_err() && parse("a b").is_err());
    }

    async fn note(mut session: Session, sent: Arc<Mutex<Vec<usize>>>) -> io::Result<()> {
        while let Some(number) = session.next().await {
            sent.lock().unwrap_or_else(PoisonError::into_inner).push(number);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    #[tokio::test]
    async fn every_message_is_sent_once() {
        let sent = Arc::default();
        let load = parse("-s 3 -m 7 host").unwrap();
        load.spread(|session| note(session, Arc::clone(&sent))).await.unwrap();
        let mut sent = sent.lock().unwrap().clone();
        sent.sort_unstable();
        assert_eq!(sent, [0, 1, 2, 3, 4, 5, 6]);
    }
}
