//! SMTP or LMTP: one program speaks both, and master.cf decides by the name of the command.

use std::borrow::Cow;

/// Which protocol a process speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// RFC 5321.
    Smtp,
    /// RFC 2033: LHLO, and one reply for each recipient at the end.
    Lmtp,
}

impl Flavor {
    /// The flavor that a program's name asks for.
    #[must_use]
    pub fn of_program(name: &str) -> Self {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.starts_with("lmtp") { Self::Lmtp } else { Self::Smtp }
    }

    /// How a parameter of smtp(8) is called here: `lmtp_discard_lhlo_keywords` for `smtp_discard_ehlo_keywords`.
    #[must_use]
    pub fn parameter(self, name: &str) -> Cow<'_, str> {
        match (self, name.strip_prefix("smtp_")) {
            (Self::Lmtp, Some(rest)) => Cow::Owned(format!("lmtp_{}", rest.replace("ehlo", "lhlo"))),
            (Self::Lmtp, None) | (Self::Smtp, _) => Cow::Borrowed(name),
        }
    }

    /// The protocol's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "ESMTP",
            Self::Lmtp => "LMTP",
        }
    }

    /// The word that greets a server of extensions.
    #[must_use]
    pub const fn hello(self) -> &'static str {
        match self {
            Self::Smtp => "EHLO",
            Self::Lmtp => "LHLO",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_program() {
        for (flavor, name, expected) in [
            (Flavor::Smtp, "smtp_discard_ehlo_keyword_address_maps", "smtp_discard_ehlo_keyword_address_maps"),
            (Flavor::Lmtp, "smtp_discard_ehlo_keyword_address_maps", "lmtp_discard_lhlo_keyword_address_maps"),
            (Flavor::Lmtp, "smtp_sasl_password_maps", "lmtp_sasl_password_maps"),
            (Flavor::Lmtp, "mydestination", "mydestination"),
        ] {
            assert_eq!(flavor.parameter(name), expected);
        }
    }
}
