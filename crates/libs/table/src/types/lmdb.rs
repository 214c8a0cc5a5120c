//! `lmdb:path`: the file `path.lmdb`, which may change while it is in use.

use std::collections::VecDeque;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use engine::lmdb::{Access, Database, Error as Trouble};

use super::Watched;
use super::gathered::Gathered;
use super::terminated::{Seen, plain, stored, stored_in};
use super::watched::warn_if_older;
use crate::environment::Terminator;
use crate::error::system_text;
use crate::store::{Entry, Purpose, Put, Store};
use crate::{Environment, Error, Lookup, Owner, Table};

struct Lmdb {
    spec: String,
    database: Mutex<Database>,
    seen: Seen,
    file: Watched,
}

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    open_as("lmdb", name, environment)
}

/// Opens the file for a table that is named with another type.
pub(super) fn open_as(kind: &str, name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("{kind}:{name}");
    let path = format!("{name}.lmdb");
    let refuse = |trouble: &Trouble| Error::temporary(&spec, format!("open database {path}: {}", text(trouble)));
    let file = File::open(&path).and_then(Watched::new);
    let file = file.map_err(|error| Error::file(&spec, "open database", &path, &error))?;
    let database = Database::open(Path::new(&path), Access::Read, environment.lmdb_map_size)
        .map_err(|trouble| refuse(&trouble))?;
    warn_if_older(&path, name);
    Ok(Box::new(Lmdb { spec, database: Mutex::new(database), seen: Seen::at_first(environment.terminator), file }))
}

fn text(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Io(error) => system_text(error),
        Trouble::MapFull | Trouble::Library(_) | Trouble::BadSize => trouble.to_string(),
    }
}

impl Table for Lmdb {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.seen.find(key, |key| database.get(key));
        Lookup::Now(match found {
            Ok(value) => Ok(value.map(plain)),
            Err(trouble) => Err(Error::temporary(&self.spec, text(&trouble))),
        })
    }

    fn changed(&self) -> bool {
        self.file.replaced()
    }

    fn owner(&self) -> Owner {
        self.file.owner()
    }
}

enum Changes {
    /// Nothing, or single entries: done at once, and again if the map has to grow.
    Single(Vec<Change>),
    /// A whole new table.
    All(Gathered),
}

enum Change {
    Put(Box<[u8]>, Box<[u8]>),
    Delete(Box<[u8]>),
}

struct LmdbStore {
    spec: String,
    database: Database,
    changes: Changes,
    terminator: Terminator,
    /// Entries read ahead of what [`Store::next`] has told.
    ahead: VecDeque<(Vec<u8>, Vec<u8>)>,
    told: Option<Vec<u8>>,
}

const READ_AHEAD: usize = 256;

pub(crate) fn store(
    kind: &str,
    name: &str,
    purpose: Purpose,
    environment: &Environment,
) -> Result<Box<dyn Store>, Error> {
    let spec = format!("{kind}:{name}");
    let path = format!("{name}.lmdb");
    let mode = match purpose {
        Purpose::Create { mode } => mode,
        Purpose::Read | Purpose::Update | Purpose::Amend => 0o644,
    };
    let access = if purpose == Purpose::Read { Access::Read } else { Access::Write { mode } };
    let mut is_new = !Path::new(&path).exists();
    if is_new && purpose == Purpose::Amend {
        return Err(Error::file(&spec, "open database", &path, &std::io::ErrorKind::NotFound.into()));
    }
    let open = || Database::open(Path::new(&path), access, environment.lmdb_map_size);
    let database = match open() {
        // Who makes a table anew loses nothing that could still be read.
        Err(Trouble::Library(_)) if kind != "lmdb" && matches!(purpose, Purpose::Create { .. }) => {
            tracing::warn!("removing damaged database file: {path}");
            fs::remove_file(&path).map_err(|error| Error::file(&spec, "remove", &path, &error))?;
            is_new = true;
            open()
        }
        opened => opened,
    };
    let database =
        database.map_err(|trouble| Error::temporary(&spec, format!("open database {path}: {}", text(&trouble))))?;
    if is_new {
        // Whatever the umask is: the source's rights count.
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(|error| Error::file(&spec, "set permissions of", &path, &error))?;
    }
    let changes = match purpose {
        Purpose::Create { .. } => Changes::All(Gathered::default()),
        Purpose::Read | Purpose::Update | Purpose::Amend => Changes::Single(Vec::new()),
    };
    let terminator = environment.terminator;
    Ok(Box::new(LmdbStore { spec, database, changes, terminator, ahead: VecDeque::new(), told: None }))
}

