//! `texthash:path`: a text file in the format of postmap's sources, kept in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::Watched;
use crate::environment::Folding;
use crate::source::{Place, entry, lines, stored_value};
use crate::{Environment, Error, Lookup, Owner, Table, fold};

struct Texthash {
    entries: HashMap<Box<[u8]>, Box<[u8]>>,
    file: Watched,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("texthash:{path}");
    let (text, file) =
        Watched::read(Path::new(path)).map_err(|error| Error::file(&spec, "open database", path, &error))?;
    let mut entries = HashMap::new();
    for line in lines(&text) {
        let place = Place { path, line: line.number };
        let Some((key, value)) = entry(&line.text, place) else {
            continue;
        };
        let key = match environment.folding {
            Folding::Fixed => fold(key),
            Folding::None => key.into(),
        };
        let value = stored_value(value, environment.values).map_err(|reason| Error::temporary(&spec, reason))?;
        match entries.entry(key.into_owned().into_boxed_slice()) {
            Entry::Occupied(taken) => {
                let key = String::from_utf8_lossy(taken.key());
                tracing::warn!("{place}: duplicate entry: \"{key}\"");
            }
            Entry::Vacant(free) => {
                free.insert(value.into_owned().into_boxed_slice());
            }
        }
    }
    Ok(Box::new(Texthash { entries, file }))
}

impl Table for Texthash {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(Ok(self.entries.get(key).map(|value| value.to_vec())))
    }

    fn changed(&self) -> bool {
        self.file.changed()
    }

    fn owner(&self) -> Owner {
        self.file.owner()
    }
}
