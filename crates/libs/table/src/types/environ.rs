//! `environ:name`: the environment, as it was when the table was opened.

use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;

use crate::{Environment, Error, Lookup, Owner, Table};

struct Environ(HashMap<Vec<u8>, Vec<u8>>);

pub(crate) fn open(_: &str, _: &Environment) -> Result<Box<dyn Table>, Error> {
    let variables = std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec()));
    Ok(Box::new(Environ(variables.collect())))
}

impl Table for Environ {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(Ok(self.0.get(key).cloned()))
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}
