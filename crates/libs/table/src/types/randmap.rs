//! `randmap:{value, value}`: one of the values, by chance.

use std::hash::{BuildHasher, RandomState};

use crate::source::stored_value;
use crate::split::{SEPARATORS, inside_braces, items};
use crate::{Environment, Error, Keys, Lookup, Table};

struct Random(Vec<Vec<u8>>);

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("randmap:{name}");
    let bad = || Error::config(&spec, format!("bad syntax: \"{spec}\"; need \"randmap:{{value...}}\""));
    let group = if name.starts_with('{') { inside_braces(name).ok() } else { None };
    let mut values = Vec::new();
    for item in items(group.ok_or_else(bad)?, SEPARATORS) {
        let value = stored_value(item.as_bytes(), environment.values);
        values.push(value.map_err(|reason| Error::temporary(&spec, reason))?.into_owned());
    }
    if values.is_empty() {
        return Err(bad());
    }
    Ok(Box::new(Random(values)))
}

impl Table for Random {
    fn lookup<'a>(&'a self, _: &[u8]) -> Lookup<'a> {
        // Each state is seeded anew by the system.
        let chance = RandomState::new().hash_one(self.0.len());
        let count = u64::try_from(self.0.len()).unwrap_or(1);
        let at = usize::try_from(chance % count).unwrap_or(0);
        self.0.get(at).map_or_else(Lookup::nothing, |value| Lookup::found(value.as_slice()))
    }

    fn keys(&self) -> Keys {
        Keys::Pattern
    }
}
