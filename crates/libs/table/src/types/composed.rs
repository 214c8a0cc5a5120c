//! Tables made of others: `unionmap:{…}` joins all answers, `pipemap:{…}` looks up each answer in the next.

use crate::split::{SEPARATORS, inside_braces, items};
use crate::{Answer, Environment, Error, Keys, Lookup, Owner, Table};

#[derive(Clone, Copy)]
enum Join {
    Union,
    Pipe,
}

struct Composed {
    join: Join,
    tables: Vec<Box<dyn Table>>,
}

pub(crate) fn open_union(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    open("unionmap", Join::Union, name, environment)
}

pub(crate) fn open_pipe(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    open("pipemap", Join::Pipe, name, environment)
}

fn open(kind: &str, join: Join, name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("{kind}:{name}");
    let bad = || Error::config(&spec, format!("bad syntax: \"{spec}\"; need \"{kind}:{{type:name...}}\""));
    let group = if name.starts_with('{') { inside_braces(name).ok() } else { None };
    let specs = items(group.ok_or_else(bad)?, SEPARATORS);
    if specs.is_empty() || specs.iter().any(|spec| !spec.contains(':')) {
        return Err(bad());
    }
    let tables = specs.iter().map(|spec| crate::open(spec, environment)).collect::<Result<_, _>>()?;
    Ok(Box::new(Composed { join, tables }))
}

impl Composed {
    async fn union(&self, key: &[u8]) -> Answer {
        let mut joined: Option<Vec<u8>> = None;
        for table in &self.tables {
            if let Some(value) = table.lookup(key).await? {
                match &mut joined {
                    None => joined = Some(value),
                    Some(joined) => {
                        joined.push(b',');
                        joined.extend_from_slice(&value);
                    }
                }
            }
        }
        Ok(joined)
    }

    async fn pipe(&self, key: &[u8]) -> Answer {
        let mut value = key.to_vec();
        for table in &self.tables {
            match table.lookup(&value).await? {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

impl Table for Composed {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let key = key.to_vec();
        Lookup::of(async move {
            match self.join {
                Join::Union => self.union(&key).await,
                Join::Pipe => self.pipe(&key).await,
            }
        })
    }

    fn keys(&self) -> Keys {
        if self.tables.iter().any(|table| table.keys() == Keys::Pattern) { Keys::Pattern } else { Keys::Fixed }
    }

    fn changed(&self) -> bool {
        self.tables.iter().any(|table| table.changed())
    }

    /// As little trust as the least trusted deserves.
    fn owner(&self) -> Owner {
        let mut owner = Owner::Trusted;
        for table in &self.tables {
            owner = match (owner, table.owner()) {
                (Owner::Trusted, other) | (other, Owner::Trusted) => other,
                (Owner::User(one), Owner::User(other)) if one == other => owner,
                _ => Owner::Unknown,
            };
        }
        owner
    }
}
