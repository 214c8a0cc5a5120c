//! What became of a recipient, and what its sender asked to hear about it.
//!
//! Enhanced status codes (RFC 3463), the details that a delivery status notification carries (RFC 3464), and the
//! SMTP parameters `NOTIFY`, `RET`, `ENVID` and `ORCPT` (RFC 3461). Nothing here talks to anyone.

mod detail;
mod notify;
mod orcpt;
mod status;
pub mod uxtext;
pub mod xtext;

pub use detail::{Detail, Diagnostic, Outcome};
pub use notify::{Notify, Ret};
pub use orcpt::OriginalRecipient;
pub use status::{Class, Status, split_status};

/// A word of the notification vocabulary that could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `class.subject.detail`.
    #[error("malformed enhanced status code")]
    Status,
    /// Not `NEVER` or a list of `SUCCESS`, `FAILURE`, `DELAY`.
    #[error("malformed NOTIFY value")]
    Notify,
    /// Not `FULL` or `HDRS`.
    #[error("malformed RET value")]
    Ret,
    /// Not `type;xtext`, nor `utf-8;uxtext`.
    #[error("malformed ORCPT value")]
    OriginalRecipient,
    /// A `+` that two hexadecimal digits do not follow.
    #[error("malformed xtext")]
    Xtext,
    /// A `\` that does not begin the number of a character.
    #[error("malformed uxtext")]
    Uxtext,
}
