//! `fail:name`: every look-up fails, so that deferral can be tested.

use crate::store::{Entry, Purpose, Put, Store};
use crate::{Environment, Error, Keys, Lookup, Table};

struct Fail(String);

pub(crate) fn open(name: &str, _: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(Fail(format!("fail:{name}"))))
}

impl Table for Fail {
    fn lookup<'a>(&'a self, _: &[u8]) -> Lookup<'a> {
        Lookup::failed(Error::temporary(&self.0, "Application error"))
    }

    fn keys(&self) -> Keys {
        Keys::Pattern
    }
}

pub(crate) fn store(_: &str, name: &str, _: Purpose, _: &Environment) -> Result<Box<dyn Store>, Error> {
    Ok(Box::new(Fail(format!("fail:{name}"))))
}

impl Fail {
    fn cannot(&self, what: &str) -> Error {
        Error::temporary(&self.0, format!("table {}: {what} error: Application error", self.0))
    }
}

impl Store for Fail {
    fn put(&mut self, _: &[u8], _: &[u8], _: bool) -> Result<Put, Error> {
        Err(self.cannot("write"))
    }

    fn delete(&mut self, _: &[u8]) -> Result<bool, Error> {
        Err(self.cannot("delete"))
    }

    fn get(&mut self, _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Err(self.cannot("query"))
    }

    fn next(&mut self, _: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        Err(self.cannot("sequence"))
    }

    fn save(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
