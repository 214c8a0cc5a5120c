//! `hash:path` and `btree:path`: made as `path.lmdb`; read from that or from an existing Berkeley DB file
//! `path.db`, whichever is newer.
//!
//! Berkeley DB is gone from current distributions, so its files are only read. A process that reads `path.db`
//! cannot see from its jail that `path.lmdb` appears; postmap therefore touches the status of `path.db`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use engine::berkeley::Berkeley;

use super::terminated::{Seen, plain};
use super::watched::warn_if_older;
use super::{Watched, lmdb};
use crate::environment::Terminator;
use crate::store::{Entry, Purpose, Put, Store};
use crate::{Environment, Error, Lookup, Owner, Table};

pub(crate) fn open_hash(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    open("hash", name, environment)
}

pub(crate) fn open_btree(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    open("btree", name, environment)
}

fn open(kind: &str, name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    if !is_berkeley(name) {
        let table = lmdb::open_as(kind, name, environment)?;
        // The real postmap may make the older file anew.
        return match File::open(format!("{name}.db")).and_then(Watched::new) {
            Ok(other) => Ok(Box::new(Ours { table, other })),
            Err(_) => Ok(table),
        };
    }
    let (file, watched) = read(kind, name)?;
    warn_if_older(&format!("{name}.db"), name);
    let spec = format!("{kind}:{name}");
    Ok(Box::new(Theirs { spec, file, seen: Seen::at_first(environment.terminator), watched }))
}

/// Whether `name.db` is there, and `name.lmdb` is not newer.
fn is_berkeley(name: &str) -> bool {
    let modified = |end: &str| {
        let metadata = fs::metadata(format!("{name}{end}")).ok()?;
        Some((metadata.mtime(), metadata.mtime_nsec()))
    };
    modified(".db") > modified(".lmdb")
}

fn read(kind: &str, name: &str) -> Result<(Berkeley, Watched), Error> {
    let spec = format!("{kind}:{name}");
    let path = format!("{name}.db");
    let content = File::open(&path).and_then(|mut file| {
        // Postfix's postmap writes in place, under an exclusive lock.
        file.lock_shared()?;
        let watched = Watched::new(file.try_clone()?)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        file.unlock()?;
        Ok((content, watched))
    });
    let (content, watched) = content.map_err(|error| Error::file(&spec, "open database", &path, &error))?;
    let file =
        Berkeley::new(content).map_err(|error| Error::temporary(&spec, format!("open database {path}: {error}")))?;
    Ok((file, watched))
}

struct Ours {
    table: Box<dyn Table>,
    other: Watched,
}

impl Table for Ours {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        self.table.lookup(key)
    }

    fn changed(&self) -> bool {
        self.table.changed() || self.other.changed()
    }

    fn owner(&self) -> Owner {
        self.table.owner()
    }
}

struct Theirs {
    spec: String,
    file: Berkeley,
    seen: Seen,
    watched: Watched,
}

impl Table for Theirs {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(match self.seen.find(key, |key| self.file.get(key)) {
            Ok(value) => Ok(value.map(plain)),
            Err(error) => Err(Error::temporary(&self.spec, error.to_string())),
        })
    }

    fn changed(&self) -> bool {
        self.watched.changed()
    }

    fn owner(&self) -> Owner {
        self.watched.owner()
    }
}

pub(crate) fn store(
    kind: &str,
    name: &str,
    purpose: Purpose,
    environment: &Environment,
) -> Result<Box<dyn Store>, Error> {
    match purpose {
        Purpose::Read if is_berkeley(name) => {
            let (file, _) = read(kind, name)?;
            let spec = format!("{kind}:{name}");
            Ok(Box::new(Reader { spec, file, page: 0, entries: Vec::new().into_iter() }))
        }
        Purpose::Update | Purpose::Amend if is_berkeley(name) => {
            Ok(Box::new(Replacing { path: format!("{name}.db"), store: continue_from(kind, name, environment)? }))
        }
        Purpose::Read => lmdb::store(kind, name, purpose, environment),
        Purpose::Update | Purpose::Amend | Purpose::Create { .. } => {
            let store = lmdb::store(kind, name, purpose, environment)?;
            Ok(Box::new(Replacing { path: format!("{name}.db"), store }))
        }
    }
}

/// What LMDB takes, less a terminator.
const LONGEST_KEY: usize = 510;

/// Our file with the entries of a Berkeley DB file that was newer.
fn continue_from(kind: &str, name: &str, environment: &Environment) -> Result<Box<dyn Store>, Error> {
    let (file, _) = read(kind, name)?;
    let mode = fs::metadata(format!("{name}.db")).map_or(0o644, |metadata| metadata.permissions().mode() & 0o666);
    let mut store = lmdb::store(kind, name, Purpose::Create { mode }, environment)?;
    let damaged = |error: engine::berkeley::Error| Error::temporary(format!("{kind}:{name}"), error.to_string());
    for page in 0..=file.last_page() {
        for (key, value) in file.entries_of_page(page).map_err(damaged)? {
            if key.len() > LONGEST_KEY {
                tracing::warn!("{kind}:{name}: key \"{:.100}\" is too long", String::from_utf8_lossy(&key));
                continue;
            }
            store.put(&plain(key), &plain(value), false)?;
        }
    }
    store.save()?;
    Ok(store)
}

/// Our file beside a Berkeley DB file, which is out of date once ours is saved.
struct Replacing {
    path: String,
    store: Box<dyn Store>,
}

impl Store for Replacing {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        self.store.put(key, value, replace)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.store.delete(key)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.store.get(key)
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        self.store.next(after)
    }

    fn save(&mut self) -> Result<(), Error> {
        self.store.save()?;
        let path = Path::new(&self.path);
        if let Ok(metadata) = fs::metadata(path) {
            tracing::warn!("{}: not updated; Postfix will not see the change", self.path);
            // The same rights again: whoever has the file open sees its status change.
            let _ = fs::set_permissions(path, metadata.permissions());
        }
        Ok(())
    }
}

struct Reader {
    spec: String,
    file: Berkeley,
    page: u32,
    entries: std::vec::IntoIter<(Vec<u8>, Vec<u8>)>,
}

impl Reader {
    fn read_only(&self) -> Error {
        let reason = format!("{} map requires O_RDONLY access mode", self.spec);
        Error::config(&self.spec, reason)
    }

    fn trouble(&self, error: engine::berkeley::Error) -> Error {
        Error::temporary(&self.spec, error.to_string())
    }
}

impl Store for Reader {
    fn put(&mut self, _: &[u8], _: &[u8], _: bool) -> Result<Put, Error> {
        Err(self.read_only())
    }

    fn delete(&mut self, _: &[u8]) -> Result<bool, Error> {
        Err(self.read_only())
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = Seen::at_first(Terminator::Usual).find(key, |key| self.file.get(key));
        found.map(|value| value.map(plain)).map_err(|error| self.trouble(error))
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        if after.is_none() {
            (self.page, self.entries) = (0, Vec::new().into_iter());
        }
        loop {
            if let Some((key, value)) = self.entries.next() {
                return Ok(Some((plain(key), plain(value))));
            }
            if self.page > self.file.last_page() {
                return Ok(None);
            }
            let entries = self.file.entries_of_page(self.page).map_err(|error| self.trouble(error))?;
            self.entries = entries.into_iter();
            self.page += 1;
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
