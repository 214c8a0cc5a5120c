//! The actions of `header_checks`, `body_checks` and their kind.

use crate::source::is_space;
use crate::{Error, Maps};

/// What a check says about a header or a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Nothing: DUNNO, OK.
    Keep,
    /// Inspect no more of the message.
    Pass(String),
    /// Refuse the message.
    Reject(String),
    /// Log a warning.
    Warn(String),
    /// Log a note.
    Info(String),
    /// Put text before the line.
    Prepend(String),
    /// Put text in its place.
    Replace(String),
    /// Leave the line out.
    Ignore,
    /// Leave the line out, and log it.
    Strip(String),
    /// Say that it was delivered, and do not.
    Discard(String),
    /// Park the message.
    Hold(String),
    /// Pass the message through `transport:destination`.
    Filter(String),
    /// Send the message to this address instead.
    Redirect(String),
    /// Send a copy to this address.
    Bcc(String),
    /// No action of this name: the whole value.
    Unknown(String),
}

impl Action {
    /// Reads the value of a check. A mistake is logged, and the line is kept.
    ///
    /// `parameter` is the name of the tables, for the warning.
    pub fn parse(value: &str, part: Part, parameter: &str) -> Self {
        let end = value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len());
        let (word, rest) = value.split_at(end);
        let text = rest.trim_start().to_owned();
        match word.to_ascii_uppercase().as_str() {
            "DUNNO" | "OK" => Self::Keep,
            "PASS" => Self::Pass(text),
            "REJECT" => Self::Reject(text),
            "WARN" => Self::Warn(text),
            "INFO" => Self::Info(text),
            "IGNORE" => Self::Ignore,
            "STRIP" => Self::Strip(text),
            "DISCARD" => Self::Discard(text),
            "HOLD" => Self::Hold(text),
            "PREPEND" => Self::with_text(Self::Prepend, text, part, ("PREPEND", parameter)),
            "REPLACE" => Self::with_text(Self::Replace, text, part, ("REPLACE", parameter)),
            "FILTER" if text.is_empty() => Self::bad(&format!("missing FILTER command argument in {parameter} map")),
            "FILTER" if text.contains(':') => Self::Filter(text),
            "FILTER" => Self::bad(&format!("bad FILTER command {text} in {parameter} -- need transport:destination")),
            "REDIRECT" if text.contains('@') => Self::Redirect(text),
            "REDIRECT" => Self::bad(&format!("bad REDIRECT target \"{text}\" in {parameter} map -- need user@domain")),
            "BCC" if text.contains('@') => Self::Bcc(text),
            "BCC" => Self::bad(&format!("bad BCC address \"{text}\" in {parameter} map -- need user@domain")),
            _ => Self::Unknown(value.to_owned()),
        }
    }

    /// An action that needs text, which has to be a header where headers are.
    fn with_text(make: fn(String) -> Self, text: String, part: Part, (word, parameter): (&str, &str)) -> Self {
        if text.is_empty() {
            return Self::bad(&format!("{word} action without text in {parameter} map"));
        }
        if part != Part::Body && mime::Field::new(text.as_bytes()).is_none() {
            return Self::bad(&format!(
                "bad {word} header text \"{text}\" in {parameter} map -- need \"headername: headervalue\""
            ));
        }
        make(text)
    }

    fn bad(warning: &str) -> Self {
        tracing::warn!("{warning}");
        Self::Keep
    }
}

/// Which tables a header is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The headers of the message.
    Header,
    /// Headers that describe MIME parts.
    MimeHeader,
    /// Headers of attached messages.
    NestedHeader,
    /// Lines of the content.
    Body,
}

/// The tables of all parts; each is named as its parameter.
#[derive(Debug, Clone)]
pub struct Checks {
    /// `header_checks`.
    pub header_checks: Maps,
    /// `mime_header_checks`.
    pub mime_header_checks: Maps,
    /// `nested_header_checks`.
    pub nested_header_checks: Maps,
    /// `body_checks`.
    pub body_checks: Maps,
}

impl Checks {
    /// Whether lines of this part have to be looked up at all.
    pub fn cover(&self, part: Part) -> bool {
        !self.tables(part).is_empty()
    }

    /// The parameter that names the tables of this part.
    pub fn parameter(&self, part: Part) -> &str {
        self.tables(part).parameter()
    }

    /// The action for a header (all its lines, the last line end left out) or a line.
    ///
    /// # Errors
    ///
    /// When a table fails; it has been logged. The message has to be deferred.
    pub async fn check(&self, part: Part, text: &[u8]) -> Result<Action, Error> {
        let tables = self.tables(part);
        match tables.lookup(text).await? {
            Some(value) => Ok(Action::parse(&String::from_utf8_lossy(trim_end(&value)), part, tables.parameter())),
            None => Ok(Action::Keep),
        }
    }

    /// Whether a file behind the tables has changed.
    pub fn changed(&self) -> bool {
        [Part::Header, Part::MimeHeader, Part::NestedHeader, Part::Body]
            .into_iter()
            .any(|part| self.tables(part).changed())
    }

    fn tables(&self, part: Part) -> &Maps {
        match part {
            Part::Header => &self.header_checks,
            Part::MimeHeader => &self.mime_header_checks,
            Part::NestedHeader => &self.nested_header_checks,
            Part::Body => &self.body_checks,
        }
    }
}

fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text {
        if !is_space(*last) {
            break;
        }
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read() {
        for (value, expected) in [
            ("reject  No  spam", Action::Reject("No  spam".to_owned())),
            ("REJECT", Action::Reject(String::new())),
            ("Ignore this", Action::Ignore),
            ("prepend X-A: b", Action::Prepend("X-A: b".to_owned())),
            ("PREPEND", Action::Keep),
            ("PREPEND : b", Action::Keep),
            ("replace no header", Action::Keep),
            ("REPLACE X-A :b", Action::Replace("X-A :b".to_owned())),
            ("FILTER smtp:[127.0.0.1]:10025", Action::Filter("smtp:[127.0.0.1]:10025".to_owned())),
            ("FILTER nothing", Action::Keep),
            ("REDIRECT a@b", Action::Redirect("a@b".to_owned())),
            ("REDIRECT a", Action::Keep),
            ("BCC a@b", Action::Bcc("a@b".to_owned())),
            ("nonsense here", Action::Unknown("nonsense here".to_owned())),
            ("dunno", Action::Keep),
            ("pass it on", Action::Pass("it on".to_owned())),
        ] {
            assert_eq!(Action::parse(value, Part::Header, "header_checks"), expected, "{value}");
        }
        let line = Action::Replace("no header".to_owned());
        assert_eq!(Action::parse("REPLACE no header", Part::Body, "body_checks"), line);
    }
}
