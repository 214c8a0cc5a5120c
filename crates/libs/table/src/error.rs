//! Why a table gave no answer. Either class defers mail; the class tells the operator where to look.

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may go away by itself: a server is down, a file cannot be read now.
    Temporary,
    /// Somebody has to change the configuration.
    Config,
}

/// A table that cannot be opened, or a lookup that failed. Its text is what the log says after the table's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Error {
    /// The table, as `type:name`.
    pub table: String,
    /// What kind of trouble it is.
    pub class: Class,
    /// What was tried, on what, and what the system said.
    pub reason: String,
}

impl Error {
    /// Trouble that may go away.
    pub fn temporary(table: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { table: table.into(), class: Class::Temporary, reason: reason.into() }
    }

    /// Trouble that somebody has to repair.
    pub fn config(table: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { table: table.into(), class: Class::Config, reason: reason.into() }
    }

    /// The same for a look-up in a table that could not be opened: whatever the reason, one may be there next time.
    pub(crate) fn deferring(&self) -> Self {
        Self { class: Class::Temporary, ..self.clone() }
    }

    /// The error of a system call on a file, in the words of the C library.
    pub fn file(table: impl Into<String>, doing: &str, path: &str, error: &std::io::Error) -> Self {
        Self::temporary(table, format!("{doing} {path}: {}", system_text(error)))
    }
}

/// The C library's text of a system error, without Rust's "(os error 2)".
#[must_use]
pub fn system_text(error: &std::io::Error) -> String {
    // The words of the library, not those of Rust.
    if error.kind() == std::io::ErrorKind::NotFound {
        return "No such file or directory".to_owned();
    }
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}
