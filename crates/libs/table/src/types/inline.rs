//! `inline:{key=value, {key = text with spaces}}`: entries written in the configuration itself.

use std::collections::HashMap;

use super::internal::Memory;
use crate::environment::Values;
use crate::source::stored_value;
use crate::split::{SEPARATORS, inside_braces, items};
use crate::store::{Purpose, Store, refusal};
use crate::{Environment, Error, Lookup, Table};

struct Inline(HashMap<Vec<u8>, Vec<u8>>);

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    Ok(Box::new(read(name, environment)?))
}

/// The entries, to be listed.
pub(crate) fn store(
    kind: &str,
    name: &str,
    purpose: Purpose,
    environment: &Environment,
) -> Result<Box<dyn Store>, Error> {
    if purpose != Purpose::Read {
        return Err(refusal(kind, name, purpose));
    }
    Ok(Box::new(read(name, environment)?.0.into_iter().collect::<Memory>()))
}

fn read(name: &str, environment: &Environment) -> Result<Inline, Error> {
    let spec = format!("inline:{name}");
    let value = match environment.values {
        Values::Text => "value",
        Values::Files => "filename",
    };
    let bad = |what: String| Error::config(&spec, format!("{what}: \"{spec}\"; need \"inline:{{name={value}...}}\""));
    let group = if name.starts_with('{') { inside_braces(name).ok() } else { None };
    let group = group.filter(|group| !group.is_empty()).ok_or_else(|| bad("bad syntax".to_owned()))?;
    let mut entries = HashMap::new();
    for item in items(group, SEPARATORS) {
        let item =
            if item.starts_with('{') { inside_braces(item).map_err(|error| bad(error.to_string()))? } else { item };
        let (key, value) = item.split_once('=').ok_or_else(|| bad("missing '=' after attribute name".to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(bad("missing attribute name".to_owned()));
        }
        let key = environment.folded(key.as_bytes()).into_owned();
        let value = stored_value(value.as_bytes(), environment.values).map_err(bad)?;
        entries.insert(key, value.into_owned());
    }
    Ok(Inline(entries))
}

impl Table for Inline {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Now(Ok(self.0.get(key).cloned()))
    }
}
