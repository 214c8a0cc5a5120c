//! Safe wrappers of LMDB, mapped files, PCRE2, regcomp and crypt; no policy.
//!
//! What comes from files and from other libraries is checked here, so that callers can be sure of bounds and
//! lifetimes. Readers of file formats that need no foreign library ([`cdb`], [`berkeley`]) are plain safe code.

pub mod accounts;
pub mod berkeley;
pub mod cdb;
pub mod lmdb;
pub mod lock;
mod mapped;
pub mod pcre;
pub mod posix;
pub mod sqlite;

pub use mapped::Mapped;
