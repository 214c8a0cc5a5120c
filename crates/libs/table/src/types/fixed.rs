//! `static:value` and `static:{ value }`: the same value for every key.

use crate::source::stored_value;
use crate::split::inside_braces;
use crate::{Environment, Error, Lookup, Table};

struct Static(Vec<u8>);

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let value = if name.starts_with('{') {
        inside_braces(name)
            .map_err(|error| Error::config(format!("static:{name}"), format!("bad static:name syntax: {error}")))?
    } else {
        name
    };
    let value = stored_value(value.as_bytes(), environment.values)
        .map_err(|reason| Error::temporary(format!("static:{name}"), reason))?;
    Ok(Box::new(Static(value.into_owned())))
}

impl Table for Static {
    fn lookup<'a>(&'a self, _: &[u8]) -> Lookup<'a> {
        Lookup::found(self.0.as_slice())
    }
}
