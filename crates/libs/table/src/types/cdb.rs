//! `cdb:path`: the file `path.cdb`, which is only ever replaced as a whole.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use engine::{Mapped, cdb};

use super::Watched;
use super::gathered::Gathered;
use super::terminated::{Seen, plain, stored_in};
use super::watched::warn_if_older;
use crate::environment::Terminator;
use crate::store::{Entry, Purpose, Put, Store};
use crate::{Environment, Error, Lookup, Owner, Table};

struct Cdb {
    spec: String,
    bytes: Mapped,
    seen: Seen,
    file: Watched,
}

const DAMAGED: &str = "damaged cdb file";

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("cdb:{name}");
    let path = format!("{name}.cdb");
    let (bytes, file) = map(&path).map_err(|error| Error::file(&spec, "open database", &path, &error))?;
    // A key in what is missing would seem to be none.
    cdb::check(&bytes).map_err(|cdb::Damaged| Error::temporary(&spec, DAMAGED))?;
    warn_if_older(&path, name);
    Ok(Box::new(Cdb { spec, bytes, seen: Seen::at_first(environment.terminator), file }))
}

fn map(path: &str) -> std::io::Result<(Mapped, Watched)> {
    let file = File::open(path)?;
    Ok((Mapped::new(&file)?, Watched::new(file)?))
}

impl Table for Cdb {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(match self.seen.find(key, |key| cdb::find(&self.bytes, key)) {
            Ok(value) => Ok(value.map(|value| plain(value.to_vec()))),
            Err(cdb::Damaged) => Err(Error::temporary(&self.spec, DAMAGED)),
        })
    }

    fn changed(&self) -> bool {
        self.file.changed()
    }

    fn owner(&self) -> Owner {
        self.file.owner()
    }
}

pub(crate) fn store(_: &str, name: &str, purpose: Purpose, environment: &Environment) -> Result<Box<dyn Store>, Error> {
    let spec = format!("cdb:{name}");
    let path = format!("{name}.cdb");
    match purpose {
        Purpose::Read => {
            let (bytes, _) = map(&path).map_err(|error| Error::file(&spec, "open database", &path, &error))?;
            let at = cdb::records(&bytes).place();
            Ok(Box::new(Reader { spec, bytes, told: None, at }))
        }
        Purpose::Update | Purpose::Amend => {
            let reason = "dict_cdb_open: inappropriate open flags for cdb database - specify O_RDONLY or O_WRONLY|O_CREAT|O_TRUNC";
            Err(Error::config(spec, reason))
        }
        Purpose::Create { mode } => {
            let temporary = format!("{path}.tmp");
            let file = create(&temporary).and_then(|file| {
                file.set_permissions(Permissions::from_mode(mode))?;
                Ok(file)
            });
            let file = file.map_err(|error| Error::file(&spec, "open database", &temporary, &error))?;
            let terminator = environment.terminator;
            Ok(Box::new(Maker { spec, path, temporary, file, gathered: Gathered::default(), terminator }))
        }
    }
}

/// The file to write, locked against another postmap that writes the same one.
fn create(path: &str) -> std::io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        // While we waited, the other one may have renamed it.
        let same = fs::metadata(path).is_ok_and(|there| {
            use std::os::unix::fs::MetadataExt;
            file.metadata().is_ok_and(|here| (here.dev(), here.ino()) == (there.dev(), there.ino()))
        });
        if same {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

struct Maker {
    spec: String,
    path: String,
    temporary: String,
    file: File,
    gathered: Gathered,
    terminator: Terminator,
}

impl Store for Maker {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        Ok(self.gathered.put(key, value, replace))
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.gathered.delete(key))
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.gathered.get(key).map(<[u8]>::to_vec))
    }

    fn next(&mut self, _: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        let reason = format!("table {}: sequence operation is not supported", self.spec);
        Err(Error::config(&self.spec, reason))
    }

    fn save(&mut self) -> Result<(), Error> {
        self.write().map_err(|error| Error::file(&self.spec, "write", &self.temporary, &error))
    }
}

impl Maker {
    fn write(&mut self) -> std::io::Result<()> {
        let mut maker = cdb::Maker::new(&self.file)?;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (key, value) in self.gathered.iter() {
            let key = stored_in(key, self.terminator, Terminator::Without, &mut keys);
            maker.add(key, stored_in(value, self.terminator, Terminator::Without, &mut values))?;
        }
        maker.finish()?;
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.gathered.clear();
        Ok(())
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        // Gone already if it was saved.
        if !self.gathered.is_empty() {
            let _ = fs::remove_file(Path::new(&self.temporary));
        }
    }
}

struct Reader {
    spec: String,
    bytes: Mapped,
    told: Option<Vec<u8>>,
    at: usize,
}

impl Store for Reader {
    fn put(&mut self, _: &[u8], _: &[u8], _: bool) -> Result<Put, Error> {
        Err(self.read_only())
    }

    fn delete(&mut self, _: &[u8]) -> Result<bool, Error> {
        Err(self.read_only())
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = Seen::at_first(Terminator::Usual).find(key, |key| cdb::find(&self.bytes, key));
        let found = found.map_err(|cdb::Damaged| Error::temporary(&self.spec, DAMAGED))?;
        Ok(found.map(|value| plain(value.to_vec())))
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        let mut records = cdb::records(&self.bytes);
        if after.is_some() && self.told.as_deref() == after {
            records.seek(self.at);
        } else if let Some(after) = after {
            records.by_ref().find(|record| record.is_ok_and(|(key, _)| plain(key.to_vec()) == after));
        }
        let next = records.next();
        self.at = records.place();
        match next {
            None => Ok(None),
            Some(Err(cdb::Damaged)) => Err(Error::temporary(&self.spec, DAMAGED)),
            Some(Ok((key, value))) => {
                let (key, value) = (plain(key.to_vec()), plain(value.to_vec()));
                self.told = Some(key.clone());
                Ok(Some((key, value)))
            }
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Reader {
    fn read_only(&self) -> Error {
        let reason = format!("{} map requires O_RDONLY access mode", self.spec);
        Error::config(&self.spec, reason)
    }
}
