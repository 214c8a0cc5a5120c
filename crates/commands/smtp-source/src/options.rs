//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;
use trial::load::{Load, Taken};

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
    /// What generators of all protocols send.
    pub load: Load,
    /// How it is sent.
    pub special: Special,
}

/// What there is for SMTP alone.
#[derive(Debug, Clone)]
pub struct Special {
    /// How the dialogue goes.
    pub manner: Manner,
    /// Subject line.
    pub subject: Option<String>,
    /// A whole message instead.
    pub file: Option<PathBuf>,
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    /// An unknown option, a bad number, or no server.
    pub fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, lexopt::Error> {
        let mut special = Special::plain();
        let load = Load::parse(arguments, "smtp", |letter, parser| special.option(letter, parser))?;
        Ok(Self { load, special })
    }
}

impl Special {
    fn plain() -> Self {
        let manner = Manner {
            hello: Some("HELO"),
            session: Session::OneMessage,
            surprise: Surprise::Fatal,
            numbering: Numbering::PerMessage,
        };
        Self { manner, subject: None, file: None }
    }

    fn option(&mut self, letter: char, parser: &mut lexopt::Parser) -> Result<Taken, lexopt::Error> {
        match letter {
            'A' => self.manner.surprise = Surprise::Ignored,
            'd' => self.manner.session = Session::Kept,
            'F' => self.file = Some(parser.value()?.into()),
            'L' => self.manner.hello = Some("LHLO"),
            'N' => self.manner.numbering = Numbering::Unique,
            'o' => self.manner.hello = None,
            'S' => self.subject = Some(parser.value()?.string()?),
            // A window size changes nothing that is sent.
            'T' => drop(parser.value()?),
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_as_postfix_has_them() {
        let parse = |line: &str| Options::parse(line.split(' ').map(Into::into)).unwrap();
        let Options { load, special } = parse("-L -d -N -A -S greetings -F /x -T 4 -m 3 unix:/run/x");
        assert_eq!((load.messages, load.server.to_string().as_str()), (3, "/run/x"));
        assert_eq!((special.manner.hello, special.manner.session), (Some("LHLO"), Session::Kept));
        assert_eq!((special.manner.surprise, special.manner.numbering), (Surprise::Ignored, Numbering::Unique));
        assert_eq!((special.subject.as_deref(), special.file), (Some("greetings"), Some("/x".into())));
        assert_eq!(parse("-o host").special.manner.hello, None);
        assert_eq!(parse("[::1]").load.server.to_string(), "[::1]:25");
    }

    #[test]
    fn recipients_are_numbered() {
        let numbers = |numbering: Numbering, first| [1, 2, 3].map(|place| numbering.of(place, 3, first));
        assert_eq!(numbers(Numbering::PerMessage, 3), ["3", "2", ""]);
        assert_eq!(numbers(Numbering::Unique, 3), ["4", "5", "6"]);
    }
}
