//! `internal:name`: a table in memory, empty when it is opened.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::{Entry, Purpose, Put, Store};
use crate::{Environment, Error, Lookup, Table};

struct Internal;

pub(crate) fn open(_: &str, _: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(Internal))
}

impl Table for Internal {
    fn lookup<'a>(&'a self, _: &[u8]) -> Lookup<'a> {
        Lookup::nothing()
    }
}

/// Entries in the order of their keys.
pub(super) struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl FromIterator<Entry> for Memory {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        Self(entries.into_iter().collect())
    }
}

pub(crate) fn store(_: &str, _: &str, _: Purpose, _: &Environment) -> Result<Box<dyn Store>, Error> {
    Ok(Box::new(Memory(BTreeMap::new())))
}

impl Store for Memory {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        if !replace && self.0.contains_key(key) {
            return Ok(Put::Duplicate);
        }
        self.0.insert(key.to_vec(), value.to_vec());
        Ok(Put::Stored)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.0.remove(key).is_some())
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key).cloned())
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.0.range::<[u8], _>((start, Bound::Unbounded));
        Ok(rest.next().map(|(key, value)| (key.clone(), value.clone())))
    }

    fn save(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
