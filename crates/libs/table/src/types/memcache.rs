//! `memcache:path`: a memcached server, with another table behind it, as the parameters in `path` say.

use std::path::PathBuf;
use std::sync::Arc;

use super::Watched;
use crate::client::{Parameters, Template};
use crate::error::system_text;
use crate::wire::{Endpoint, Framing, Server};
use crate::{Answer, Environment, Error, Lookup, Owner, PatternList, Table};

struct Memcache {
    spec: String,
    server: Arc<Server>,
    key_format: Template,
    domains: Option<PatternList>,
    stored: Stored,
    backup: Option<Box<dyn Table>>,
    file: Watched,
}

/// What goes with a value that is stored.
struct Stored {
    flags: usize,
    ttl: usize,
}

/// memcached's own limit on keys.
const LONGEST_KEY: usize = 250;

pub(crate) fn open(path: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("memcache:{path}");
    let parameters = Parameters::read("memcache", path)?;
    let endpoint = match parameters.text("memcache").unwrap_or("inet:localhost:11211").split_once(':') {
        Some(("inet", address)) => Endpoint::Inet(address.to_owned()),
        Some(("unix", path)) => Endpoint::Unix(PathBuf::from(path)),
        _ => return Err(parameters.mistake("bad memcache server: need inet:host:port or unix:path")),
    };
    let key_format = Template::parse(parameters.text("key_format").unwrap_or("%s"))
        .map_err(|letter| parameters.mistake(&format!("bad key_format template: unknown expansion %{letter}")))?;
    let backup = parameters.text("backup").map(|backup| crate::open(backup, environment)).transpose()?;
    let limit = parameters.number("data_size_limit", 10240)?;
    Ok(Box::new(Memcache {
        spec,
        server: Arc::new(Server::new(endpoint, Framing::Memcache, limit)),
        key_format,
        domains: parameters.domains(environment),
        stored: Stored { flags: parameters.number("flags", 0)?, ttl: parameters.number("ttl", 3600)? },
        backup,
        file: parameters.file,
    }))
}

impl Memcache {
    async fn ask(&self, key: Vec<u8>) -> Answer {
        let Some(name) = self.name(&key).await? else {
            return Ok(None);
        };
        match self.get(&name).await {
            Ok(Some(value)) => return Ok(Some(value)),
            Ok(None) => {}
            // The table behind it still knows.
            Err(_) if self.backup.is_some() => {}
            Err(error) => return Err(error),
        }
        let Some(backup) = &self.backup else {
            return Ok(None);
        };
        let value = backup.lookup(&key).await?;
        if let Some(value) = &value {
            self.set(&name, value).await;
        }
        Ok(value)
    }

    /// The key as the server knows it; none for keys that are not to be asked for.
    async fn name(&self, key: &[u8]) -> Result<Option<String>, Error> {
        let Ok(key) = std::str::from_utf8(key) else {
            return Ok(None);
        };
        if let Some(domains) = &self.domains {
            match key.rsplit_once('@') {
                Some((user, domain)) if !user.is_empty() && domains.matches_string(domain.as_bytes()).await? => {}
                _ => return Ok(None),
            }
        }
        let name = self.key_format.expand(key, key, str::to_owned);
        // Such a key would end the server's line.
        let fits = |name: &String| {
            name.len() <= LONGEST_KEY && !name.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
        };
        Ok(name.filter(fits))
    }

    async fn get(&self, name: &str) -> Answer {
        let answer = self.server.ask(format!("get {name}\r\n").as_bytes()).await;
        let answer = answer.map_err(|error| self.trouble(&system_text(&error)))?;
        // The value with its heading, or nothing but the end.
        match answer.iter().position(|byte| *byte == b'\n').and_then(|end| answer.split_at_checked(end)) {
            Some((_, value)) => Ok(value.get(1..).map(<[u8]>::to_vec)),
            None if answer == b"END" => Ok(None),
            None => Err(self.trouble(&format!("bad reply: {}", String::from_utf8_lossy(&answer)))),
        }
    }

    /// Stores a value for a while; if that fails, the next look-up asks the table behind again.
    async fn set(&self, name: &str, value: &[u8]) {
        let head = format!("set {name} {} {} {}\r\n", self.stored.flags, self.stored.ttl, value.len());
        let _ = self.server.ask(&[head.as_bytes(), value, b"\r\n"].concat()).await;
    }

    fn trouble(&self, reason: &str) -> Error {
        Error::temporary(&self.spec, reason)
    }
}

impl Table for Memcache {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        Lookup::Later(Box::pin(self.ask(key.to_vec())))
    }

    fn changed(&self) -> bool {
        self.file.changed() || self.backup.as_ref().is_some_and(|backup| backup.changed())
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}
