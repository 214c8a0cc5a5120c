//! Lookup tables, lists of patterns, address look-ups, header and body checks.
//!
//! A table is named `type:name`; each type is one file in `types` and one row in [`TYPES`]. A lookup answers at
//! once for tables in memory, and later for those on the network; [`block_on`] serves programs without a
//! runtime. What cannot be read is an error, never "not found": the caller defers. Nothing here decides what a
//! result means, except for the lists of patterns, the order of address look-ups, and the actions of checks.

mod address_find;
mod blocking;
mod broken;
pub mod checks;
mod client;
pub mod environment;
mod error;
mod fold;
mod link;
mod local_domain;
mod lookup;
mod maps;
pub mod network;
mod opening;
mod pattern_list;
mod pattern_rules;
mod percent;
mod replacement;
mod rules;
#[cfg(feature = "servers")]
mod secure;
#[cfg(feature = "servers")]
mod servers;
pub mod source;
pub mod split;
pub mod store;
pub mod sweep;
mod types;
pub mod upkeep;
mod wire;
#[cfg(test)]
mod wire_tests;

pub use address_find::{AddressFind, Found, Part, Strategy};
pub use blocking::block_on;
pub use environment::Environment;
pub use error::{Class, Error, system_text};
pub use fold::{fold, shown};
pub use local_domain::LocalDomains;
pub use lookup::{Answer, Keys, Lookup, Owner, Table};
pub use maps::{Maps, Scope};
pub use opening::open;
pub use pattern_list::{Parents, PatternList};
#[cfg(feature = "servers")]
pub use types::read_answers;
pub use types::{TYPES, Type, UNSUPPORTED};
