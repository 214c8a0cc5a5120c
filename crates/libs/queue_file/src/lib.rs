//! The mail queue on disk: Postfix's files, in Postfix's directories, by Postfix's rules.
//!
//! Reading order: what a file is called ([`QueueId`], [`QueueName`]), what it is made of ([`record`], [`Sizes`]), what
//! it says ([`Message`], [`Content`]), where it lies ([`Spool`], [`Scan`], [`sweep`]), how it comes to be ([`NewFile`], [`Committed`]), and
//! what is noted about its recipients ([`log`]). Parsers are pure: they read from a [`Source`], which is bytes or a file.
//!
//! All that touches the disk blocks. A missing file is not an error of the mail system: an administrator may
//! take any file at any time ([`Error::is_gone`]).

mod content;
mod id;
pub mod listing;
pub mod log;
pub mod maildrop;
mod message;
mod new_file;
mod queue_name;
pub mod record;
mod scan;
mod sizes;
mod source;
mod spare;
mod spool;
pub mod sweep;

pub use content::{Content, Damage, Piece};
pub use id::QueueId;
pub use message::{Attributes, Message, Position, Recipient, Time};
pub use new_file::{Committed, NewFile, rename_new};
pub use queue_name::QueueName;
pub use record::Problem;
pub use scan::{Found, Scan};
pub use sizes::{SMTPUTF8_REQUESTED, Sizes, TLS_NOT_REQUIRED, TLS_REQUIRED};
pub use source::{Buffered, Segments, Source};
pub use spool::{Layout, Lock, Spool, mark_done, rewrite_record_type, with_directories};

use std::io;
use std::path::PathBuf;

/// What can go wrong with queue files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("{doing} {path}: {source}", path = path.display())]
    System {
        /// What was tried: `open file`, `rename`, …
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or writing failed in the middle of a file.
    #[error("queue file: {0}")]
    Read(#[from] io::Error),
    /// The bytes are not a queue file.
    #[error("malformed queue file: {problem} at offset {offset}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        problem: Problem,
    },
}

impl Error {
    /// Whether a file that was expected is not there: somebody took it, which is their right.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::System { source, .. } | Self::Read(source) => source.kind() == io::ErrorKind::NotFound,
            Self::Malformed { .. } => false,
        }
    }

    /// Whether the bytes themselves are wrong: the file belongs into the corrupt queue.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed { .. })
    }

    /// What the system said, where it was the system.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::System { source, .. } | Self::Read(source) => Some(source.kind()),
            Self::Malformed { .. } => None,
        }
    }

    pub(crate) fn system(doing: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        Self::System { doing, path: path.to_owned(), source }
    }
}
