//! Enhanced status codes, RFC 3463.
//!
//! A code is three numbers; it is parsed once, and then can neither be malformed nor change its meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Whether a status says delivered, not yet, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// 2.x.x
    Success,
    /// 4.x.x
    Temporary,
    /// 5.x.x
    Permanent,
}

impl Class {
    /// The first number of a code of this class.
    #[must_use]
    pub fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Temporary => 4,
            Self::Permanent => 5,
        }
    }
}

/// An enhanced status code such as `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    class: Class,
    subject: u16,
    detail: u16,
}

impl Status {
    /// `2.0.0`
    pub const SENT: Self = Self::success(0, 0);

    /// The code `2.subject.detail`.
    #[must_use]
    pub const fn success(subject: u16, detail: u16) -> Self {
        Self { class: Class::Success, subject, detail }
    }

    /// The code `4.subject.detail`.
    #[must_use]
    pub const fn temporary(subject: u16, detail: u16) -> Self {
        Self { class: Class::Temporary, subject, detail }
    }

    /// The code `5.subject.detail`.
    #[must_use]
    pub const fn permanent(subject: u16, detail: u16) -> Self {
        Self { class: Class::Permanent, subject, detail }
    }

    /// The class of the code.
    #[must_use]
    pub fn class(self) -> Class {
        self.class
    }

    /// The same code in another class: `soft_bounce` makes 4.1.1 of 5.1.1.
    #[must_use]
    pub fn in_class(self, class: Class) -> Self {
        Self { class, ..self }
    }

    /// The second number.
    #[must_use]
    pub fn subject(self) -> u16 {
        self.subject
    }

    /// The third number.
    #[must_use]
    pub fn detail(self) -> u16 {
        self.detail
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match split_status(text) {
            Some((status, "")) => Ok(status),
            Some(_) | None => Err(Error::Status),
        }
    }
}

/// Takes the code that a text may begin with, and the rest without the white space between.
///
/// The text of an SMTP reply, of an access table or of a command's output may carry one.
#[must_use]
pub fn split_status(text: &str) -> Option<(Status, &str)> {
    let text = text.trim_start();
    let word_end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(word_end)?;
    let mut numbers = word.split('.');
    let class = match numbers.next()? {
        "2" => Class::Success,
        "4" => Class::Temporary,
        "5" => Class::Permanent,
        _ => return None,
    };
    let subject = number(numbers.next()?)?;
    let detail = number(numbers.next()?)?;
    numbers.next().is_none().then_some((Status { class, subject, detail }, rest.trim_start()))
}

/// One to three digits.
fn number(digits: &str) -> Option<u16> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_three_numbers_of_a_known_class() {
        for (text, valid) in [
            ("2.0.0", true),
            ("5.1.1", true),
            ("4.999.999", true),
            ("4.1000.0", false),
            ("3.1.1", false),
            ("5.1", false),
            ("5.1.1.1", false),
            ("5.1.", false),
            ("5.1.1 x", false),
            ("", false),
        ] {
            let parsed = text.parse::<Status>();
            assert_eq!(parsed.is_ok(), valid, "{text}");
            if let Ok(status) = parsed {
                assert_eq!(status.to_string(), text);
            }
        }
    }

    #[test]
    fn a_reply_text_may_begin_with_a_code() {
        assert_eq!(split_status("5.7.1 no, thanks"), Some((Status::permanent(7, 1), "no, thanks")));
        assert_eq!(split_status("no, thanks"), None);
        assert_eq!(split_status("5.7.1: no"), None);
    }
}
