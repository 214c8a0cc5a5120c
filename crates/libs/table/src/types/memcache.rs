//! `memcache:path`: a memcached server, with another table behind it, as the parameters in `path` say.
//!
//! The server may forget what it was told. With a table behind it, that one counts: what changes is changed there,
//! and in the server as well. A server that fails is asked again, and then the table behind, if there is one.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::blocking::block_apart;
use crate::client::{Origin, Parameters, Template, is_listed};
use crate::error::system_text;
use crate::link::{Endpoint, malformed};
use crate::store::{Entry, Purpose, Put, Store};
use crate::wire::{Framing, Server};
use crate::{Answer, Environment, Error, Lookup, Owner, PatternList, Table};

/// The server, and what its parameters say.
struct Cache {
    spec: String,
    server: Server,
    key_format: Template,
    domains: Option<PatternList>,
    stored: Stored,
    tries: Tries,
}

/// What goes with a value that is stored.
struct Stored {
    flags: usize,
    ttl: usize,
    limit: usize,
}

/// How often a server is asked.
struct Tries {
    most: usize,
    pause: Duration,
}

/// What a key is for the server.
enum Name {
    /// It is known by this name.
    Known(String),
    /// No name that the protocol has room for.
    Unspeakable,
    /// Not to be looked up.
    Excluded,
}

/// memcached's own limit on keys.
const LONGEST_KEY: usize = 250;

impl Cache {
    fn read(parameters: &Parameters, environment: &Environment) -> Result<Self, Error> {
        let server = parameters.text("memcache");
        let endpoint = match server.as_deref().unwrap_or("inet:localhost:11211").split_once(':') {
            Some(("inet", address)) => Endpoint::inet(address, &environment.settings)
                .map_err(|error| parameters.mistake(&error.to_string()))?,
            Some(("unix", path)) => Endpoint::Unix(PathBuf::from(path)),
            _ => return Err(parameters.mistake("bad memcache server: need inet:host:port or unix:path")),
        };
        let key_format = parameters.text("key_format");
        let limit = parameters.number("data_size_limit", 10240)?;
        let framing = Framing::Memcache { line: parameters.number("line_size_limit", 1024)? };
        Ok(Self {
            spec: parameters.spec().to_owned(),
            server: Server::new(endpoint, framing, limit).within(parameters.seconds("timeout", 2)?),
            key_format: parameters.template("key_format", key_format.as_deref().unwrap_or("%s"))?,
            domains: parameters.domains(environment),
            stored: Stored { flags: parameters.number("flags", 0)?, ttl: parameters.number("ttl", 3600)?, limit },
            tries: Tries { most: parameters.number("max_try", 2)?, pause: parameters.seconds("retry_pause", 1)? },
        })
    }

    async fn name(&self, key: &[u8]) -> Result<Name, Error> {
        let Ok(key) = std::str::from_utf8(key) else {
            return Ok(Name::Unspeakable);
        };
        if !is_listed(self.domains.as_ref(), key).await? {
            return Ok(Name::Excluded);
        }
        let Some(name) = self.key_format.expand(key, key, str::to_owned) else {
            return Ok(Name::Excluded);
        };
        // Such a name would end the server's line.
        let ends = |byte: u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
        let fits = !name.is_empty() && name.len() <= LONGEST_KEY && !name.bytes().any(ends);
        Ok(if fits { Name::Known(name) } else { Name::Unspeakable })
    }

    /// Asks as often as it takes.
    async fn try_all<T>(&self, question: &[u8], read: impl Fn(&[u8]) -> io::Result<T>) -> Result<T, Error> {
        let mut trouble = malformed("max_try is 0");
        for round in 0..self.tries.most {
            if round > 0 {
                tokio::time::sleep(self.tries.pause).await;
            }
            match self.server.ask(question).await.and_then(|answer| read(&answer)) {
                Ok(value) => return Ok(value),
                Err(error) => trouble = error,
            }
        }
        Err(Error::temporary(&self.spec, system_text(&trouble)))
    }

    async fn get(&self, name: &str) -> Answer {
        self.try_all(format!("get {name}\r\n").as_bytes(), |answer| {
            // The value with its heading, or nothing but the end.
            match answer.iter().position(|byte| *byte == b'\n').and_then(|end| answer.split_at_checked(end)) {
                Some((_, value)) => Ok(value.get(1..).map(<[u8]>::to_vec)),
                None if answer == b"END" => Ok(None),
                None => Err(unexpected(answer)),
            }
        })
        .await
    }

    /// Stores a value for a while.
    async fn set(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        let Stored { flags, ttl, limit } = self.stored;
        if value.len() > limit {
            let reason = format!("length {} of the value exceeds data_size_limit {limit}", value.len());
            return Err(Error::temporary(&self.spec, reason));
        }
        let head = format!("set {name} {flags} {ttl} {}\r\n", value.len());
        let question = [head.as_bytes(), value, b"\r\n"].concat();
        let stored = |answer: &[u8]| if answer == b"STORED" { Ok(()) } else { Err(unexpected(answer)) };
        self.try_all(&question, stored).await
    }

    /// Removes a value, and tells whether it was there.
    async fn delete(&self, name: &str) -> Result<bool, Error> {
        self.try_all(format!("delete {name}\r\n").as_bytes(), |answer| match answer {
            b"DELETED" => Ok(true),
            b"NOT_FOUND" => Ok(false),
            _ => Err(unexpected(answer)),
        })
        .await
    }

