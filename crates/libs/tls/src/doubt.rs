//! Why a certificate is not believed, in the words of Postfix's log.

use std::fmt;

/// Why a certificate is not believed, or not the one that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody vouches for it.
    SelfSigned,
    /// Nobody knows who vouches for it; the full name.
    UntrustedIssuer(String),
    /// More authorities than this stand between it and one that is known.
    TooLong(usize),
    /// Its time has not come.
    NotYetValid,
    /// Its time is over.
    Expired,
    /// It was made for something else.
    Purpose,
    /// It has none of the names that are wanted.
    Name,
    /// It has none of the digests that are wanted.
    Digest,
    /// What rustls says.
    Other(String),
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The server's.
    Server,
    /// The client's.
    Client,
}

impl Doubt {
    /// The line about the certificate of a peer.
    #[must_use]
    pub fn line(&self, owner: Owner, peer: &str) -> String {
        match self {
            Self::SelfSigned | Self::UntrustedIssuer(_) | Self::TooLong(_) => {
                format!("certificate verification failed for {peer}: {self}")
            }
            Self::Purpose => {
                format!("certificate verification failed for {peer}: not designated for use as a {owner} certificate")
            }
            Self::NotYetValid | Self::Expired | Self::Name | Self::Digest | Self::Other(_) => {
                format!("{owner} certificate verification failed for {peer}: {self}")
            }
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfSigned => f.write_str("self-signed certificate"),
            Self::UntrustedIssuer(name) => write!(f, "untrusted issuer {name}"),
            Self::TooLong(most) => write!(f, "certificate chain longer than limit({most})"),
            Self::NotYetValid => f.write_str("certificate not yet valid"),
            Self::Expired => f.write_str("certificate has expired"),
            Self::Purpose => f.write_str("not designated for this use"),
            Self::Name => f.write_str("num=62:hostname mismatch"),
            Self::Digest => f.write_str("num=65:no matching DANE TLSA records"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}
