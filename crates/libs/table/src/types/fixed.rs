//! `static:value` and `static:{ value }`: the same value for every key.

use crate::split::inside_braces;
use crate::{Environment, Error, Lookup, Table};

struct Static(String);

pub(crate) fn open(name: &str, _: &Environment) -> Result<Box<dyn Table>, Error> {
    let value = if name.starts_with('{') {
        inside_braces(name)
            .map_err(|error| Error::config(format!("static:{name}"), format!("bad static:name syntax: {error}")))?
    } else {
        name
    };
    Ok(Box::new(Static(value.to_owned())))
}

impl Table for Static {
    fn lookup<'a>(&'a self, _: &[u8]) -> Lookup<'a> {
        Lookup::found(self.0.as_str())
    }
}