    /// Keeps the server in step with the table behind it. Where that fails, an old value stays until it expires.
    async fn follow(&self, name: &str, value: Option<&[u8]>) {
        let done = match value {
            Some(value) => self.set(name, value).await,
            None => self.delete(name).await.map(|_| ()),
        };
        if let Err(error) = done {
            tracing::warn!("database {}: {error}", self.spec);
        }
    }
}

fn unexpected(answer: &[u8]) -> io::Error {
    let answer: String = String::from_utf8_lossy(answer).chars().take(30).collect();
    io::Error::other(format!("unexpected memcache server reply: {answer}"))
}

struct Memcache {
    cache: Cache,
    backup: Option<Box<dyn Table>>,
    origin: Origin,
}

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let parameters = Parameters::read("memcache", path, environment)?;
    let cache = Cache::read(&parameters, environment)?;
    let backup = parameters.text("backup").map(|backup| crate::open(&backup, environment)).transpose()?;
    Ok(Box::new(Memcache { cache, backup, origin: parameters.origin() }))
}

impl Memcache {
    async fn ask(&self, key: Vec<u8>) -> Answer {
        let name = match self.cache.name(&key).await? {
            Name::Known(name) => Some(name),
            Name::Unspeakable => None,
            Name::Excluded => return Ok(None),
        };
        let mut trouble = None;
        if let Some(name) = &name {
            match self.cache.get(name).await {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        let Some(backup) = &self.backup else {
            return trouble.map_or(Ok(None), Err);
        };
        let value = backup.lookup(&key).await?;
        // A server that is down is not told either.
        if let (Some(value), Some(name), None) = (&value, &name, trouble) {
            self.cache.follow(name, Some(value)).await;
        }
        Ok(value)
    }
}

impl Table for Memcache {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Later(Box::pin(self.ask(key.to_vec())))
    }

    fn changed(&self) -> bool {
        self.origin.changed() || self.backup.as_ref().is_some_and(|backup| backup.changed())
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}

/// The same for changing: caches of daemons, and postmap.
struct Written {
    cache: Cache,
    backup: Option<Box<dyn Store>>,
}

pub(crate) fn store(_: &str, path: &str, purpose: Purpose, environment: &Environment) -> Result<Box<dyn Store>, Error> {
    if let Purpose::Create { .. } = purpose {
        let reason = "unsupported dictionary type: memcache does not support bulk-mode creation.";
        return Err(Error::config(format!("memcache:{path}"), reason));
    }
    let parameters = Parameters::read("memcache", path, environment)?;
    let cache = Cache::read(&parameters, environment)?;
    let backup =
        parameters.text("backup").map(|backup| crate::store::open(&backup, purpose, environment)).transpose()?;
    Ok(Box::new(Written { cache, backup }))
}

impl Written {
    fn name(&self, key: &[u8]) -> Result<Option<String>, Error> {
        match self.cache.wait(self.cache.name(key))? {
            Name::Known(name) => Ok(Some(name)),
            Name::Unspeakable if self.backup.is_some() => Ok(None),
            Name::Unspeakable | Name::Excluded => {
                let reason = format!("no place for the key \"{}\"", String::from_utf8_lossy(key));
                Err(Error::config(&self.cache.spec, reason))
            }
        }
    }
}

impl Cache {
    fn wait<T: Send>(&self, work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
        block_apart(&self.spec, work)
    }

    fn wait_to_follow(&self, name: Option<&str>, value: Option<&[u8]>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        self.wait(async {
            self.follow(name, value).await;
            Ok(())
        })
    }
}

impl Store for Written {
    fn put(&mut self, key: &[u8], value: &[u8], replace: bool) -> Result<Put, Error> {
        let name = self.name(key)?;
        let Some(backup) = &mut self.backup else {
            if !replace && self.get(key)?.is_some() {
                return Ok(Put::Duplicate);
            }
            self.cache.wait(self.cache.set(name.as_deref().unwrap_or_default(), value))?;
            return Ok(Put::Stored);
        };
        let put = backup.put(key, value, replace)?;
        if put == Put::Stored {
            self.cache.wait_to_follow(name.as_deref(), Some(value))?;
        }
        Ok(put)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        let name = self.name(key)?;
        let Some(backup) = &mut self.backup else {
            return self.cache.wait(self.cache.delete(name.as_deref().unwrap_or_default()));
        };
        let found = backup.delete(key)?;
        self.cache.wait_to_follow(name.as_deref(), None)?;
        Ok(found)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let name = self.name(key)?;
        let cached = match &name {
            Some(name) => self.cache.wait(self.cache.get(name)),
            None => Ok(None),
        };
        let Some(backup) = &mut self.backup else { return cached };
        if let Ok(Some(value)) = cached {
            return Ok(Some(value));
        }
        let value = backup.get(key)?;
        if let (Some(value), Ok(None)) = (&value, cached) {
            self.cache.wait_to_follow(name.as_deref(), Some(value))?;
        }
        Ok(value)
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, Error> {
        match &mut self.backup {
            Some(backup) => backup.next(after),
            None => Err(Error::config(&self.cache.spec, "first/next support requires backup database".to_owned())),
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        self.backup.as_mut().map_or(Ok(()), |backup| backup.save())
    }
}
