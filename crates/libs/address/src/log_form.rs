//! `info_log_address_format`: how addresses stand in the log.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::mailbox::{printable, shown};

/// The form of addresses in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogForm {
    /// With quotes where they are needed, as in headers.
    #[default]
    External,
    /// Without any, as Postfix before 3.5 had it.
    Internal,
}

/// A value that names no form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownForm(String);

impl fmt::Display for UnknownForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid parameter setting \"info_log_address_format = {}\"", self.0)
    }
}

impl std::error::Error for UnknownForm {}

impl FromStr for LogForm {
    type Err = UnknownForm;

    fn from_str(text: &str) -> Result<Self, UnknownForm> {
        match text.to_ascii_lowercase().as_str() {
            "external" => Ok(Self::External),
            "internal" => Ok(Self::Internal),
            _ => Err(UnknownForm(text.to_owned())),
        }
    }
}

impl LogForm {
    /// An address in internal form, as the log shows it: what is not printable becomes `?`.
    #[must_use]
    pub fn shown(self, internal: &[u8]) -> Cow<'_, str> {
        match self {
            Self::External => shown(internal),
            Self::Internal => printable(internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_shown_in_external_form_only() {
        for (address, external, internal) in [
            (&b"a@b.c"[..], "a@b.c", "a@b.c"),
            (b"a b@c.d", "\"a b\"@c.d", "a b@c.d"),
            (b"x\"y@c.d", "\"x\\\"y\"@c.d", "x\"y@c.d"),
            (b"a..b@c.d", "\"a..b\"@c.d", "a..b@c.d"),
            (b"a\n@c.d", "\"a\\?\"@c.d", "a?@c.d"),
            (b"", "", ""),
        ] {
            let shown = [LogForm::External, LogForm::Internal].map(|form| form.shown(address));
            assert_eq!(shown, [external, internal]);
        }
    }

    #[test]
    fn forms_have_names_in_any_case() {
        assert_eq!("Internal".parse(), Ok(LogForm::Internal));
        assert_eq!("external".parse(), Ok(LogForm::default()));
        let error = "bogus".parse::<LogForm>().unwrap_err();
        assert_eq!(error.to_string(), "invalid parameter setting \"info_log_address_format = bogus\"");
    }
}
