//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

/// Where the messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Host and port.
    Inet(String, String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Which address family is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Either.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Pause between messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Always as long.
    Fixed(Duration),
    /// At most as long.
    Random(Duration),
}

/// How the dialogue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// `HELO`, `EHLO`, `LHLO`, or none (`-o`).
    pub hello: Option<&'static str>,
    /// What ends a session.
    pub session: Session,
    /// What an unexpected reply means.
    pub surprise: Surprise,
    /// How recipients are told apart.
    pub numbering: Numbering,
}

/// When a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// After each message.
    OneMessage,
    /// When no message is left (`-d`).
    Kept,
}

/// What an unexpected reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surprise {
    /// The end.
    Fatal,
    /// Nothing (`-A`).
    Ignored,
}

/// Sender and recipient where nothing else is said.
const NOBODY: &str = "foo";

/// How recipients are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// By how many follow in the message, except for the last.
    PerMessage,
    /// By a number that never comes again (`-N`).
    Unique,
}

impl Numbering {
    /// What an address begins with: that of the recipient at a place of so many, of a message before which were `first`.
    #[must_use]
    pub fn of(self, place: usize, recipients: usize, first: usize) -> String {
        match self {
            Self::Unique => (first + place).to_string(),
            Self::PerMessage if place < recipients => (recipients + 1 - place).to_string(),
            Self::PerMessage => String::new(),
        }
    }
}

/// Everything that was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to.
    pub target: Target,
    /// Over which protocol.
    pub family: Family,
    /// How.
    pub manner: Manner,
    /// Sessions at a time.
    pub sessions: usize,
    /// Messages in all.
    pub messages: usize,
    /// Recipients of each.
    pub recipients: usize,
    /// Attempts to connect.
    pub attempts: usize,
    /// Between messages.
    pub pause: Option<Pause>,
    /// The envelope.
    pub mail: Mail,
    /// Whether a counter is shown.
    pub counter: Counter,
}

/// Whether messages are counted on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Name in the greeting and in default addresses.
    pub myhostname: String,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// Subject line.
    pub subject: Option<String>,
    /// Bytes of body.
    pub length: usize,
    /// A whole message instead.
    pub file: Option<PathBuf>,
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    /// An unknown option, a bad number, or no target.
    pub fn parse(
        arguments: impl IntoIterator<Item = std::ffi::OsString>,
        hostname: &str,
    ) -> Result<Self, lexopt::Error> {
        let mut options = Self::plain(hostname);
        let mut target = None;
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short(letter) => options.option(letter, &mut parser)?,
                Value(value) if target.is_none() => target = Some(value.string()?),
                Value(_) | Long(_) => return Err(argument.unexpected()),
            }
        }
        options.target = target.as_deref().map(parse_target).ok_or("a host is needed")?;
        let mail = &mut options.mail;
        for address in [&mut mail.from, &mut mail.to] {
            if address == NOBODY {
                *address = format!("{NOBODY}@{}", mail.myhostname);
            }
        }
        Ok(options)
    }

    fn option(&mut self, letter: char, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        match letter {
            '4' => self.family = Family::V4,
            '6' => self.family = Family::V6,
            'A' => self.manner.surprise = Surprise::Ignored,
            'c' => self.counter = Counter::Shown,
            'C' => self.attempts = parser.value()?.parse()?,
            'd' => self.manner.session = Session::Kept,
            'f' => self.mail.from = parser.value()?.string()?,
            'F' => self.mail.file = Some(parser.value()?.into()),
            'l' => self.mail.length = parser.value()?.parse()?,
            'L' => self.manner.hello = Some("LHLO"),
            'm' => self.messages = parser.value()?.parse()?,
            'M' => self.mail.myhostname = parser.value()?.string()?,
            'N' => self.manner.numbering = Numbering::Unique,
            'o' => self.manner.hello = None,
            'r' => self.recipients = parser.value()?.parse()?,
            'R' => self.pause = Some(Pause::Random(seconds(parser, "bad random delay")?)),
            's' => self.sessions = parser.value()?.parse()?,
            'S' => self.mail.subject = Some(parser.value()?.string()?),
            't' => self.mail.to = parser.value()?.string()?,
            'w' => self.pause = Some(Pause::Fixed(seconds(parser, "bad fixed delay")?)),
            // A window size and chatter change nothing that is sent.
            'T' => drop(parser.value()?),
            'v' => {}
            _ => return Err(Short(letter).unexpected()),
        }
        Ok(())
    }

    fn plain(hostname: &str) -> Self {
        Self {
            target: Target::Inet(String::new(), String::new()),
            family: Family::Any,
            manner: Manner {
                hello: Some("HELO"),
                session: Session::OneMessage,
                surprise: Surprise::Fatal,
                numbering: Numbering::PerMessage,
            },
            sessions: 1,
            messages: 1,
            recipients: 1,
            attempts: 1,
            pause: None,
            mail: Mail {
                myhostname: hostname.to_owned(),
                from: NOBODY.to_owned(),
                to: NOBODY.to_owned(),
                subject: None,
                length: 0,
                file: None,
            },
            counter: Counter::Hidden,
        }
    }
}

/// A time that passes, at least a second.
fn seconds(parser: &mut lexopt::Parser, problem: &str) -> Result<Duration, lexopt::Error> {
    let text = parser.value()?.string()?;
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        Ok(0) | Err(_) => Err(format!("{problem}: {text}").into()),
    }
}

fn parse_target(text: &str) -> Target {
    if let Some(path) = text.strip_prefix("unix:") {
        return Target::Unix(PathBuf::from(path));
    }
    let text = text.strip_prefix("inet:").unwrap_or(text);
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or("")),
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" | "smtp" => "25",
        "submission" => "587",
        other => other,
    };
    Target::Inet(host.to_owned(), port.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, lexopt::Error> {
        Options::parse(line.split(' ').map(Into::into), "me.test")
    }

    #[test]
    fn options_as_postfix_has_them() {
        let options = parse("-4 -s 10 -l 4096 -m 100 -d -c -N -f a@x -t b@y 127.0.0.1:2525").unwrap();
        assert_eq!(options.target, Target::Inet("127.0.0.1".into(), "2525".into()));
        assert_eq!((options.sessions, options.messages, options.mail.length), (10, 100, 4096));
        assert_eq!((options.mail.from.as_str(), options.mail.to.as_str()), ("a@x", "b@y"));
        assert_eq!(parse("[::1]").unwrap().target, Target::Inet("::1".into(), "25".into()));
        assert_eq!(parse("-L unix:/run/x").unwrap().target, Target::Unix("/run/x".into()));
        assert_eq!(parse("host").unwrap().mail.from, "foo@me.test");
        assert_eq!(parse("-f  host").unwrap().mail.from, "");
        let numbers = |numbering: Numbering, first| [1, 2, 3].map(|place| numbering.of(place, 3, first));
        assert_eq!(numbers(Numbering::PerMessage, 3), ["3", "2", ""]);
        assert_eq!(numbers(Numbering::Unique, 3), ["4", "5", "6"]);
        for bad in ["-z host", "-m x host", "-4", "-w 0 host", "-R 0 host"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
