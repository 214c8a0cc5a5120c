//! What is known of the encryption of a session.

/// Facts for checks, logs, and the `Received:` header.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) protocol: String,
    pub(crate) cipher: String,
    pub(crate) bits: u16,
    /// Subject of the client's certificate.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) fingerprint: String,
    pub(crate) key_fingerprint: String,
    /// The client's certificate was verified.
    pub(crate) trusted: bool,
    /// The lines of the `Received:` header, each behind a tab.
    pub(crate) received: String,
}

impl Facts {
    /// Keys under which a certificate may be listed.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = &str> {
        [self.fingerprint.as_str(), self.key_fingerprint.as_str()].into_iter().filter(|key| !key.is_empty())
    }
}
