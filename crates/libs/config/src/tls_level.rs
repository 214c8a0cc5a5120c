//! How much encryption a server wants: one list of words, for several parameters.

/// How much encryption a service wants of its clients: `smtpd_tls_security_level` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsLevel {
    /// Offered.
    May,
    /// Demanded.
    Encrypt,
}

/// A level that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid TLS level \"{0}\"")]
pub struct UnknownTlsLevel(String);

impl TlsLevel {
    /// The level of a parameter; `former` is what the parameters say that it took the place of. `None`: no TLS.
    ///
    /// # Errors
    /// [`UnknownTlsLevel`].
    pub fn of(text: &str, former: Option<Self>) -> Result<Option<Self>, UnknownTlsLevel> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "" => former,
            "none" => None,
            "may" => Some(Self::May),
            "encrypt" => Some(Self::Encrypt),
            _ if Self::is_of_clients(text) => Some(Self::Encrypt),
            _ => return Err(UnknownTlsLevel(text.to_owned())),
        })
    }

    /// Whether a word is a level that only clients have; a server encrypts then.
    #[must_use]
    pub fn is_of_clients(text: &str) -> bool {
        ["verify", "secure", "fingerprint"].iter().any(|level| level.eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_servers() {
        for (text, former, expected) in [
            ("", None, Ok(None)),
            ("", Some(TlsLevel::May), Ok(Some(TlsLevel::May))),
            ("none", Some(TlsLevel::Encrypt), Ok(None)),
            ("MAY", None, Ok(Some(TlsLevel::May))),
            ("encrypt", Some(TlsLevel::May), Ok(Some(TlsLevel::Encrypt))),
            ("Secure", None, Ok(Some(TlsLevel::Encrypt))),
            ("dane", None, Err(UnknownTlsLevel("dane".into()))),
        ] {
            assert_eq!(TlsLevel::of(text, former), expected, "{text}");
        }
        assert!(TlsLevel::is_of_clients("Verify") && !TlsLevel::is_of_clients("encrypt"));
    }
}
