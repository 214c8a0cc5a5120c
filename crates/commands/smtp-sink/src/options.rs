//! The command line.

use std::time::Duration;

use crate::session::ORDER;
use config::endpoint::Endpoint;
use lexopt::prelude::*;
use smtp_proto::ehlo::{Keyword, Keywords};
use trial::place::{self, Family};

/// Commands, in upper case; `.` is the end of a message, `CONNECT` the greeting.
pub type Verbs = Vec<String>;

/// What happens at which command.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// A 5xx reply (`-f`).
    pub hard: Verbs,
    /// A 4xx reply (`-r`).
    pub soft: Verbs,
    /// Goodbye without a reply (`-q`).
    pub hang_up: Verbs,
    /// Goodbye with a 421 reply (`-Q`).
    pub close: Verbs,
    /// Shown on standard error (`-s`).
    pub log: Verbs,
    /// A wait before the reply (`-w`, `-W`): command, time, odds.
    pub delays: Vec<(String, Duration, Option<u8>)>,
    /// The wait after 354, before the 550 that ends it all (`-A`).
    pub abort: Option<Duration>,
    /// The wait before content is read (`-H`).
    pub before_content: Duration,
    /// The text of 5xx replies (`-B`).
    pub hard_reply: String,
    /// The text of 4xx replies (`-b`).
    pub soft_reply: String,
}

/// SMTP or LMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP with extensions.
    Esmtp,
    /// SMTP without (`-e`).
    Smtp,
    /// Behind a certain firewall (`-P`).
    Pix,
    /// LMTP (`-L`).
    Lmtp,
}

/// When it is enough.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at a time (`-m`).
    pub connections: usize,
    /// Messages in all (`-M`); 0 for any number.
    pub messages: usize,
    /// Sessions in all (`-n`); 0 for any number.
    pub sessions: usize,
    /// For a command to come or a reply to go (`-t`).
    pub patience: Duration,
}

/// Where messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// A file each (`-d`): the name begins so.
    Each(String),
    /// Appended to one file (`-D`).
    Together(String),
}

/// What is shown while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Nothing.
    Nothing,
    /// Counters (`-c`).
    Counters,
    /// The dialogues (`-v`).
    Dialogue,
}

/// Everything that was asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where.
    pub endpoint: Endpoint,
    /// Over which protocol.
    pub family: Family,
    /// Connections that may wait.
    pub backlog: u32,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// What EHLO offers.
    pub offer: Keywords,
    /// Our name (`-h`).
    pub hostname: String,
    /// Special treatment.
    pub script: Script,
    /// Limits.
    pub bounds: Bounds,
    /// What is kept.
    pub dump: Option<Dump>,
    /// Put before each message that is kept (`-S`).
    pub start: String,
    /// What is shown.
    pub show: Show,
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    /// An unknown option, a bad number, or no endpoint.
    pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, lexopt::Error> {
        let mut options = Self::plain();
        let mut words = Vec::new();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short(letter) => options.option(letter, &mut parser)?,
                Value(value) => words.push(value.string()?),
                Long(_) => return Err(argument.unexpected()),
            }
        }
        (options.endpoint, options.backlog) = place::listener_and_backlog(&words)?;
        if matches!(options.protocol, Protocol::Smtp | Protocol::Pix) {
            options.offer = Keywords::NONE;
        }
        if !(options.script.hard.is_empty() && options.script.soft.is_empty()) {
            options.offer.remove(Keyword::Pipelining);
        }
        Ok(options)
    }

    fn option(&mut self, letter: char, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        let script = &mut self.script;
        match letter {
            '8' => self.offer.remove(Keyword::EightBitMime),
            'a' => self.offer.remove(Keyword::Auth),
            'C' => self.offer.remove(Keyword::Xclient),
            'E' => self.offer.remove(Keyword::EnhancedStatusCodes),
            'F' => self.offer.remove(Keyword::Xforward),
            'N' => self.offer.remove(Keyword::Dsn),
            'p' => self.offer.remove(Keyword::Pipelining),
            'e' => self.protocol = Protocol::Smtp,
            'P' => self.protocol = Protocol::Pix,
            'L' => self.protocol = Protocol::Lmtp,
            'A' => script.abort = Some(seconds(parser)?),
            'b' => script.soft_reply = parser.value()?.string()?,
            'B' => script.hard_reply = parser.value()?.string()?,
            'f' => script.hard = verbs(&parser.value()?.string()?)?,
            'H' => script.before_content = seconds(parser)?,
            'q' => script.hang_up = verbs(&parser.value()?.string()?)?,
            'Q' => script.close = verbs(&parser.value()?.string()?)?,
            'r' => script.soft = verbs(&parser.value()?.string()?)?,
            's' => script.log = verbs(&parser.value()?.string()?)?,
            'w' => script.delays.push(("DATA".to_owned(), seconds(parser)?, None)),
            'W' => script.delays.push(delay(&parser.value()?.string()?)?),
            _ => return self.rest(letter, parser),
        }
        Ok(())
    }

    fn rest(&mut self, letter: char, parser: &mut lexopt::Parser) -> Result<(), lexopt::Error> {
        match letter {
            'c' => self.show = Show::Counters,
            'v' => self.show = Show::Dialogue,
            'd' => self.dump = Some(Dump::Each(parser.value()?.string()?)),
            'D' => self.dump = Some(Dump::Together(parser.value()?.string()?)),
            'h' => self.hostname = parser.value()?.string()?,
            'm' => self.bounds.connections = parser.value()?.parse()?,
            'M' => self.bounds.messages = parser.value()?.parse()?,
            'n' => self.bounds.sessions = parser.value()?.parse()?,
            'S' => self.start = unescape(&parser.value()?.string()?),
            't' => self.bounds.patience = seconds(parser)?,
            '4' => self.family = Family::V4,
            '6' => self.family = Family::V6,
            // A window size, another root or user make no difference to what is received.
            'R' | 'T' | 'u' => drop(parser.value()?),
            _ => return Err(Short(letter).unexpected()),
        }
        Ok(())
    }

    fn plain() -> Self {
        Self {
            endpoint: Endpoint::Unix(String::new()),
            family: Family::Any,
            backlog: 0,
            protocol: Protocol::Esmtp,
            offer: ORDER.into_iter().fold(Keywords::NONE, Keywords::with),
            hostname: "smtp-sink".to_owned(),
            script: Script {
                hard_reply: "500 5.3.0 Error: command failed".to_owned(),
                soft_reply: "450 4.3.0 Error: command failed".to_owned(),
                ..Script::default()
            },
            bounds: Bounds { connections: 256, messages: 0, sessions: 0, patience: Duration::from_secs(100) },
            dump: None,
            start: String::new(),
            show: Show::Nothing,
        }
    }
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    Ok(Duration::from_secs(parser.value()?.parse()?))
}

