//! The types of tables: one file and one row each.

mod cidr;
mod environ;
mod fail;
mod fixed;
mod inline;
mod internal;
mod texthash;
mod watched;

pub(crate) use watched::Watched;

use crate::store::{Purpose, Store};
use crate::{Environment, Error, Table};

type Opener = fn(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error>;
type StoreOpener = fn(kind: &str, name: &str, Purpose, &Environment) -> Result<Box<dyn Store>, Error>;

/// A type of table.
pub struct Type {
    /// The word before the colon.
    pub name: &'static str,
    /// One line for the manual.
    pub summary: &'static str,
    pub(crate) open: Opener,
    pub(crate) store: Option<StoreOpener>,
}

/// All types, by name.
pub const TYPES: &[Type] = &[
    Type { name: "cidr", summary: "networks and addresses, the first match counts", open: cidr::open, store: None },
    Type { name: "environ", summary: "environment variables", open: environ::open, store: None },
    Type { name: "fail", summary: "always fails, for tests", open: fail::open, store: None },
    Type { name: "inline", summary: "entries written in the configuration", open: inline::open, store: None },
    Type { name: "internal", summary: "empty, in memory", open: internal::open, store: Some(internal::store) },
    Type { name: "static", summary: "one value for every key", open: fixed::open, store: None },
    Type { name: "texthash", summary: "a text file, read at start", open: texthash::open, store: None },
];

pub(crate) fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|kind| kind.name == name)
}
