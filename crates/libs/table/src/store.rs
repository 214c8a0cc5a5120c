//! Making and changing tables, for postmap, postalias, and the caches of daemons.

use crate::opening::find_type;
use crate::{Environment, Error};

/// Why a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To list entries.
    Read,
    /// To change single entries of a table that is there, or to start an empty one.
    Update,
    /// To change single entries of a table that is there.
    Amend,
    /// To make the whole table anew; readers see the old one until [`Store::save`].
    Create {
        /// Access rights of a new file.
        mode: u32,
    },
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Put {
    /// It is stored.
    Stored,
    /// The key was there; nothing changed.
    Duplicate,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A table that can be listed and changed.
pub trait Store: Send {
    /// Stores an entry. With `replace` an older value goes away.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error>;

    /// Removes an entry, and tells whether it was there.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    fn delete(&mut self, key: &[u8]) -> Result<bool, Error>;

    /// The value of a key, as changed so far.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The first entry whose key follows `after` in the table's own order, or the first of all.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error>;

    /// Makes the changes so far last, all at once. Later ones that are never saved are forgotten.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    fn save(&mut self) -> Result<(), Error>;
}

/// Opens a table for listing or changing.
///
/// # Errors
///
/// When its type cannot do so, or the file cannot be opened.
pub fn open(spec: &str, purpose: Purpose, environment: &Environment) -> Result<Box<dyn Store>, Error> {
    let (kind, name) = find_type(spec, environment)?;
    if let Some(open) = kind.store {
        return open(kind.name, name, purpose, environment);
    }
    if purpose == Purpose::Read {
        // What is wrong with the table itself is said first.
        (kind.open)(name, environment)?;
    }
    Err(refusal(kind.name, name, purpose))
}

/// What is said of a type whose tables cannot be listed, or not be changed.
pub(crate) fn refusal(kind: &str, name: &str, purpose: Purpose) -> Error {
    let whole = format!("{kind}:{name}");
    let reason = match purpose {
        Purpose::Read => format!("table {whole}: sequence operation is not supported"),
        Purpose::Amend if matches!(kind, "environ" | "static") => {
            format!("table {whole}: delete operation is not supported")
        }
        Purpose::Amend => format!("{whole} map requires O_RDONLY access mode"),
        Purpose::Update | Purpose::Create { .. } => {
            format!("unsupported dictionary type: {kind} does not support bulk-mode creation.")
        }
    };
    Error::config(whole, reason)
}
