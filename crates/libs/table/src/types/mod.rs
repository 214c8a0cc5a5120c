//! The types of tables: one file and one row each.

mod cdb;
mod cidr;
mod composed;
mod debug;
mod environ;
mod fail;
mod fixed;
mod gathered;
mod hash;
mod inline;
mod internal;
#[cfg(feature = "ldap")]
mod ldap;
mod lmdb;
mod memcache;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "ldap", feature = "mongodb", feature = "mysql", feature = "pgsql"))]
mod octets;
mod pcre;
#[cfg(feature = "pgsql")]
mod pgsql;
mod proxy;
mod randmap;
#[cfg(feature = "redis")]
mod redis;
mod regexp;
mod socketmap;
mod sqlite;
mod tcp;
mod terminated;
mod texthash;
mod unix;
mod watched;

pub(crate) use watched::Watched;

use crate::store::{Purpose, Store};
use crate::{Environment, Error, Keys, Table};

type Opener = fn(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error>;
type StoreOpener = fn(kind: &str, name: &str, Purpose, &Environment) -> Result<Box<dyn Store>, Error>;

/// A type of table.
pub struct Type {
    /// The word before the colon.
    pub name: &'static str,
    /// One line for the manual.
    pub summary: &'static str,
    /// What its keys usually are.
    pub keys: Keys,
    pub(crate) open: Opener,
    pub(crate) store: Option<StoreOpener>,
    /// Whether postmap makes such tables.
    pub(crate) is_made: bool,
}

const fn row(name: &'static str, summary: &'static str, open: Opener) -> Type {
    Type { name, summary, keys: Keys::Fixed, open, store: None, is_made: false }
}

impl Type {
    const fn patterns(self) -> Self {
        Self { keys: Keys::Pattern, ..self }
    }

    /// Entries can be listed or changed one by one.
    const fn stored(self, store: StoreOpener) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Whole tables can be made, too.
    const fn made(self, store: StoreOpener) -> Self {
        Self { store: Some(store), is_made: true, ..self }
    }
}

/// All types, by name.
pub const TYPES: &[Type] = &[
    row("btree", "an indexed file, or a Berkeley DB btree", hash::open_btree).made(hash::store),
    row("cdb", "an indexed file that is replaced as a whole", cdb::open).made(cdb::store),
    row("cidr", "networks and addresses, the first match counts", cidr::open).patterns(),
    row("debug", "another table, whose look-ups are logged", debug::open),
    row("environ", "environment variables", environ::open),
    row("fail", "always fails, for tests", fail::open).patterns().made(fail::store),
    row("hash", "an indexed file, or a Berkeley DB hash", hash::open_hash).made(hash::store),
    row("inline", "entries written in the configuration", inline::open).stored(inline::store),
    row("internal", "empty, in memory", internal::open).stored(internal::store),
    #[cfg(feature = "ldap")]
    row("ldap", "searches of LDAP servers", ldap::open),
    row("lmdb", "an indexed file that may change in use", lmdb::open).made(lmdb::store),
    row("memcache", "a memcached server, with another table behind it", memcache::open).stored(memcache::store),
    #[cfg(feature = "mongodb")]
    row("mongodb", "queries of MongoDB servers", mongodb::open),
    #[cfg(feature = "mysql")]
    row("mysql", "queries of MySQL or MariaDB servers", mysql::open),
    row("pcre", "Perl-compatible patterns, the first match counts", pcre::open).patterns(),
    #[cfg(feature = "pgsql")]
    row("pgsql", "queries of PostgreSQL servers", pgsql::open),
    row("pipemap", "tables that look up each other's results", composed::open_pipe),
    row("proxy", "a table behind proxymap(8)", proxy::open).made(proxy::store),
    row("randmap", "one of several values, by chance", randmap::open).patterns(),
    #[cfg(feature = "redis")]
    row("redis", "a Redis server", redis::open),
    row("regexp", "POSIX patterns, the first match counts", regexp::open).patterns(),
    row("socketmap", "a server that speaks sendmail's protocol", socketmap::open).patterns(),
    row("sqlite", "queries of an SQLite file", sqlite::open),
    row("static", "one value for every key", fixed::open),
    row("tcp", "a server that answers lines", tcp::open).patterns(),
    row("texthash", "a text file, read at start", texthash::open).stored(texthash::store),
    row("unionmap", "all results of several tables", composed::open_union),
    row("unix", "users and groups of the system", unix::open),
];

/// Types of other systems, which are known but not to be had.
pub const UNSUPPORTED: &[&str] = &["dbm", "netinfo", "nis", "nisplus", "sdbm"];

/// Reads bytes as the answers of every kind of database server, and forgets what they say: the way in for whoever
/// wants to see that any bytes are read.
#[cfg(feature = "servers")]
pub fn read_answers(bytes: &[u8]) {
    #[cfg(feature = "ldap")]
    ldap::read_answers(bytes);
    #[cfg(feature = "mongodb")]
    mongodb::read_answers(bytes);
    #[cfg(feature = "mysql")]
    mysql::read_answers(bytes);
    #[cfg(feature = "pgsql")]
    pgsql::read_answers(bytes);
    #[cfg(feature = "redis")]
    redis::read_answers(bytes);
}

pub(crate) fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