impl LmdbStore {
    fn stored<'a>(&self, text: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        stored(text, self.terminator, Terminator::With)
    }

    fn trouble(&self, trouble: &Trouble) -> Error {
        Error::temporary(&self.spec, text(trouble))
    }

    fn not_updated(&self, trouble: &Trouble) -> Error {
        Error::temporary(&self.spec, format!("error updating {}: {}", self.spec, text(trouble)))
    }

    fn find(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Changes::All(gathered) = &self.changes {
            return Ok(gathered.get(key).map(<[u8]>::to_vec));
        }
        let found = Seen::at_first(self.terminator).find(key, |key| self.database.get(key));
        found.map(|value| value.map(plain)).map_err(|trouble| self.trouble(&trouble))
    }

    /// Makes a change now; if the map is full, grows it and makes all changes since the last commit again.
    fn apply(&mut self, change: Change) -> Result<(), Error> {
        let first = one(&mut self.database, &change);
        if let Changes::Single(changes) = &mut self.changes {
            changes.push(change);
        }
        match first {
            Ok(()) => Ok(()),
            Err(Trouble::MapFull) => self.again(),
            Err(trouble) => Err(self.not_updated(&trouble)),
        }
    }

    /// Makes all changes again in larger maps, until they fit.
    fn again(&mut self) -> Result<(), Error> {
        loop {
            self.database.grow().map_err(|trouble| self.not_updated(&trouble))?;
            let result = match &self.changes {
                Changes::Single(changes) => changes.iter().try_for_each(|change| one(&mut self.database, change)),
                Changes::All(_) => self.write_all(),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(Trouble::MapFull) => {}
                Err(trouble) => return Err(self.not_updated(&trouble)),
            }
        }
    }

    fn write_all(&mut self) -> Result<(), Trouble> {
        let Changes::All(gathered) = &self.changes else {
            return Ok(());
        };
        let size = gathered.iter().map(|(key, value)| key.len() + value.len() + PER_ENTRY);
        self.database.reserve(size.sum())?;
        self.database.clear()?;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        // A NUL at the end of all keys changes nothing about their order.
        for (key, value) in gathered.sorted() {
            let key = stored_in(key, self.terminator, Terminator::With, &mut keys);
            let value = stored_in(value, self.terminator, Terminator::With, &mut values);
            self.database.append(key, value)?;
        }
        Ok(())
    }
}

/// What an entry takes beside its key and value: its header and place on its page, NULs, and its part of the tree.
const PER_ENTRY: usize = 16;

fn one(database: &mut Database, change: &Change) -> Result<(), Trouble> {
    match change {
        Change::Put(key, value) => database.put(key, value, true).map(|_| ()),
        Change::Delete(key) => database.delete(key).map(|_| ()),
    }
}

impl Store for LmdbStore {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        self.ahead.clear();
        if let Changes::All(gathered) = &mut self.changes {
            return Ok(gathered.put(key, value, replace));
        }
        if !replace && self.find(key)?.is_some() {
            return Ok(Put::Duplicate);
        }
        let change = Change::Put(self.stored(key).into(), self.stored(value).into());
        self.apply(change).map(|()| Put::Stored)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.ahead.clear();
        if let Changes::All(gathered) = &mut self.changes {
            return Ok(gathered.delete(key));
        }
        let forms = match self.terminator {
            Terminator::Usual => &[Terminator::With, Terminator::Without][..],
            Terminator::With => &[Terminator::With],
            Terminator::Without => &[Terminator::Without],
        };
        let mut found = false;
        for form in forms {
            let key = stored(key, *form, *form);
            let known = self.database.get(&key).map_err(|trouble| self.trouble(&trouble))?;
            if known.is_some() {
                self.apply(Change::Delete(key.into()))?;
                found = true;
            }
        }
        Ok(found)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.find(key)
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        if self.ahead.is_empty() || self.told.as_deref() != after {
            // What was told may be stored with or without NUL; the greater form is behind both.
            let start = after.map(|after| stored(after, Terminator::With, Terminator::With).into_owned());
            let entries = self.database.entries(start.as_deref(), READ_AHEAD);
            self.ahead = entries.map_err(|trouble| self.trouble(&trouble))?.into();
        }
        let Some((key, value)) = self.ahead.pop_front() else {
            return Ok(None);
        };
        let (key, value) = (plain(key), plain(value));
        self.told = Some(key.clone());
        Ok(Some((key, value)))
    }

    fn save(&mut self) -> Result<(), Error> {
        if let Changes::All(_) = self.changes {
            match self.write_all() {
                Ok(()) => {}
                Err(Trouble::MapFull) => self.again()?,
                Err(trouble) => return Err(self.not_updated(&trouble)),
            }
        }
        loop {
            match self.database.commit() {
                Ok(()) => break,
                // Pages of bookkeeping may be what is too much.
                Err(Trouble::MapFull) => self.again()?,
                Err(trouble) => return Err(self.not_updated(&trouble)),
            }
        }
        self.changes = Changes::Single(Vec::new());
        Ok(())
    }
}
