//! How much security the way to a server must have.

use crate::failure::Failure;
use crate::peer::Peer;
use crate::session::Ready;

/// `smtp_tls_security_level`, for one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// In plain.
    #[default]
    None,
    /// Under TLS where the server offers it.
    May,
    /// Under TLS, whoever the server is.
    Encrypt,
}

/// The policies of a process.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// For destinations without one of their own.
    pub default: Level,
}

impl Policies {
    /// The policy for one server of a next hop.
    #[must_use]
    pub fn of(&self, _nexthop: &str, _peer: &Peer) -> Level {
        self.default
    }

    /// Brings a session to the level that its destination needs. Where TLS cannot be had, a session of level `May` goes on
    /// in plain, and one that needs it waits.
    pub fn secure(&self, ready: Ready, level: Level) -> Result<Ready, Failure> {
        match level {
            Level::None | Level::May => Ok(ready),
            Level::Encrypt => {
                let reason = "TLS is required, but our TLS engine is unavailable";
                Err(Failure::site(dsn::Detail::new(dsn::Status::temporary(7, 5), reason)))
            }
        }
    }
}
