//! proxymap and proxywrite: table look-ups for daemons that cannot open the table themselves. See proxymap(8).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; numbered requests.
#[derive(Debug)]
pub struct Proxymap;

impl crate::Protocol for Proxymap {
    const NAME: &'static str = "proxymap";
    const VERSION: u16 = 1;
    const LIMIT: usize = 1024 * 1024;
    type Request = Request;
    type Reply = Reply;
}

/// What a caller asks of table `table`, named as `type:name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The table.
    pub table: String,
    /// Whether keys are folded to lower case where the table type does so.
    pub folding: Folding,
    /// What to do.
    pub action: Action,
}

/// Folding of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Folding {
    /// Lower case, for tables of fixed strings.
    Fixed,
    /// Lower case, for patterns too.
    All,
    /// As given.
    None,
}

/// What to do with a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Open it, and tell whether it may be used.
    Open,
    /// Look a key up.
    Lookup(Bytes),
    /// Set a key (proxywrite).
    Update(Bytes, Bytes),
    /// Remove a key (proxywrite).
    Delete(Bytes),
    /// The first entry, or the one after the last asked for (proxywrite).
    First,
    /// See `First`.
    Next,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Opened, updated or deleted.
    Done {
        /// Whether the table matches patterns (regexp, cidr) rather than fixed strings.
        pattern: bool,
    },
    /// The value.
    Found(Bytes),
    /// An entry of `First` and `Next`.
    Entry(Bytes, Bytes),
    /// No such key.
    NotFound,
    /// The table cannot be read now.
    Retry,
    /// The table is not there or wrong.
    Config,
    /// The table is not in `proxy_read_maps` (or `proxy_write_maps`).
    Denied,
}
