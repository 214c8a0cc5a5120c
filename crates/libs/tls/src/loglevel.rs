//! How much the log tells of handshakes: the values of `smtp_tls_loglevel`, `smtpd_tls_loglevel` and their kind.
//!
//! The steps and dumps of OpenSSL do not exist here: levels that ask for them log what the first one does.

use std::fmt;

/// What is logged of handshakes that come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loglevel {
    /// Nothing.
    Nothing,
    /// A line for each, with protocol, cipher and what was made of the certificate.
    Handshakes,
}

/// What logs a line for each handshake, alone or with more.
const SUMMARIES: [&str; 11] =
    ["1", "2", "3", "4", "5", "routine", "debug", "ssl-expert", "ssl-developer", "summary", "verbose"];
/// What asks for other things, or for nothing.
const OTHERS: [&str; 9] = [
    "0",
    "none",
    "cache",
    "certmatch",
    "peercert",
    "untrusted",
    "ssl-debug",
    "ssl-handshake-packet-dump",
    "ssl-session-packet-dump",
];

/// The value of a parameter that is no level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    parameter: String,
    value: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} value \"{}\"", self.parameter, self.value)
    }
}

impl std::error::Error for Unknown {}

impl Loglevel {
    /// The level that a parameter names.
    ///
    /// # Errors
    ///
    /// [`Unknown`], which is to be warned about; nothing is logged then.
    pub fn of(parameter: &str, value: &str) -> Result<Self, Unknown> {
        Self::named(value).ok_or_else(|| Unknown { parameter: parameter.to_owned(), value: value.to_owned() })
    }

    /// Reads a list of numbers and names. `None`: one of its words is none of these.
    #[must_use]
    pub fn named(list: &str) -> Option<Self> {
        let mut level = Self::Nothing;
        for word in list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            let is_in = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
            if is_in(&SUMMARIES) {
                level = Self::Handshakes;
            } else if !is_in(&OTHERS) {
                return None;
            }
        }
        Some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_numbers_or_names() {
        use Loglevel::{Handshakes, Nothing};
        for (list, expected) in [
            ("", Some(Nothing)),
            ("0", Some(Nothing)),
            ("none", Some(Nothing)),
            (" 1 ", Some(Handshakes)),
            ("Routine", Some(Handshakes)),
            ("1,0", Some(Handshakes)),
            ("0, summary", Some(Handshakes)),
            ("5", Some(Handshakes)),
            ("cache untrusted", Some(Nothing)),
            ("10", None),
            ("1 all", None),
        ] {
            assert_eq!(Loglevel::named(list), expected, "{list:?}");
        }
        assert_eq!(Loglevel::of("smtp_tls_loglevel", "1"), Ok(Handshakes));
        let unknown = Loglevel::of("smtp_tls_loglevel", "x").unwrap_err();
        assert_eq!(unknown.to_string(), "unknown smtp_tls_loglevel value \"x\"");
    }
}
