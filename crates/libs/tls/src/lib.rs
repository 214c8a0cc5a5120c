//! TLS for both sides over rustls: what Postfix's TLS_README describes, as far as rustls goes.
//!
//! Certificates, keys and authorities are read outside the jail ([`material`]). A handshake at an opportunistic level accepts any
//! certificate; what was found out about it is in the [`summary::Summary`], and the caller decides by its level. Nothing
//! here logs or knows main.cf; what OpenSSL has and rustls has not is mapped or answered with a warning ([`protocols`]).

mod chain;
pub mod client;
pub mod dane;
pub mod doubt;
pub mod fingerprint;
pub mod identities;
pub mod loglevel;
pub mod material;
pub mod names;
pub mod protocols;
pub mod server;
pub mod suites;
pub mod summary;
pub mod ticket;
mod verifier;

use std::io::ErrorKind;

/// Whatever can go wrong before or in a handshake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file with certificates or keys is not there, or not readable.
    #[error("cannot load {what} from {file}: {source}")]
    Read {
        /// What was wanted.
        what: &'static str,
        /// Where.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds nothing of the kind wanted, or something malformed.
    #[error("cannot load {what} from {file}: {why}")]
    Content {
        /// What was wanted.
        what: &'static str,
        /// Where.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// rustls refuses a combination, such as a key that does not fit its certificate.
    #[error("TLS set-up: {0}")]
    Setup(#[from] rustls::Error),
    /// A list of protocols names what is none.
    #[error(transparent)]
    Protocols(#[from] protocols::Malformed),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(std::io::Error),
    /// The handshake took too long.
    #[error("handshake timed out")]
    Timeout,
}

impl Error {
    /// Whether the peer has left in the middle of the handshake, which is no fault of the library.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let left = |kind| matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        matches!(self, Self::Handshake(cause) if left(cause.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_leaves_is_no_fault_of_the_library() {
        for (kind, lost) in
            [(ErrorKind::UnexpectedEof, true), (ErrorKind::ConnectionReset, true), (ErrorKind::InvalidData, false)]
        {
            assert_eq!(Error::Handshake(kind.into()).is_lost(), lost, "{kind}");
        }
        assert!(!Error::Timeout.is_lost());
    }
}
