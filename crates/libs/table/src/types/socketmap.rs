//! `socketmap:inet:host:port:name` and `socketmap:unix:path:name`: a server that speaks sendmail's protocol.

use std::path::PathBuf;
use std::sync::Arc;

use crate::environment::Trust;
use crate::error::system_text;
use crate::link::Endpoint;
use crate::wire::{Framing, Server};
use crate::{Answer, Environment, Error, Keys, Lookup, Owner, Table};

struct Socketmap {
    spec: String,
    name: String,
    server: Arc<Server>,
    /// `socketmap_max_query_size`; 0 for none.
    longest: usize,
}

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    let spec = format!("socketmap:{name}");
    if environment.trust == Trust::Paranoid {
        let reason = format!("{spec} map is not allowed for security-sensitive data");
        return Err(Error::config(spec, reason));
    }
    let syntax = || {
        let reason = format!(
            "invalid socketmap name: \"{spec}\"; need \"socketmap:inet:host:port:name\" or \"socketmap:unix:pathname:name\""
        );
        Error::config(&spec, reason)
    };
    let (endpoint, map) = name.rsplit_once(':').ok_or_else(syntax)?;
    let endpoint = match endpoint.split_once(':') {
        Some(("inet", address)) => {
            Endpoint::inet(address, &environment.settings).map_err(|error| Error::config(&spec, error.to_string()))?
        }
        Some(("unix", path)) if !path.is_empty() => Endpoint::Unix(PathBuf::from(path)),
        _ => return Err(syntax()),
    };
    let server = Server::new(endpoint, Framing::Netstring, environment.socketmap_max_reply_size);
    let (name, server, longest) = (map.to_owned(), Arc::new(server), environment.socketmap_max_query_size);
    Ok(Box::new(Socketmap { spec, name, server, longest }))
}

impl Socketmap {
    async fn ask(&self, key: &[u8]) -> Answer {
        let question = [self.name.as_bytes(), b" ", key].concat();
        if self.longest > 0 && question.len() > self.longest {
            // What the server would say of it is not known: whoever asks has to wait.
            return Err(self.trouble(&format!("query is longer than {} bytes", self.longest)));
        }
        let framed = [question.len().to_string().as_bytes(), b":", &question, b","].concat();
        let answer = self.server.ask(&framed).await.map_err(|error| self.trouble(&system_text(&error)))?;
        let mut parts = answer.splitn(2, |byte| *byte == b' ');
        let (word, value) = (parts.next().unwrap_or_default(), parts.next());
        let rest = value.unwrap_or_default();
        match word {
            b"OK" => Ok(value.map(<[u8]>::to_vec)),
            b"NOTFOUND" => Ok(None),
            b"TEMP" | b"TIMEOUT" | b"PERM" => Err(self.trouble(&format!(
                "server replied {}: {}",
                String::from_utf8_lossy(word),
                String::from_utf8_lossy(rest)
            ))),
            _ => Err(self.trouble(&format!("malformed server reply: {}", String::from_utf8_lossy(&answer)))),
        }
    }

    fn trouble(&self, reason: &str) -> Error {
        Error::temporary(&self.spec, reason)
    }
}

impl Table for Socketmap {
    fn lookup<'a>(&'a self, key: &[u8]) -> Lookup<'a> {
        let key = key.to_vec();
        Lookup::Later(Box::pin(async move { self.ask(&key).await }))
    }

    /// The server is asked once for each address, for it may know patterns.
    fn keys(&self) -> Keys {
        Keys::Pattern
    }

    fn owner(&self) -> Owner {
        Owner::Unknown
    }
}
