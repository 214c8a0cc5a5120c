//! `texthash:path`: a text file in the format of postmap's sources, kept in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::Watched;
use super::internal::Memory;
use crate::environment::Text;
use crate::source::{Place, entry, is_text, lines, stored_value};
use crate::store::{Purpose, Store, refusal};
use crate::{Environment, Error, Lookup, Owner, Table};

struct Texthash {
    entries: HashMap<Box<[u8]>, Box<[u8]>>,
    file: Watched,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(read(path, environment)?))
}

/// The entries, to be listed.
pub(crate) fn store(
    kind: &str,
    path: &str,
    purpose: Purpose,
    environment: &Environment,
) -> Result<Box<dyn Store>, Error> {
    if purpose != Purpose::Read {
        return Err(refusal(kind, path, purpose));
    }
    let entries = read(path, environment)?.entries.into_iter().map(|(key, value)| (key.into_vec(), value.into_vec()));
    Ok(Box::new(entries.collect::<Memory>()))
}

fn read(path: &str, environment: &Environment) -> Result<Texthash, Error> {
    let spec = format!("texthash:{path}");
    let (text, file) =
        Watched::read(Path::new(path)).map_err(|error| Error::file(&spec, "open database", path, &error))?;
    let mut entries = HashMap::new();
    for line in lines(&text, path) {
        let place = Place { path, line: line.number };
        if environment.text == Text::Utf8 && !is_text(&line.text, place) {
            continue;
        }
        let Some((written, value)) = entry(&line.text, place) else {
            continue;
        };
        let value = match stored_value(value, environment.values) {
            Ok(value) => value,
            Err(reason) => {
                tracing::warn!("{place}: {reason}: skipping this entry");
                continue;
            }
        };
        let key = environment.folded(written);
        match entries.entry(key.into_owned().into_boxed_slice()) {
            Entry::Occupied(_) => {
                let key = String::from_utf8_lossy(written);
                tracing::warn!("{place}: duplicate entry: \"{key}\"");
            }
            Entry::Vacant(free) => {
                free.insert(value.into_owned().into_boxed_slice());
            }
        }
    }
    Ok(Texthash { entries, file })
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