/// What may be listed.
const VERBS: [&str; 15] = [
    ".", "AUTH", "CONNECT", "DATA", "EHLO", "HELO", "LHLO", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "VRFY", "XCLIENT",
    "XFORWARD",
];

fn verbs(list: &str) -> Result<Verbs, lexopt::Error> {
    let words = list.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.map(verb).collect()
}

fn verb(word: &str) -> Result<String, lexopt::Error> {
    let verb = word.to_ascii_uppercase();
    if VERBS.contains(&verb.as_str()) { Ok(verb) } else { Err(format!("unknown command: {word}").into()) }
}

/// `command:delay[:odds]`
fn delay(text: &str) -> Result<(String, Duration, Option<u8>), lexopt::Error> {
    let mut parts = text.split(':');
    let (word, time) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let time = time.parse().map_err(|_| format!("bad delay: {text}"))?;
    let odds = parts.next().map(str::parse).transpose().map_err(|_| format!("bad odds: {text}"))?;
    Ok((verb(word)?, Duration::from_secs(time), odds))
}

/// C escapes.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\x0b'),
            Some(digit @ '0'..='7') => {
                let mut value = digit.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(next) = rest.peek().and_then(|c| c.to_digit(8)) else { break };
                    value = value * 8 + next;
                    rest.next();
                }
                out.extend(char::from_u32(value & 0xff));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, lexopt::Error> {
        Options::parse(line.split(' ').map(Into::into))
    }

    #[test]
    fn options_as_postfix_has_them() {
        let options = parse("-c -r rcpt,. -W data:2:50 127.0.0.1:2525 100").unwrap();
        assert_eq!((options.endpoint.to_string().as_str(), options.backlog), ("127.0.0.1:2525", 100));
        assert_eq!(options.script.soft, ["RCPT", "."]);
        assert_eq!(options.script.delays, [("DATA".to_owned(), Duration::from_secs(2), Some(50))]);
        assert!(!options.offer.has(Keyword::Pipelining) && options.offer.has(Keyword::Dsn));
        assert_eq!(unescape("a\\n\\101\\\\"), "a\nA\\");
        for bad in ["127.0.0.1:25", "-z :25 1", "host 1", "-f mail,bogus :25 1", "-W bogus:1 :25 1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
