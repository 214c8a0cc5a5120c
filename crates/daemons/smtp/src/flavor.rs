//! SMTP or LMTP: one program speaks both, and master.cf decides by the name of the command.

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
