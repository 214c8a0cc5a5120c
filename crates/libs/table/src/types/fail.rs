//! `fail:name`: every look-up fails, so that deferral can be tested.

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
