//! The actions of `header_checks`, `body_checks` and their kind.

use mime::{Field, Place};

use crate::fold::shown;
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
    /// Put text before the line. It may have parts of the line, in whatever character set that is.
    Prepend(Vec<u8>),
    /// Put text in its place; likewise.
    Replace(Vec<u8>),
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
    pub fn parse(value: &[u8], part: Part, parameter: &str) -> Self {
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (word, rest) = value.split_at_checked(end).unwrap_or_default();
        let raw = rest.trim_ascii_start();
        let text = String::from_utf8_lossy(raw).into_owned();
        let word = String::from_utf8_lossy(word);
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
            "PREPEND" => Self::with_text(Self::Prepend, raw, part, ("PREPEND", parameter)),
            "REPLACE" => Self::with_text(Self::Replace, raw, part, ("REPLACE", parameter)),
            "FILTER" if text.is_empty() => Self::bad(&format!("missing FILTER command argument in {parameter} map")),
            "FILTER" if text.contains(':') => Self::Filter(text),
            "FILTER" => Self::bad(&format!("bad FILTER command {text} in {parameter} -- need transport:destination")),
            "REDIRECT" if text.contains('@') => Self::Redirect(text),
            "REDIRECT" => Self::bad(&format!("bad REDIRECT target \"{text}\" in {parameter} map -- need user@domain")),
            "BCC" if text.contains('@') => Self::Bcc(text),
            "BCC" => Self::bad(&format!("bad BCC address \"{text}\" in {parameter} map -- need user@domain")),
            _ => Self::Unknown(String::from_utf8_lossy(value).into_owned()),
        }
    }

    /// An action that needs text, which has to be a header where headers are.
    fn with_text(make: fn(Vec<u8>) -> Self, text: &[u8], part: Part, (word, parameter): (&str, &str)) -> Self {
        if text.is_empty() {
            return Self::bad(&format!("{word} action without text in {parameter} map"));
        }
        if part != Part::Body && Field::new(text).is_none() {
            let text = shown(text);
            return Self::bad(&format!(
                "bad {word} header text \"{text}\" in {parameter} map -- need \"headername: headervalue\""
            ));
        }
        make(text.to_vec())
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

impl Part {
    /// Where to look a header up: those that describe MIME content go together, wherever they are.
    #[must_use]
    pub fn of_header(place: Place, text: &[u8]) -> Self {
        let describes_content = || Field::new(text).is_some_and(|field| field.kind().is_mime());
        match place {
            Place::Part => Self::MimeHeader,
            Place::Primary | Place::Nested if describes_content() => Self::MimeHeader,
            Place::Primary => Self::Header,
            Place::Nested => Self::NestedHeader,
        }
    }
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
            Some(value) => Ok(Action::parse(trim_end(&value), part, tables.parameter())),
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
    fn headers_that_describe_content_go_together() {
        for (place, text, part) in [
            (Place::Primary, "Subject: x", Part::Header),
            (Place::Primary, "Content-Type: x", Part::MimeHeader),
            (Place::Part, "Subject: x", Part::MimeHeader),
            (Place::Nested, "Subject: x", Part::NestedHeader),
            (Place::Nested, "Content-Disposition: x", Part::MimeHeader),
        ] {
            assert_eq!(Part::of_header(place, text.as_bytes()), part, "{place:?} {text}");
        }
    }

    #[test]
    fn actions_are_read() {
        for (value, expected) in [
            ("reject  No  spam", Action::Reject("No  spam".to_owned())),
            ("REJECT", Action::Reject(String::new())),
            ("Ignore this", Action::Ignore),
            ("prepend X-A: b", Action::Prepend(b"X-A: b".to_vec())),
            ("PREPEND", Action::Keep),
            ("PREPEND : b", Action::Keep),
            ("replace no header", Action::Keep),
            ("REPLACE X-A :b", Action::Replace(b"X-A :b".to_vec())),
            ("FILTER smtp:[127.0.0.1]:10025", Action::Filter("smtp:[127.0.0.1]:10025".to_owned())),
            ("FILTER nothing", Action::Keep),
            ("REDIRECT a@b", Action::Redirect("a@b".to_owned())),
            ("REDIRECT a", Action::Keep),
            ("BCC a@b", Action::Bcc("a@b".to_owned())),
            ("nonsense here", Action::Unknown("nonsense here".to_owned())),
            ("dunno", Action::Keep),
            ("pass it on", Action::Pass("it on".to_owned())),
        ] {
            assert_eq!(Action::parse(value.as_bytes(), Part::Header, "header_checks"), expected, "{value}");
        }
        let latin = Action::Replace(b"X: \xe9".to_vec());
        assert_eq!(Action::parse(b"REPLACE X: \xe9", Part::Header, "header_checks"), latin);
        let line = Action::Replace(b"no header".to_vec());
        assert_eq!(Action::parse(b"REPLACE no header", Part::Body, "body_checks"), line);
    }
}
