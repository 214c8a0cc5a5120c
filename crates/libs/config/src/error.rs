//! What can be wrong with a configuration, in the words that administrators know.

use crate::expand::Failure;
use std::path::PathBuf;

/// A failure to read the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("open {}: {}", path.display(), reason(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is unreasonably large.
    #[error("open {}: file too large", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A logical line of main.cf that is no `name = value`.
    #[error("{}, line {line}: {problem}: \"{text}\"", path.display())]
    MainCf {
        /// The file.
        path: PathBuf,
        /// The last physical line of the logical line.
        line: usize,
        /// What is missing.
        problem: &'static str,
        /// The logical line.
        text: String,
    },
    /// A `$name` expression that makes no sense.
    #[error("{0}")]
    Expansion(#[from] Failure),
    /// An entry of master.cf that makes no sense.
    #[error("{}: line {line}: {problem}", path.display())]
    MasterCf {
        /// The file.
        path: PathBuf,
        /// The last physical line of the entry.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A directory that the default main.cf does not name.
    #[error(
        "unauthorized configuration directory name: {0}; specify \"alternate_config_directories = {0}\" in /etc/postfix/main.cf"
    )]
    Unauthorized(String),
}

/// The text of an operating system error, without the number that Rust adds.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}
